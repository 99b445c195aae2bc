package engine_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

// listener hears of what a guest's upkeep does.
type listener struct {
	late, failed, retired atomic.Int64
}

func (l *listener) Retired(engine.Cause, error)    { l.retired.Add(1) }
func (l *listener) Down(time.Duration, int, error) {}
func (l *listener) Up()                            {}
func (l *listener) Late(string, time.Duration)     { l.late.Add(1) }
func (l *listener) Failed(string, error)           { l.failed.Add(1) }

// What the idle export of testdata/idle.wat does.
const (
	idleDone = iota + 1
	idleFive
	idleAlways
	idleFails
	idleLoops
	idleIsSlow
	idleTraps
)

// idling is a guest with one instance whose idle export does what.
func idling(t *testing.T, what uint32, change func(*engine.Config)) (*engine.Guest, *listener) {
	t.Helper()
	b, err := os.ReadFile("testdata/idle.wasm")
	require.NoError(t, err)
	l := &listener{}
	cfg := config(t, b)
	cfg.Code.Meter, cfg.Code.Slice = engine.MeterFuel, 100_000
	cfg.Code.FuelGlobal, cfg.Code.RefillModule, cfg.Code.RefillName = "fuel", "meter", "refill"
	cfg.Mode, cfg.Stateful, cfg.Observer = engine.ModeSingle, true, l
	cfg.Timeout, cfg.IdleTimeout = 10*time.Second, time.Minute
	if change != nil {
		change(&cfg)
	}
	g := start(t, cfg)
	_, err = op(t.Context(), g, opSet, what, 0)
	require.NoError(t, err)
	return g, l
}

// op runs one operation that moves so many bytes.
func op(ctx context.Context, g *engine.Guest, op int, arg uint32, moved int) (uint64, error) {
	in, err := g.Acquire(ctx, op, 0)
	if err != nil {
		return 0, err
	}
	defer in.Done()
	in.Moved(moved)
	return in.Call(op, arg)
}

// operations runs n of them, none while the idle export runs, and returns how
// often it was called.
func operations(t *testing.T, g *engine.Guest, n, moved int) int {
	t.Helper()
	var calls uint64
	for range n {
		var err error
		calls, err = op(t.Context(), g, opGet, 0, moved)
		require.NoError(t, err)
		waitFor(t, func() bool { return g.Stats().Busy == 0 })
	}
	return int(calls)
}

func TestIdleRunsInSteps(t *testing.T) {
	g, _ := idling(t, idleFive, nil)
	operations(t, g, 32, 0)
	require.Equal(t, 5, operations(t, g, 1, 0), "as long as nobody waits and work is left")
	require.Equal(t, int64(1), g.Stats().Idles)

	g, _ = idling(t, idleAlways, nil)
	operations(t, g, 32, 0)
	require.LessOrEqual(t, operations(t, g, 1, 0), 64, "one run ends")
}

// Large values do not start the idle export at each operation.
func TestIdleRunsAreCountedByOperationsToo(t *testing.T) {
	g, _ := idling(t, idleDone, func(c *engine.Config) { c.IdleOps = 1000 })
	calls := operations(t, g, 320, 1<<20)
	require.LessOrEqual(t, calls, 20)
}

// Upkeep costs no instance its data: neither when it takes longer than its time
// nor when it fails.
func TestUpkeepIsBlameless(t *testing.T) {
	g, l := idling(t, idleIsSlow, func(c *engine.Config) { c.IdleTimeout = time.Millisecond })
	operations(t, g, 32, 0)
	require.Equal(t, 1, operations(t, g, 1, 0))
	require.Equal(t, int64(1), l.late.Load())
	require.Equal(t, 1, operations(t, g, 200, 0), "it is put off")

	g, l = idling(t, idleFails, nil)
	operations(t, g, 32, 0)
	require.Equal(t, 1, operations(t, g, 200, 0))
	require.Equal(t, int64(1), l.failed.Load())
	require.Equal(t, int64(1), g.Stats().Created)
	require.Zero(t, l.retired.Load())
}

// Upkeep without end is told, callers do not wait for ever, and Close ends it.
func TestUpkeepWithoutEnd(t *testing.T) {
	g, l := idling(t, idleLoops, func(c *engine.Config) { c.IdleTimeout, c.Timeout = 50*time.Millisecond, 20*time.Millisecond })
	var err error
	for err == nil { // the last waits for the instance when its upkeep begins, without a deadline
		_, err = op(context.Background(), g, opGet, 0, 0)
	}
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err))
	require.Equal(t, int64(1), l.late.Load())
	_, err = op(context.Background(), g, opGet, 0, 0)
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err), "who comes later waits for the time limit")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	_, err = op(ctx, g, opGet, 0, 0)
	cancel()
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, l.retired.Load())
	require.NoError(t, g.Close())
}

// An instance whose upkeep traps is broken; the next is not tried at once.
func TestUpkeepThatTraps(t *testing.T) {
	g, l := idling(t, idleTraps, func(c *engine.Config) { c.Stateful = false })
	operations(t, g, 29, 0)
	_, err := op(t.Context(), g, opGet, 0, 0)
	require.NoError(t, err)
	waitFor(t, func() bool { return l.retired.Load() == 1 })
	require.Equal(t, int64(1), g.Stats().Retirements[engine.CauseIdle])
	_, err = op(t.Context(), g, opSet, idleTraps, 0)
	require.NoError(t, err)
	require.Zero(t, operations(t, g, 200, 0))
}
