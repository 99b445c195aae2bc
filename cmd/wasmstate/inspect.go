package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/sandbox"
)

func inspectCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect M.wasm",
		Short: "Show what a module is and wants, without running it",
		Long: `Show a module's manifest (name, features, concurrency, where its state lives,
the capabilities it wishes and why, the schema of its metadata), its exports
and imports, how it stands against the limits, and its digest. Nothing of the
module is run.`,
		Example: "  wasmstate inspect store.wasm",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			wasm, err := readModule(args[0])
			if err != nil {
				return err
			}
			modules, err := sandbox.New(sandbox.Options{})
			if err != nil {
				return err
			}
			defer modules.Close()
			info, err := modules.Inspect(wasm)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if asJSON {
				return inspectJSON(cmd.OutOrStdout(), info)
			}
			inspectText(cmd.OutOrStdout(), info)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func inspectJSON(w io.Writer, info *sandbox.Info) error {
	schema := json.RawMessage(info.Schema)
	if len(schema) == 0 {
		schema = json.RawMessage("null")
	}
	capabilities := []map[string]any{}
	for _, c := range info.Capabilities {
		capabilities = append(capabilities, map[string]any{"name": c.Name, "reason": c.Reason, "optional": c.Optional})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{
		"name": info.Name, "version": info.Version, "description": info.Description, "type": info.Type, "digest": info.Digest, "size": info.Size,
		"features": append([]string{}, info.Features.Names()...), "concurrency": info.Concurrency, "maxInstances": info.MaxInstances, "state": info.State,
		"metadata": schema, "capabilities": capabilities, "memory": info.Memory, "maxTransactionOps": info.MaxTransactionOps,
		"license": info.License, "source": info.Source, "exports": info.Exports, "imports": info.Imports,
		"problems": append([]string{}, info.Problems...), "memoryPages": info.MemoryPages, "memoryMaxPages": info.MemoryMax, "score": info.Score,
	})
}

func inspectText(w io.Writer, info *sandbox.Info) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(tw, "%s\t%s\n", name, value)
		}
	}
	row("type", info.Type)
	row("version", info.Version)
	row("description", info.Description)
	row("size", text.FormatSize(int64(info.Size)))
	row("digest", info.Digest)
	row("features", strings.Join(info.Features.Names(), " "))
	instances := info.Concurrency
	if info.MaxInstances > 0 {
		instances += fmt.Sprintf(", at most %d", info.MaxInstances)
	}
	row("concurrency", instances)
	row("state", info.State)
	memory := fmt.Sprintf("%s at the start", text.FormatSize(int64(info.MemoryPages)<<16))
	if info.MemoryMax > 0 {
		memory += fmt.Sprintf(", at most %s", text.FormatSize(int64(info.MemoryMax)<<16))
	}
	if info.Memory > 0 {
		memory += fmt.Sprintf(", wishes %s", text.FormatSize(info.Memory))
	}
	row("memory", memory)
	row("limits", info.Score)
	for _, p := range info.Problems {
		row("problem", p)
	}
	row("license", info.License)
	row("source", info.Source)
	_ = tw.Flush()
	if len(info.Capabilities) > 0 {
		fmt.Fprintln(w, "\ncapabilities wished:")
		for _, c := range info.Capabilities {
			optional := ""
			if c.Optional {
				optional = " (optional)"
			}
			fmt.Fprintf(w, "  %s%s: %s\n", c.Name, optional, c.Reason)
		}
	}
	if len(info.Schema) > 0 {
		fmt.Fprintf(w, "\nmetadata schema:\n  %s\n", info.Schema)
	}
	for _, list := range []struct {
		name  string
		lines []string
	}{{"exports", info.Exports}, {"imports", info.Imports}} {
		fmt.Fprintf(w, "\n%s:\n", list.name)
		for _, line := range list.lines {
			fmt.Fprintf(w, "  %s\n", line)
		}
		if len(list.lines) == 0 {
			fmt.Fprintln(w, "  none")
		}
	}
}
