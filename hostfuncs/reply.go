package hostfuncs

import "github.com/wasmstate/wasmstate/abi"

// record is a response record before it has addresses.
type record struct {
	code                             uint32
	value, etag, ctype, message, key []byte
	expires                          int64
}

func (r *record) get(v *abi.GetResponse) {
	r.value, r.etag, r.ctype, r.expires = v.Value, v.ETag, v.ContentType, v.ExpiresAt
}

func (r *record) blobs() uint64 {
	return uint64(len(r.value)) + uint64(len(r.etag)) + uint64(len(r.ctype)) + uint64(len(r.message)) + uint64(len(r.key))
}

// reply is the answer to a kv or http call: a code, and perhaps a record with
// items. In the guest it is
//
//	out      +72           +72 x items
//	|  head  | item | item | bytes that the records point at … |
type reply struct {
	code    abi.Code
	present bool // there is a record
	head    record
	items   []record
}

func (r *reply) reset() {
	clear(r.items)
	*r = reply{items: r.items[:0]}
}

// list makes room for n items.
func (r *reply) list(n int) {
	r.present = true
	r.items = append(r.items[:0], make([]record, n)...)
}

func (r *reply) size() uint64 {
	if !r.present {
		return 0
	}
	n := abi.ResponseSize*uint64(1+len(r.items)) + r.head.blobs()
	for i := range r.items {
		n += r.items[i].blobs()
	}
	return n
}

// write lays the reply out in dst, which is at addr in the guest and holds
// size bytes or more.
func (r *reply) write(dst []byte, addr uint32) {
	if !r.present {
		return
	}
	w := writer{dst: dst, addr: addr, next: uint32(abi.ResponseSize * (1 + len(r.items)))}
	head := w.view(&r.head)
	if len(r.items) > 0 {
		head.Items = abi.Span{Addr: addr + abi.ResponseSize, Len: uint32(len(r.items))}
		head.ItemSize = abi.ResponseSize
	}
	abi.PutResponse(dst, &head)
	for i := range r.items {
		item := w.view(&r.items[i])
		abi.PutResponse(dst[abi.ResponseSize*(1+i):], &item)
	}
}

type writer struct {
	dst  []byte
	addr uint32
	next uint32 // where the next bytes go
}

func (w *writer) view(r *record) abi.ResponseView {
	return abi.ResponseView{
		Code: r.code, Value: w.put(r.value), ETag: w.put(r.etag), ContentType: w.put(r.ctype),
		Message: w.put(r.message), Key: w.put(r.key), ExpiresAt: r.expires,
	}
}

func (w *writer) put(b []byte) abi.Span {
	if len(b) == 0 {
		return abi.Span{}
	}
	s := abi.Span{Addr: w.addr + w.next, Len: uint32(len(b))}
	w.next += uint32(copy(w.dst[w.next:], b))
	return s
}
