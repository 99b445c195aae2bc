package abi_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

const memoryBase = 65536 // address of the first byte of a response vector

type vector struct {
	Name   string     `json:"name"`
	Doc    string     `json:"doc"`
	Kind   string     `json:"kind"`
	Expect string     `json:"expect"`
	Hex    string     `json:"hex"`
	Fields [][]string `json:"fields"`

	data []byte
}

func hx(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

func num[T ~uint32 | ~uint64 | ~int64 | ~int](n T) string { return fmt.Sprint(n) }

// requestFields are the fields of a request as README.md orders them.
func requestFields(flags uint32, key, value, etag, ctype []byte, ttl, deadline uint64, limit uint32, pairs ...abi.Pair) [][]string {
	f := [][]string{
		{"flags", num(flags)}, {"key", hx(key)}, {"value", hx(value)}, {"etag", hx(etag)}, {"type", hx(ctype)},
		{"ttl", num(ttl)}, {"deadline", num(deadline)}, {"limit", num(limit)},
	}
	return append(f, pairFields(pairs)...)
}

func pairFields(pairs []abi.Pair) [][]string {
	var f [][]string
	for _, p := range pairs {
		f = append(f, []string{"pair", hx([]byte(p.Name)), hx([]byte(p.Value))})
	}
	return f
}

func batchFields(flags uint32, deadline uint64, name string, pairs []abi.Pair, items ...[][]string) [][]string {
	f := [][]string{{"flags", num(flags)}, {"deadline", num(deadline)}, {"name", hx([]byte(name))}}
	f = append(f, pairFields(pairs)...)
	f = append(f, []string{"count", num(len(items))})
	for i, it := range items {
		f = append(append(f, []string{"item", num(i)}), it...)
	}
	return f
}

// encode runs fill on a buffer that is exactly large enough.
func encode(t testing.TB, fill func(*abi.Encoder)) []byte {
	t.Helper()
	var e abi.Encoder
	fill(&e)
	need := e.Size()
	e = abi.Encoder{Buf: bytes.Repeat([]byte{0xAA}, int(need))}
	fill(&e)
	if !e.Fits() || e.Size() != need {
		t.Fatalf("encoded %d bytes into %d, fits: %v", e.Size(), need, e.Fits())
	}
	return e.Buf
}

// image lays out a response and its items as guest memory and returns it with
// the fields that describe it.
type image struct {
	mem    []byte
	fields [][]string
}

type resp struct {
	code                            uint32
	value, etag, ctype, msg, cursor []byte
	expires                         int64
	items                           []resp
}

func (m *image) put(b []byte) abi.Span {
	if len(b) == 0 {
		return abi.Span{}
	}
	at := len(m.mem)
	m.mem = append(m.mem, b...)
	return abi.Span{Addr: uint32(memoryBase + at), Len: uint32(len(b))}
}

func (m *image) record(at int, r resp) {
	v := abi.ResponseView{
		Code: r.code, Value: m.put(r.value), ETag: m.put(r.etag), ContentType: m.put(r.ctype), Message: m.put(r.msg),
		Key: m.put(r.cursor), ExpiresAt: r.expires,
	}
	if len(r.items) > 0 {
		for len(m.mem)%8 != 0 {
			m.mem = append(m.mem, 0)
		}
		v.Items = abi.Span{Addr: uint32(memoryBase + len(m.mem)), Len: uint32(len(r.items))}
		v.ItemSize = abi.ResponseSize
	}
	m.fields = append(m.fields, responseFields(v, r.value, r.etag, r.ctype, r.msg, r.cursor)...)
	items := len(m.mem)
	m.mem = append(m.mem, make([]byte, len(r.items)*abi.ResponseSize)...)
	for i, it := range r.items {
		m.fields = append(m.fields, []string{"item", num(i)})
		m.record(items+i*abi.ResponseSize, it)
	}
	abi.PutResponse(m.mem[at:], &v)
}

func responseFields(v abi.ResponseView, value, etag, ctype, msg, key []byte) [][]string {
	at := func(name string, s abi.Span) []string { return []string{name, num(s.Addr), num(s.Len)} }
	return [][]string{
		{"code", num(v.Code)}, at("value-at", v.Value), {"value", hx(value)}, at("etag-at", v.ETag), {"etag", hx(etag)},
		at("type-at", v.ContentType), {"type", hx(ctype)}, at("message-at", v.Message), {"message", hx(msg)},
		{"expires", num(v.ExpiresAt)}, at("items-at", v.Items), {"item-size", num(v.ItemSize)}, at("key-at", v.Key), {"key", hx(key)},
	}
}

func response(r resp) ([]byte, [][]string) {
	m := &image{mem: make([]byte, abi.ResponseSize)}
	m.record(0, r)
	return m.mem, m.fields
}

// buildVectors makes every vector with the codec.
func buildVectors(t testing.TB) []vector {
	var all []vector
	add := func(name, kind, expect, doc string, data []byte, fields [][]string) {
		if fields == nil {
			fields = [][]string{}
		}
		all = append(all, vector{name, doc, kind, expect, hx(data), fields, data})
	}
	ms := time.Millisecond
	req := func(name, doc string, fields [][]string, fill func(*abi.Encoder)) {
		add(name, "request", "ok", doc, encode(t, fill), fields)
	}
	key, allBytes := []byte("orders||7"), make([]byte, 256)
	for i := range allBytes {
		allBytes[i] = byte(i)
	}
	pairs := []abi.Pair{{Name: "partitionKey", Value: "eu"}, {Name: "empty", Value: ""}}

	req("get", "a key and nothing else", requestFields(0, key, nil, nil, nil, 0, 0, 0),
		func(e *abi.Encoder) { e.Get(&abi.GetRequest{Key: key}, 0) })
	req("get-strong-metadata", "strong consistency, metadata, a deadline that is rounded up to 2 ms",
		requestFields(abi.FlagStrong, []byte("ключ"), nil, nil, nil, 0, 2, 0, pairs...),
		func(e *abi.Encoder) {
			e.Get(&abi.GetRequest{Key: []byte("ключ"), Consistency: abi.ConsistencyStrong, Metadata: pairs}, 1500*time.Microsecond)
		})
	req("set", "a value", requestFields(0, key, []byte("hello"), nil, nil, 0, 250, 0),
		func(e *abi.Encoder) { e.Set(&abi.SetRequest{Key: key, Value: []byte("hello")}, 250*ms) })
	req("set-empty", "an empty value, which is not a missing one", requestFields(0, key, nil, nil, nil, 0, 0, 0),
		func(e *abi.Encoder) { e.Set(&abi.SetRequest{Key: key, Value: []byte{}}, 0) })
	req("set-full", "every field: 256 byte values, etag, content type, TTL, eventual consistency, metadata",
		requestFields(abi.FlagEventual, key, allBytes, []byte("e1"), []byte("application/json"), 5000, 500, 0, pairs...),
		func(e *abi.Encoder) {
			e.Set(&abi.SetRequest{
				Key: key, Value: allBytes, ETag: []byte("e1"), ContentType: []byte("application/json"), TTL: 5 * time.Second,
				Consistency: abi.ConsistencyEventual, Metadata: pairs,
			}, 500*ms)
		})
	req("set-first-write", "create only, with the longest TTL",
		requestFields(abi.FlagFirstWrite, key, []byte{0}, nil, nil, (1<<31-1)*1000, 0, 0),
		func(e *abi.Encoder) {
			e.Set(&abi.SetRequest{Key: key, Value: []byte{0}, FirstWrite: true, TTL: abi.MaxTTL}, 0)
		})
	req("delete", "a key and nothing else", requestFields(0, key, nil, nil, nil, 0, 0, 0),
		func(e *abi.Encoder) { e.Delete(&abi.DeleteRequest{Key: key}, 0) })
	req("delete-etag", "with an etag", requestFields(0, key, nil, []byte("e2"), nil, 0, 0, 0),
		func(e *abi.Encoder) { e.Delete(&abi.DeleteRequest{Key: key, ETag: []byte("e2")}, 0) })
	req("keys", "prefix in key, cursor in value", requestFields(0, []byte("ord"), []byte("ord5"), nil, nil, 0, 0, 100),
		func(e *abi.Encoder) {
			e.Keys(&abi.KeysRequest{Prefix: []byte("ord"), Cursor: []byte("ord5"), Limit: 100}, 0)
		})
	req("keys-all", "no prefix, no cursor, the largest limit", requestFields(0, nil, nil, nil, nil, 0, 0, 1<<31-1),
		func(e *abi.Encoder) { e.Keys(&abi.KeysRequest{Limit: 1 << 40}, 0) })
	req("export", "cursor in value, bytes wished in limit", requestFields(0, nil, []byte("c"), nil, nil, 0, 0, 65536),
		func(e *abi.Encoder) { e.Export(&abi.ExportRequest{Cursor: []byte("c"), MaxBytes: 65536}, 0) })

	grown := encode(t, func(e *abi.Encoder) { e.Set(&abi.SetRequest{Key: key, Value: []byte("v")}, 0) })
	add("set-newer", "request", "ok", "a record of a later version with 8 more bytes and an unknown flag that may be ignored",
		grow(grown, abi.RequestSize, 1<<31), requestFields(1<<31, key, []byte("v"), nil, nil, 0, 0, 0))
	add("set-must-understand", "request", "unsupported", "an unknown flag that must be understood",
		patch(grown, 4, 1<<15), requestFields(1<<15, key, []byte("v"), nil, nil, 0, 0, 0))

	batch := func(name, doc string, fields [][]string, fill func(*abi.Encoder)) {
		add(name, "batch", "ok", doc, encode(t, fill), fields)
	}
	batch("init", "the component's name and its properties", batchFields(0, 5000, "orders",
		[]abi.Pair{{Name: "currency", Value: "EUR"}, {Name: "größe", Value: "8"}}),
		func(e *abi.Encoder) {
			e.Init("orders", []abi.Pair{{Name: "currency", Value: "EUR"}, {Name: "größe", Value: "8"}}, 5*time.Second)
		})
	batch("init-empty", "no properties", batchFields(0, 0, "x", nil), func(e *abi.Encoder) { e.Init("x", nil, 0) })
	batch("bulk-get", "two keys, one twice", batchFields(0, 100, "", nil,
		requestFields(0, []byte("a"), nil, nil, nil, 0, 0, 0), requestFields(abi.FlagStrong, []byte("b"), nil, nil, nil, 0, 0, 0, pairs...),
		requestFields(0, []byte("a"), nil, nil, nil, 0, 0, 0)),
		func(e *abi.Encoder) {
			e.BulkGet([]abi.GetRequest{{Key: []byte("a")}, {Key: []byte("b"), Consistency: abi.ConsistencyStrong, Metadata: pairs}, {Key: []byte("a")}}, 100*ms)
		})
	ops := []abi.Op{
		{SetRequest: abi.SetRequest{Key: []byte("a"), Value: []byte("1"), FirstWrite: true, TTL: time.Second}},
		{Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: []byte("b"), ETag: []byte("e"), Value: []byte("ignored"), FirstWrite: true}},
		{SetRequest: abi.SetRequest{Key: []byte("c"), ContentType: []byte("text/plain")}},
	}
	batch("ops", "bulk write or transact: create-only, delete with etag, empty value", batchFields(0, 0, "", nil,
		requestFields(abi.FlagFirstWrite, []byte("a"), []byte("1"), nil, nil, 1000, 0, 0),
		requestFields(abi.FlagDelete, []byte("b"), nil, []byte("e"), nil, 0, 0, 0),
		requestFields(0, []byte("c"), nil, nil, []byte("text/plain"), 0, 0, 0)),
		func(e *abi.Encoder) { e.Ops(ops, 0) })
	batch("ops-none", "no operations", batchFields(0, 0, "", nil), func(e *abi.Encoder) { e.Ops(nil, 0) })
	batch("import", "ttl is the absolute expiry", batchFields(0, 0, "", nil,
		requestFields(0, []byte("k"), []byte("v"), []byte("e9"), []byte("t"), 1795392000123, 0, 0),
		requestFields(0, []byte("l"), nil, []byte("e8"), nil, 0, 0, 0)),
		func(e *abi.Encoder) {
			e.Import([]abi.Item{
				{Key: []byte("k"), Value: []byte("v"), ETag: []byte("e9"), ContentType: []byte("t"), ExpiresAt: 1795392000123},
				{Key: []byte("l"), ETag: []byte("e8")},
			}, 0)
		})

	add("ops-newer", "batch", "ok", "records of a later version: the head and each item have 8 more bytes", newerBatch(),
		batchFields(0, 0, "", nil, requestFields(0, []byte("a"), []byte("1"), nil, nil, 0, 0, 0), requestFields(abi.FlagDelete, []byte("b"), nil, nil, nil, 0, 0, 0)))

	for _, r := range []struct {
		name, doc string
		resp
	}{
		{"response-zero", "every field zero; the same as a response of length 0", resp{}},
		{"response-get", "a value with etag, content type and expiry", resp{value: []byte("hello"), etag: []byte("e1"), ctype: []byte("text/plain"), expires: 1795392000123}},
		{"response-get-empty", "an empty value with an etag", resp{etag: []byte("e1")}},
		{"response-set", "the new etag", resp{etag: []byte("e2")}},
		{"response-error", "a message; the code is in the result", resp{msg: []byte("disk full: größe")}},
		{"response-transact", "operation 3 failed", resp{code: 3, msg: []byte("etag mismatch")}},
		{"response-bulk", "one found, one missing, one broken", resp{items: []resp{
			{value: allBytes, etag: []byte("e1"), ctype: []byte("x"), expires: 1}, {code: 1}, {code: 13, msg: []byte("bad")}}}},
		{"response-keys", "two keys and a cursor", resp{cursor: []byte("b"), items: []resp{{cursor: []byte("a")}, {cursor: []byte("b")}}}},
		{"response-export", "an item and a cursor", resp{cursor: []byte("k"), items: []resp{
			{cursor: []byte("k"), value: []byte("v"), etag: []byte("e9"), ctype: []byte("t"), expires: 1795392000123}}}},
	} {
		data, fields := response(r.resp)
		add(r.name, "response", "ok", r.doc, data, fields)
	}
	for _, r := range []struct {
		name string
		code abi.Code
		n    uint32
	}{{"result-ok", abi.CodeOK, 0}, {"result-response", abi.CodeOK, 72}, {"result-mismatch", abi.CodeETagMismatch, 72}, {"result-large", abi.CodeClosed, 1<<32 - 1}} {
		add(r.name, "result", "ok", "what an export returns", binary.LittleEndian.AppendUint64(nil, abi.Pack(r.code, r.n)),
			[][]string{{"code", num(uint32(r.code))}, {"length", num(r.n)}})
	}
	return append(all, badVectors(t)...)
}

// patch returns a copy of b with the u32 at the offset replaced.
func patch(b []byte, at int, v uint32) []byte {
	c := bytes.Clone(b)
	binary.LittleEndian.PutUint32(c[at:], v)
	return c
}

// grow makes the record at the start of b 8 bytes larger, moving what follows,
// and sets its flags.
func grow(b []byte, size uint32, flags uint32) []byte {
	c := append(bytes.Clone(b[:size]), bytes.Repeat([]byte{0xEE}, 8)...)
	c = append(c, b[size:]...)
	binary.LittleEndian.PutUint32(c, size+8)
	binary.LittleEndian.PutUint32(c[4:], flags)
	for _, at := range []int{8, 16, 24, 32, 40} {
		if v := binary.LittleEndian.Uint32(c[at:]); v != 0 {
			binary.LittleEndian.PutUint32(c[at:], v+8)
		}
	}
	return c
}

// newerBatch writes a batch by hand whose records are 8 bytes larger than ours.
func newerBatch() []byte {
	const head, item = abi.BatchSize + 8, abi.RequestSize + 8
	b := bytes.Repeat([]byte{0xEE}, head+2*item)
	clear(b[:abi.BatchSize])
	put := func(at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }
	put(0, head)
	put(8, head)
	put(12, 2)
	put(16, item)
	for i := range 2 {
		at := head + i*item
		clear(b[at : at+abi.RequestSize])
		put(at, item)
		put(at+8, uint32(len(b)+2*i))
		put(at+12, 1)
	}
	put(head+16, uint32(len(b)+1))
	put(head+20, 1)
	put(head+item+4, abi.FlagDelete)
	return append(b, "a1b"...)
}

func badVectors(t testing.TB) []vector {
	var all []vector
	add := func(name, kind, doc string, data []byte) {
		all = append(all, vector{name, doc, kind, "malformed", hx(data), [][]string{}, data})
	}
	set := encode(t, func(e *abi.Encoder) {
		e.Set(&abi.SetRequest{Key: []byte("k"), Value: []byte("v"), ETag: []byte("e"), ContentType: []byte("t"), Metadata: []abi.Pair{{Name: "n", Value: "v"}}}, 0)
	})
	add("bad-request-none", "request", "no bytes", nil)
	add("bad-request-short", "request", "one byte less than a record", set[:abi.RequestSize-1])
	add("bad-request-size-small", "request", "says that it is smaller than a record", patch(set, 0, abi.RequestSize-1))
	add("bad-request-size-large", "request", "says that it is larger than the buffer", patch(set, 0, uint32(len(set)+1)))
	for i, f := range []string{"key", "value", "etag", "type", "metadata"} {
		add("bad-request-"+f+"-end", "request", "the "+f+" ends one byte after the buffer", patch(set, 12+8*i, uint32(len(set))))
		add("bad-request-"+f+"-wrap", "request", "offset and length of the "+f+" wrap around at 2^32", patch(patch(set, 8+8*i, 1<<32-1), 12+8*i, 2))
	}
	ops := encode(t, func(e *abi.Encoder) {
		e.Ops([]abi.Op{{SetRequest: abi.SetRequest{Key: []byte("a")}}, {SetRequest: abi.SetRequest{Key: []byte("b")}}}, 0)
	})
	add("bad-batch-short", "batch", "one byte less than a record", ops[:abi.BatchSize-1])
	add("bad-batch-step", "batch", "items closer than a record", patch(ops, 16, abi.RequestSize-1))
	add("bad-batch-count", "batch", "more items than bytes", patch(ops, 12, 1<<31))
	add("bad-batch-wrap", "batch", "count times size wraps around at 2^32", patch(patch(ops, 12, 1<<16), 16, 1<<16))
	add("bad-batch-items", "batch", "items outside of the buffer", patch(ops, 8, uint32(len(ops))))
	add("bad-batch-item-key", "batch", "the key of the second item ends outside of the buffer", patch(ops, abi.BatchSize+abi.RequestSize+12, 1000))
	one := encode(t, func(e *abi.Encoder) { e.Init("n", []abi.Pair{{Name: "a", Value: "b"}}, 0) })
	add("bad-batch-name", "batch", "the name ends outside of the buffer", patch(one, 44, 1<<30))
	add("bad-batch-pair", "batch", "a metadata name ends outside of the metadata", patch(one, abi.BatchSize+1, 3))
	add("bad-batch-pair-tail", "batch", "metadata has bytes after the last entry", patch(one, 36, 9))
	rec := abi.AppendResponse(nil, &abi.ResponseView{})
	add("bad-response-short", "response", "one byte less than a record", rec[:abi.ResponseSize-1])
	add("bad-response-size", "response", "says that it is larger than it is", patch(rec, 0, abi.ResponseSize+8))
	return all
}

const textHead = "# Golden wire messages of ABI version 1; see README.md. Written by a test, do not edit.\n"

func vectorText(all []vector) []byte {
	var b bytes.Buffer
	b.WriteString(textHead)
	for _, v := range all {
		fmt.Fprintf(&b, "\nvector %s\ndoc %s\nkind %s\nexpect %s\nhex %s\n", v.Name, v.Doc, v.Kind, v.Expect, v.Hex)
		for _, f := range v.Fields {
			fmt.Fprintln(&b, strings.Join(f, " "))
		}
		b.WriteString("end\n")
	}
	return b.Bytes()
}

// TestVectorsGolden compares what the encoder writes with the committed files.
func TestVectorsGolden(t *testing.T) {
	all := buildVectors(t)
	asJSON := []byte("[\n")
	for i, v := range all {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			asJSON = append(asJSON, ",\n"...)
		}
		asJSON = append(asJSON, line...)
	}
	asJSON = append(asJSON, "\n]\n"...)
	for name, got := range map[string][]byte{"vectors.txt": vectorText(all), "vectors.json": asJSON} {
		path := filepath.Join("testdata", "vectors", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s differs from what the codec writes; the wire format of version 1 must not change", path)
		}
		for _, line := range bytes.Split(want, []byte("\n")) {
			if strings.HasSuffix(name, ".txt") && len(line) > 4096 {
				t.Errorf("%s: line of %d bytes", name, len(line))
			}
		}
	}
}
