package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
)

const (
	memoryGuest  = "../../guests/memory-go/memory-go.wasm"
	minimalGuest = "../../guests/minimal-go/minimal-go.wasm"
)

func TestInspect(t *testing.T) {
	code, out, errs := command(t, "inspect", memoryGuest)
	require.Zero(t, code, errs)
	for _, text := range []string{"state.memory-go", "sha256:", "TRANSACTIONAL", "single", "instance", "expires values", "ws_get (i32) -> (i64)", "wasmstate_clock.now () -> (i64)", "Apache-2.0"} {
		require.Contains(t, out, text)
	}
	code, out, errs = command(t, "inspect", "--json", memoryGuest)
	require.Zero(t, code, errs)
	var info struct {
		Name     string
		Features []string
		Metadata map[string]any
		Size     int64
	}
	require.NoError(t, json.Unmarshal([]byte(out), &info))
	require.Equal(t, "memory-go", info.Name)
	require.Contains(t, info.Features, "ETAG")
	require.Equal(t, "object", info.Metadata["type"])
	stat, err := os.Stat(memoryGuest)
	require.NoError(t, err)
	require.Equal(t, stat.Size(), info.Size)
}

// TestAuthorCommandsRefuseNonsense: every command names the file and says what
// is wrong with it.
func TestAuthorCommandsRefuseNonsense(t *testing.T) {
	dir := write(t, t.TempDir(), "text.wasm", "not a module", "empty.wasm", "", "short.wasm", "\x00asm\x01\x00\x00\x00\x01\xff")
	for _, cmd := range [][]string{{"inspect"}, {"check"}, {"bench"}, {"call"}, {"pack"}} {
		for _, file := range []string{"text.wasm", "empty.wasm", "short.wasm", "absent.wasm", "."} {
			args := append(append([]string{}, cmd...), filepath.Join(dir, file))
			switch cmd[0] {
			case "call":
				args = append(args, "get", "a")
			case "pack":
				args = append(args, "--manifest", "../../guests/memory-go/wasmstate.yaml", "-o", filepath.Join(dir, "out.wasm"))
			}
			code, out, errs := command(t, args...)
			require.Equal(t, exitFailed, code, "%v %s", cmd, errs)
			require.Empty(t, out)
			require.Contains(t, errs, filepath.Join(dir, file))
			require.NoFileExists(t, filepath.Join(dir, "out.wasm"))
		}
	}
}

func TestCheckPasses(t *testing.T) {
	code, out, errs := command(t, "check", memoryGuest, "--soak", "20000")
	require.Zero(t, code, out+errs)
	require.Contains(t, out, " 0 do not, ")
	code, out, errs = command(t, "check", minimalGuest, "--soak", "20000", "--json")
	require.Zero(t, code, errs)
	var report struct {
		Results []struct{ ID, Error string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	ids := map[string]bool{}
	for _, r := range report.Results {
		require.Empty(t, r.Error, r.ID)
		ids[r.ID] = true
	}
	for _, id := range []string{"get.missing", "etag.one-winner", "memory.level", "memory.cap", "deadline.released"} {
		require.True(t, ids[id], id)
	}
}

// TestCheckFails: a module that declares what it does not do is found out.
func TestCheckFails(t *testing.T) {
	dir := t.TempDir()
	manifest, err := os.ReadFile("../../guests/minimal-go/wasmstate.yaml")
	require.NoError(t, err)
	write(t, dir, "wasmstate.yaml", string(manifest)+"features: [ETAG]\n")
	lying := filepath.Join(dir, "lying.wasm")
	code, _, errs := command(t, "pack", minimalGuest, "--manifest", filepath.Join(dir, "wasmstate.yaml"), "-o", lying)
	require.Zero(t, code, errs)
	code, out, errs := command(t, "check", lying, "--soak", "1000")
	require.Equal(t, exitFailed, code, out+errs)
	require.Contains(t, out, "FAIL  etag.returned")
	require.NotContains(t, out, "FAIL  get.missing")
}

// TestCheckGrants: a module that keeps everything in kv holds to the suite with
// a bucket, and says what it lacks without one.
func TestCheckGrants(t *testing.T) {
	const raw = "../../hostfuncs/testdata/passthrough.wasm"
	dir := write(t, t.TempDir(), "wasmstate.yaml", `{name: pass, version: 1.0.0, abi: {min: 1, max: 1},
features: [ETAG, TRANSACTIONAL, TTL, KEYS, CONTENT_TYPE], concurrency: {mode: pool}, state: host,
capabilities: [{name: kv, reason: keeps the values}]}`)
	module := filepath.Join(dir, "pass.wasm")
	code, _, errs := command(t, "pack", raw, "--manifest", filepath.Join(dir, "wasmstate.yaml"), "-o", module)
	require.Zero(t, code, errs)
	code, out, errs := command(t, "check", module, "--soak", "1000", "--grant", "kv:data")
	require.Zero(t, code, out+errs)
	require.Contains(t, out, " 0 do not, ")
	code, _, errs = command(t, "check", module)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "kv")
	for _, tc := range []struct{ grant, text string }{
		{"kw:data", "want kv:LABEL"},
		{"kv", "want kv:LABEL"},
		{"secret:key", "want secret:NAME=VALUE"},
		{"http:example", "http"},
		{"network:10.0.0.0", "10.0.0.0"},
		{"xyzzyxyzzy:1", "want one of kv, http"},
	} {
		code, _, errs = command(t, "check", module, "--grant", tc.grant)
		require.Equal(t, exitUsage, code, tc.grant)
		require.Contains(t, errs, tc.text)
	}
}

func TestPack(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.wasm")
	const manifest = "../../guests/memory-go/wasmstate.yaml"
	code, text, errs := command(t, "pack", memoryGuest, "--manifest", manifest, "-o", out)
	require.Zero(t, code, errs)
	require.Contains(t, text, "state.memory-go 1.0.0")
	was, err := os.ReadFile(memoryGuest)
	require.NoError(t, err)
	is, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, was, is, "packing a packed module changes nothing")

	good, err := os.ReadFile(manifest)
	require.NoError(t, err)
	for _, tc := range []struct{ name, from, to, text string }{
		{"unknown field", "license:", "licence:", "licence"},
		{"unknown feature", "[ETAG,", "[ETAGS,", "ETAGS"},
		{"bad name", "name: memory-go", "name: Memory Go", "name"},
		{"no YAML", "abi: {", "abi: {{", "wasmstate.yaml"},
		{"mode", "mode: single", "mode: pool", "instance"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bad := filepath.Join(write(t, t.TempDir(), "wasmstate.yaml", strings.Replace(string(good), tc.from, tc.to, 1)), "wasmstate.yaml")
			target := filepath.Join(filepath.Dir(bad), "out.wasm")
			code, text, errs := command(t, "pack", memoryGuest, "--manifest", bad, "-o", target)
			require.Equal(t, exitFailed, code, text)
			require.Contains(t, errs, tc.text)
			require.NoFileExists(t, target)
		})
	}
	code, _, errs = command(t, "pack", minimalGuest, "--manifest", manifest, "-o", out)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "ws_transact", "a feature without its export")
	code, _, errs = command(t, "pack", memoryGuest)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "-o is missing")
}

// TestPackDebug: line numbers go unless they are wanted.
func TestPackDebug(t *testing.T) {
	raw, err := os.ReadFile(minimalGuest)
	require.NoError(t, err)
	const section = ".debug_line"
	dir := write(t, t.TempDir(), "raw.wasm", string(raw)+"\x00\x0f\x0b"+section+"xyz")
	for _, keep := range []bool{false, true} {
		args := []string{"pack", filepath.Join(dir, "raw.wasm"), "--manifest", "../../guests/minimal-go/wasmstate.yaml", "-o", filepath.Join(dir, "out.wasm")}
		if keep {
			args = append(args, "--keep-debug")
		}
		code, _, errs := command(t, args...)
		require.Zero(t, code, errs)
		out, err := os.ReadFile(filepath.Join(dir, "out.wasm"))
		require.NoError(t, err)
		require.Equal(t, keep, strings.Contains(string(out), section))
	}
}

func TestCall(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.json")
	call := func(wantCode int, args ...string) (stdout, stderr string) {
		t.Helper()
		code, out, errs := command(t, append([]string{"call", memoryGuest, "--state", state}, args...)...)
		require.Equal(t, wantCode, code, "%v: %s", args, errs)
		return out, errs
	}
	_, errs := call(exitOK, "set", "a", "one", "--content-type", "text/plain", "--ttl", "1h")
	etag := strings.Split(errs, `"`)[1]
	out, errs := call(exitOK, "get", "a")
	require.Equal(t, "one", out)
	require.Contains(t, errs, etag)
	require.Contains(t, errs, "text/plain")
	require.Contains(t, errs, "expires ")
	call(exitFailed, "set", "a", "two", "--etag", "stale")
	call(exitFailed, "set", "a", "two", "--first-write")
	call(exitOK, "set", "a", "two", "--etag", etag)
	call(exitOK, "set", "b", "")
	out, _ = call(exitOK, "keys")
	require.Equal(t, "a\nb\n", out)
	out, _ = call(exitOK, "keys", "--prefix", "b", "--limit", "1")
	require.Equal(t, "b\n", out)
	call(exitOK, "delete", "a")
	_, errs = call(exitFailed, "get", "a")
	require.Contains(t, errs, "not found")
	call(exitOK, "ping")

	code, _, errs := command(t, "call", memoryGuest, "get", "b")
	require.Equal(t, exitFailed, code, "without --state everything is lost")
	require.Contains(t, errs, "not found")
	for _, args := range [][]string{{"drop", "a"}, {"get"}, {"get", ""}, {"set", "a"}, {"set", "a", "b", "--ttl", "1ms"}} {
		_, errs := call(exitUsage, args...)
		require.NotEmpty(t, errs)
	}
	for size, want := range map[string]int{"1GB": exitFailed, "32MiB": exitFailed, "4Mi": exitFailed, "0": exitUsage, "lots": exitUsage, "-1": exitUsage} {
		code, _, errs = command(t, "call", memoryGuest, "get", "b", "--memory="+size)
		require.Equal(t, want, code, "%s: %s", size, errs) // there is no b without --state
		if want == exitUsage {
			require.Contains(t, errs, "--memory")
		}
	}
	code, _, errs = command(t, "call", minimalGuest, "--state", state, "get", "a")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "EXPORT")
}

// TestCheckFindsTheUndeclared: a store that does more than it says is found
// out, one that does what it says is not.
func TestCheckFindsTheUndeclared(t *testing.T) {
	dir := t.TempDir()
	for features, want := range map[string]string{"[ETAG]": "TRANSACTIONAL,TTL,KEYS,EXPORT,CONTENT_TYPE", "[]": "ETAG,"} {
		write(t, dir, "wasmstate.yaml", "name: led\nversion: 1.0.0\nstate: instance\nfeatures: "+features+"\n")
		module := filepath.Join(dir, "led.wasm")
		code, _, errs := command(t, "pack", memoryGuest, "--manifest", filepath.Join(dir, "wasmstate.yaml"), "-o", module)
		require.Zero(t, code, errs)
		code, out, _ := command(t, "check", module, "--soak", "1000")
		require.Equal(t, exitFailed, code, out)
		require.Contains(t, out, "FAIL  features.declared")
		require.Contains(t, out, want)
	}
}

// TestGreenCheckIsQuiet: what the suite provokes is no alarm, unless asked for.
func TestGreenCheckIsQuiet(t *testing.T) {
	const module = "../../guests/memory-as/memory-as.wasm"
	code, out, errs := command(t, "check", module, "--soak", "1000")
	require.Zero(t, code, out)
	require.Empty(t, errs)
	code, out, errs = command(t, "check", module, "--soak", "1000", "--log-level", "debug")
	require.Zero(t, code, out)
	require.NotEmpty(t, errs)
	code, _, errs = command(t, "check", module, "--log-level", "loud")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "debug, info, warn and error")
}

// TestManifestErrorsStandAtTheLine of the file that the author wrote, and pack
// finds what check and inspect find.
func TestManifestErrorsStandAtTheLine(t *testing.T) {
	dir := write(t, t.TempDir(), "wasmstate.yaml", `# my store
name: led
version: 1.0.0

features:
- ETAG
- KEYZ
description: größer
capabilities:
- {name: kvv, reason: x}
- name: http
metadata:
  type: objekt
`)
	file := filepath.Join(dir, "wasmstate.yaml")
	code, _, errs := command(t, "pack", memoryGuest, "--manifest", file, "-o", filepath.Join(dir, "x.wasm"))
	require.Equal(t, exitFailed, code)
	for _, want := range []string{
		file + ": ", `line 7, column 3: there is no feature "KEYZ", did you mean "KEYS"?`, `line 10, column 3: there is no capability "kvv"`,
		`line 11, column 3: capability "http" needs a reason`, `line 13, column`, `there is no type "objekt", did you mean "object"?`,
	} {
		require.Contains(t, errs, want)
	}
	require.NoFileExists(t, filepath.Join(dir, "x.wasm"))
}

// TestUnknownImports are found by pack, inspect and check in the same words.
func TestUnknownImports(t *testing.T) {
	const module = "../../guests/hostile/import-unknown.wasm"
	dir := write(t, t.TempDir(), "wasmstate.yaml", "name: led\nversion: 1.0.0\n")
	code, _, errs := command(t, "pack", module, "--manifest", filepath.Join(dir, "wasmstate.yaml"), "-o", filepath.Join(dir, "x.wasm"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "and there is no")

	wasm, err := os.ReadFile(module)
	require.NoError(t, err)
	write(t, dir, "packed.wasm", string(guestbuild.WithManifest(wasm, 0, "pool")))
	_, out, _ := command(t, "inspect", filepath.Join(dir, "packed.wasm"))
	require.Contains(t, out, "problem")
	require.Contains(t, out, "and there is no")
	code, _, errs = command(t, "check", filepath.Join(dir, "packed.wasm"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "and there is no")
}
