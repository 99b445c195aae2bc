package component

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

func TestComesUp(t *testing.T) {
	s := start(t, Config{AppID: "app"})
	f := newFake()
	s.Apply(spec("orders", "1", f))
	require.Empty(t, settle(t, s))
	st, err := s.Store("orders")
	require.NoError(t, err)
	set(t, st, "a", "1")
	require.Equal(t, "1", get(t, st, "a"))
	require.Equal(t, "1", f.data["app||a"])
	got := statusOf(t, s, "orders")
	require.Equal(t, handle.StateReady, got.State)
	require.EqualValues(t, 1, got.Generation)
	s.Apply(spec("orders", "1", nil)) // unchanged: not even looked at
	require.Empty(t, settle(t, s))
	require.EqualValues(t, 1, statusOf(t, s, "orders").Generation)
}

func TestUnknownNameSuggests(t *testing.T) {
	s := start(t, Config{})
	_, err := s.Store("ordres")
	require.EqualError(t, err, "state store ordres is not configured")
	s.Apply(spec("orders", "1", newFake()))
	settle(t, s)
	_, err = s.Store("ordres")
	var nf *handle.NotFoundError
	require.ErrorAs(t, err, &nf)
	require.EqualError(t, err, "state store ordres is not found; did you mean orders?")
	require.False(t, errors.Is(err, abi.ErrNotFound), "a missing component is no missing key")
}

func TestFailureBeforeTheSwapKeepsTheOldOne(t *testing.T) {
	broken := map[string]func(*Spec, *fake){
		"create": func(sp *Spec, _ *fake) {
			sp.Create = func(context.Context) (abi.Store, error) { return nil, errors.New("no such type") }
		},
		"nothing": func(sp *Spec, _ *fake) { sp.Create = func(context.Context) (abi.Store, error) { return nil, nil } },
		"panic":   func(sp *Spec, _ *fake) { sp.Create = func(context.Context) (abi.Store, error) { panic("boom") } },
		"resolve": func(sp *Spec, _ *fake) {
			sp.Resolve = func(context.Context) (Resolved, error) { return Resolved{}, errors.New("no secret") }
		},
		"init":   func(_ *Spec, f *fake) { f.initErr = errors.New("no route") },
		"ping":   func(_ *Spec, f *fake) { f.pingErr = errors.New("no answer") },
		"prefix": func(sp *Spec, _ *fake) { sp.KeyPrefix = "a||b" },
	}
	for name, breakIt := range broken {
		t.Run(name, func(t *testing.T) {
			s := start(t, Config{})
			old, bad := newFake(), newFake()
			s.Apply(spec("orders", "1", old))
			settle(t, s)
			st, _ := s.Store("orders")
			set(t, st, "a", "1")
			sp := spec("orders", "2", bad)
			breakIt(&sp, bad)
			s.Apply(sp)
			failures := settle(t, s)
			require.Len(t, failures, 1)
			require.Equal(t, "1", get(t, st, "a"))
			got := statusOf(t, s, "orders")
			require.Equal(t, handle.StateDegraded, got.State)
			require.NotEmpty(t, got.Reason)
			require.EqualValues(t, 1, got.Generation)
			require.Empty(t, s.NotReady(), "a degraded component serves")
			require.False(t, old.closed.Load())
			if bad.inits.Load() > 0 {
				require.True(t, bad.closed.Load(), "the failed store is closed")
			}
			good := newFake()
			s.Apply(spec("orders", "3", good))
			require.Empty(t, settle(t, s))
			require.Equal(t, "missing", get(t, st, "a"))
			require.Equal(t, handle.StateReady, statusOf(t, s, "orders").State)
		})
	}
}

func TestFailedComponentIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Config{})
		var route atomic.Bool
		var mu sync.Mutex
		var tries []time.Time
		sp := spec("orders", "1", nil)
		sp.Create = func(context.Context) (abi.Store, error) {
			mu.Lock()
			tries = append(tries, time.Now())
			mu.Unlock()
			f := newFake()
			if !route.Load() {
				f.initErr = errors.New("no route")
			}
			return f, nil
		}
		s.Apply(sp)
		require.Len(t, settle(t, s), 1)
		st, err := s.Store("orders")
		require.NoError(t, err)
		err = st.Get(t.Context(), &abi.GetRequest{Key: []byte("a")}, &abi.GetResponse{})
		require.ErrorIs(t, err, abi.ErrUnavailable)
		require.ErrorContains(t, err, "no route")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		mu.Lock()
		require.Greater(t, len(tries), 8)
		for i := 1; i < len(tries); i++ {
			gap := tries[i].Sub(tries[i-1])
			require.GreaterOrEqual(t, gap, 400*time.Millisecond)
			require.LessOrEqual(t, gap, 30*time.Second)
		}
		mu.Unlock()
		route.Store(true)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		require.Equal(t, handle.StateReady, statusOf(t, s, "orders").State)
		require.Empty(t, settle(t, s))
	})
}

type waiting struct{}

func (waiting) Error() string   { return "waits for secret store vault" }
func (waiting) Waiting() string { return "vault" }

func TestParkedComponent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Config{})
		there := false
		sp := spec("orders", "1", newFake())
		sp.Resolve = func(context.Context) (Resolved, error) {
			if !there {
				return Resolved{}, waiting{}
			}
			return Resolved{}, nil
		}
		s.Apply(sp)
		require.Len(t, settle(t, s), 1)
		got := statusOf(t, s, "orders")
		require.Equal(t, handle.StatePending, got.State)
		require.Contains(t, got.Reason, "vault")
		there = true
		s.Retry("orders")
		synctest.Wait()
		require.Equal(t, handle.StateReady, statusOf(t, s, "orders").State)
	})
}

func TestHangingInitDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Config{})
		hung := newFake()
		hung.hang = make(chan struct{})
		from := time.Now()
		s.Apply(spec("hung", "1", hung))
		for i := range 19 {
			s.Apply(spec(fmt.Sprintf("ok-%d", i), "1", newFake()))
		}
		synctest.Wait()
		require.Zero(t, time.Since(from), "nobody waited")
		require.Len(t, s.NotReady(), 1)
		require.Len(t, settle(t, s), 1)
		require.InDelta(t, 5, time.Since(from).Seconds(), 0.1)
		require.Contains(t, statusOf(t, s, "hung").Reason, "does not return")
		require.Zero(t, hung.closes.Load(), "not closed under a running Init")
		s.Remove("hung")
		close(hung.hang)
		synctest.Wait()
		require.NotZero(t, hung.closes.Load(), "closed once Init returned")
	})
}

func TestInitThatSucceedsTooLateIsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Config{})
		f := newFake()
		f.onInit = func() { time.Sleep(5*time.Second + 10*time.Millisecond) }
		s.Apply(spec("late", "1", f))
		failures := settle(t, s)
		require.Len(t, failures, 1)
		require.ErrorContains(t, failures[0], "init timeout after 5s")
		require.True(t, f.closed.Load())
	})
}

func TestRemoveDrainsAndCloses(t *testing.T) {
	s := start(t, Config{})
	f := newFake()
	s.Apply(spec("orders", "1", f))
	settle(t, s)
	st, _ := s.Store("orders")
	g, err := st.lease()
	require.NoError(t, err)
	s.Remove("orders")
	require.Eventually(t, func() bool { _, err := s.Store("orders"); return err != nil }, time.Second, time.Millisecond)
	require.False(t, f.closed.Load(), "a call is in progress")
	g.release()
	settle(t, s)
	require.True(t, f.closed.Load())
	require.ErrorIs(t, st.Delete(t.Context(), &abi.DeleteRequest{Key: []byte("a")}), abi.ErrUnavailable)
}

func TestRenameKeepsTheOldUntilTheNewIsReady(t *testing.T) {
	s := start(t, Config{})
	old, renamed := newFake(), newFake()
	renamed.hang = make(chan struct{})
	s.Reconcile([]Spec{spec("orders", "1", old)}, nil)
	settle(t, s)
	st, _ := s.Store("orders")
	s.Reconcile([]Spec{spec("orders2", "1", renamed)}, nil)
	require.Eventually(t, func() bool { return renamed.inits.Load() == 1 }, time.Second, time.Millisecond)
	require.Equal(t, "missing", get(t, st, "a"), "the old one serves")
	close(renamed.hang)
	settle(t, s)
	require.Len(t, s.Status(), 1)
	require.Equal(t, "orders2", s.Status()[0].Name)
	require.True(t, old.closed.Load())
}

func TestReconcileKeepsWhatCannotBeRead(t *testing.T) {
	s := start(t, Config{})
	a, b := newFake(), newFake()
	s.Reconcile([]Spec{spec("a", "1", a), spec("b", "1", b)}, nil)
	settle(t, s)
	s.Reconcile(nil, func(name string) bool { return name == "a" })
	settle(t, s)
	require.Len(t, s.Status(), 1)
	require.False(t, a.closed.Load())
	require.True(t, b.closed.Load())
}

func TestRollback(t *testing.T) {
	s := start(t, Config{})
	stores := map[string]*fake{}
	mk := func(digest string) Spec {
		sp := spec("orders", digest, nil)
		sp.Create = func(context.Context) (abi.Store, error) { stores[digest] = newFake(); return stores[digest], nil }
		return sp
	}
	s.Apply(mk("1"))
	settle(t, s)
	require.ErrorContains(t, s.Rollback("orders"), "no earlier version")
	s.Apply(mk("2"))
	settle(t, s)
	require.NoError(t, s.Rollback("orders"))
	settle(t, s)
	got := statusOf(t, s, "orders")
	require.Equal(t, "1", got.Digest)
	require.True(t, got.RolledBack)
	s.Apply(mk("2")) // the file has not changed
	settle(t, s)
	require.Equal(t, "1", statusOf(t, s, "orders").Digest)
	s.Apply(mk("3"))
	settle(t, s)
	require.Equal(t, "3", statusOf(t, s, "orders").Digest)
	require.False(t, statusOf(t, s, "orders").RolledBack)

	bad := spec("orders", "4", nil)
	bad.Create = func(context.Context) (abi.Store, error) { return nil, errors.New("bad") }
	s.Apply(bad)
	settle(t, s)
	require.Equal(t, handle.StateDegraded, statusOf(t, s, "orders").State)
	require.NoError(t, s.Rollback("orders"))
	require.Equal(t, handle.StateReady, statusOf(t, s, "orders").State)
	require.Equal(t, "3", statusOf(t, s, "orders").Digest)
	var nf *handle.NotFoundError
	require.ErrorAs(t, s.Rollback("nobody"), &nf)
}

func TestUses(t *testing.T) {
	s := start(t, Config{})
	db := newFake()
	db.hang = make(chan struct{})
	user := spec("user", "1", newFake())
	user.Uses = []string{"db"}
	s.Apply(user)
	settle(t, s)
	require.Contains(t, statusOf(t, s, "user").Reason, "not configured")
	s.Apply(spec("db", "1", db))
	close(db.hang)
	settle(t, s)
	s.Retry()
	require.Eventually(t, func() bool { return statusOf(t, s, "user").State == handle.StateReady }, 5*time.Second, time.Millisecond)
	back := spec("db", "2", newFake())
	back.Uses = []string{"user"}
	s.Apply(back)
	settle(t, s)
	require.Contains(t, statusOf(t, s, "db").Reason, "db -> user -> db")
}

// TestUsesWhatComesLater: the order of the files is not the order of need, and
// there may be many files between.
func TestUsesWhatComesLater(t *testing.T) {
	s := start(t, Config{})
	first := spec("a", "1", newFake())
	first.Uses = []string{"z"}
	all := []Spec{first}
	for i := range 500 {
		all = append(all, spec(fmt.Sprintf("b%d", i), "1", newFake()))
	}
	s.Reconcile(append(all, spec("z", "1", newFake())), nil)
	settle(t, s)
	require.Equal(t, handle.StateReady, statusOf(t, s, "a").State, "%+v", statusOf(t, s, "a").Reason)
}

func TestActorStore(t *testing.T) {
	s := start(t, Config{})
	mk := func(name string, f abi.Features) Spec {
		fk := newFake()
		fk.features = f
		sp := spec(name, "1", fk)
		sp.Create = func(context.Context) (abi.Store, error) { return transacting{fk}, nil }
		sp.ActorStateStore = true
		return sp
	}
	name, warning := s.ActorStore()
	require.Empty(t, name+warning)
	s.Apply(mk("a", abi.FeatureETag))
	settle(t, s)
	_, warning = s.ActorStore()
	require.Contains(t, warning, "lacks TRANSACTIONAL")
	s.Reconcile([]Spec{mk("b", abi.FeatureETag|abi.FeatureTransactional)}, nil)
	settle(t, s)
	name, warning = s.ActorStore()
	require.Equal(t, "b", name+warning)
	s.Apply(mk("c", abi.FeatureETag|abi.FeatureTransactional))
	settle(t, s)
	name, warning = s.ActorStore()
	require.Empty(t, name)
	require.Contains(t, warning, "b, c")
}

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	s := start(t, Config{})
	f := newFake()
	s.Apply(spec("a", "1", f))
	settle(t, s)
	st, _ := s.Store("a")
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	require.EqualValues(t, 1, f.closes.Load())
	require.ErrorIs(t, st.Get(t.Context(), &abi.GetRequest{Key: []byte("a")}, &abi.GetResponse{}), abi.ErrUnavailable)
	s.Apply(spec("b", "1", newFake()))
	require.Empty(t, settle(t, s))
}

// TestFailuresAreSaidOnce: a component that cannot heal is tried for ever, and
// one line tells it; what it repeats of its values is cut.
func TestFailuresAreSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		s := start(t, Config{Logger: zap.New(core)})
		reason := "unknown item " + strings.Repeat("x", 1<<20)
		sp := spec("orders", "1", nil)
		sp.Create = func(context.Context) (abi.Store, error) { return nil, errors.New(reason) }
		s.Apply(sp)
		require.Len(t, settle(t, s), 1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, logs.FilterMessage("component failed").Len())
		require.Less(t, len(statusOf(t, s, "orders").Reason), 5<<10)
		sp = spec("orders", "2", nil)
		sp.Create = func(context.Context) (abi.Store, error) { return nil, errors.New("another reason") }
		s.Apply(sp)
		settle(t, s)
		require.Equal(t, 2, logs.FilterMessage("component failed").Len())
	})
}

// transacting is a fake that can be declared TRANSACTIONAL.
type transacting struct{ *fake }

func (transacting) Transact(context.Context, []abi.Op) error { return nil }
