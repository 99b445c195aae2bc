//go:build linux && !race

package wasmbin_test

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// largest is the largest module of a shape that the default limits accept, up
// to a few percent.
func largest(t *testing.T, s shape) []byte {
	t.Helper()
	low, high := 1, 1<<20
	for high-low > low/32 {
		n := (low + high) / 2
		if _, err := wasmbin.Parse(s.make(n), wasmbin.DefaultLimits()); err != nil {
			high = n
		} else {
			low = n
		}
	}
	return s.make(low)
}

// TestCompilingStaysInMemory compiles the largest module that is accepted of
// the shapes that take most memory, each in a process of its own, and looks at
// its peak. With WASMSTATE_SOAK all shapes are tried.
func TestCompilingStaysInMemory(t *testing.T) {
	if name := os.Getenv("WASMBIN_SHAPE"); name != "" {
		compileLargest(t, name)
		return
	}
	if testing.Short() {
		t.Skip("it compiles large modules")
	}
	names := []string{"call_indirect", "call with 200 values", "load", "types of 20 values"}
	if os.Getenv("WASMSTATE_SOAK") != "" {
		names = nil
		for _, s := range shapes() {
			names = append(names, s.name)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestCompilingStaysInMemory$", "-test.v")
			cmd.Env = append(os.Environ(), "WASMBIN_SHAPE="+name)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "more than") || strings.Contains(line, "peak") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}

func compileLargest(t *testing.T, name string) {
	for _, s := range shapes() {
		if s.name != name {
			continue
		}
		b := largest(t, s)
		m, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
		require.NoError(t, err)
		ctx := experimental.WithCompilationWorkers(context.Background(), 2)
		w, err := newWorld(ctx, features, 256, &fuel{slice: 1000, limits: wasmbin.DefaultLimits()})
		require.NoError(t, err)
		idle := status(t, "VmRSS")
		require.NoError(t, w.compile(ctx, b))
		peak := status(t, "VmHWM") - idle
		t.Logf("%s: %d KiB, score %d, estimate %d MiB, peak %d MiB more than before", name, len(b)>>10, m.Score().Work, m.Score().Memory>>20, peak>>10)
		require.Less(t, peak>>10, 450, "MiB")
		return
	}
	t.Fatalf("there is no shape %s", name)
}

// status is a line of /proc/self/status in KiB.
func status(t *testing.T, what string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] == what+":" {
			n, err := strconv.Atoi(f[1])
			require.NoError(t, err)
			return n
		}
	}
	t.Fatalf("no %s", what)
	return 0
}
