package component

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

func handleOf(t testing.TB, f abi.Store, change func(*Spec)) *Store {
	t.Helper()
	s := start(t, Config{AppID: "app", Namespace: "ns"})
	sp := spec("orders", "1", f)
	if change != nil {
		change(&sp)
	}
	s.Apply(sp)
	require.Empty(t, settle(t, s))
	st, err := s.Store("orders")
	require.NoError(t, err)
	return st
}

func TestPrefixStrategies(t *testing.T) {
	for strategy, want := range map[string]string{
		"": "app||k", "appid": "app||k", "APPID": "app||k", "name": "orders||k", "namespace": "ns.app||k", "none": "k", "mine": "mine||k",
	} {
		f := newFake()
		st := handleOf(t, f, func(sp *Spec) { sp.KeyPrefix = strategy })
		set(t, st, "k", "v")
		require.Equal(t, map[string]string{want: "v"}, f.data, strategy)
	}
	p, err := Prefix("namespace", "app", "", "x")
	require.NoError(t, err)
	require.Equal(t, "app||", p)
}

func TestKeysAreChecked(t *testing.T) {
	st := handleOf(t, newFake(), nil)
	for name, key := range map[string]string{"empty": "", "separator": "a||b", "not UTF-8": "a\xff", "long": strings.Repeat("k", MaxKey+1)} {
		err := st.Get(t.Context(), &abi.GetRequest{Key: []byte(key)}, &abi.GetResponse{})
		require.ErrorIs(t, err, abi.ErrInvalidArgument, name)
		var illegal *handle.IllegalKeyError
		require.ErrorAs(t, err, &illegal, name)
		require.Less(t, len(err.Error()), 500)
		require.ErrorIs(t, st.Delete(t.Context(), &abi.DeleteRequest{Key: []byte(key)}), abi.ErrInvalidArgument, name)
		require.ErrorIs(t, st.Set(t.Context(), &abi.SetRequest{Key: []byte(key)}, &abi.SetResponse{}), abi.ErrInvalidArgument, name)
		require.ErrorIs(t, st.BulkGet(t.Context(), []abi.GetRequest{{Key: []byte(key)}}, make([]abi.GetResult, 1)), abi.ErrInvalidArgument, name)
	}
	set(t, st, strings.Repeat("k", MaxKey), "ok")
}

func TestTTLsAreChecked(t *testing.T) {
	st := handleOf(t, newFake(), nil)
	for _, ttl := range []time.Duration{-1, 1, time.Second - 1, abi.MaxTTL + 1} {
		err := st.Set(t.Context(), &abi.SetRequest{Key: []byte("k"), TTL: ttl}, &abi.SetResponse{})
		require.ErrorIs(t, err, abi.ErrInvalidArgument, ttl)
	}
}

func TestUndeclaredFeatures(t *testing.T) {
	f := newFake()
	f.features = 0
	st := handleOf(t, f, nil)
	key := []byte("k")
	calls := map[string]func() error{
		"ETAG set": func() error { return st.Set(t.Context(), &abi.SetRequest{Key: key, ETag: key}, &abi.SetResponse{}) },
		"ETAG first": func() error {
			return st.Set(t.Context(), &abi.SetRequest{Key: key, FirstWrite: true}, &abi.SetResponse{})
		},
		"ETAG delete": func() error { return st.Delete(t.Context(), &abi.DeleteRequest{Key: key, ETag: key}) },
		"TTL": func() error {
			return st.Set(t.Context(), &abi.SetRequest{Key: key, TTL: time.Second}, &abi.SetResponse{})
		},
		"TRANSACTIONAL":      func() error { return st.Transact(t.Context(), []abi.Op{{SetRequest: abi.SetRequest{Key: key}}}) },
		"KEYS":               func() error { return st.Keys(t.Context(), &abi.KeysRequest{Limit: 1}, &abi.KeysResponse{}) },
		"DELETE_WITH_PREFIX": func() error { _, err := st.DeleteWithPrefix(t.Context(), key); return err },
	}
	for name, call := range calls {
		err := call()
		require.ErrorIs(t, err, abi.ErrUnsupported, name)
		require.ErrorContains(t, err, "orders does not support "+strings.Fields(name)[0], name)
	}
	require.Empty(t, f.data)
}

func TestErrorsAreWrappedOnce(t *testing.T) {
	f := newFake()
	f.panics = true
	st := handleOf(t, f, nil)
	err := st.Get(t.Context(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{})
	require.EqualError(t, err, `get "k" in component "orders": the store panicked: boom`)
	require.Equal(t, abi.CodeInternal, abi.CodeOf(err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = st.Set(ctx, &abi.SetRequest{Key: []byte("k")}, &abi.SetResponse{})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, f.data, "a cancelled call does not reach the store")
	results := make([]abi.GetResult, 2)
	require.NoError(t, st.BulkGet(t.Context(), []abi.GetRequest{{Key: []byte("a")}, {Key: []byte("b")}}, results))
	require.ErrorContains(t, results[1].Err, "panicked")
}

func TestBulkFallback(t *testing.T) {
	st := handleOf(t, newFake(), nil)
	ops := make([]abi.Op, 100)
	for i := range ops {
		ops[i].Key, ops[i].Value = fmt.Appendf(nil, "k%d", i%10), fmt.Appendf(nil, "v%d", i)
	}
	ops[99] = abi.Op{Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: []byte("k9")}}
	results := make([]abi.WriteResult, len(ops))
	require.NoError(t, st.BulkWrite(t.Context(), ops, results))
	for i := range results {
		require.NoError(t, results[i].Err)
	}
	reqs := make([]abi.GetRequest, 11)
	for i := range reqs {
		reqs[i].Key = fmt.Appendf(nil, "k%d", i%10)
	}
	got := make([]abi.GetResult, len(reqs))
	require.NoError(t, st.BulkGet(t.Context(), reqs, got))
	for i := range 9 {
		require.Equal(t, fmt.Sprintf("v%d", 90+i), string(got[i].Value), "the last write of a key wins")
	}
	require.ErrorIs(t, got[9].Err, abi.ErrNotFound)
	require.Equal(t, "v90", string(got[10].Value), "a duplicate key has a result of its own")
}

func TestHandleDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop what it holds")
	}
	f := newFake()
	st := handleOf(t, f, nil)
	key, value := []byte("key-of-24-bytes-or-so"), []byte("value")
	set(t, st, string(key), string(value))
	get, setReq := abi.GetRequest{Key: key}, abi.SetRequest{Key: key, Value: value}
	resp, setResp := abi.GetResponse{Value: make([]byte, 0, 64)}, abi.SetResponse{}
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if st.Get(ctx, &get, &resp) != nil || st.Set(ctx, &setReq, &setResp) != nil {
			t.Error("failed")
		}
	}))
	missing := abi.GetRequest{Key: []byte("missing")}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if err := st.Get(ctx, &missing, &resp); !errors.Is(err, abi.ErrNotFound) {
			t.Error(err)
		}
	}))
}

func BenchmarkHandleGet(b *testing.B) {
	st := handleOf(b, newFake(), nil)
	set(b, st, "k", "v")
	req, resp := abi.GetRequest{Key: []byte("k")}, abi.GetResponse{}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = st.Get(ctx, &req, &resp)
	}
}
