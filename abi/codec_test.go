package abi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// TestEncoderTooSmall encodes into every buffer that is too small: the size is
// counted, nothing is written behind the end, and a second try fits.
func TestEncoderTooSmall(t *testing.T) {
	set := abi.SetRequest{
		Key: []byte("key"), Value: []byte("value"), ETag: []byte("etag"), ContentType: []byte("type"), Metadata: []abi.Pair{{Name: "n", Value: "v"}, {Name: "m"}},
	}
	ops := []abi.Op{{SetRequest: set}, {Kind: abi.OpDelete, SetRequest: set}}
	for name, fill := range map[string]func(*abi.Encoder){
		"get":    func(e *abi.Encoder) { e.Get(&abi.GetRequest{Key: set.Key, Metadata: set.Metadata}, time.Second) },
		"set":    func(e *abi.Encoder) { e.Set(&set, time.Second) },
		"delete": func(e *abi.Encoder) { e.Delete(&abi.DeleteRequest{Key: set.Key, ETag: set.ETag}, 0) },
		"keys":   func(e *abi.Encoder) { e.Keys(&abi.KeysRequest{Prefix: set.Key, Cursor: set.Value, Limit: 3}, 0) },
		"ops":    func(e *abi.Encoder) { e.Ops(ops, 0) },
		"bulk":   func(e *abi.Encoder) { e.BulkGet([]abi.GetRequest{{Key: set.Key}, {Key: set.ETag}}, 0) },
		"import": func(e *abi.Encoder) { e.Import([]abi.Item{{Key: set.Key, Value: set.Value, ExpiresAt: 5}}, 0) },
		"init":   func(e *abi.Encoder) { e.Init("name", set.Metadata, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			want := encode(t, fill)
			for n := range want {
				mem := bytes.Repeat([]byte{0x55}, len(want)+8)
				e := abi.Encoder{Buf: mem[:n:n]}
				fill(&e)
				if e.Fits() || e.Size() != uint64(len(want)) {
					t.Fatalf("%d bytes: fits %v, size %d, want %d", n, e.Fits(), e.Size(), len(want))
				}
				if tail := mem[n:]; !bytes.Equal(tail, bytes.Repeat([]byte{0x55}, len(tail))) {
					t.Fatalf("%d bytes: wrote behind the buffer", n)
				}
			}
		})
	}
}

// TestRounding keeps a time from becoming 0, which means none.
func TestRounding(t *testing.T) {
	for _, tt := range []struct {
		ttl  time.Duration
		want uint64
	}{
		{0, 0}, {-time.Second, 0}, {1, 1}, {time.Millisecond, 1}, {time.Millisecond + 1, 2}, {math.MaxInt64, 9223372036855}, {abi.MaxTTL, (1<<31 - 1) * 1000},
	} {
		data := encode(t, func(e *abi.Encoder) { e.Set(&abi.SetRequest{Key: []byte("k"), TTL: tt.ttl}, tt.ttl) })
		v, ok := abi.ParseRequest(data, 0)
		if !ok || v.TTL != tt.want || v.Deadline != tt.want {
			t.Errorf("%v: ttl %d, deadline %d, want %d", tt.ttl, v.TTL, v.Deadline, tt.want)
		}
	}
	for limit, want := range map[int]uint32{-1: 0, 0: 0, 7: 7, 1 << 40: 1<<31 - 1} {
		data := encode(t, func(e *abi.Encoder) { e.Keys(&abi.KeysRequest{Limit: limit}, 0) })
		if v, _ := abi.ParseRequest(data, 0); v.Limit != want {
			t.Errorf("limit %d became %d, want %d", limit, v.Limit, want)
		}
	}
}

func TestPack(t *testing.T) {
	for c := abi.CodeOK; c.Valid(); c++ {
		for _, n := range []uint32{0, 72, math.MaxUint32} {
			if gotC, gotN := abi.Unpack(abi.Pack(c, n)); gotC != c || gotN != n {
				t.Errorf("%v, %d became %v, %d", c, n, gotC, gotN)
			}
		}
	}
	if c, _ := abi.Unpack(math.MaxUint64); c.Valid() {
		t.Error("code 2^32-1 is valid")
	}
}

func TestResponseRoundTrip(t *testing.T) {
	want := abi.ResponseView{
		Code: 3, Value: abi.Span{Addr: 1, Len: 2}, ETag: abi.Span{Addr: 3, Len: 4}, ContentType: abi.Span{Addr: 5, Len: 6}, Message: abi.Span{Addr: 7, Len: 8},
		Items: abi.Span{Addr: 9, Len: 10}, Key: abi.Span{Addr: 11, Len: 12}, ItemSize: 13, ExpiresAt: -14,
	}
	got, ok := abi.ParseResponse(abi.AppendResponse([]byte("before"), &want)[len("before"):])
	if !ok || got != want {
		t.Errorf("%+v became %+v", want, got)
	}
	if zero, ok := abi.ParseResponse(nil); !ok || zero != (abi.ResponseView{}) {
		t.Errorf("no bytes became %+v, %v", zero, ok)
	}
}

// TestNoAllocations guards the hot path of both sides.
func TestNoAllocations(t *testing.T) {
	req := abi.SetRequest{Key: []byte("key"), Value: make([]byte, 128), ETag: []byte("e"), Metadata: []abi.Pair{{Name: "n", Value: "v"}}}
	ops := []abi.Op{{SetRequest: req}, {Kind: abi.OpDelete, SetRequest: req}}
	buf := make([]byte, 4096)
	rec := make([]byte, abi.ResponseSize)
	var sink int
	if n := testing.AllocsPerRun(100, func() {
		e := abi.Encoder{Buf: buf}
		e.Set(&req, time.Second)
		v, _ := abi.ParseRequest(buf[:e.Size()], 0)
		name, _, _, _ := abi.NextPair(v.Metadata)
		e = abi.Encoder{Buf: buf}
		e.Ops(ops, 0)
		b, _ := abi.ParseBatch(buf[:e.Size()])
		for i := range b.Count {
			item, _ := b.Item(i)
			sink += len(item.Key)
		}
		abi.PutResponse(rec, &abi.ResponseView{Code: 1})
		r, _ := abi.ParseResponse(rec)
		sink += len(name) + int(r.Code)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	for _, tt := range []struct {
		err  error
		code abi.Code
		is   error
		text string
	}{
		{nil, abi.CodeOK, nil, "<nil>"},
		{abi.ErrNotFound, abi.CodeNotFound, abi.ErrNotFound, "not found"},
		{abi.NewError(abi.CodeQuota, "full"), abi.CodeQuota, abi.ErrQuota, "full"},
		{abi.WrapError(abi.CodeQuota, "full", cause), abi.CodeQuota, cause, "full: cause"},
		{abi.WrapError(abi.CodeQuota, "", cause), abi.CodeQuota, abi.ErrQuota, "quota exceeded: cause"},
		{fmt.Errorf("outer: %w", abi.ErrClosed), abi.CodeClosed, abi.ErrClosed, "outer: closed"},
		{&abi.OpError{Index: 3, Err: abi.ErrETagMismatch}, abi.CodeETagMismatch, abi.ErrETagMismatch, "operation 3: etag mismatch"},
		{context.Canceled, abi.CodeCancelled, context.Canceled, "context canceled"},
		{context.DeadlineExceeded, abi.CodeTimeout, context.DeadlineExceeded, "context deadline exceeded"},
		{cause, abi.CodeInternal, cause, "cause"},
	} {
		if got := abi.CodeOf(tt.err); got != tt.code {
			t.Errorf("%v: code %v, want %v", tt.err, got, tt.code)
		}
		if tt.is != nil && !errors.Is(tt.err, tt.is) {
			t.Errorf("%v is not %v", tt.err, tt.is)
		}
		if got := fmt.Sprint(tt.err); got != tt.text {
			t.Errorf("%q, want %q", got, tt.text)
		}
	}
	if full := abi.NewError(abi.CodeQuota, "full"); abi.ErrQuota.Is(full) {
		t.Error("a sentinel is an error with a message")
	}
	if s := abi.Code(99).String(); s != "code 99" {
		t.Error(s)
	}
}

func TestFeatures(t *testing.T) {
	names := abi.AllFeatures.Names()
	var all abi.Features
	for _, n := range names {
		f, ok := abi.ParseFeature(n)
		if !ok {
			t.Errorf("%s is not a feature", n)
		}
		all |= f
	}
	if all != abi.AllFeatures || abi.AllFeatures.String() != strings.Join(names, ",") {
		t.Errorf("%v, want %v", all, abi.AllFeatures)
	}
	if _, ok := abi.ParseFeature("etag"); ok {
		t.Error("feature names are upper case")
	}
	if !abi.FeatureETag.Has(0) || abi.FeatureETag.Has(abi.FeatureTTL|abi.FeatureETag) {
		t.Error("Has is wrong")
	}
}

func TestMetadata(t *testing.T) {
	md := abi.Metadata{Properties: map[string]string{"Url": "x", "empty": "", "n": " 7 ", "on": "Yes", "d": "5", "e": "1m30s", "big": "9223372036854775807"}}
	if v, ok := md.Lookup("connectionString", "url"); !ok || v != "x" {
		t.Errorf("%q, %v", v, ok)
	}
	if _, ok := md.Lookup("empty"); ok {
		t.Error("an empty value is present")
	}
	if n, err := md.Int(1, "n"); n != 7 || err != nil {
		t.Error(n, err)
	}
	if n, err := md.Int(1, "none"); n != 1 || err != nil {
		t.Error(n, err)
	}
	if b, err := md.Bool(false, "ON"); !b || err != nil {
		t.Error(b, err)
	}
	for name, want := range map[string]time.Duration{"d": 5 * time.Second, "e": 90 * time.Second, "none": time.Hour} {
		if d, err := md.Duration(time.Hour, name); d != want || err != nil {
			t.Error(name, d, err)
		}
	}
	for _, err := range []error{second(md.Int(0, "Url")), second(md.Bool(false, "Url")), second(md.Duration(0, "Url")), second(md.Duration(0, "big"))} {
		if abi.CodeOf(err) != abi.CodeInvalidArgument {
			t.Error(err)
		}
	}
	secret := abi.Property{Name: "p", Type: abi.TypeInt, Secret: true}
	if msg := secret.Check("hunter2"); msg == "" || strings.Contains(msg, "hunter2") {
		t.Errorf("%q", msg)
	}
	choice := abi.Property{Name: "p", Type: abi.TypeString, Values: []string{"full", "off"}}
	if choice.Check("FULL") != "" || choice.Check("no") == "" {
		t.Error("values are not checked")
	}
}

func second[T any](_ T, err error) error { return err }
