package component

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// fake is a store with just enough behaviour; it fails the process if it is
// used after Close.
type fake struct {
	features abi.Features
	initErr  error
	hang     chan struct{} // Init blocks on it, whatever its context says
	onInit   func()
	pingErr  error
	panics   bool

	mu     sync.Mutex
	data   map[string]string
	closed atomic.Bool
	closes atomic.Int32
	inits  atomic.Int32
}

func newFake() *fake {
	return &fake{features: abi.FeatureETag | abi.FeatureTTL, data: map[string]string{}}
}

func (f *fake) Init(context.Context, abi.Metadata) error {
	f.inits.Add(1)
	if f.onInit != nil {
		f.onInit()
	}
	if f.hang != nil {
		<-f.hang
	}
	return f.initErr
}

func (f *fake) Features() abi.Features { return f.features }

func (f *fake) check() {
	if f.closed.Load() {
		panic("used after Close")
	}
}

func (f *fake) Get(_ context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	f.check()
	if f.panics {
		panic("boom")
	}
	f.mu.Lock()
	v, ok := f.data[string(req.Key)]
	f.mu.Unlock()
	if !ok {
		return abi.ErrNotFound
	}
	resp.Value = append(resp.Value, v...)
	f.check()
	return nil
}

func (f *fake) Set(_ context.Context, req *abi.SetRequest, _ *abi.SetResponse) error {
	f.check()
	f.mu.Lock()
	if f.data[string(req.Key)] != string(req.Value) {
		f.data[string(req.Key)] = string(req.Value)
	}
	f.mu.Unlock()
	f.check()
	return nil
}

func (f *fake) Delete(_ context.Context, req *abi.DeleteRequest) error {
	f.check()
	f.mu.Lock()
	delete(f.data, string(req.Key))
	f.mu.Unlock()
	return nil
}

func (f *fake) Ping(context.Context) error { return f.pingErr }

func (f *fake) Close() error {
	f.closes.Add(1)
	f.closed.Store(true)
	return nil
}

// spec returns a spec that creates store under a digest.
func spec(name, digest string, store abi.Store) Spec {
	return Spec{Name: name, Type: "state.fake", Digest: digest, Source: name + ".yaml:1",
		Create: func(context.Context) (abi.Store, error) { return store, nil }}
}

// start runs a set until the test ends and fails it if Close does.
func start(t testing.TB, cfg Config) *Set {
	t.Helper()
	s := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		require.NoError(t, s.Close(context.Background()))
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

func settle(t testing.TB, s *Set) []*Failure {
	t.Helper()
	failures, err := s.Wait(context.Background())
	require.NoError(t, err)
	return failures
}

func statusOf(t testing.TB, s *Set, name string) handle.Status {
	t.Helper()
	for _, st := range s.Status() {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("no status of %s", name)
	return handle.Status{}
}

func get(t testing.TB, st *Store, key string) string {
	t.Helper()
	var resp abi.GetResponse
	err := st.Get(context.Background(), &abi.GetRequest{Key: []byte(key)}, &resp)
	if errors.Is(err, abi.ErrNotFound) {
		return "missing"
	}
	require.NoError(t, err)
	return string(resp.Value)
}

func set(t testing.TB, st *Store, key, value string) {
	t.Helper()
	require.NoError(t, st.Set(context.Background(), &abi.SetRequest{Key: []byte(key), Value: []byte(value)}, &abi.SetResponse{}))
}
