package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

// One request in twenty makes the guest trap: nobody else's request fails.
func TestPoisonHarmsNobodyElse(t *testing.T) {
	g := start(t, config(t, hostile(t, "trap-get")))
	var wg sync.WaitGroup
	var poisoned atomic.Int64
	for n := range 16 {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		wg.Go(func() {
			for range 400 {
				var err error
				if r.IntN(20) == 0 {
					err = do(context.Background(), g)
					var ge *abi.Fault
					if !errors.As(err, &ge) || ge.Kind != abi.FaultTrap {
						t.Errorf("the bad request: %v", err)
					}
					poisoned.Add(1)
				} else if err = set(context.Background(), g); err != nil {
					t.Errorf("a good request: %v", err)
				}
			}
		})
	}
	wg.Wait()
	require.Positive(t, poisoned.Load())
	require.Zero(t, g.Stats().Down)
}

// set runs one set, which is good where get traps.
func set(ctx context.Context, g *engine.Guest) error {
	in, err := g.Acquire(ctx, opSet, 0)
	if err != nil {
		return err
	}
	defer in.Done()
	_, err = in.Call(opSet, request(in, "k", "v"))
	return err
}

// A burst of bad requests, and then many of them all the time: good ones wait at
// most, and the first that is served ends it.
func TestABurstOfPoison(t *testing.T) {
	g := start(t, config(t, hostile(t, "trap-get")))
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() { _ = do(context.Background(), g) })
	}
	wg.Wait()
	require.NoError(t, set(t.Context(), g))
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = do(context.Background(), g)
				}
			}
		})
	}
	for range 50 {
		require.NoError(t, set(t.Context(), g))
	}
	close(stop)
	wg.Wait()
}

// A pool whose guest always traps is tried at a pace, and says so.
func TestAPoolThatAlwaysTrapsIsSlowedDown(t *testing.T) {
	g := start(t, config(t, hostile(t, "trap-get")))
	for range 15 {
		require.Error(t, do(t.Context(), g))
	}
	require.Positive(t, g.Stats().Down)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var down, ended atomic.Int64
	var wg sync.WaitGroup
	for range 400 {
		wg.Go(func() {
			var ge *abi.Fault
			err := do(ctx, g)
			switch {
			case errors.As(err, &ge) && ge.Kind == abi.FaultDown:
				if down.Add(1) == 1 {
					cancel() // the others leave the queue
				}
			case errors.Is(err, context.Canceled):
				ended.Add(1)
			case err == nil:
				t.Error("it was served")
			}
		})
	}
	wg.Wait()
	require.Positive(t, down.Load(), "who would have to wait too long is turned away")
	require.Positive(t, ended.Load())
	require.NoError(t, set(t.Context(), g), "who left made place")
	require.Zero(t, g.Stats().Down, "one good operation ends it")
}

// As long as there are instances, one more that cannot be made is no reason to
// turn anybody away.
func TestInstancesThatCannotBeMadeHarmNobody(t *testing.T) {
	g, err := engine.Load(t.Context(), config(t, good(t)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	var made atomic.Int32
	require.NoError(t, g.Start(t.Context(), func(ctx context.Context, in *engine.Instance) error {
		if made.Add(1) > 1 {
			return errors.New("no more")
		}
		return openBuffer(ctx, in)
	}))
	held, err := g.Acquire(t.Context(), opGet, 0)
	require.NoError(t, err)
	got := make(chan error)
	go func() { got <- do(context.Background(), g) }()
	waitFor(t, func() bool { return g.Stats().Retirements[engine.CauseSetup] > 0 })
	held.Done()
	require.NoError(t, <-got)
	require.Zero(t, g.Stats().Failures)
}
