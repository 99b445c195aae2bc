package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	goruntime "runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/sandbox"
)

func benchCmd() *cobra.Command {
	var f moduleFlags
	cmd := &cobra.Command{
		Use:   "bench M.wasm",
		Short: "Measure a module beside the in-memory store",
		Long: `Measure get and set of a 24-byte key and a 128-byte value, in the module and in
the built-in in-memory store, one after the other in this process. Compare the
two columns; absolute times depend on the machine.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := f.open(cmd, args[0])
			if err != nil {
				return err
			}
			defer t.close()
			guest, err := t.store(cmd.Context())
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			defer guest.Close()
			native, err := inMemory(cmd.Context())
			if err != nil {
				return err
			}
			defer native.Close()
			// A context that cannot end: what is measured is the store, not the hop
			// that lets callers leave a guest that holds data.
			return compare(context.Background(), cmd.OutOrStdout(), t, guest, native)
		},
	}
	f.add(cmd)
	return cmd
}

func inMemory(ctx context.Context) (abi.Store, error) {
	for _, state := range all.States() {
		if state.Name == "state.in-memory" {
			s := state.New()
			return s, s.Init(ctx, abi.Metadata{Name: "memory"})
		}
	}
	return nil, errors.New("the store state.in-memory is not linked in")
}

func compare(ctx context.Context, w io.Writer, t *tool, guest, native abi.Store) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "operation\tops/s\tns/op\tallocs/op\tfuel/op\tin-memory ns/op\tratio\t")
	for _, op := range []struct {
		name, export string
		run          func(s abi.Store) func(i int) error
	}{{"set", abi.ExportSet, setter(ctx)}, {"get", abi.ExportGet, getter(ctx)}} {
		before := fuelOf(guest, op.export)
		g, err := measure(op.run(guest))
		if err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
		after := fuelOf(guest, op.export)
		n, err := measure(op.run(native))
		if err != nil {
			return err
		}
		fuel := 0.0
		if calls := after.Calls - before.Calls; calls > 0 {
			fuel = float64(after.Fuel-before.Fuel) / float64(calls)
		}
		fmt.Fprintf(tw, "%s\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f\t%.1f\t\n", op.name, 1e9/g.nsPerOp, g.nsPerOp, g.allocsPerOp, fuel, n.nsPerOp, g.nsPerOp/n.nsPerOp)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "memory: %s (%d pages)\n", text.FormatSize(t.modules.MemoryUsed()), t.modules.MemoryUsed()>>16)
	return nil
}

type exportStats struct{ Calls, Fuel int64 }

func fuelOf(s abi.Store, export string) exportStats {
	st, _ := sandbox.StatsOf(s)
	for _, op := range st.Ops {
		if op.Op == export {
			return exportStats{op.Calls, op.Fuel}
		}
	}
	return exportStats{}
}

const benchKeys = 1000

func benchKey(i int) []byte { return fmt.Appendf(nil, "order-%018d", i) }

func setter(ctx context.Context) func(abi.Store) func(int) error {
	return func(s abi.Store) func(int) error {
		reqs := make([]abi.SetRequest, benchKeys)
		for i := range reqs {
			reqs[i] = abi.SetRequest{Key: benchKey(i), Value: make([]byte, 128)}
		}
		var resp abi.SetResponse
		return func(i int) error { return s.Set(ctx, &reqs[i%benchKeys], &resp) }
	}
}

func getter(ctx context.Context) func(abi.Store) func(int) error {
	return func(s abi.Store) func(int) error {
		reqs := make([]abi.GetRequest, benchKeys)
		for i := range reqs {
			reqs[i] = abi.GetRequest{Key: benchKey(i)}
		}
		var resp abi.GetResponse
		return func(i int) error { return s.Get(ctx, &reqs[i%benchKeys], &resp) }
	}
}

// result is what measure found.
type result struct{ nsPerOp, allocsPerOp float64 }

// measure runs f for about half a second, after a warm-up over every key.
func measure(f func(i int) error) (result, error) {
	var before, after goruntime.MemStats
	for n := benchKeys; ; n *= 2 {
		goruntime.ReadMemStats(&before)
		begin := time.Now()
		for i := range n {
			if err := f(i); err != nil {
				return result{}, err
			}
		}
		took := time.Since(begin)
		goruntime.ReadMemStats(&after)
		if took > 300*time.Millisecond {
			return result{float64(took.Nanoseconds()) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n)}, nil
		}
	}
}
