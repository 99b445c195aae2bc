package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

func validateCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate PATH…",
		Short: "Check component files and modules, offline",
		Long: `Check folders, component files and modules without starting anything: no store
is opened, no guest runs, no secret is read. Exits with 1 and every error, each
with file and line, if there is one.`,
		Example: "  wasmstate validate ./components\n  wasmstate validate --json orders.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := runtime.Validate(cmd.Context(), runtime.Config{ComponentsPaths: args, Lookup: os.LookupEnv}, runtime.WithStates(all.States()...))
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(v); err != nil {
					return err
				}
			} else {
				printValidation(cmd.OutOrStdout(), cmd.ErrOrStderr(), v)
			}
			if len(v.Problems) > 0 {
				return errSilent
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func printValidation(stdout, stderr io.Writer, v *runtime.Validation) {
	for _, n := range v.Notes {
		fmt.Fprintf(stdout, "note: %s\n", line(n))
	}
	for _, p := range v.Problems {
		fmt.Fprintln(stderr, line(p))
	}
	switch {
	case len(v.Problems) > 0:
		fmt.Fprintf(stderr, "%s in %s\n", plural(len(v.Problems), "problem"), plural(len(v.Components), "component"))
	case len(v.Components) == 0:
		fmt.Fprintln(stdout, "no components found")
	case len(v.Components) == 1:
		fmt.Fprintln(stdout, "1 component is good")
	default:
		fmt.Fprintf(stdout, "%d components are good\n", len(v.Components))
	}
}

// plural is a number of things.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// line is a problem as compilers print one.
func line(p runtime.Problem) string {
	text := ""
	if p.File != "" {
		text = p.File + ":"
		if p.Line > 0 {
			text += fmt.Sprintf("%d:", p.Line)
			if p.Column > 0 {
				text += fmt.Sprintf("%d:", p.Column)
			}
		}
		text += " "
	}
	if p.Component != "" {
		text += "component " + p.Component + ": "
	}
	return text + p.Message
}
