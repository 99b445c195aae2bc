package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate"
	"github.com/wasmstate/wasmstate/internal/text"
)

// templates has a folder for each language; files end in .tmpl, and a leading
// "dot-" of a name stands for ".".
//
//go:embed templates
var templates embed.FS

// language is what a new store may be written in.
type language struct {
	name string
	sdk  map[string]string // folder of the repository -> folder of the new store
	next string            // what to do first, after `make`
}

func languages() []language {
	return []language{
		{"go", map[string]string{"abi": "sdk/abi", "abi/storetest": "sdk/abi/storetest", "guests/sdk/go": "sdk/guests/sdk/go"}, "store.go"},
		{"rust", map[string]string{"guests/sdk/rust": "sdk"}, "src/lib.rs"},
		{"assemblyscript", map[string]string{"guests/sdk/assemblyscript": "sdk"}, "assembly/index.ts"},
		{"c", map[string]string{"guests/sdk/c": "sdk"}, "store.c"},
		{"zig", map[string]string{"guests/sdk/c": "sdk"}, "store.zig"},
	}
}

func newCmd() *cobra.Command {
	var lang, dir string
	cmd := &cobra.Command{
		Use:   "new --lang go|rust|assemblyscript|c|zig NAME",
		Short: "Start a store: a folder that builds and passes at once",
		Long: `Write a folder with the source of a small working store, a copy of the SDK, a
manifest, a Makefile, a README and a test. Nothing is downloaded. NAME becomes
the store's type, state.NAME: lower-case letters, digits, dots and dashes.`,
		Example: "  wasmstate new --lang go ledger && make -C ledger check",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := findLanguage(lang)
			if err != nil {
				return usageError{err}
			}
			if err := checkName(args[0]); err != nil {
				return usageError{err}
			}
			if dir == "" {
				dir = args[0]
			}
			files, err := project(l, args[0], self())
			if err != nil {
				return err
			}
			if err := writeProject(dir, files); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d files. Next: `make -C %s check`, then edit %s\n", dir, len(files), dir, filepath.Join(dir, l.next))
			return nil
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "", "go, rust, assemblyscript, c or zig")
	cmd.Flags().StringVar(&dir, "dir", "", "the folder to write; empty = NAME in the current one")
	return cmd
}

func findLanguage(name string) (language, error) {
	var known []string
	for _, l := range languages() {
		if l.name == name {
			return l, nil
		}
		known = append(known, l.name)
	}
	list := strings.Join(known, ", ")
	if name == "" {
		return language{}, fmt.Errorf("--lang is missing: one of %s", list)
	}
	if near := text.Nearest(name, known); near != "" {
		return language{}, fmt.Errorf("--lang %q is none of %s; did you mean %q?", name, list, near)
	}
	return language{}, fmt.Errorf("--lang %q is none of %s", name, list)
}

// checkName accepts what is a manifest's name, a file's name and, below a
// fixed prefix, a Go module's.
func checkName(name string) error {
	switch {
	case len(name) > 64:
		return errors.New("the name is longer than 64 characters")
	case !regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`).MatchString(name):
		return fmt.Errorf("%q is no name for a store: use lower-case letters, digits, and dots and dashes between them", name)
	}
	return nil
}

// crate is what Cargo accepts as a name and is not the SDK's.
func crate(name string) string {
	name = strings.ReplaceAll(name, ".", "-")
	if name == "wasmstate" || name[0] <= '9' {
		return "store-" + name
	}
	return name
}

// project returns the files of a new store by their slash-separated names.
//
// self is the path of this command, for the Makefile; empty = unknown.
func project(l language, name, self string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for from, to := range l.sdk {
		if err := copySDK(files, from, to); err != nil {
			return nil, err
		}
	}
	if len(l.sdk) > 0 {
		license, err := wasmstate.Sources.ReadFile("LICENSE")
		if err != nil {
			return nil, err
		}
		files["sdk/LICENSE"] = license
	}
	for _, dir := range []string{"templates/all", "templates/" + l.name} {
		err := fs.WalkDir(templates, dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			t, err := template.ParseFS(templates, p)
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := t.Execute(&out, map[string]string{"Name": name, "Crate": crate(name), "Lang": l.name, "Source": l.next, "Self": self}); err != nil {
				return err
			}
			rel := strings.TrimSuffix(strings.TrimPrefix(p, dir+"/"), ".tmpl")
			files[path.Join(path.Dir(rel), strings.Replace(path.Base(rel), "dot-", ".", 1))] = out.Bytes()
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// self is the path of this command; empty if it will not be there later, as
// with go run, or if a Makefile could not name it.
func self() string {
	path, err := os.Executable()
	if err != nil || strings.Contains(path, "go-build") || strings.ContainsAny(path, " \t$#:%\\") {
		return ""
	}
	return path
}

// copySDK takes what a store is built from, not the tests of it.
func copySDK(files map[string][]byte, from, to string) error {
	return fs.WalkDir(wasmstate.Sources, from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, "_test.go") || strings.HasSuffix(p, "_test.c") {
			return err
		}
		if from == "abi" && path.Dir(p) != from {
			return nil // other entries of the table
		}
		b, err := wasmstate.Sources.ReadFile(p)
		if err != nil {
			return err
		}
		files[path.Join(to, strings.TrimPrefix(p, from))] = b
		return nil
	})
}

// writeProject writes files into dir, which must not have anything in it.
func writeProject(dir string, files map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return fmt.Errorf("%s is not empty: choose another name or --dir", dir)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s cannot be the folder of the store: %w", dir, err)
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := os.WriteFile(file, files[name], mode); err != nil {
			return err
		}
	}
	return nil
}
