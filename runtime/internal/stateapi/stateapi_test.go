package stateapi_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// counting counts the keys that are read of it.
type counting struct {
	abi.Store
	mu    sync.Mutex
	reads int
}

func (c *counting) Features() abi.Features {
	return c.Store.Features() & (abi.FeatureETag | abi.FeatureTTL) // those without a method
}

func (c *counting) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	c.mu.Lock()
	c.reads++
	c.mu.Unlock()
	return c.Store.Get(ctx, req, resp)
}

func serve(t *testing.T, limits stateapi.Limits, change func(*component.Spec)) (*stateapi.API, *component.Store, *counting) {
	t.Helper()
	set := component.New(component.Config{AppID: "app"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	t.Cleanup(func() {
		require.NoError(t, set.Close(context.Background()))
		cancel()
		require.NoError(t, <-done)
	})
	mem := &counting{Store: memstore.New()}
	spec := component.Spec{Name: "mem", Type: "state.mem", Digest: "1", Create: func(context.Context) (abi.Store, error) { return mem, nil }}
	if change != nil {
		change(&spec)
	}
	set.Apply(spec)
	_, err := set.Wait(context.Background())
	require.NoError(t, err)
	api := stateapi.New(set, stateapi.Config{AppID: "app", Limits: limits})
	st, e := api.Store("mem")
	require.Nil(t, e)
	return api, st, mem
}

func put(t *testing.T, st *component.Store, key string, size int) {
	t.Helper()
	require.NoError(t, st.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: make([]byte, size)}, &abi.SetResponse{}))
}

func TestBulkGetIsBounded(t *testing.T) {
	api, st, mem := serve(t, stateapi.Limits{Answer: 1 << 20, BulkKeys: 3000, InFlight: 4 << 20}, nil)
	put(t, st, "big", 300<<10)
	for i := range 200 {
		put(t, st, fmt.Sprintf("k%d", i), 100)
	}
	get := func(keys ...string) (*stateapi.Bulk, *stateapi.Error) {
		charge := api.Budget.Charge()
		defer charge.Release()
		return api.BulkGet(t.Context(), st, keys, nil, &charge)
	}
	out, e := get("big", "none", "big", "k1", "none")
	require.Nil(t, e)
	require.Equal(t, []int{0, 1, 0, 2, 1}, out.Index)
	require.Equal(t, 3, mem.reads, "a key that is asked for twice is read once")
	require.ErrorIs(t, out.Results[1].Err, abi.ErrNotFound)
	_, e = get("big", "big", "big", "big")
	require.Equal(t, 413, e.Status, "duplicates count")
	_, e = get(make([]string, 3001)...)
	require.Equal(t, 413, e.Status)
	var keys []string
	for i := range 2000 {
		keys = append(keys, fmt.Sprintf("k%d", i%200))
	}
	out, e = get(keys...)
	require.Nil(t, e)
	require.Len(t, out.Results, 200)
	_, e = get("a||b")
	require.Equal(t, 400, e.Status)
}

// TestLateComersWait for their share of what all may hold, and are turned away
// after a while; who asks for more than there is at once.
func TestLateComersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := stateapi.NewBudget(100<<10, 5*time.Second)
		one := b.Charge()
		require.Nil(t, one.Grow(t.Context(), 90<<10))
		small := b.Charge()
		require.Nil(t, small.Grow(t.Context(), 4<<10), "small requests do not wait")
		two := b.Charge()
		from := time.Now()
		e := two.Grow(t.Context(), 20<<10)
		require.Equal(t, 503, e.Status)
		require.Equal(t, 1, e.RetryAfter)
		require.Equal(t, 5*time.Second, time.Since(from))
		require.False(t, two.TryGrow(20<<10))
		require.Equal(t, 413, two.Grow(t.Context(), 200<<10).Status)
		var other sync.WaitGroup
		other.Go(func() {
			time.Sleep(time.Second)
			one.Release()
			one.Release()
		})
		require.Nil(t, two.Grow(t.Context(), 100<<10), "all of it is free again")
		other.Wait()
		two.Shrink(30 << 10)
		require.True(t, one.TryGrow(70<<10))
		require.False(t, small.TryGrow(5<<10))
		one.Release()
		two.Release()
	})
}

// TestAValueThatFindsNoRoomIsReadAgain, and its memory given up meanwhile.
func TestAValueThatFindsNoRoomIsReadAgain(t *testing.T) {
	api, st, mem := serve(t, stateapi.Limits{InFlight: 1 << 20}, nil)
	put(t, st, "big", 600<<10)
	held := api.Budget.Charge()
	require.Nil(t, held.Grow(t.Context(), 600<<10))
	charge, resp := api.Budget.Charge(), abi.GetResponse{}
	got := make(chan *stateapi.Error)
	go func() {
		_, e := api.Get(context.Background(), st, &abi.GetRequest{Key: []byte("big")}, &resp, &charge)
		got <- e
	}()
	require.Eventually(t, func() bool { mem.mu.Lock(); defer mem.mu.Unlock(); return mem.reads == 1 }, time.Minute, time.Millisecond)
	held.Release()
	require.Nil(t, <-got)
	require.Len(t, resp.Value, 600<<10)
	charge.Release()
	_, e := api.Get(t.Context(), st, &abi.GetRequest{Key: []byte("none")}, &resp, &charge)
	require.Nil(t, e)
	charge.Release()
}

func TestParseTTL(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "-1": 0, "1": time.Second, "2147483647": abi.MaxTTL} {
		got, err := stateapi.ParseTTL(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"0", "-2", "2147483648", "1.5", "1s", "foo", " 1", "99999999999999999999"} {
		_, err := stateapi.ParseTTL(text)
		require.ErrorIs(t, err, abi.ErrInvalidArgument, text)
	}
}

func TestConcurrency(t *testing.T) {
	_, st, _ := serve(t, stateapi.Limits{}, func(sp *component.Spec) { sp.IgnoreLastETag = true })
	req := abi.SetRequest{ETag: []byte("x")}
	require.NoError(t, stateapi.Concurrency(st, "first-write", &req))
	require.True(t, req.FirstWrite)
	require.NotEmpty(t, req.ETag)
	require.NoError(t, stateapi.Concurrency(st, "last-write", &req))
	require.Empty(t, req.ETag)
	require.ErrorIs(t, stateapi.Concurrency(st, "nonsense", &req), abi.ErrInvalidArgument)
	_, strict, _ := serve(t, stateapi.Limits{}, nil)
	req = abi.SetRequest{ETag: []byte("x")}
	require.NoError(t, stateapi.Concurrency(strict, "last-write", &req))
	require.NotEmpty(t, req.ETag)
	_, err := stateapi.ParseConsistency("nonsense")
	require.ErrorIs(t, err, abi.ErrInvalidArgument)
}

// TestGuard: who may ask, at a server that asks for no token, at one that does,
// and at the admin's.
func TestGuard(t *testing.T) {
	open := stateapi.Guard{Loopback: true}
	wide := stateapi.Guard{}
	token := stateapi.Guard{Token: "t", Loopback: true}
	private := stateapi.Guard{Token: "t", Loopback: true, Always: true}
	some := stateapi.Guard{Loopback: true, Origins: []string{"https://app.example"}}
	all := stateapi.Guard{Origins: []string{"*"}}
	for _, tc := range []struct {
		name   string
		guard  stateapi.Guard
		host   string
		header []string
		taken  bool
	}{
		{"a program", open, "127.0.0.1:3500", nil, true},
		{"by another loopback address", open, "127.8.9.1", nil, true},
		{"by IPv6", open, "[::1]:3500", nil, true},
		{"by name", open, "LOCALHOST:3500", nil, true},
		{"a rebound name", open, "evil.example:3500", nil, false},
		{"a name that looks like it", open, "127.0.0.1.nip.io", nil, false},
		{"any host where it listens to all", wide, "state.internal:3500", nil, true},
		{"a form across sites", open, "localhost:3500", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"a form across sites, listening to all", wide, "state.internal", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"typed into the address bar", open, "localhost:3500", []string{"Sec-Fetch-Site", "none"}, true},
		{"a script of another site", open, "localhost:3500", []string{"Origin", "https://evil.example"}, false},
		{"of another port", open, "localhost:3500", []string{"Origin", "http://localhost:8080"}, false},
		{"of its own origin", open, "localhost:3500", []string{"Origin", "http://localhost:3500"}, true},
		{"of a file", open, "localhost:3500", []string{"Origin", "null"}, false},
		{"with a token the token decides", token, "evil.example", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, true},
		{"but not at the admin API", private, "localhost", []string{"Origin", "https://evil.example"}, false},
		{"nor by a rebound name", private, "evil.example", nil, false},
		{"a dashboard on this machine", private, "localhost:3502", []string{"Origin", "http://127.0.0.1:8080"}, true},
		{"an allowed origin", some, "localhost:3500", []string{"Origin", "https://app.example", "Sec-Fetch-Site", "cross-site"}, true},
		{"one that is not", some, "localhost:3500", []string{"Origin", "https://app.example.evil"}, false},
		{"all origins", all, "state.internal", []string{"Origin", "https://evil.example"}, true},
	} {
		r := httptest.NewRequest("POST", "/v1.0/state/s", nil)
		r.Host = tc.host
		for i := 0; i < len(tc.header); i += 2 {
			r.Header.Set(tc.header[i], tc.header[i+1])
		}
		require.Equal(t, tc.taken, tc.guard.Refuse(r) == "", "%s: %s", tc.name, tc.guard.Refuse(r))
	}
}

// fixed are stores in given states.
type fixed []handle.Status

func (f fixed) Store(string) (*component.Store, error) { return nil, abi.ErrUnavailable }
func (f fixed) Status() []handle.Status                { return f }

func TestReadiness(t *testing.T) {
	up := handle.Status{Name: "up", State: handle.StateReady}
	old := handle.Status{Name: "old", State: handle.StateDegraded}
	down := handle.Status{Name: "down", State: handle.StateFailed}
	spare := handle.Status{Name: "spare", State: handle.StateFailed, IgnoreErrors: true}
	for _, tc := range []struct {
		policy stateapi.Readiness
		stores fixed
		ready  bool
	}{
		{"", fixed{}, true},
		{"", fixed{up, old, spare}, true},
		{"", fixed{up, down}, false},
		{stateapi.ReadyAny, fixed{up, down}, true},
		{stateapi.ReadyAny, fixed{down}, false},
		{stateapi.ReadyAny, fixed{}, true},
		{stateapi.ReadyServer, fixed{down}, true},
	} {
		running := true
		api := stateapi.New(tc.stores, stateapi.Config{Readiness: tc.policy, Ready: func() bool { return running }})
		require.Equal(t, tc.ready, api.ReadyToServe() == nil, "%+v", tc)
		require.Nil(t, api.Live(), "a component is no reason to restart the process")
		running = false
		require.NotNil(t, api.ReadyToServe())
		require.NotNil(t, api.Live())
	}
	_, err := stateapi.ParseReadiness("most")
	require.ErrorContains(t, err, "all, any and server")
}

func TestListsAreNeverNull(t *testing.T) {
	m := stateapi.New(fixed{{Name: "a"}}, stateapi.Config{}).Metadata()
	require.NotNil(t, m.Components)
	require.NotNil(t, m.Components[0].Capabilities)
	require.NotNil(t, stateapi.New(fixed(nil), stateapi.Config{}).Metadata().Components)
}
