package abi_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

// readVectors reads the golden files, not what the encoder would write.
func readVectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].Hex == "-" {
			continue
		}
		if all[i].data, err = hex.DecodeString(all[i].Hex); err != nil {
			t.Fatalf("%s: %v", all[i].Name, err)
		}
	}
	return all
}

func parsePairs(meta []byte) ([]abi.Pair, bool) {
	var pairs []abi.Pair
	for len(meta) > 0 {
		name, value, rest, ok := abi.NextPair(meta)
		if !ok {
			return nil, false
		}
		pairs = append(pairs, abi.Pair{Name: string(name), Value: string(value)})
		meta = rest
	}
	return pairs, true
}

func dumpRequest(v abi.RequestView) ([][]string, bool) {
	pairs, ok := parsePairs(v.Metadata)
	return requestFields(v.Flags, v.Key, v.Value, v.ETag, v.ContentType, v.TTL, v.Deadline, v.Limit, pairs...), ok
}

// dump decodes data with the codec into the fields of README.md.
func dump(kind string, data []byte) ([][]string, bool) {
	switch kind {
	case "request":
		v, ok := abi.ParseRequest(data, 0)
		if !ok {
			return nil, false
		}
		return dumpRequest(v)
	case "batch":
		v, ok := abi.ParseBatch(data)
		if !ok {
			return nil, false
		}
		pairs, ok := parsePairs(v.Metadata)
		var items [][][]string
		for i := range v.Count {
			item, itemOK := v.Item(i)
			if !itemOK {
				return nil, false
			}
			fields, itemOK := dumpRequest(item)
			ok = ok && itemOK
			items = append(items, fields)
		}
		return batchFields(v.Flags, v.Deadline, string(v.Name), pairs, items...), ok
	case "response":
		return dumpResponse(data, data[:min(len(data), abi.ResponseSize)])
	case "result":
		code, n := abi.Unpack(binary.LittleEndian.Uint64(data))
		return [][]string{{"code", num(uint32(code))}, {"length", num(n)}}, true
	}
	return nil, false
}

func dumpResponse(mem, rec []byte) ([][]string, bool) {
	v, ok := abi.ParseResponse(rec)
	if !ok {
		return nil, false
	}
	at := func(s abi.Span) []byte {
		if s.Len == 0 {
			return nil
		}
		from := s.Addr - memoryBase
		return mem[from : from+s.Len]
	}
	fields := responseFields(v, at(v.Value), at(v.ETag), at(v.ContentType), at(v.Message), at(v.Key))
	for i := range v.Items.Len {
		item, ok := dumpResponse(mem, at(abi.Span{Addr: v.Items.Addr + i*v.ItemSize, Len: abi.ResponseSize}))
		if !ok {
			return nil, false
		}
		fields = append(append(fields, []string{"item", num(i)}), item...)
	}
	return fields, true
}

// TestVectorsDecode decodes every golden message and compares the meaning.
func TestVectorsDecode(t *testing.T) {
	kinds := map[string]int{}
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			kinds[v.Kind+" "+v.Expect]++
			got, ok := dump(v.Kind, v.data)
			if want := v.Expect != "malformed"; ok != want {
				t.Fatalf("decoded: %v, want %v", ok, want)
			}
			if ok && !reflect.DeepEqual(got, v.Fields) {
				t.Errorf("decoded\n%v\nwant\n%v", got, v.Fields)
			}
			if v.Kind == "request" && ok {
				r, _ := abi.ParseRequest(v.data, 0)
				if unknown := r.Flags&0xFFFF&^abi.KnownFlags != 0; unknown != (v.Expect == "unsupported") {
					t.Errorf("must-understand flags %x, expect %s", r.Flags, v.Expect)
				}
			}
		})
	}
	for _, k := range []string{"request ok", "request malformed", "request unsupported", "batch ok", "batch malformed", "response ok", "response malformed", "result ok"} {
		if kinds[k] == 0 {
			t.Errorf("no vector: %s", k)
		}
	}
}
