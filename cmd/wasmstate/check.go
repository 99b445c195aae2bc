package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/sandbox"
)

func checkCmd() *cobra.Command {
	var f moduleFlags
	var asJSON, verbose bool
	var soak int
	cmd := &cobra.Command{
		Use:   "check M.wasm",
		Short: "Prove a module against the suite that built-in stores pass",
		Long: `Open a module as the runtime would and check every rule of abi/SPEC.md chapter 7
that its declared features call for, then: that its memory holds its level
under many writes, that it stays within its cap, and that a deadline releases
the caller. Exits with 1 if anything fails.`,
		Example: "  wasmstate check store.wasm --set prefix=x\n  wasmstate check cipher.wasm --grant kv:data --grant secret:key=correcthorse",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			// The suite provokes faults on purpose. What a module says of them is of
			// interest when a rule does not hold, or to whoever asks for it.
			var said bytes.Buffer
			if !cmd.Flags().Changed("log-level") {
				f.logTo = &said
			}
			t, err := f.open(cmd, args[0])
			if err != nil {
				return err
			}
			defer t.close()
			begin := time.Now()
			report, err := storetest.Check(cmd.Context(), t.store, storetest.Options{Small: true, Shared: t.info.State == "host"})
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			report.Results = append(report.Results, t.undeclared(cmd.Context()), t.soak(cmd.Context(), soak), t.memoryCap(cmd.Context()), t.deadline(cmd.Context()))
			failed := report.Failed()
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(report); err != nil {
					return err
				}
			} else {
				printReport(cmd.OutOrStdout(), args[0], t.info, &report, verbose, time.Since(begin))
			}
			if len(failed) > 0 {
				if said.Len() > 0 {
					fmt.Fprintln(cmd.ErrOrStderr(), "what was logged meanwhile (--log-level shows it as it comes):")
					_, _ = cmd.ErrOrStderr().Write(said.Bytes()[max(0, said.Len()-maxSaid):])
				}
				return errSilent
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list the rules that hold, too")
	cmd.Flags().IntVar(&soak, "soak", 200_000, "writes of the memory check")
	return cmd
}

// maxSaid is how many bytes of log a failed check shows, the last ones.
const maxSaid = 16 << 10

func printReport(w io.Writer, path string, info *sandbox.Info, r *storetest.Report, verbose bool, took time.Duration) {
	passed, skipped := 0, 0
	for _, res := range r.Results {
		switch {
		case res.Err != "":
			fmt.Fprintf(w, "FAIL  %s: %s\n      %s\n", res.ID, res.Doc, res.Err)
		case res.Skipped != "":
			skipped++
			if verbose {
				fmt.Fprintf(w, "skip  %s: %s\n", res.ID, res.Skipped)
			}
		default:
			passed++
			if verbose {
				fmt.Fprintf(w, "ok    %s: %s\n", res.ID, res.Doc)
			}
		}
	}
	fmt.Fprintf(w, "%s (%s %s, %s): %d rules hold, %d do not, %d do not apply; %.1f s\n",
		path, info.Type, info.Version, info.Features, passed, len(r.Failed()), skipped, took.Seconds())
}
