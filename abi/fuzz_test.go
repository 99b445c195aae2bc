package abi_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

// seed adds the golden messages of a kind.
func seed(f *testing.F, kind string) {
	for _, v := range readVectors(f) {
		if v.Kind == kind {
			f.Add(v.data)
		}
	}
}

// inside fails unless every slice lies in buf.
func inside(t *testing.T, buf []byte, slices ...[]byte) {
	for _, s := range slices {
		if len(s) == 0 {
			continue
		}
		if cap(s) != len(s) {
			t.Fatal("a slice can be extended beyond its field")
		}
		// The last bytes tell whether both views share memory.
		if i := bytes.Index(buf, s); i < 0 {
			t.Fatal("a slice that is not in the buffer")
		}
	}
}

func checkPairs(t *testing.T, meta []byte) {
	for n := 0; len(meta) > 0; n++ {
		name, value, rest, ok := abi.NextPair(meta)
		if !ok {
			return
		}
		if 8+len(name)+len(value)+len(rest) != len(meta) {
			t.Fatal("a pair does not add up")
		}
		meta = rest
	}
}

func FuzzParseRequest(f *testing.F) {
	seed(f, "request")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, at := range []int{0, 1, len(data)} {
			v, ok := abi.ParseRequest(data, at)
			if !ok {
				continue
			}
			inside(t, data, v.Key, v.Value, v.ETag, v.ContentType, v.Metadata)
			checkPairs(t, v.Metadata)
		}
	})
}

func FuzzParseBatch(f *testing.F) {
	seed(f, "batch")
	f.Fuzz(func(t *testing.T, data []byte) {
		v, ok := abi.ParseBatch(data)
		if !ok {
			return
		}
		if v.Count < 0 || v.Count > len(data) {
			t.Fatalf("%d items in %d bytes", v.Count, len(data))
		}
		inside(t, data, v.Metadata, v.Name)
		checkPairs(t, v.Metadata)
		for i := range v.Count {
			if item, ok := v.Item(i); ok {
				inside(t, data, item.Key, item.Value, item.ETag, item.ContentType, item.Metadata)
			}
		}
	})
}

func FuzzParseResponse(f *testing.F) {
	seed(f, "response")
	f.Fuzz(func(t *testing.T, data []byte) {
		v, ok := abi.ParseResponse(data)
		if !ok {
			return
		}
		again, ok := abi.ParseResponse(abi.AppendResponse(nil, &v))
		if !ok || !reflect.DeepEqual(v, again) {
			t.Fatalf("%+v became %+v", v, again)
		}
	})
}

func FuzzNextPair(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1, 0, 0, 0, 'a', 'b'})
	f.Add(bytes.Repeat([]byte{0xff}, 8))
	f.Fuzz(func(t *testing.T, data []byte) { checkPairs(t, data) })
}

// FuzzRoundTrip encodes a set and reads it back.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("k"), []byte("v"), []byte("e"), []byte("t"), "name", "value")
	f.Fuzz(func(t *testing.T, key, value, etag, ctype []byte, name, val string) {
		req := abi.SetRequest{Key: key, Value: value, ETag: etag, ContentType: ctype, Metadata: []abi.Pair{{Name: name, Value: val}}}
		data := encode(t, func(e *abi.Encoder) { e.Set(&req, 0) })
		v, ok := abi.ParseRequest(data, 0)
		if !ok {
			t.Fatal("not decoded")
		}
		n, m, rest, ok := abi.NextPair(v.Metadata)
		if !bytes.Equal(v.Key, key) || !bytes.Equal(v.Value, value) || !bytes.Equal(v.ETag, etag) || !bytes.Equal(v.ContentType, ctype) ||
			!ok || string(n) != name || string(m) != val || len(rest) != 0 {
			t.Fatal("came back different")
		}
	})
}
