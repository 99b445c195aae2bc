package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tools names the programs that a language's Makefile needs, any of each row.
func tools(lang string) [][]string {
	switch lang {
	case "c":
		return [][]string{{"clang", "clang-19", "clang-18", "clang-16"}, {"wasm-ld", "wasm-ld-19", "wasm-ld-18", "wasm-ld-16"}}
	case "assemblyscript":
		return [][]string{{"asc", installed("npm/node_modules/.bin/asc")}, {"node"}}
	case "rust":
		return [][]string{{"rustc"}, {"wasm-ld", "wasm-ld-19", "rust-lld"}}
	case "zig":
		return [][]string{{"zig", installed("bin/zig")}}
	}
	return [][]string{{"go"}}
}

// installed is the path of a tool that guests/toolchains.sh installs.
func installed(path string) string {
	dir := os.Getenv("WASMSTATE_TOOLCHAINS")
	if cache, err := os.UserCacheDir(); dir == "" && err == nil {
		dir = filepath.Join(cache, "wasmstate", "toolchains")
	}
	return filepath.Join(dir, path)
}

// TestNewBuildsAndPasses makes a store in each language, builds it without a
// network as its README says, and checks it.
func TestNewBuildsAndPasses(t *testing.T) {
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			args := []string{"check", "TINYGO="}
			for _, any := range append(tools(l.name), []string{"make"}) {
				switch found := need(t, l.name, any); filepath.Base(found) {
				case "asc":
					args = append(args, "ASC="+found)
				case "zig":
					args = append(args, "ZIG="+found)
				}
			}
			dir := filepath.Join(t.TempDir(), "with space", "my-store")
			require.NoError(t, os.Mkdir(filepath.Dir(dir), 0o755))
			code, out, errs := command(t, "new", "--lang", l.name, "--dir", dir, "my-store.2")
			require.Zero(t, code, errs)
			require.Contains(t, out, l.next)
			require.FileExists(t, filepath.Join(dir, ".gitignore"))
			require.FileExists(t, filepath.Join(dir, l.next))

			self, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.Command("make", append(args, "WASMSTATE="+self)...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "WASMSTATE_TEST_COMMAND=1", "GOPROXY=off", "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local")
			text, err := cmd.CombinedOutput()
			require.NoError(t, err, string(text))
			require.Contains(t, string(text), "state.my-store.2")
			require.Contains(t, string(text), " 0 do not, ")
			// The first commands of the authors' guide, on what new made.
			wasm, state := filepath.Join(dir, "my-store.2.wasm"), filepath.Join(dir, "data.json")
			for _, args := range [][]string{{"set", "b", "2"}, {"set", "a", "1"}, {"set", "a", "1!"}} {
				code, _, errs := command(t, append([]string{"call", wasm, "--state", state}, args...)...)
				require.Zero(t, code, errs)
			}
			code, out, errs = command(t, "call", wasm, "get", "a", "--state", state)
			require.Zero(t, code, errs)
			require.Equal(t, "1!", out)
			code, out, errs = command(t, "call", wasm, "keys", "--state", state)
			require.Zero(t, code, errs)
			require.Equal(t, "a\nb\n", out)
			module, err := os.Stat(filepath.Join(dir, "my-store.2.wasm"))
			require.NoError(t, err)
			if most := map[string]int64{"c": 10 << 10, "zig": 10 << 10, "assemblyscript": 24 << 10, "rust": 40 << 10}[l.name]; most > 0 {
				require.Less(t, module.Size(), most, "a small store has to make a small module")
			}
		})
	}
}

// need returns the first of programs that is there, and skips the test if none
// is; CI does not skip.
func need(t *testing.T, lang string, programs []string) string {
	t.Helper()
	for _, p := range programs {
		if found, err := exec.LookPath(p); err == nil {
			return found
		}
	}
	if os.Getenv("WASMSTATE_REQUIRE") != "1" {
		t.Skipf("%s: none of %v is installed", lang, programs)
	}
	t.Fatalf("%s: none of %v is installed", lang, programs)
	return ""
}

func TestNewRefuses(t *testing.T) {
	full := write(t, t.TempDir(), "notes.txt", "mine")
	for _, tc := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"no language", []string{"x"}, exitUsage, "--lang is missing"},
		{"unknown language", []string{"--lang", "cc", "x"}, exitUsage, `none of go, rust, assemblyscript, c, zig`},
		{"capital letters", []string{"--lang", "go", "Ledger"}, exitUsage, "lower-case"},
		{"path", []string{"--lang", "go", "../x"}, exitUsage, "lower-case"},
		{"flag-like", []string{"--lang", "go", "--", "-x"}, exitUsage, "lower-case"},
		{"no name", []string{"--lang", "go"}, exitUsage, "1 arg"},
		{"not empty", []string{"--lang", "go", "--dir", full, "x"}, exitFailed, "not empty"},
		{"a file", []string{"--lang", "go", "--dir", filepath.Join(full, "notes.txt"), "x"}, exitFailed, "cannot be the folder"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, errs := command(t, append([]string{"new"}, tc.args...)...)
			require.Equal(t, tc.code, code)
			require.Empty(t, out)
			require.Contains(t, errs, tc.text)
		})
	}
	b, err := os.ReadFile(filepath.Join(full, "notes.txt"))
	require.NoError(t, err)
	require.Equal(t, "mine", string(b))
}
