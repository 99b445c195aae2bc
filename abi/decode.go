package abi

// This file reads records, on either side. Every function checks every bound,
// allocates nothing and never panics, whatever the bytes.

// RequestView is a decoded request record whose slices lie in the buffer.
type RequestView struct {
	Flags                         uint32
	Key, Value, ETag, ContentType []byte
	Metadata                      []byte // see NextPair
	TTL                           uint64 // milliseconds; import: absolute expiry
	Deadline                      uint64 // milliseconds
	Limit                         uint32
}

// BatchView is a decoded batch record.
type BatchView struct {
	Flags    uint32
	Count    int
	Deadline uint64
	Metadata []byte
	Name     []byte

	buf   []byte
	items uint64
	step  uint64
}

// ResponseView is a decoded response record; addresses are not yet resolved.
type ResponseView struct {
	Code                                          uint32
	Value, ETag, ContentType, Message, Items, Key Span
	ItemSize                                      uint32
	ExpiresAt                                     int64
}

// Span is an address and a length in guest memory; for Items the length is the
// number of items.
type Span struct{ Addr, Len uint32 }

// field returns the bytes that the offset and length at rec[i:] point at.
func field(buf, rec []byte, i int) ([]byte, bool) {
	off, n := uint64(le.Uint32(rec[i:])), uint64(le.Uint32(rec[i+4:]))
	if n == 0 {
		return nil, true
	}
	if off+n > uint64(len(buf)) {
		return nil, false
	}
	return buf[off : off+n : off+n], true
}

// ParseRequest decodes the request record at buf[at:]; offsets in it count
// from buf[0]. It reports false for a record that is too short or points out
// of buf.
func ParseRequest(buf []byte, at int) (RequestView, bool) {
	var v RequestView
	rec, ok := record(buf, uint64(at), RequestSize)
	if !ok {
		return v, false
	}
	v.Flags = le.Uint32(rec[4:])
	var ok1, ok2, ok3, ok4, ok5 bool
	v.Key, ok1 = field(buf, rec, 8)
	v.Value, ok2 = field(buf, rec, 16)
	v.ETag, ok3 = field(buf, rec, 24)
	v.ContentType, ok4 = field(buf, rec, 32)
	v.Metadata, ok5 = field(buf, rec, 40)
	v.TTL = le.Uint64(rec[48:])
	v.Deadline = le.Uint64(rec[56:])
	v.Limit = le.Uint32(rec[64:])
	return v, ok1 && ok2 && ok3 && ok4 && ok5
}

// record returns the n bytes at buf[at:] if the record there says it is at
// least that large and lies in buf.
func record(buf []byte, at, n uint64) ([]byte, bool) {
	if at > uint64(len(buf)) || uint64(len(buf))-at < n {
		return nil, false
	}
	size := uint64(le.Uint32(buf[at:]))
	if size < n || size > uint64(len(buf))-at {
		return nil, false
	}
	return buf[at : at+n : at+n], true
}

// ParseBatch decodes the batch record at the start of buf.
func ParseBatch(buf []byte) (BatchView, bool) {
	var v BatchView
	rec, ok := record(buf, 0, BatchSize)
	if !ok {
		return v, false
	}
	v.Flags = le.Uint32(rec[4:])
	v.buf = buf
	v.items = uint64(le.Uint32(rec[8:]))
	count := uint64(le.Uint32(rec[12:]))
	v.step = uint64(le.Uint32(rec[16:]))
	v.Deadline = le.Uint64(rec[24:])
	var ok1, ok2 bool
	v.Metadata, ok1 = field(buf, rec, 32)
	v.Name, ok2 = field(buf, rec, 40)
	if count > 0 && (v.step < RequestSize || v.items+count*v.step > uint64(len(buf))) {
		return v, false
	}
	v.Count = int(count)
	return v, ok1 && ok2
}

// Item decodes the i-th item of the batch, 0 <= i < Count.
func (v *BatchView) Item(i int) (RequestView, bool) {
	return ParseRequest(v.buf, int(v.items+uint64(i)*v.step))
}

// NextPair splits the first pair off encoded metadata. It reports false when
// there is none or it is malformed.
func NextPair(meta []byte) (name, value, rest []byte, ok bool) {
	if len(meta) < 8 {
		return nil, nil, nil, false
	}
	n, m := uint64(le.Uint32(meta)), uint64(le.Uint32(meta[4:]))
	if 8+n+m > uint64(len(meta)) {
		return nil, nil, nil, false
	}
	return meta[8 : 8+n], meta[8+n : 8+n+m], meta[8+n+m:], true
}

// ParseResponse decodes a response record. An empty rec is the zero response.
// It reports false for a record that is too short or lies about its size.
func ParseResponse(rec []byte) (ResponseView, bool) {
	var v ResponseView
	if len(rec) == 0 {
		return v, true
	}
	r, ok := record(rec, 0, ResponseSize)
	if !ok {
		return v, false
	}
	v.Code = le.Uint32(r[4:])
	v.Value = span(r, 8)
	v.ETag = span(r, 16)
	v.ContentType = span(r, 24)
	v.Message = span(r, 32)
	v.ExpiresAt = int64(le.Uint64(r[40:]))
	v.Items = span(r, 48)
	v.ItemSize = le.Uint32(r[56:])
	v.Key = span(r, 64)
	return v, true
}

func span(rec []byte, i int) Span { return Span{le.Uint32(rec[i:]), le.Uint32(rec[i+4:])} }

// AppendResponse appends the record of v to dst, for guests and tests.
func AppendResponse(dst []byte, v *ResponseView) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, ResponseSize)...)
	PutResponse(dst[at:], v)
	return dst
}

// PutResponse writes the record of v into dst, which holds at least
// ResponseSize bytes.
func PutResponse(dst []byte, v *ResponseView) {
	dst = dst[:ResponseSize]
	clear(dst)
	le.PutUint32(dst, ResponseSize)
	le.PutUint32(dst[4:], v.Code)
	for _, f := range [...]struct {
		at int
		s  Span
	}{{8, v.Value}, {16, v.ETag}, {24, v.ContentType}, {32, v.Message}, {48, v.Items}, {64, v.Key}} {
		le.PutUint32(dst[f.at:], f.s.Addr)
		le.PutUint32(dst[f.at+4:], f.s.Len)
	}
	le.PutUint64(dst[40:], uint64(v.ExpiresAt))
	le.PutUint32(dst[56:], v.ItemSize)
}
