package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/internal/modulemanifest"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/sandbox"
)

func packCmd() *cobra.Command {
	var manifest, out string
	var keepDebug bool
	cmd := &cobra.Command{
		Use:   "pack IN.wasm --manifest wasmstate.yaml -o OUT.wasm",
		Short: "Put the manifest into a module",
		Long: `Check a manifest and a module against each other, embed the manifest, strip
debug information, and print the sizes. The manifest is YAML or JSON, see
abi/SPEC.md chapter 8. An older manifest in the module is replaced.`,
		Example: "  wasmstate pack build/store.wasm --manifest wasmstate.yaml -o store.wasm",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usageError{fmt.Errorf("-o is missing: the file to write")}
			}
			wasm, err := readModule(args[0])
			if err != nil {
				return err
			}
			source, err := os.ReadFile(manifest)
			if err != nil {
				return fmt.Errorf("manifest: %w", err)
			}
			doc, err := modulemanifest.JSON(source)
			if err != nil {
				return fmt.Errorf("manifest %s: %w", manifest, err)
			}
			placed, err := modulemanifest.InPlace(source)
			if err != nil {
				return fmt.Errorf("manifest %s: %w", manifest, err)
			}
			if err := sandbox.CheckManifest(placed); err != nil {
				return fmt.Errorf("%s: %w", manifest, err)
			}
			modules, err := sandbox.New(sandbox.Options{})
			if err != nil {
				return err
			}
			defer modules.Close()
			packed, err := modules.Pack(wasm, doc, keepDebug)
			if err != nil {
				return fmt.Errorf("%s with %s: %w", args[0], manifest, err)
			}
			info, err := modules.Inspect(packed)
			if err != nil {
				return err
			}
			if err := writeFile(out, packed); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s %s, %s (was %s), %s\n", out, info.Type, info.Version, text.FormatSize(int64(len(packed))), text.FormatSize(int64(len(wasm))), info.Digest)
			return nil
		},
	}
	cmd.Flags().StringVar(&manifest, "manifest", "wasmstate.yaml", "the manifest, YAML or JSON")
	cmd.Flags().BoolVar(&keepDebug, "keep-debug", false, "keep line numbers, for --debug of the other commands")
	cmd.Flags().StringVarP(&out, "output", "o", "", "the file to write")
	return cmd
}

// writeFile replaces a file whole, so that a server that watches its folder
// never sees half of it.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+strings.TrimSuffix(filepath.Base(path), ".wasm")+"-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
