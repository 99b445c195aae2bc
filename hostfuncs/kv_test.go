package hostfuncs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

// item is a decoded response record.
type item struct {
	code                             uint32
	value, etag, ctype, message, key string
}

// response decodes the response record that lies at addr.
func (g *testGuest) response(at uint64, n uint32) (head item, items []item) {
	v, valid := abi.ParseResponse(g.mem(at, n))
	require.True(g.tb, valid)
	read := func(v abi.ResponseView) item {
		text := func(s abi.Span) string { return string(g.mem(uint64(s.Addr), s.Len)) }
		return item{v.Code, text(v.Value), text(v.ETag), text(v.ContentType), text(v.Message), text(v.Key)}
	}
	for i := range v.Items.Len {
		it, valid := abi.ParseResponse(g.mem(uint64(v.Items.Addr+i*v.ItemSize), v.ItemSize))
		require.True(g.tb, valid)
		items = append(items, read(it))
	}
	v.Items.Len = 0
	return read(v), items
}

// bucketOf asks for a bucket.
func (g *testGuest) bucketOf(label string) uint64 {
	at, n := g.text(label)
	code, b := g.coded("wasmstate_kv.bucket", at, n)
	require.Equal(g.tb, abi.CodeOK, code)
	return uint64(b)
}

// kv calls an operation with an encoded request.
func (g *testGuest) kv(op string, bucket uint64, encode func(e *abi.Encoder)) (abi.Code, item, []item) {
	e := abi.Encoder{Buf: make([]byte, guestMemory/4)}
	encode(&e)
	require.True(g.tb, e.Fits())
	at, n := g.put(e.Buf[:e.Size()])
	code, size := g.coded("wasmstate_kv."+op, bucket, at, n, outAt, outCap)
	g.next = 8
	if size == 0 {
		return code, item{}, nil
	}
	head, items := g.response(outAt, size)
	return code, head, items
}

func (g *testGuest) kvGet(bucket uint64, key string) (abi.Code, item) {
	code, head, _ := g.kv("get", bucket, func(e *abi.Encoder) { e.Get(&abi.GetRequest{Key: []byte(key)}, 0) })
	return code, head
}

func (g *testGuest) kvSet(bucket uint64, r abi.SetRequest) (abi.Code, item) {
	code, head, _ := g.kv("set", bucket, func(e *abi.Encoder) { e.Set(&r, 0) })
	return code, head
}

func (g *testGuest) kvKeys(bucket uint64, prefix, cursor string, limit int) (abi.Code, []string, string) {
	code, head, items := g.kv("keys", bucket, func(e *abi.Encoder) {
		e.Keys(&abi.KeysRequest{Prefix: []byte(prefix), Cursor: []byte(cursor), Limit: limit}, 0)
	})
	var keys []string
	for _, it := range items {
		keys = append(keys, it.key)
	}
	return code, keys, head.key
}

func TestKV(t *testing.T) {
	g := newGuest(t, Config{KV: map[string]KV{"data": newFakeKV(), "other": newFakeKV()}})
	b := g.bucketOf("data")
	at, n := g.text("nobody")
	code, _ := g.coded("wasmstate_kv.bucket", at, n)
	require.Equal(t, abi.CodePermission, code)
	code, features := g.coded("wasmstate_kv.features", b)
	require.Equal(t, abi.CodeOK, code)
	require.EqualValues(t, 1|2|4|16|64|1024, features)
	for _, bad := range []uint64{0, 3, 1 << 31} {
		code, _ := g.coded("wasmstate_kv.features", bad)
		require.Equal(t, abi.CodeInvalidArgument, code)
	}

	code, _ = g.kvGet(b, "a")
	require.Equal(t, abi.CodeNotFound, code)
	code, set := g.kvSet(b, abi.SetRequest{Key: []byte("a||b"), Value: []byte("v\x00"), ContentType: []byte("x/y"), TTL: time.Second})
	require.Equal(t, abi.CodeOK, code)
	code, got := g.kvGet(b, "a||b")
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, item{value: "v\x00", etag: set.etag, ctype: "x/y"}, got)
	code, _ = g.kvGet(g.bucketOf("other"), "a||b")
	require.Equal(t, abi.CodeNotFound, code)

	code, _ = g.kvSet(b, abi.SetRequest{Key: []byte("a||b"), FirstWrite: true})
	require.Equal(t, abi.CodeETagMismatch, code)
	code, again := g.kvSet(b, abi.SetRequest{Key: []byte("a||b"), ETag: []byte(set.etag)})
	require.Equal(t, abi.CodeOK, code)
	require.NotEqual(t, set.etag, again.etag)
	for name, r := range map[string]abi.SetRequest{
		"empty": {}, "not UTF-8": {Key: []byte("\xff")}, "TTL": {Key: []byte("k"), TTL: time.Millisecond},
	} {
		code, head := g.kvSet(b, r)
		require.Equal(t, abi.CodeInvalidArgument, code, name)
		require.NotEmpty(t, head.message, name)
	}
	code, _ = g.kvSet(b, abi.SetRequest{Key: bytes.Repeat([]byte("k"), maxKVKey+1)})
	require.Equal(t, abi.CodeTooLarge, code)

	code, _, _ = g.kv("delete", b, func(e *abi.Encoder) { e.Delete(&abi.DeleteRequest{Key: []byte("a||b"), ETag: []byte("old")}, 0) })
	require.Equal(t, abi.CodeETagMismatch, code)
	code, _, _ = g.kv("delete", b, func(e *abi.Encoder) { e.Delete(&abi.DeleteRequest{Key: []byte("a||b")}, 0) })
	require.Equal(t, abi.CodeOK, code)
}

func TestKVBatches(t *testing.T) {
	store := newFakeKV()
	g := newGuest(t, Config{KV: map[string]KV{"data": store}})
	b := g.bucketOf("data")
	set := func(key, value string) abi.Op {
		return abi.Op{SetRequest: abi.SetRequest{Key: []byte(key), Value: []byte(value)}}
	}
	stale := set("k2", "x")
	stale.ETag = []byte("no")
	code, _, items := g.kv("bulk_write", b, func(e *abi.Encoder) { e.Ops([]abi.Op{set("k1", "1"), stale, set("k|3", "3")}, 0) })
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, []uint32{0, uint32(abi.CodeETagMismatch), 0}, []uint32{items[0].code, items[1].code, items[2].code})
	require.NotEmpty(t, items[0].etag)
	code, _, items = g.kv("bulk_get", b, func(e *abi.Encoder) {
		e.BulkGet([]abi.GetRequest{{Key: []byte("k1")}, {Key: []byte("k2")}, {Key: []byte("k|3")}, {Key: []byte("k1")}}, 0)
	})
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, []string{"1", "", "3", "1"}, []string{items[0].value, items[1].value, items[2].value, items[3].value})
	require.EqualValues(t, abi.CodeNotFound, items[1].code)

	remove := abi.Op{Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: []byte("k1")}}
	code, head, _ := g.kv("transact", b, func(e *abi.Encoder) { e.Ops([]abi.Op{remove, stale}, 0) })
	require.Equal(t, abi.CodeETagMismatch, code)
	require.EqualValues(t, 1, head.code, "the guilty operation")
	code, head, _ = g.kv("transact", b, func(e *abi.Encoder) { e.Ops([]abi.Op{remove, set("", "x")}, 0) })
	require.Equal(t, abi.CodeInvalidArgument, code)
	require.EqualValues(t, 1, head.code)
	at, n := g.put(make([]byte, 8))
	code, size := g.coded("wasmstate_kv.transact", b, at, n, outAt, outCap)
	require.Equal(t, abi.CodeInvalidArgument, code)
	require.Zero(t, size, "no operation is to blame")
	code, _ = g.kvGet(b, "k1")
	require.Equal(t, abi.CodeOK, code, "nothing was applied")
	code, _, _ = g.kv("transact", b, func(e *abi.Encoder) { e.Ops([]abi.Op{remove, set("k4", "4")}, 0) })
	require.Equal(t, abi.CodeOK, code)
	code, keys, cursor := g.kvKeys(b, "", "", 10)
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, []string{"k4", "k|3"}, keys)
	require.Empty(t, cursor)
	code, _, _ = g.kv("bulk_get", b, func(e *abi.Encoder) { e.BulkGet(make([]abi.GetRequest, maxKVBatch+1), 0) })
	require.Equal(t, abi.CodeTooLarge, code)
	var many []abi.GetRequest
	for i := range 3*maxBulkGet + 1 {
		many = append(many, abi.GetRequest{Key: fmt.Appendf(nil, "k%d", i)})
	}
	code, _, items = g.kv("bulk_get", b, func(e *abi.Encoder) { e.BulkGet(many, 0) })
	require.Equal(t, abi.CodeOK, code)
	require.Len(t, items, len(many))
	require.Equal(t, "4", items[4].value)
	code, _, items = g.kv("bulk_get", b, func(e *abi.Encoder) { e.BulkGet(nil, 0) })
	require.Equal(t, abi.CodeOK, code)
	require.Empty(t, items)
}

func TestKVKeysPages(t *testing.T) {
	g := newGuest(t, Config{KV: map[string]KV{"data": newFakeKV()}})
	b := g.bucketOf("data")
	var want []string
	for i := range 25 {
		key := fmt.Sprintf("p|%02d", i)
		want = append(want, key)
		code, _ := g.kvSet(b, abi.SetRequest{Key: []byte(key)})
		require.Equal(t, abi.CodeOK, code)
	}
	_, _ = g.kvSet(b, abi.SetRequest{Key: []byte("p.")})
	_, _ = g.kvSet(b, abi.SetRequest{Key: []byte("q")})
	var got []string
	cursor := ""
	for {
		code, keys, next := g.kvKeys(b, "p|", cursor, 10)
		require.Equal(t, abi.CodeOK, code)
		got = append(got, keys...)
		if cursor = next; cursor == "" {
			break
		}
	}
	require.Equal(t, want, got)
}

// TestKVResult has a response that does not fit: the write happened once and
// its result can be had.
func TestKVResult(t *testing.T) {
	store := newFakeKV()
	g := newGuest(t, Config{KV: map[string]KV{"data": store}})
	b := g.bucketOf("data")
	code, _ := g.coded("wasmstate_kv.result", outAt, outCap)
	require.Equal(t, abi.CodeNotFound, code)
	e := abi.Encoder{Buf: make([]byte, 1024)}
	e.Set(&abi.SetRequest{Key: []byte("k"), Value: []byte("v"), FirstWrite: true}, 0)
	at, n := g.put(e.Buf[:e.Size()])
	code, size := g.coded("wasmstate_kv.set", b, at, n, outAt, 8)
	require.Equal(t, abi.CodeOK, code)
	require.EqualValues(t, abi.ResponseSize+1, size)
	require.Equal(t, make([]byte, 8), g.mem(outAt, 8))
	for _, where := range []uint64{outAt, outAt + 512} {
		code, again := g.coded("wasmstate_kv.result", where, 512)
		require.Equal(t, abi.CodeOK, code)
		require.Equal(t, size, again)
		head, _ := g.response(where, again)
		require.Equal(t, "1", head.etag)
	}
	require.Equal(t, 1, store.rev)
	g.begin(context.Background(), zeroTime)
	code, _ = g.coded("wasmstate_kv.result", outAt, outCap)
	require.Equal(t, abi.CodeNotFound, code)
}

// TestKVBadRecords has requests that are none.
func TestKVBadRecords(t *testing.T) {
	g := newGuest(t, Config{KV: map[string]KV{"data": newFakeKV()}})
	b := g.bucketOf("data")
	for _, op := range []string{"get", "set", "delete", "bulk_get", "bulk_write", "transact", "keys"} {
		for _, n := range []int{0, 1, 8, abi.BatchSize - 1} {
			at, l := g.put(make([]byte, n))
			code, _ := g.coded("wasmstate_kv."+op, b, at, l, outAt, outCap)
			require.Equal(t, abi.CodeInvalidArgument, code, op)
		}
		rec := make([]byte, abi.RequestSize)
		binary.LittleEndian.PutUint32(rec, abi.RequestSize)
		binary.LittleEndian.PutUint32(rec[4:], 1<<15)
		at, l := g.put(rec)
		code, _ := g.coded("wasmstate_kv."+op, b, at, l, outAt, outCap)
		require.Equal(t, abi.CodeUnsupported, code, op)
	}
}

// TestKVAmplification has batches whose items share their bytes: what counts is
// what they add up to, written and read.
func TestKVAmplification(t *testing.T) {
	g := newGuest(t, Config{KV: map[string]KV{"data": newFakeKV()}})
	g.module.mem.b = make([]byte, 8<<20)
	b := g.bucketOf("data")
	call := func(op string, count, value int) abi.Code {
		const keyAt, itemsAt, valueAt = 64, 1 << 10, 1 << 20
		req := g.module.mem.b[:6<<20]
		clear(req[:valueAt])
		le.PutUint32(req, abi.BatchSize)
		le.PutUint32(req[8:], itemsAt)
		le.PutUint32(req[12:], uint32(count))
		le.PutUint32(req[16:], abi.RequestSize)
		req[keyAt] = 'k'
		for i := range count {
			rec := req[itemsAt+i*abi.RequestSize:]
			le.PutUint32(rec, abi.RequestSize)
			le.PutUint32(rec[8:], keyAt)
			le.PutUint32(rec[12:], 1)
			le.PutUint32(rec[16:], valueAt)
			le.PutUint32(rec[20:], uint32(value))
		}
		code, _ := g.coded("wasmstate_kv."+op, b, 0, uint64(len(req)), 6<<20, 1<<20)
		return code
	}
	require.Equal(t, abi.CodeOK, call("bulk_write", 1, 4<<20))
	require.Equal(t, abi.CodeTooLarge, call("bulk_write", 1, 4<<20+1))
	require.Equal(t, abi.CodeTooLarge, call("bulk_write", 1000, 4<<20))
	require.Equal(t, abi.CodeTooLarge, call("transact", 17, 4<<20))
	require.Equal(t, abi.CodeTooLarge, call("bulk_get", 1000, 0))
	g.module.mem.b = make([]byte, abi.MaxBuffer+1)
	code, _ := g.coded("wasmstate_kv.get", b, 0, abi.MaxBuffer+1, 0, 0)
	require.Equal(t, abi.CodeTooLarge, code)
}

// TestKVErrors keeps the words of a back end from the guest, and secrets out of
// those that it gets.
func TestKVErrors(t *testing.T) {
	h := &Host{}
	h.learn("passw0rd")
	var r reply
	r.fail(h, abi.WrapError(abi.CodeUnavailable, "dial db.internal:5432", errors.New("refused")))
	require.Equal(t, abi.CodeUnavailable, r.code)
	require.Zero(t, r.size())
	r.fail(h, errors.New("anything"))
	require.Equal(t, abi.CodeInternal, r.code)
	r.fail(h, &abi.Error{Code: 99})
	require.Equal(t, abi.CodeInternal, r.code)
	r.fail(h, &abi.OpError{Index: 3, Err: abi.NewError(abi.CodeTooLarge, "passw0rd "+strings.Repeat("x", 5000))})
	require.EqualValues(t, 3, r.head.code)
	require.LessOrEqual(t, len(r.head.message), maxLine)
	require.True(t, strings.HasPrefix(string(r.head.message), "[redacted] xxx"))
}

// TestKVDeadline has a back end that waits: the guest is back at its deadline,
// or at the one that it gave itself, and buffers that the back end may still
// hold are not used again.
func TestKVDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeKV()
		g := newGuest(t, Config{KV: map[string]KV{"data": store}})
		store.slow = func(ctx context.Context) { <-ctx.Done() }
		b := g.bucketOf("data")

		start := time.Now()
		g.begin(context.Background(), start.Add(3*time.Second))
		old := g.state.kv
		code, _ := g.kvGet(b, "k")
		require.Equal(t, abi.CodeTimeout, code)
		require.Equal(t, 3*time.Second, time.Since(start))
		require.NotSame(t, old, g.state.kv)
		code, _ = g.kvGet(b, "k")
		require.Equal(t, abi.CodeTimeout, code)

		start = time.Now()
		g.begin(context.Background(), start.Add(time.Hour))
		code, _, _ = g.kv("get", b, func(e *abi.Encoder) { e.Get(&abi.GetRequest{Key: []byte("k")}, time.Second) })
		require.Equal(t, abi.CodeTimeout, code)
		require.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		g.begin(ctx, time.Now().Add(time.Hour))
		code, _ = g.kvGet(b, "k")
		require.Equal(t, abi.CodeCancelled, code)
		g.begin(context.Background(), zeroTime)
		store.slow = nil
		code, _ = g.kvGet(b, "k")
		require.Equal(t, abi.CodeNotFound, code, "the next operation is not affected")
	})
}

// TestKeys checks the properties of the key code that isolation rests on.
func TestKeys(t *testing.T) {
	require.Equal(t, "guest/1:a/2:b|./k|.|.", string((&bucket{prefix: keyPrefix("a", "b|")}).appendKey(nil, []byte("k||"))))
	pairs := [][2]string{{"a", "b"}, {"a/1:b", "c"}, {"a", "b/1:c"}, {"a/1:b/1:c", "d"}, {"1:a", "b"}, {"a|", "b"}, {"a|.", "b"}, {"a", "|.b"}, {"a", "|b"}}
	for _, p := range pairs {
		for _, q := range pairs {
			if p != q {
				require.False(t, bytes.HasPrefix(keyPrefix(p[0], p[1]), keyPrefix(q[0], q[1])), "%q %q", p, q)
			}
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("a", "b", "c", "k", "a", "b/1:c", "k")
	f.Add("x|", "y", "|.", "z|", "x", "|y", "|")
	f.Fuzz(func(t *testing.T, c1, l1, k1, p1, c2, l2, k2 string) {
		for _, s := range []string{c1, l1, k1, p1, c2, l2, k2} {
			if !utf8.ValidString(s) {
				t.Skip()
			}
		}
		b1, b2 := &bucket{prefix: keyPrefix(c1, l1)}, &bucket{prefix: keyPrefix(c2, l2)}
		s1, s2 := b1.appendKey(nil, []byte(k1)), b2.appendKey(nil, []byte(k2))
		if same := c1 == c2 && l1 == l2 && k1 == k2; same != bytes.Equal(s1, s2) {
			t.Fatalf("stored keys %q and %q", s1, s2)
		}
		if same := c1 == c2 && l1 == l2; same != bytes.HasPrefix(s2, b1.prefix) {
			t.Fatalf("%q begins with %q", s2, b1.prefix)
		}
		if !utf8.Valid(s1) || bytes.Contains(s1, []byte("||")) {
			t.Fatalf("stored key %q", s1)
		}
		if starts := strings.HasPrefix(k1, p1); starts != bytes.HasPrefix(s1, b1.appendKey(nil, []byte(p1))) {
			t.Fatalf("prefix %q of key %q", p1, k1)
		}
		other := b1.appendKey(nil, []byte(p1))
		if want := strings.Compare(k1, p1); want != bytes.Compare(s1, other) {
			t.Fatalf("order of %q and %q", k1, p1)
		}
		if got, own := b1.guestKey(bytes.Clone(s1)); own != (k1 != "") || own && string(got) != k1 {
			t.Fatalf("key %q came back as %q", k1, got)
		}
	})
}

// TestKVIsolation lets two components with two labels write the same crafted
// keys into one store and read only their own.
func TestKVIsolation(t *testing.T) {
	store := newFakeKV()
	crafted := []string{"k", "/", "1:b/k", "guest/1:a/1:b/k", "|", "||", "|.", "a||k", "../x", "\x00", "k\u202e", strings.Repeat("x", maxKVKey)}
	type owner struct {
		g     *testGuest
		label string
	}
	var owners []owner
	for _, component := range []string{"a", "b", "a/1:b", "a||b"} {
		g := newGuest(t, Config{Component: component, KV: map[string]KV{"a": store, "b": store, "b/1:c": store}})
		for _, label := range []string{"a", "b", "b/1:c"} {
			owners = append(owners, owner{g, label})
		}
	}
	for i, o := range owners {
		for _, key := range crafted {
			code, _ := o.g.kvSet(o.g.bucketOf(o.label), abi.SetRequest{Key: []byte(key), Value: fmt.Appendf(nil, "%d %s", i, key[:1]), FirstWrite: true})
			require.Equal(t, abi.CodeOK, code, key)
		}
	}
	for i, o := range owners {
		b := o.g.bucketOf(o.label)
		for _, key := range crafted {
			code, got := o.g.kvGet(b, key)
			require.Equal(t, abi.CodeOK, code)
			require.Equal(t, fmt.Sprintf("%d %s", i, key[:1]), got.value)
		}
		code, keys, _ := o.g.kvKeys(b, "", "", maxKVPage)
		require.Equal(t, abi.CodeOK, code)
		require.ElementsMatch(t, crafted, keys)
		// a cursor of the guest's choosing shows nothing of others
		code, keys, _ = o.g.kvKeys(b, "", "guest/", maxKVPage)
		require.Equal(t, abi.CodeOK, code)
		require.Subset(t, crafted, keys)
	}
	require.Len(t, store.data, len(owners)*len(crafted))
}

// TestKVForeign has a store that lists keys of others.
func TestKVForeign(t *testing.T) {
	g := newGuest(t, Config{KV: map[string]KV{"data": leakyKV{newFakeKV()}}})
	code, keys, _ := g.kvKeys(g.bucketOf("data"), "", "", 10)
	require.Equal(t, abi.CodeInternal, code)
	require.Empty(t, keys)
}

type leakyKV struct{ *fakeKV }

func (leakyKV) Keys(_ context.Context, _ *abi.KeysRequest, resp *abi.KeysResponse) error {
	resp.Keys = [][]byte{[]byte("guest/4:test/4:data/a"), []byte("guest/4:evil/4:data/a")}
	return nil
}
