package engine_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

// hostile returns a module of guests/hostile.
func hostile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../guests/hostile/" + name + ".wasm")
	require.NoError(t, err)
	return b
}

// do runs one get and returns its error.
func do(ctx context.Context, g *engine.Guest) error {
	in, err := g.Acquire(ctx, opGet, 0)
	if err != nil {
		return err
	}
	_, err = in.Call(opGet, request(in, "k", ""))
	in.Done()
	return err
}

func TestInstancesAreMadeLazilyAndBounded(t *testing.T) {
	g := start(t, config(t, good(t)))
	require.Equal(t, 1, g.Stats().Instances)
	var held []*engine.Instance
	for range 4 {
		in, err := g.Acquire(t.Context(), opGet, 0)
		require.NoError(t, err)
		held = append(held, in)
	}
	require.Equal(t, 4, g.Stats().Instances)
	require.Equal(t, 4, g.Stats().Busy)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	go func() { got <- do(ctx, g) }()
	waitFor(t, func() bool { return g.Stats().Waiting == 1 })
	cancel()
	require.ErrorIs(t, <-got, context.Canceled, "a caller in the queue leaves when it likes")
	for _, in := range held {
		in.Done()
	}
	require.Equal(t, 4, g.Stats().Instances)
	require.Zero(t, g.Stats().Waiting)
}

// waitFor polls for what another goroutine is about to do.
func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, 10*time.Second, time.Millisecond)
}

func TestCallersAreServedInOrder(t *testing.T) {
	cfg := config(t, good(t))
	cfg.Mode, cfg.Instances = engine.ModeSingle, 1
	g := start(t, cfg)
	held, err := g.Acquire(t.Context(), opGet, 0)
	require.NoError(t, err)
	var order []int
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			in, err := g.Acquire(context.Background(), opGet, 0)
			if err == nil {
				order = append(order, i) // safe: one instance
				in.Done()
			}
		})
		waitFor(t, func() bool { return g.Stats().Waiting == i+1 })
	}
	held.Done()
	wg.Wait()
	for i, n := range order {
		require.Equal(t, i, n)
	}
	require.Len(t, order, 20)
	s := g.Stats()
	require.Equal(t, int64(20), s.Ops[opGet].Waits)
	require.Positive(t, s.Ops[opGet].Waited)
}

func TestWaitIsBounded(t *testing.T) {
	cfg := config(t, good(t))
	cfg.Instances, cfg.MaxWait = 1, time.Millisecond
	g := start(t, cfg)
	in, err := g.Acquire(t.Context(), opGet, 0)
	require.NoError(t, err)
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(do(t.Context(), g)))
	in.Done()
	require.NoError(t, do(t.Context(), g))
}

func TestManyCallersShareFewInstances(t *testing.T) {
	for _, mode := range []engine.Mode{engine.ModePool, engine.ModeSingle, engine.ModeSharded} {
		cfg := config(t, good(t))
		cfg.Mode = mode
		g := start(t, cfg)
		var wg sync.WaitGroup
		var failed atomic.Int64
		for n := range 32 {
			wg.Go(func() {
				for i := range 200 {
					in, err := g.Acquire(context.Background(), opGet, uint32(n+i))
					if err != nil {
						failed.Add(1)
						return
					}
					if _, err := in.Call(opGet, request(in, "k", "")); err != nil {
						failed.Add(1)
					}
					in.Done()
				}
			})
		}
		wg.Wait()
		require.Zero(t, failed.Load())
		s := g.Stats()
		require.Equal(t, int64(32*200), s.Ops[opGet].Calls)
		require.LessOrEqual(t, s.Instances, 4)
		require.Zero(t, s.Busy)
	}
}

func TestRetirement(t *testing.T) {
	for _, tc := range []struct {
		name, module string
		change       func(*engine.Config)
		kind         abi.FaultKind
		cause        engine.Cause
	}{
		{"trap", "trap-get", nil, abi.FaultTrap, engine.CauseTrap},
		{"stack overflow", "recursion-deep", nil, abi.FaultTrap, engine.CauseOverflow},
		{"memory", "memory-bomb", nil, abi.FaultMemory, engine.CauseMemory},
		{"deadline", "loop", func(c *engine.Config) {
			c.Code.Meter, c.Timeout = engine.MeterWazero, 20*time.Millisecond
		}, abi.FaultDeadline, engine.CauseDeadline},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := config(t, hostile(t, tc.module))
			if tc.change != nil {
				tc.change(&cfg)
			}
			g := start(t, cfg)
			err := do(t.Context(), g)
			var ge *abi.Fault
			require.ErrorAs(t, err, &ge)
			require.Equal(t, tc.kind, ge.Kind, err)
			require.Equal(t, "ws_get", ge.Op)
			require.Equal(t, int64(1), g.Stats().Retirements[tc.cause])
			waitFor(t, func() bool { return g.Stats().Instances == 0 })
			require.Zero(t, g.Stats().Memory)
			require.Equal(t, int64(1), g.Stats().Ops[opGet].Faults)
		})
	}
}

func TestWornOutInstancesAreReplaced(t *testing.T) {
	cfg := config(t, good(t))
	cfg.Instances, cfg.MaxOps = 1, 10
	g := start(t, cfg)
	for range 100 {
		require.NoError(t, do(t.Context(), g))
	}
	require.GreaterOrEqual(t, g.Stats().Retirements[engine.CauseMaxOps], int64(9))

	cfg = config(t, hostile(t, "memory-leak"))
	cfg.Instances, cfg.MemoryRetire = 1, 8<<20
	g = start(t, cfg)
	for range 50 { // without retirement it traps at the sixteenth
		require.NoError(t, do(t.Context(), g))
	}
	require.Positive(t, g.Stats().Retirements[engine.CauseLarge])

	cfg = config(t, good(t))
	cfg.MaxOps, cfg.Stateful, cfg.Mode = 10, true, engine.ModeSingle
	g = start(t, cfg)
	for range 100 {
		require.NoError(t, do(t.Context(), g))
	}
	require.Equal(t, int64(1), g.Stats().Created, "an instance that holds state is not replaced without need")
}

func TestBackOff(t *testing.T) {
	cfg := config(t, hostile(t, "trap-get"))
	cfg.Stateful, cfg.Mode = true, engine.ModeSingle
	g := start(t, cfg)
	ctx := t.Context()
	var ge *abi.Fault
	for range 3 {
		require.ErrorAs(t, do(ctx, g), &ge)
		require.Equal(t, abi.FaultTrap, ge.Kind)
	}
	err := do(ctx, g)
	require.ErrorAs(t, err, &ge)
	require.Equal(t, abi.FaultDown, ge.Kind)
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err))
	require.ErrorContains(t, err, "unreachable")
	require.Positive(t, g.Stats().Down)
	waitFor(t, func() bool { // the probe: one caller after the back-off
		return errors.As(do(ctx, g), &ge) && ge.Kind == abi.FaultTrap
	})
	require.Equal(t, 4, g.Stats().Failures)
	require.Greater(t, g.Stats().Down, 100*time.Millisecond, "the back-off doubles")
}

func TestOneGoodOperationClosesTheBreaker(t *testing.T) {
	g := start(t, config(t, hostile(t, "trap-every-second")))
	faults := 0
	for range 40 {
		var ge *abi.Fault
		if err := do(t.Context(), g); errors.As(err, &ge) {
			require.Equal(t, abi.FaultTrap, ge.Kind)
			faults++
		}
	}
	require.Equal(t, 20, faults, "the others are served")
}

func TestCancelledCallersAreNotTheGuestsFault(t *testing.T) {
	cfg := config(t, hostile(t, "loop"))
	cfg.Code.Meter = engine.MeterWazero
	g := start(t, cfg)
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		err := do(ctx, g)
		cancel()
		require.Equal(t, abi.CodeTimeout, abi.CodeOf(err), err)
	}
	require.Zero(t, g.Stats().Failures)
}

func TestIdleRunsOffTheRequestPath(t *testing.T) {
	for _, tc := range []struct {
		module string
		cause  engine.Cause
	}{{"trap-idle", engine.CauseIdle}, {"loop-idle", engine.CauseIdle}} {
		cfg := config(t, hostile(t, tc.module))
		cfg.Code.Meter = engine.MeterWazero
		cfg.IdleOps, cfg.IdleTimeout = 4, 10*time.Millisecond
		g := start(t, cfg)
		for range 8 {
			require.NoError(t, do(t.Context(), g))
		}
		waitFor(t, func() bool { return g.Stats().Retirements[tc.cause] > 0 })
		require.Positive(t, g.Stats().Idles)
	}
}

func TestIdleInstancesAreTrimmed(t *testing.T) {
	cfg := config(t, good(t))
	cfg.IdleTrim = time.Millisecond
	g := start(t, cfg)
	var held []*engine.Instance
	for range 4 {
		in, err := g.Acquire(t.Context(), opGet, 0)
		require.NoError(t, err)
		held = append(held, in)
	}
	for _, in := range held {
		in.Done()
	}
	waitFor(t, func() bool { return g.Stats().Instances == 1 })
	require.Equal(t, int64(3), g.Stats().Retirements[engine.CauseTrim])
	require.NoError(t, do(t.Context(), g))
}

func TestCloseDuringTraffic(t *testing.T) {
	cfg := config(t, good(t))
	budget := engine.NewBudget(0)
	cfg.Budget = budget
	g := start(t, cfg)
	var wg sync.WaitGroup
	started := make(chan struct{}, 16)
	for range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				if i == 10 {
					started <- struct{}{}
				}
				if err := do(context.Background(), g); err != nil {
					if !errors.Is(err, abi.ErrClosed) {
						t.Errorf("%v", err)
					}
					return
				}
			}
		})
	}
	<-started
	require.NoError(t, g.Close())
	wg.Wait()
	require.Zero(t, budget.Used(), "all memory is given back")
	require.ErrorIs(t, do(t.Context(), g), abi.ErrClosed)
	require.NoError(t, g.Close())
}

// TestCloseWhileAnInstanceIsMade: callers hear that the store is closed, not
// that making the instance they waited for was cancelled.
func TestCloseWhileAnInstanceIsMade(t *testing.T) {
	g, err := engine.Load(t.Context(), config(t, good(t)))
	require.NoError(t, err)
	var made atomic.Int32
	making := make(chan struct{})
	require.NoError(t, g.Start(t.Context(), func(ctx context.Context, in *engine.Instance) error {
		if made.Add(1) == 1 {
			return openBuffer(ctx, in)
		}
		close(making)
		<-ctx.Done()
		return ctx.Err()
	}))
	held, err := g.Acquire(t.Context(), opGet, 0)
	require.NoError(t, err)
	got := make(chan error)
	go func() { got <- do(context.Background(), g) }()
	<-making
	closed := make(chan error)
	go func() { closed <- g.Close() }()
	require.ErrorIs(t, <-got, abi.ErrClosed)
	held.Done()
	require.NoError(t, <-closed)
}

func TestReentryIsRefused(t *testing.T) {
	g := start(t, config(t, good(t)))
	in, err := g.Acquire(t.Context(), opGet, 0)
	require.NoError(t, err)
	engine.SetRunning(in, true)
	_, err = in.Call(opGet, 72)
	require.ErrorContains(t, err, "while it is running")
	engine.SetRunning(in, false)
	in.Done()
}

func TestCallsDoNotAllocate(t *testing.T) {
	g := start(t, config(t, good(t)))
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(200, func() {
		if do(ctx, g) != nil {
			t.Fatal("failed")
		}
	}))
}

// Many callers of a guest that always fails: each gets an error, none waits
// for ever, and the guest is tried again after the back-off.
func TestManyCallersOfABrokenGuest(t *testing.T) {
	for _, module := range []string{"trap-get", "trap-open"} {
		cfg := config(t, hostile(t, module))
		if module == "trap-get" { // a pool would let them through one by one
			cfg.Stateful, cfg.Mode = true, engine.ModeSingle
		}
		g, err := engine.Load(t.Context(), cfg)
		require.NoError(t, err)
		_ = g.Start(t.Context(), openBuffer)
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for range 50 {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					if err := do(ctx, g); err == nil || errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v", err)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		failures := g.Stats().Failures
		require.GreaterOrEqual(t, failures, 3)
		waitFor(t, func() bool { _ = do(t.Context(), g); return g.Stats().Failures > failures })
		require.NoError(t, g.Close())
	}
}
