package hostfuncs

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

// heldKV counts what it is asked for, and answers every get with the same item.
type heldKV struct {
	KV
	item         fakeItem
	reads, calls int
	most         int // bytes of the answers to one call
	written      int // bytes that it was given
	keys         int // of every page
}

func (h *heldKV) Features() abi.Features { return math.MaxUint32 }

func (h *heldKV) fill(r *abi.GetResponse) int {
	r.Value, r.ETag, r.ContentType = bytes.Clone(h.item.value), bytes.Clone(h.item.etag), bytes.Clone(h.item.ctype)
	h.reads++
	return len(r.Value) + len(r.ETag) + len(r.ContentType)
}

func (h *heldKV) Get(_ context.Context, _ *abi.GetRequest, r *abi.GetResponse) error {
	h.fill(r)
	return nil
}

func (h *heldKV) BulkGet(_ context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	n := 0
	for i := range reqs {
		n += h.fill(&results[i].GetResponse)
	}
	h.calls, h.most = h.calls+1, max(h.most, n)
	return nil
}

func (h *heldKV) BulkWrite(_ context.Context, ops []abi.Op, _ []abi.WriteResult) error {
	for i := range ops {
		h.written += len(ops[i].Key) + len(ops[i].Value) + len(ops[i].ETag) + len(ops[i].ContentType)
	}
	return nil
}

func (h *heldKV) Transact(ctx context.Context, ops []abi.Op) error { return h.BulkWrite(ctx, ops, nil) }

func (h *heldKV) Keys(_ context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	for range h.keys {
		resp.Keys = append(resp.Keys, append(bytes.Clone(req.Prefix), h.item.value...))
	}
	resp.Cursor = h.item.etag
	return nil
}

// Where the fields of a request record are.
const (
	keyField   = 8
	valueField = 16
	etagField  = 24
	typeField  = 32
	mdField    = 40
)

// aliased is a batch of count items that all point at the same bytes: a key of
// one byte and a field of n bytes.
func aliased(count, field, n int) []byte {
	const keyAt, itemsAt = 64, 128
	itemsEnd := itemsAt + count*abi.RequestSize
	req := make([]byte, itemsEnd+n)
	le.PutUint32(req, abi.BatchSize)
	le.PutUint32(req[8:], itemsAt)
	le.PutUint32(req[12:], uint32(count))
	le.PutUint32(req[16:], abi.RequestSize)
	for i := range n {
		req[itemsEnd+i] = 'x'
	}
	req[keyAt] = 'k'
	for i := range count {
		rec := req[itemsAt+i*abi.RequestSize:]
		le.PutUint32(rec, abi.RequestSize)
		le.PutUint32(rec[keyField:], keyAt)
		le.PutUint32(rec[keyField+4:], 1)
		if n > 0 {
			le.PutUint32(rec[field:], uint32(itemsEnd))
			le.PutUint32(rec[field+4:], uint32(n))
		}
	}
	return req
}

func boundGuest(t *testing.T, store KV, cfg Config) (g *testGuest, call func(op string, req []byte, out uint64) (abi.Code, uint32)) {
	cfg.KV = map[string]KV{"data": store}
	g = newGuest(t, cfg)
	g.module.mem.b = make([]byte, 96<<20)
	b := g.bucketOf("data")
	return g, func(op string, req []byte, out uint64) (abi.Code, uint32) {
		copy(g.module.mem.b, req)
		return g.coded("wasmstate_kv."+op, b, 0, uint64(len(req)), 16<<20, out)
	}
}

// TestEveryFieldCounts has batches whose items share the bytes of one field,
// whichever it is, for every operation that takes a batch.
func TestEveryFieldCounts(t *testing.T) {
	for _, op := range []string{"bulk_get", "bulk_write", "transact"} {
		for _, c := range []struct {
			what     string
			field, n int
			count    int
			want     abi.Code
		}{
			{"key", keyField, maxKVKey, 1000, abi.CodeOK},
			{"value", valueField, maxKVValue, 15, abi.CodeOK},
			{"value", valueField, maxKVValue, 17, abi.CodeTooLarge},
			{"etag", etagField, maxETag, 1000, abi.CodeOK},
			{"etag", etagField, maxETag + 1, 1, abi.CodeTooLarge},
			{"etag", etagField, 1 << 20, 1000, abi.CodeTooLarge},
			{"content type", typeField, maxContentType, 1000, abi.CodeOK},
			{"content type", typeField, maxContentType + 1, 1, abi.CodeTooLarge},
			{"content type", typeField, 1 << 20, 1000, abi.CodeTooLarge},
			{"metadata", mdField, 64 << 10, 1000, abi.CodeOK},
			{"metadata", mdField, 1 << 20, 1000, abi.CodeTooLarge},
		} {
			store := &heldKV{}
			_, call := boundGuest(t, store, Config{})
			code, _ := call(op, aliased(c.count, c.field, c.n), 1<<20)
			require.Equal(t, c.want, code, "%s: %d items with a %s of %d bytes", op, c.count, c.what, c.n)
			require.LessOrEqual(t, store.written, abi.MaxBuffer)
			if code != abi.CodeOK {
				require.Zero(t, store.written+store.reads, "nothing is done before all is added up")
			}
		}
	}
}

// TestSharedBytesSpend: what items add up to counts against the operation, not
// what the record takes.
func TestSharedBytesSpend(t *testing.T) {
	store := &heldKV{}
	g, call := boundGuest(t, store, Config{MaxBytes: 100 << 20})
	req := aliased(15, valueField, maxKVValue)
	code, _ := call("bulk_write", req, 1<<20)
	require.Equal(t, abi.CodeOK, code)
	code, _ = call("bulk_write", req, 1<<20)
	require.Equal(t, abi.CodeQuota, code)
	require.Equal(t, 15*(maxKVValue+1)+15*len(g.host.buckets[0].prefix), store.written)
}

// TestBulkGetHoldsLittle reads one key many times, with values and content types
// that are as long as a component behind may have them.
func TestBulkGetHoldsLittle(t *testing.T) {
	for what, item := range map[string]fakeItem{
		"values": {value: make([]byte, maxKVValue)}, "content types": {ctype: make([]byte, maxKVValue)}, "etags": {etag: make([]byte, maxKVValue)},
	} {
		store := &heldKV{item: item}
		_, call := boundGuest(t, store, Config{})
		code, _ := call("bulk_get", aliased(1000, valueField, 0), 1<<20)
		require.Equal(t, abi.CodeTooLarge, code, what)
		require.LessOrEqual(t, store.reads*maxKVValue, abi.MaxBuffer+maxKVValue, what)
		require.LessOrEqual(t, store.most, abi.MaxBuffer, what)
	}
	large := &heldKV{item: fakeItem{ctype: make([]byte, 16<<20)}}
	_, call := boundGuest(t, large, Config{})
	code, _ := call("bulk_get", aliased(1000, valueField, 0), 0)
	require.Equal(t, abi.CodeTooLarge, code)
	require.LessOrEqual(t, large.reads, 5)
	small := &heldKV{item: fakeItem{value: []byte("v")}}
	_, call = boundGuest(t, small, Config{})
	code, _ = call("bulk_get", aliased(1000, valueField, 0), 1<<20)
	require.Equal(t, abi.CodeOK, code)
	require.LessOrEqual(t, small.calls, 1000/14, "small ones are read many at a time")
}

// TestReadsCountWhateverFits: a guest that leaves no room for the answer makes
// the host read all the same.
func TestReadsCountWhateverFits(t *testing.T) {
	for _, op := range []string{"get", "bulk_get"} {
		store := &heldKV{item: fakeItem{value: make([]byte, 1<<20)}}
		_, call := boundGuest(t, store, Config{MaxBytes: 10 << 20})
		req := aliased(5, valueField, 0)
		if op == "get" {
			e := abi.Encoder{Buf: make([]byte, 1024)}
			e.Get(&abi.GetRequest{Key: []byte("k")}, 0)
			req = e.Buf[:e.Size()]
		}
		code := abi.CodeOK
		for i := 0; i < 100 && code == abi.CodeOK; i++ {
			code, _ = call(op, req, 0)
		}
		require.Equal(t, abi.CodeQuota, code, op)
		before := store.reads
		for range 20 {
			code, _ = call(op, req, 0)
			require.Equal(t, abi.CodeQuota, code, op)
		}
		require.LessOrEqual(t, before, 15, op)
		require.LessOrEqual(t, store.reads-before, 20, "%s: at most one item at a time is read once the bytes are used up", op)
	}
}

// TestFailedReadsCount: what is read and thrown away counts too.
func TestFailedReadsCount(t *testing.T) {
	store := &heldKV{item: fakeItem{value: make([]byte, maxKVValue)}}
	_, call := boundGuest(t, store, Config{MaxBytes: 100 << 20})
	for range 10 {
		code, _ := call("bulk_get", aliased(1000, valueField, 0), 0)
		require.NotEqual(t, abi.CodeOK, code)
	}
	require.LessOrEqual(t, store.reads, 100/4+10+1)
}

// TestRepliesEnd: what was read is not held after the operation.
func TestRepliesEnd(t *testing.T) {
	store := &heldKV{item: fakeItem{value: make([]byte, 1<<20)}}
	g, call := boundGuest(t, store, Config{})
	code, _ := call("bulk_get", aliased(10, valueField, 0), 32<<20)
	require.Equal(t, abi.CodeOK, code)
	g.begin(context.Background(), zeroTime)
	require.Zero(t, g.state.kv.reply.size())
	for _, item := range g.state.kv.reply.items[:cap(g.state.kv.reply.items)] {
		require.Nil(t, item.value)
	}
	store.item = fakeItem{ctype: make([]byte, 2<<20)}
	e := abi.Encoder{Buf: make([]byte, 1024)}
	e.Get(&abi.GetRequest{Key: []byte("k")}, 0)
	code, _ = call("get", e.Buf[:e.Size()], 0)
	require.Equal(t, abi.CodeOK, code)
	g.begin(context.Background(), zeroTime)
	require.Zero(t, cap(g.state.kv.getResp.ContentType))
}

// TestPagesAreBounded has a component behind that lists more than it was asked for.
func TestPagesAreBounded(t *testing.T) {
	e := abi.Encoder{Buf: make([]byte, 1<<20)}
	e.Keys(&abi.KeysRequest{Limit: 10}, 0)
	req := e.Buf[:e.Size()]
	store := &heldKV{item: fakeItem{value: []byte("k")}, keys: 11}
	_, call := boundGuest(t, store, Config{})
	code, _ := call("keys", req, 1<<20)
	require.Equal(t, abi.CodeInternal, code)
	store.keys = 10
	code, _ = call("keys", req, 1<<20)
	require.Equal(t, abi.CodeOK, code)
	store.item.value = make([]byte, abi.MaxBuffer/10)
	code, _ = call("keys", req, 1<<20)
	require.Equal(t, abi.CodeTooLarge, code)
	e = abi.Encoder{Buf: make([]byte, 1<<20)}
	e.Keys(&abi.KeysRequest{Limit: 10, Cursor: make([]byte, maxCursor+1)}, 0)
	code, _ = call("keys", e.Buf[:e.Size()], 1<<20)
	require.Equal(t, abi.CodeInvalidArgument, code)
}

// TestOpenBodiesAreBounded starts requests and sends none.
func TestOpenBodiesAreBounded(t *testing.T) {
	g := newGuest(t, Config{HTTP: []string{"https://example.com"}, MaxBytes: 1 << 40})
	e := abi.Encoder{Buf: make([]byte, 9<<20)}
	e.Set(&abi.SetRequest{Key: []byte("https://example.com/"), ETag: []byte("PUT"), Value: make([]byte, 8<<20)}, 0)
	require.True(t, e.Fits())
	g.module.mem.b = e.Buf
	var last uint32
	for i := range 10 {
		code, h := g.coded("wasmstate_http.start", 0, e.Size())
		if i >= abi.MaxBuffer/(8<<20) {
			require.Equal(t, abi.CodeQuota, code)
			continue
		}
		require.Equal(t, abi.CodeOK, code)
		last = h
	}
	g.call("wasmstate_http.close", uint64(last))
	code, _ := g.coded("wasmstate_http.start", 0, e.Size())
	require.Equal(t, abi.CodeOK, code)
}
