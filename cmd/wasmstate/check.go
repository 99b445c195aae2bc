package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/runtime"
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
		Example: "  wasmstate check store.wasm --set prefix=x",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
			report.Results = append(report.Results, t.soak(cmd.Context(), soak), t.deadline(cmd.Context()))
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

// soak writes over and over to a few keys: the memory must stop growing.
func (t *tool) soak(ctx context.Context, writes int) storetest.Result {
	const keys, rounds = 1000, 4
	begin := time.Now()
	res := storetest.Result{ID: "memory.level", Doc: fmt.Sprintf("memory holds its level over %d writes to %d keys", writes, keys)}
	err := func() error {
		s, err := t.store(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		value := make([]byte, 256)
		var resp abi.SetResponse
		var first, last int64
		for i := range writes {
			key := fmt.Appendf(nil, "soak-%d", i%keys)
			if err := s.Set(ctx, &abi.SetRequest{Key: key, Value: value[:i%len(value)]}, &resp); err != nil {
				return fmt.Errorf("write %d: %w", i, err)
			}
			if i == writes/rounds {
				first = t.modules.MemoryUsed()
			}
		}
		last = t.modules.MemoryUsed()
		// A collector may need a little more before it settles; a leak needs far more.
		if last > first+first/2+1<<20 {
			return fmt.Errorf("it grew from %s after a quarter to %s at the end: it leaks", size(first), size(last))
		}
		return nil
	}()
	if err != nil {
		res.Err = err.Error()
	}
	res.Duration = time.Since(begin)
	return res
}

// deadline calls with almost no time: the caller must be released, and the
// store must work afterwards.
func (t *tool) deadline(ctx context.Context) storetest.Result {
	begin := time.Now()
	res := storetest.Result{ID: "deadline.released", Doc: "a caller whose time is up is released, and the store goes on"}
	err := func() error {
		s, err := t.store(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		for i := range 20 {
			short, cancel := context.WithTimeout(ctx, time.Duration(i)*20*time.Microsecond)
			err := s.Set(short, &abi.SetRequest{Key: []byte("deadline"), Value: make([]byte, 64<<10)}, &abi.SetResponse{})
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && abi.CodeOf(err) != abi.CodeTimeout {
				return fmt.Errorf("the error of a missed deadline is %w", err)
			}
		}
		return s.Set(ctx, &abi.SetRequest{Key: []byte("deadline"), Value: []byte("after")}, &abi.SetResponse{})
	}()
	if err != nil {
		res.Err = err.Error()
	}
	res.Duration = time.Since(begin)
	return res
}

func printReport(w io.Writer, path string, info *runtime.ModuleInfo, r *storetest.Report, verbose bool, took time.Duration) {
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
