package engine_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

// metered is a guest with hand-written fuel; testdata/metered.wat says what it
// does.
func metered(t testing.TB, change func(*engine.Config)) *engine.Guest {
	t.Helper()
	b, err := os.ReadFile("testdata/metered.wasm")
	require.NoError(t, err)
	cfg := config(t, b)
	cfg.Code.Meter, cfg.Code.Slice = engine.MeterFuel, 100_000
	cfg.Code.FuelGlobal, cfg.Code.RefillModule, cfg.Code.RefillName = "fuel", "meter", "refill"
	cfg.Timeout = 20 * time.Millisecond
	if change != nil {
		change(&cfg)
	}
	return start(t, cfg)
}

func run(ctx context.Context, g *engine.Guest, arg uint32) (time.Duration, error) {
	in, err := g.Acquire(ctx, opGet, 0)
	if err != nil {
		return 0, err
	}
	from := time.Now()
	_, err = in.Call(opGet, arg)
	took := time.Since(from)
	in.Done()
	return took, err
}

func TestFuelStopsLoopsAndRecursion(t *testing.T) {
	var over []time.Duration
	for _, what := range []uint32{1, 2} {
		g := metered(t, func(c *engine.Config) { c.Timeout = 100 * time.Millisecond })
		for range 3 {
			took, err := run(t.Context(), g, what)
			var ge *abi.Fault
			require.ErrorAs(t, err, &ge)
			require.Equal(t, abi.FaultDeadline, ge.Kind, err)
			require.Equal(t, abi.CodeTimeout, abi.CodeOf(err))
			require.NotEmpty(t, ge.Stack)
			over = append(over, took-100*time.Millisecond)
			t.Log(what, took, err)
		}
	}
	slices.Sort(over)
	t.Logf("after the deadline: p50=%v max=%v", over[len(over)/2], over[len(over)-1])
}

func TestFuelIsCountedPerOperation(t *testing.T) {
	g := metered(t, nil)
	for _, units := range []uint32{1000, 99_000, 250_000, 7} {
		before := g.Stats().Ops[opGet].Fuel
		_, err := run(t.Context(), g, units)
		require.NoError(t, err)
		require.Equal(t, int64(units)+1, g.Stats().Ops[opGet].Fuel-before)
	}
}

func TestAGuestMayFinishShortlyAfterItsCallerLeft(t *testing.T) {
	g := metered(t, func(c *engine.Config) { c.Timeout = 10 * time.Second })
	ctx, cancel := context.WithCancel(t.Context())
	in, err := g.Acquire(ctx, opGet, 0)
	require.NoError(t, err)
	cancel()
	_, err = in.Call(opGet, 250_000) // several slices, well under the grace
	require.NoError(t, err)
	_, err = in.Call(opGet, 1) // for ever
	require.ErrorIs(t, err, context.Canceled)
	in.Done()
	require.Zero(t, g.Stats().Failures, "not the guest's fault")
}

func TestMeteredCallsDoNotAllocate(t *testing.T) {
	g := metered(t, nil)
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(200, func() {
		if _, err := run(ctx, g, 100); err != nil {
			t.Fatal(err)
		}
	}))
}

// Many guests that loop at once share the processors: each is stopped soon
// after its deadline, and a bystander goes on.
func TestManyLoopsAtOnce(t *testing.T) {
	bad := metered(t, func(c *engine.Config) { c.Instances, c.Timeout = 16, 50*time.Millisecond })
	good := metered(t, nil)
	var mu sync.Mutex
	var over, served []time.Duration
	stopped := 0
	var loops sync.WaitGroup
	for range 16 {
		loops.Go(func() {
			for range 2 {
				took, err := run(context.Background(), bad, 1)
				mu.Lock()
				over = append(over, took-50*time.Millisecond)
				if abi.CodeOf(err) == abi.CodeTimeout {
					stopped++
				} else {
					assert.Equal(t, abi.CodeUnavailable, abi.CodeOf(err), "%v", err)
				}
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { loops.Wait(); close(done) }()
	for stop := false; !stop; {
		select {
		case <-done:
			stop = true
		default:
			from := time.Now()
			_, err := run(t.Context(), good, 100)
			require.NoError(t, err)
			served = append(served, time.Since(from))
		}
	}
	require.Positive(t, stopped, "at least the first sixteen run into their time")
	require.NotEmpty(t, served, "a bystander is served meanwhile")
	for name, d := range map[string][]time.Duration{"released after the deadline": over, "bystander": served} {
		slices.Sort(d)
		t.Logf("%s: n=%d p50=%v p99=%v max=%v", name, len(d), d[len(d)/2], d[len(d)*99/100], d[len(d)-1])
	}
}

// A guest that goes deep is stopped long before wazero would: its call stack
// is outside of every budget. If this fails after an update of wazero, stackSize
// no longer finds what it looks for.
func TestDeepRecursionIsStoppedEarly(t *testing.T) {
	g := metered(t, func(c *engine.Config) { c.Timeout = 10 * time.Second })
	took, err := run(t.Context(), g, 3)
	var ge *abi.Fault
	require.ErrorAs(t, err, &ge)
	require.Equal(t, abi.FaultTrap, ge.Kind, err)
	require.ErrorContains(t, err, "stack overflow")
	require.Equal(t, int64(1), g.Stats().Retirements[engine.CauseOverflow])
	t.Log(took, err)
}

// Callers of a guest that holds data leave when their time is up, and the guest
// keeps the data: it is stopped at the component's limit only.
func TestCallersLeaveAGuestThatHoldsData(t *testing.T) {
	g := metered(t, func(c *engine.Config) {
		c.Stateful, c.Mode, c.Timeout = true, engine.ModeSingle, 10*time.Second
	})
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		_, err := run(ctx, g, 20_000_000) // some 50 ms of work
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 100 {
		_, err := run(ctx, g, 100)
		require.NoError(t, err)
	}
	s := g.Stats()
	require.Equal(t, int64(1), s.Created, "the same instance all the time")
	require.Zero(t, s.Ops[opGet].Faults)
	require.GreaterOrEqual(t, s.Ops[opGet].Calls, int64(101))
}

func TestAGuestThatHoldsDataIsStoppedAtItsLimit(t *testing.T) {
	g := metered(t, func(c *engine.Config) {
		c.Stateful, c.Mode, c.Timeout = true, engine.ModeSingle, 50*time.Millisecond
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := run(ctx, g, 1) // for ever
	require.ErrorIs(t, err, context.DeadlineExceeded)
	waitFor(t, func() bool { return g.Stats().Retirements[engine.CauseDeadline] == 1 })
	_, err = run(t.Context(), g, 100)
	require.NoError(t, err)
}

func BenchmarkCallThatCanBeLeft(b *testing.B) {
	g := metered(b, func(c *engine.Config) { c.Stateful, c.Mode = true, engine.ModeSingle })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := run(ctx, g, 10); err != nil {
			b.Fatal(err)
		}
	}
}
