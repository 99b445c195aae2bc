package wasmstore

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

const batchFeatures = abi.FeatureETag | abi.FeatureBulk | abi.FeatureKeys | abi.FeatureTransactional | abi.FeatureExport

func twoGets(s *Store) ([]abi.GetResult, error) {
	results := make([]abi.GetResult, 2)
	err := s.BulkGet(context.Background(), []abi.GetRequest{{Key: []byte("a")}, {Key: []byte("b")}}, results)
	return results, err
}

func TestBulkGet(t *testing.T) {
	g := newFake()
	s := open(t, g, batchFeatures)
	items, size := g.putItems(50_000,
		abi.ResponseView{Value: g.put(100, "one"), ETag: g.put(200, "1")},
		abi.ResponseView{Code: uint32(abi.CodeNotFound)})
	g.respond(opBulkGet, abi.CodeOK, abi.ResponseView{Items: items, ItemSize: size})
	r, err := twoGets(s)
	require.NoError(t, err)
	require.Equal(t, "one", string(r[0].Value))
	require.NoError(t, r[0].Err)
	require.ErrorIs(t, r[1].Err, abi.ErrNotFound)
	require.Equal(t, g.acquired, g.done)
}

func TestMalformedItems(t *testing.T) {
	for _, tc := range []struct {
		name  string
		items func(g *fakeGuest) (abi.Span, uint32)
	}{
		{"none", func(*fakeGuest) (abi.Span, uint32) { return abi.Span{}, 72 }},
		{"one", func(g *fakeGuest) (abi.Span, uint32) { return g.putItems(50_000, abi.ResponseView{}) }},
		{"three", func(g *fakeGuest) (abi.Span, uint32) {
			return g.putItems(50_000, abi.ResponseView{}, abi.ResponseView{}, abi.ResponseView{})
		}},
		{"behind the end", func(*fakeGuest) (abi.Span, uint32) { return abi.Span{Addr: 1<<20 - 100, Len: 2}, 72 }},
		{"address wraps", func(*fakeGuest) (abi.Span, uint32) { return abi.Span{Addr: math.MaxUint32, Len: 2}, 72 }},
		{"step zero", func(*fakeGuest) (abi.Span, uint32) { return abi.Span{Addr: 50_000, Len: 2}, 0 }},
		{"step too small", func(*fakeGuest) (abi.Span, uint32) { return abi.Span{Addr: 50_000, Len: 2}, 71 }},
		{"step huge", func(*fakeGuest) (abi.Span, uint32) { return abi.Span{Addr: 50_000, Len: 2}, math.MaxUint32 }},
		{"not records", func(g *fakeGuest) (abi.Span, uint32) { return abi.Span{Addr: 60_000, Len: 2}, 72 }},
		{"unknown code", func(g *fakeGuest) (abi.Span, uint32) {
			return g.putItems(50_000, abi.ResponseView{}, abi.ResponseView{Code: 77})
		}},
		{"item value behind the end", func(g *fakeGuest) (abi.Span, uint32) {
			return g.putItems(50_000, abi.ResponseView{}, abi.ResponseView{Value: abi.Span{Addr: 1 << 20, Len: 1}})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newFake()
			s := open(t, g, batchFeatures)
			items, size := tc.items(g)
			g.respond(opBulkGet, abi.CodeOK, abi.ResponseView{Items: items, ItemSize: size})
			_, err := twoGets(s)
			require.ErrorIs(t, err, errViolation)
			require.Equal(t, g.acquired, g.done)
		})
	}
}

// Any number of items may point at the same bytes: the host copies a bounded
// number of them.
func TestCopiesAreBounded(t *testing.T) {
	g := newFake()
	g.mem = make([]byte, 96<<20)
	s := open(t, g, batchFeatures)
	items, size := g.putItems(50_000,
		abi.ResponseView{Value: abi.Span{Addr: 0, Len: 60 << 20}}, abi.ResponseView{Value: abi.Span{Addr: 0, Len: 60 << 20}})
	g.respond(opBulkGet, abi.CodeOK, abi.ResponseView{Items: items, ItemSize: size})
	r, err := twoGets(s)
	require.NoError(t, err)
	require.NoError(t, r[0].Err)
	require.Equal(t, abi.CodeTooLarge, abi.CodeOf(r[1].Err))
	require.Zero(t, g.violated)

	view := abi.ResponseView{Key: abi.Span{Addr: 0, Len: 40 << 20}}
	items, size = g.putItems(50_000, view, view)
	g.respond(opExport, abi.CodeOK, abi.ResponseView{Items: items, ItemSize: size})
	var page abi.ExportResponse
	err = s.Export(t.Context(), &abi.ExportRequest{MaxBytes: 1}, &page)
	require.ErrorIs(t, err, errViolation)
	require.Empty(t, page.Items, "nothing was copied")
	err = s.Export(t.Context(), &abi.ExportRequest{MaxBytes: 64 << 20}, &page)
	require.Equal(t, abi.CodeTooLarge, abi.CodeOf(err))

	// Items that share a small value, and a key that comes twice.
	view = abi.ResponseView{Value: abi.Span{Addr: 0, Len: 64 << 10}}
	var many []abi.ResponseView
	for i := range 900 {
		view.Key = abi.Span{Addr: uint32(i), Len: 8}
		many = append(many, view)
	}
	items, size = g.putItems(80<<20, many...)
	g.respond(opExport, abi.CodeOK, abi.ResponseView{Items: items, ItemSize: size})
	require.ErrorIs(t, s.Export(t.Context(), &abi.ExportRequest{MaxBytes: 256 << 10}, &page), errViolation)
	same := abi.ResponseView{Key: g.put(100, "twice")}
	items, size = g.putItems(50_000, same, same)
	g.respond(opExport, abi.CodeOK, abi.ResponseView{Items: items, ItemSize: size})
	page = abi.ExportResponse{}
	err = s.Export(t.Context(), &abi.ExportRequest{MaxBytes: 256 << 10}, &page)
	require.ErrorIs(t, err, errViolation)
	require.ErrorContains(t, err, "another of the page")
	require.Empty(t, page.Items)
}

func TestBulkWrite(t *testing.T) {
	g := newFake()
	s := open(t, g, batchFeatures)
	items, size := g.putItems(50_000, abi.ResponseView{ETag: g.put(200, "1")}, abi.ResponseView{Code: uint32(abi.CodeETagMismatch)})
	var kinds []bool
	g.handlers[opBulkWrite] = func(in *fakeInstance, _ uint32) uint64 {
		b, ok := abi.ParseBatch(in.Buffer())
		require.True(t, ok)
		for i := range b.Count {
			it, ok := b.Item(i)
			require.True(t, ok)
			kinds = append(kinds, it.Flags&abi.FlagDelete != 0)
		}
		abi.PutResponse(in.Buffer(), &abi.ResponseView{Items: items, ItemSize: size})
		return abi.ResponseSize
	}
	ops := []abi.Op{{SetRequest: abi.SetRequest{Key: []byte("a")}}, {Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: []byte("b")}}}
	results := make([]abi.WriteResult, 2)
	require.NoError(t, s.BulkWrite(t.Context(), ops, results))
	require.Equal(t, "1", string(results[0].ETag))
	require.ErrorIs(t, results[1].Err, abi.ErrETagMismatch)
	require.Equal(t, []bool{false, true}, kinds)
}

func TestTransact(t *testing.T) {
	g := newFake()
	s := New(g, Config{Features: batchFeatures, MaxTransactionOps: 3})
	require.NoError(t, s.Init(t.Context(), abi.Metadata{}))
	ops := []abi.Op{{SetRequest: abi.SetRequest{Key: []byte("a")}}, {SetRequest: abi.SetRequest{Key: []byte("b")}}}

	g.respond(opTransact, abi.CodeETagMismatch, abi.ResponseView{Code: 1})
	err := s.Transact(t.Context(), ops)
	var oe *abi.OpError
	require.ErrorAs(t, err, &oe)
	require.Equal(t, 1, oe.Index)
	require.ErrorIs(t, err, abi.ErrETagMismatch)

	g.respond(opTransact, abi.CodeETagMismatch, abi.ResponseView{Code: 2})
	require.ErrorIs(t, s.Transact(t.Context(), ops), errViolation)

	g.handlers[opTransact] = func(*fakeInstance, uint32) uint64 { return abi.Pack(abi.CodeUnavailable, 0) }
	err = s.Transact(t.Context(), ops)
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err))
	require.NotErrorAs(t, err, &oe, "without a record no operation is to blame")

	require.Equal(t, abi.CodeTooLarge, abi.CodeOf(s.Transact(t.Context(), append(ops, ops...))))
	require.NoError(t, s.Transact(t.Context(), nil))
}

func TestKeys(t *testing.T) {
	g := newFake()
	s := open(t, g, batchFeatures)
	list := func(prefix string, keys ...string) (abi.KeysResponse, error) {
		views := make([]abi.ResponseView, len(keys))
		for i, k := range keys {
			views[i].Key = g.put(uint32(70_000+100*i), k)
		}
		items, size := g.putItems(50_000, views...)
		g.respond(opKeys, abi.CodeOK, abi.ResponseView{Items: items, ItemSize: size, Key: g.put(300, "next")})
		var resp abi.KeysResponse
		err := s.Keys(context.Background(), &abi.KeysRequest{Prefix: []byte(prefix), Limit: 3}, &resp)
		return resp, err
	}
	resp, err := list("a", "a", "ab", "b"[:0]+"ac")
	require.NoError(t, err)
	require.Equal(t, "a ab ac", fmt.Sprintf("%s %s %s", resp.Keys[0], resp.Keys[1], resp.Keys[2]))
	require.Equal(t, "next", string(resp.Cursor))
	for name, keys := range map[string][]string{
		"twice": {"a", "a"}, "descending": {"ab", "a"}, "wrong prefix": {"b"}, "too many": {"a", "ab", "ac", "ad"},
	} {
		_, err := list("a", keys...)
		require.ErrorIs(t, err, errViolation, name)
	}
	require.Equal(t, g.acquired, g.done)
}

func TestExportAndImportThroughShards(t *testing.T) {
	g := newFake()
	g.shards = 3
	s := open(t, g, abi.FeatureExport|abi.FeatureBulk)
	require.False(t, s.Features().Has(abi.FeatureBulk), "a batch cannot be sent to several shards")
	var asked []string
	g.handlers[opExport] = func(in *fakeInstance, _ uint32) uint64 {
		r, ok := abi.ParseRequest(in.Buffer(), 0)
		require.True(t, ok)
		asked = append(asked, fmt.Sprintf("%d:%s", g.lastShard, r.Value))
		v := abi.ResponseView{}
		v.Items, v.ItemSize = g.putItems(50_000, abi.ResponseView{Key: g.put(100, "k"), Value: g.put(200, "v"), ExpiresAt: 9})
		if len(r.Value) == 0 && g.lastShard == 1 {
			v.Key = g.put(300, "more")
		}
		abi.PutResponse(in.Buffer(), &v)
		return abi.ResponseSize
	}
	var resp abi.ExportResponse
	for {
		require.NoError(t, s.Export(t.Context(), &abi.ExportRequest{Cursor: resp.Cursor, MaxBytes: 10}, &resp))
		if len(resp.Cursor) == 0 {
			break
		}
	}
	require.Equal(t, []string{"0:", "1:", "1:more", "2:"}, asked)
	require.Len(t, resp.Items, 4)
	require.Equal(t, abi.Item{Key: []byte("k"), Value: []byte("v"), ExpiresAt: 9}, resp.Items[0])
	for _, bad := range []string{"x", "\x03\x00\x00\x00"} {
		err := s.Export(t.Context(), &abi.ExportRequest{Cursor: []byte(bad)}, &resp)
		require.Equal(t, abi.CodeInvalidArgument, abi.CodeOf(err))
	}

	got := map[string]uint32{}
	g.handlers[opImport] = func(in *fakeInstance, _ uint32) uint64 {
		b, ok := abi.ParseBatch(in.Buffer())
		require.True(t, ok)
		for i := range b.Count {
			it, _ := b.Item(i)
			got[string(it.Key)] = g.lastShard
		}
		return 0
	}
	var items []abi.Item
	for i := range 50 {
		items = append(items, abi.Item{Key: fmt.Appendf(nil, "key-%d", i)})
	}
	require.NoError(t, s.Import(t.Context(), items))
	require.Len(t, got, 50)
	for k, shard := range got {
		require.Equal(t, s.shard([]byte(k)), shard)
	}
}
