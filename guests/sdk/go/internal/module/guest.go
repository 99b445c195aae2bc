// Package module turns calls of a module's exports into calls of its store.
package module

import (
	"unsafe"

	"github.com/wasmstate/wasmstate/abi"
)

// The is the one store of this instance.
var The Guest //nolint:gochecknoglobals // exports have no receiver

// Guest serves the exports. Everything a response points at is kept in it
// until the next call.
type Guest struct {
	Store abi.Store
	buf   []byte // the shared buffer
	ctx   opContext

	get     abi.GetResponse
	set     abi.SetResponse
	gets    []abi.GetRequest
	results []abi.GetResult
	ops     []abi.Op
	writes  []abi.WriteResult
	pairs   []abi.Pair // of all requests of a call
	meta    []abi.Pair // of the request
	records []byte     // item records of a response
	keys    abi.KeysResponse
	export  abi.ExportResponse
	message []byte
	held    [][]byte // messages of items: addresses alone do not keep them

	moved uint64 // bytes of requests and responses since the last collection
	live  uint64 // bytes in use after it
}

// Open serves ws_open.
func (g *Guest) Open(version, want uint32) uint64 {
	if version != abi.Version || want > abi.MaxBuffer {
		return 0
	}
	if uint32(len(g.buf)) < want || g.buf == nil {
		g.buf = make([]byte, (max(want, 2*abi.ResponseSize)+7)&^7) // of 8-byte words: aligned
	}
	return uint64(addr(g.buf))<<32 | uint64(len(g.buf))
}

// addr is where b lies in the memory of the module.
func addr(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

func span(b []byte) abi.Span {
	if len(b) == 0 {
		return abi.Span{}
	}
	return abi.Span{Addr: addr(b), Len: uint32(len(b))}
}

// answer writes the head record and packs the result.
func (g *Guest) answer(code abi.Code, v *abi.ResponseView) uint64 {
	abi.PutResponse(g.buf, v)
	return abi.Pack(code, abi.ResponseSize)
}

// fail answers with the code and the message of err.
func (g *Guest) fail(err error) uint64 {
	if err == nil {
		return 0
	}
	return g.failWith(err, 0)
}

// failWith is fail with the index of the operation to blame.
func (g *Guest) failWith(err error, index uint32) uint64 {
	v := abi.ResponseView{Code: index}
	if text := message(err); text != "" {
		g.message = append(g.message[:0], text...)
		v.Message = span(g.message)
	}
	return g.answer(codeOf(err), &v)
}

// request reads the request record of a call; its metadata is left in g.meta.
func (g *Guest) request(n uint32) (v abi.RequestView, err error) {
	g.moved += uint64(n)
	if uint64(n) > uint64(len(g.buf)) {
		return v, errMalformed
	}
	v, ok := abi.ParseRequest(g.buf[:n], 0)
	if !ok {
		return v, errMalformed
	}
	g.ctx.begin(v.Deadline)
	g.pairs = g.pairs[:0]
	g.meta, err = g.checked(v.Flags, v.Metadata)
	return v, err
}

// checked decodes the pairs of a request, nil for none, and refuses flags that
// must be understood. The strings are copies: stores keep strings as they like.
func (g *Guest) checked(flags uint32, raw []byte) ([]abi.Pair, error) {
	start := len(g.pairs)
	for len(raw) > 0 {
		name, value, rest, ok := abi.NextPair(raw)
		if !ok {
			return nil, errMalformed
		}
		g.pairs = append(g.pairs, abi.Pair{Name: string(name), Value: string(value)})
		raw = rest
	}
	if flags&0xffff&^abi.KnownFlags != 0 {
		return nil, errFlags
	}
	if start == len(g.pairs) {
		return nil, nil
	}
	return g.pairs[start:len(g.pairs):len(g.pairs)], nil
}

func consistency(flags uint32) abi.Consistency {
	switch {
	case flags&abi.FlagEventual != 0:
		return abi.ConsistencyEventual
	case flags&abi.FlagStrong != 0:
		return abi.ConsistencyStrong
	}
	return abi.ConsistencyDefault
}
