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
	pairs   []abi.Pair
	records []byte // item records of a response
	keys    abi.KeysResponse
	export  abi.ExportResponse
	message []byte

	moved uint64 // bytes of requests and responses since the last collection
	live  uint64 // bytes in use after it
}

// Open serves ws_open.
func (g *Guest) Open(version, want uint32) uint64 {
	if version != abi.Version || want > abi.MaxBuffer {
		return 0
	}
	if uint32(len(g.buf)) < want || g.buf == nil {
		g.buf = make([]byte, (max(want, 64)+7)&^7) // of 8-byte words: aligned
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
	code, v := codeOf(err), abi.ResponseView{}
	if op := opError(err); op != nil {
		v.Code = uint32(op.Index)
	} else if text := message(err); text == "" {
		return abi.Pack(code, 0)
	}
	g.message = append(g.message[:0], message(err)...)
	v.Message = span(g.message)
	return g.answer(code, &v)
}

// request reads the request record of a call.
func (g *Guest) request(n uint32) (abi.RequestView, error) {
	g.moved += uint64(n)
	if uint64(n) > uint64(len(g.buf)) {
		return abi.RequestView{}, errMalformed
	}
	v, ok := abi.ParseRequest(g.buf[:n], 0)
	switch {
	case !ok:
		return v, errMalformed
	case unknownFlags(v.Flags):
		return v, errFlags
	}
	g.ctx.begin(v.Deadline)
	g.pairs = g.pairs[:0]
	return v, nil
}

func unknownFlags(flags uint32) bool { return flags&0xffff&^abi.KnownFlags != 0 }

// metadata decodes the pairs of a request; nil for none. The strings are
// copies: stores keep strings as they like.
func (g *Guest) metadata(raw []byte) []abi.Pair {
	if len(raw) == 0 {
		return nil
	}
	start := len(g.pairs)
	for {
		name, value, rest, ok := abi.NextPair(raw)
		if !ok {
			break
		}
		g.pairs = append(g.pairs, abi.Pair{Name: string(name), Value: string(value)})
		raw = rest
	}
	return g.pairs[start:len(g.pairs):len(g.pairs)]
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
