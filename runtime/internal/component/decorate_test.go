package component

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// leaky tells its secret in every error, those of single items included.
type leaky struct {
	*fake
	secret  string
	enter   chan struct{} // told when Get begins; nil = nobody is told
	proceed chan struct{}
}

func (l *leaky) fail() error { return errors.New("cannot log in with " + l.secret) }

func (l *leaky) Get(context.Context, *abi.GetRequest, *abi.GetResponse) error {
	if l.enter != nil {
		l.enter <- struct{}{}
		<-l.proceed
	}
	return l.fail()
}
func (l *leaky) Set(context.Context, *abi.SetRequest, *abi.SetResponse) error { return l.fail() }
func (l *leaky) Delete(context.Context, *abi.DeleteRequest) error             { return l.fail() }
func (l *leaky) Ping(context.Context) error                                   { return nil }

// leakyBulk has bulk operations of its own.
type leakyBulk struct{ *leaky }

func (l leakyBulk) BulkGet(_ context.Context, _ []abi.GetRequest, results []abi.GetResult) error {
	for i := range results {
		results[i].Err = l.fail()
	}
	return nil
}

func (l leakyBulk) BulkWrite(_ context.Context, _ []abi.Op, results []abi.WriteResult) error {
	for i := range results {
		results[i].Err = l.fail()
	}
	return nil
}

func hides(secret string) func(context.Context) (Resolved, error) {
	return func(context.Context) (Resolved, error) {
		return Resolved{Redact: func(text string) string { return strings.ReplaceAll(text, secret, "***") }}, nil
	}
}

// TestSecretsInItems: the errors of the items of a bulk operation are errors of
// the component, whether the store has bulk operations or not.
func TestSecretsInItems(t *testing.T) {
	l := &leaky{fake: newFake(), secret: "hunter2"}
	native := leakyBulk{&leaky{fake: newFake(), secret: "hunter2"}}
	native.features |= abi.FeatureBulk
	for name, store := range map[string]abi.Store{"fallback": l, "native": native} {
		st := handleOf(t, store, func(sp *Spec) { sp.Resolve = hides("hunter2") })
		reads := make([]abi.GetResult, 2)
		require.NoError(t, st.BulkGet(t.Context(), []abi.GetRequest{{Key: []byte("a")}, {Key: []byte("b")}}, reads), name)
		writes := make([]abi.WriteResult, 2)
		require.NoError(t, st.BulkWrite(t.Context(), []abi.Op{
			{SetRequest: abi.SetRequest{Key: []byte("a")}}, {Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: []byte("b")}},
		}, writes), name)
		for _, err := range []error{reads[0].Err, reads[1].Err, writes[0].Err, writes[1].Err} {
			require.ErrorContains(t, err, "cannot log in with ***", name)
			require.NotContains(t, err.Error(), "hunter2", name)
		}
	}
}

// TestSecretsOfCallsInFlight: a call that outlives a rotation, or the component,
// hides the secrets that its own generation knows.
func TestSecretsOfCallsInFlight(t *testing.T) {
	for name, change := range map[string]func(s *Set){
		"rotation": func(s *Set) {
			next := spec("orders", "2", newFake())
			next.Resolve = hides("another")
			s.Apply(next)
		},
		"removal": func(s *Set) { s.Remove("orders") },
	} {
		t.Run(name, func(t *testing.T) {
			l := &leaky{fake: newFake(), secret: "hunter2", enter: make(chan struct{}), proceed: make(chan struct{})}
			s := start(t, Config{AppID: "app"})
			sp := spec("orders", "1", l)
			sp.Resolve = hides("hunter2")
			s.Apply(sp)
			require.Empty(t, settle(t, s))
			st, err := s.Store("orders")
			require.NoError(t, err)
			got := make(chan error)
			go func() {
				got <- st.Get(context.Background(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{})
			}()
			<-l.enter
			change(s)
			gone := func() bool {
				g := st.current.Load()
				return g == nil || g.number == 2
			}
			require.Eventually(t, gone, time.Minute, time.Millisecond)
			close(l.proceed)
			err = <-got
			require.ErrorContains(t, err, "cannot log in with ***")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// boasting declares everything and has nothing.
type boasting struct{ *fake }

// TestDeclaredAndMissing: an operation that a store declares and does not have
// is an error, never an answer.
func TestDeclaredAndMissing(t *testing.T) {
	b := newBase("orders", boasting{&fake{features: abi.FeatureKeys | abi.FeatureDeleteWithPrefix | abi.FeatureTransactional | abi.FeatureBulk}})
	_, deleted := b.DeleteWithPrefix(t.Context(), []byte("k"))
	for name, err := range map[string]error{
		"keys":         b.Keys(t.Context(), &abi.KeysRequest{Limit: 1}, &abi.KeysResponse{}),
		"delete":       deleted,
		"transact":     b.Transact(t.Context(), make([]abi.Op, 1)),
		"bulk get":     b.BulkGet(t.Context(), make([]abi.GetRequest, 1), make([]abi.GetResult, 1)),
		"bulk write":   b.BulkWrite(t.Context(), make([]abi.Op, 1), make([]abi.WriteResult, 1)),
		"not declared": newBase("orders", &fake{}).Keys(t.Context(), &abi.KeysRequest{Limit: 1}, &abi.KeysResponse{}),
	} {
		var unsupported *handle.UnsupportedError
		require.ErrorAs(t, err, &unsupported, name)
	}
}

// counted is a recorder that remembers.
type counted struct {
	nopObserver
	ops chan string
}

func (c *counted) Recorder(string, string) Recorder { return c }
func (c *counted) Op(ctx context.Context, op handle.Op, code abi.Code, _ time.Duration) {
	who, _ := ctx.Value(caller{}).(string)
	c.ops <- who + " " + op.String() + " " + code.String()
}

type caller struct{}

// TestEveryCallIsCounted: those that the chain refuses, those that panic, and
// those that no generation takes, with the caller's context.
func TestEveryCallIsCounted(t *testing.T) {
	c := &counted{ops: make(chan string, 10)}
	s := start(t, Config{AppID: "app", Observer: c})
	f := newFake()
	s.Apply(spec("orders", "1", f))
	require.Empty(t, settle(t, s))
	st, err := s.Store("orders")
	require.NoError(t, err)
	ctx := context.WithValue(t.Context(), caller{}, "mary")
	require.ErrorIs(t, st.Get(ctx, &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{}), abi.ErrNotFound)
	require.Equal(t, "mary get not found", <-c.ops)
	require.Error(t, st.Get(ctx, &abi.GetRequest{}, &abi.GetResponse{}))
	require.Equal(t, "mary get invalid argument", <-c.ops)
	require.Error(t, st.Transact(ctx, make([]abi.Op, 1)))
	require.Equal(t, "mary transact unsupported", <-c.ops)
	f.panics = true
	require.Error(t, st.Get(ctx, &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{}))
	require.Equal(t, "mary get "+abi.CodeInternal.String(), <-c.ops)
	s.Remove("orders")
	settle(t, s)
	require.Error(t, st.Delete(ctx, &abi.DeleteRequest{Key: []byte("k")}))
	require.Equal(t, "mary delete unavailable", <-c.ops)
}

// TestPanicsHideSecrets: a panic's text goes to the log and into the error.
func TestPanicsHideSecrets(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	g := &guarded{name: "orders", log: zap.New(core), redact: func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") }}
	err := func() (err error) {
		defer g.end(handle.Get, &err)
		panic("no route to mary:hunter2@db")
	}()
	require.ErrorContains(t, err, "mary:***@db")
	require.Len(t, logs.All(), 1)
	require.NotContains(t, logs.All()[0].ContextMap()["panic"], "hunter2")
}
