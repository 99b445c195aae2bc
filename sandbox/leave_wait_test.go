package sandbox_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/sandbox"
)

// hold keeps the only instance of s busy until release, which returns when its
// operation is over.
func (s *left) hold(t *testing.T) (release func()) {
	t.Helper()
	held, let, over := make(chan struct{}), make(chan struct{}), make(chan error)
	s.hook = func(name string, _ bool) {
		if name == "taken" {
			close(held)
			<-let
		}
	}
	go func() {
		over <- s.Set(context.Background(), &abi.SetRequest{Key: []byte("held"), Value: []byte("held")}, &abi.SetResponse{})
	}()
	<-held
	s.hook = s.d.step
	return func() {
		close(let)
		require.NoError(t, <-over)
		s.want["held"] = "held"
	}
}

// A caller that waits for an instance may leave the queue at any step.
func TestCallersLeaveTheQueue(t *testing.T) {
	m := newModules(t)
	wasm, err := os.ReadFile("../guests/memory-c/memory-c.wasm")
	require.NoError(t, err)
	mod, err := m.Parse(wasm, nil)
	require.NoError(t, err)
	for kind, caller := range callers {
		t.Run(kind, func(t *testing.T) {
			s := openLeft(t, mod, true)
			release := s.hold(t)
			ctx := caller()
			ctx.Context, ctx.done = t.Context(), make(chan struct{})
			reached, err := s.d.run(ctx, 1, goOn, func(ctx context.Context) error {
				return s.Set(ctx, &abi.SetRequest{Key: []byte("big"), Value: s.big()}, &abi.SetResponse{})
			})
			require.True(t, reached)
			require.ErrorIs(t, err, ctx.why)
			release()
			s.check(t, true)
			require.NoError(t, s.Close())
		})
	}
}

// Whoever leaves while the first instance is made loses nothing but the time:
// the store closes and its memory is given back.
func TestCallersLeaveTheStart(t *testing.T) {
	m := newModules(t)
	wasm, err := os.ReadFile("../guests/memory-rust/memory-rust.wasm")
	require.NoError(t, err)
	mod, err := m.Parse(wasm, nil)
	require.NoError(t, err)
	level := m.MemoryUsed()
	for at := 1; ; at++ {
		var d director
		s, err := mod.Open(t.Context(), sandbox.WithStep(sandbox.Config{Component: "left", Settings: sandbox.Settings{Timeout: leaveTimeout}}, d.step))
		require.NoError(t, err)
		ctx := callers["cancelled"]()
		ctx.Context, ctx.done = t.Context(), make(chan struct{})
		reached, err := d.run(ctx, at, goOn, func(ctx context.Context) error { return s.Init(ctx, abi.Metadata{Name: "left"}) })
		if err == nil {
			require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte("k"), Value: make([]byte, 1<<20)}, &abi.SetResponse{}))
		}
		require.NoError(t, s.Close())
		require.LessOrEqual(t, m.MemoryUsed(), level)
		if !reached {
			require.Greater(t, at, 5)
			return
		}
	}
}

// slowKV is a back end that has not answered yet.
type slowKV struct {
	hostfuncs.KV
	called, answer chan struct{}
}

func (kv *slowKV) Features() abi.Features {
	return abi.FeatureETag | abi.FeatureTransactional | abi.FeatureKeys | abi.FeatureBulk | abi.FeatureContentType | abi.FeatureTTL
}

func (kv *slowKV) Set(ctx context.Context, _ *abi.SetRequest, resp *abi.SetResponse) error {
	kv.called <- struct{}{}
	select {
	case <-kv.answer:
		resp.ETag = append(resp.ETag[:0], "1"...)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A host call of a guest that holds data ends with the component's limit and not
// with the caller: the guest would have to live with half an operation.
func TestCallersLeaveDuringAHostCall(t *testing.T) {
	m := newModules(t)
	wasm, err := os.ReadFile("../guests/tiered/tiered.wasm")
	require.NoError(t, err)
	packed, err := m.Pack(wasm, []byte(`{"name":"tiered","features":["ETAG"],"state":"instance","capabilities":[{"name":"kv","reason":"data"},{"name":"clock","reason":"age"},{"name":"metric","reason":"counts","optional":true}]}`), true)
	require.NoError(t, err)
	kv := &slowKV{called: make(chan struct{}), answer: make(chan struct{})}
	cfg := sandbox.Config{Component: "left", Settings: sandbox.Settings{Timeout: leaveTimeout}}
	cfg.Host.KV = map[string]hostfuncs.KV{"data": kv}
	s, err := m.Open(t.Context(), packed, cfg)
	require.NoError(t, err)
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "left"}))
	for _, kind := range []string{"cancelled", "a sooner deadline"} {
		ctx := callers[kind]()
		if !ctx.deadline.IsZero() { // the guest passes on what the caller has left
			ctx.deadline = ctx.deadline.Add(leaveTimeout/2 - time.Second)
		}
		ctx.Context, ctx.done = t.Context(), make(chan struct{})
		got := make(chan error, 1)
		go func() {
			got <- s.Set(ctx, &abi.SetRequest{Key: []byte("k"), Value: []byte("v")}, &abi.SetResponse{})
		}()
		<-kv.called
		ctx.end()
		if kind == "cancelled" {
			kv.answer <- struct{}{}
			require.NoError(t, <-got, "it gets the result")
			continue
		}
		require.ErrorIs(t, <-got, context.DeadlineExceeded, "it is released before the back end answers")
		kv.answer <- struct{}{} // and the guest gets its answer
	}
	stats, _ := sandbox.StatsOf(s)
	require.Equal(t, int64(1), stats.Created)
	require.NoError(t, s.Close())
	stats, _ = sandbox.StatsOf(s)
	for _, op := range stats.Ops {
		require.Zero(t, op.Faults, op.Op)
	}
}
