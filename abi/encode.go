package abi

import "time"

// An Encoder writes request records into a shared buffer. It never allocates
// and never writes beyond the buffer: when the buffer is too small it goes on
// counting, and Size tells how large a buffer would have done.
//
// The zero value with Buf set is ready. Not safe for concurrent use.
type Encoder struct {
	Buf  []byte // the shared buffer
	next uint64 // where the next byte string goes
	over bool
}

// Size returns how many bytes the message takes; it is valid in Buf only if
// Fits. A size above MaxBuffer cannot be sent at all.
func (e *Encoder) Size() uint64 { return e.next }

// Fits reports whether everything so far was written into Buf.
func (e *Encoder) Fits() bool { return !e.over }

// reserve takes n bytes and returns where they are, or nil if they do not fit.
func (e *Encoder) reserve(n uint64) (uint64, []byte) {
	at := e.next
	e.next += n
	if e.next > uint64(len(e.Buf)) {
		e.over = true
		return at, nil
	}
	return at, e.Buf[at:e.next:e.next]
}

// bytes appends b and stores its offset and length in rec.
func (e *Encoder) bytes(rec []byte, field int, b []byte) {
	if len(b) == 0 {
		return
	}
	at, dst := e.reserve(uint64(len(b)))
	if dst == nil || rec == nil {
		return
	}
	copy(dst, b)
	le.PutUint32(rec[field:], uint32(at))
	le.PutUint32(rec[field+4:], uint32(len(b)))
}

func (e *Encoder) pairs(rec []byte, field int, pairs []Pair) {
	if len(pairs) == 0 {
		return
	}
	start := e.next
	for i := range pairs {
		p := &pairs[i]
		_, dst := e.reserve(uint64(8 + len(p.Name) + len(p.Value)))
		if dst == nil {
			continue
		}
		le.PutUint32(dst, uint32(len(p.Name)))
		le.PutUint32(dst[4:], uint32(len(p.Value)))
		copy(dst[8:], p.Name)
		copy(dst[8+len(p.Name):], p.Value)
	}
	if rec != nil && !e.over {
		le.PutUint32(rec[field:], uint32(start))
		le.PutUint32(rec[field+4:], uint32(e.next-start))
	}
}

// record starts a zeroed record of n bytes whose first field is its size.
func (e *Encoder) record(n uint64) []byte {
	_, rec := e.reserve(n)
	if rec != nil {
		clear(rec)
		le.PutUint32(rec, uint32(n))
	}
	return rec
}

func head(rec []byte, flags uint32, deadline time.Duration) {
	if rec != nil {
		le.PutUint32(rec[4:], flags)
		le.PutUint64(rec[56:], millis(deadline))
	}
}

// Get writes a get request. deadline is the time left, 0 = none.
func (e *Encoder) Get(r *GetRequest, deadline time.Duration) {
	rec := e.record(RequestSize)
	head(rec, requestFlags(false, r.Consistency), deadline)
	e.getBody(rec, r)
}

func (e *Encoder) getBody(rec []byte, r *GetRequest) {
	e.bytes(rec, 8, r.Key)
	e.pairs(rec, 40, r.Metadata)
}

// Set writes a set request.
func (e *Encoder) Set(r *SetRequest, deadline time.Duration) {
	rec := e.record(RequestSize)
	head(rec, requestFlags(r.FirstWrite, r.Consistency), deadline)
	e.setBody(rec, r)
}

func (e *Encoder) setBody(rec []byte, r *SetRequest) {
	if rec != nil {
		le.PutUint64(rec[48:], millis(r.TTL))
	}
	e.bytes(rec, 8, r.Key)
	e.bytes(rec, 16, r.Value)
	e.bytes(rec, 24, r.ETag)
	e.bytes(rec, 32, r.ContentType)
	e.pairs(rec, 40, r.Metadata)
}

// Delete writes a delete request.
func (e *Encoder) Delete(r *DeleteRequest, deadline time.Duration) {
	rec := e.record(RequestSize)
	head(rec, requestFlags(false, r.Consistency), deadline)
	e.deleteBody(rec, r)
}

func (e *Encoder) deleteBody(rec []byte, r *DeleteRequest) {
	e.bytes(rec, 8, r.Key)
	e.bytes(rec, 24, r.ETag)
	e.pairs(rec, 40, r.Metadata)
}

// Keys writes a keys request.
func (e *Encoder) Keys(r *KeysRequest, deadline time.Duration) {
	e.page(r.Prefix, r.Cursor, r.Limit, deadline)
}

// Export writes an export request.
func (e *Encoder) Export(r *ExportRequest, deadline time.Duration) {
	e.page(nil, r.Cursor, r.MaxBytes, deadline)
}

func (e *Encoder) page(prefix, cursor []byte, limit int, deadline time.Duration) {
	rec := e.record(RequestSize)
	head(rec, 0, deadline)
	if rec != nil {
		le.PutUint32(rec[64:], uint32(min(max(limit, 0), 1<<31-1)))
	}
	e.bytes(rec, 8, prefix)
	e.bytes(rec, 16, cursor)
}

// batch writes a batch record and n item records, and returns the first item's
// offset; items are filled by item.
func (e *Encoder) batch(n int, deadline time.Duration) (rec []byte, items uint64) {
	rec = e.record(BatchSize)
	items = e.next
	e.reserve(uint64(n) * RequestSize)
	if rec != nil && !e.over {
		le.PutUint32(rec[8:], uint32(items))
		le.PutUint32(rec[12:], uint32(n))
		le.PutUint32(rec[16:], RequestSize)
		le.PutUint64(rec[24:], millis(deadline))
	}
	return rec, items
}

// item returns the zeroed i-th item record, or nil if it does not fit.
func (e *Encoder) item(items uint64, i int, flags uint32) []byte {
	at := items + uint64(i)*RequestSize
	if at+RequestSize > uint64(len(e.Buf)) {
		return nil
	}
	rec := e.Buf[at : at+RequestSize : at+RequestSize]
	clear(rec)
	le.PutUint32(rec, RequestSize)
	le.PutUint32(rec[4:], flags)
	return rec
}

// BulkGet writes a batch of gets.
func (e *Encoder) BulkGet(reqs []GetRequest, deadline time.Duration) {
	_, items := e.batch(len(reqs), deadline)
	for i := range reqs {
		e.getBody(e.item(items, i, requestFlags(false, reqs[i].Consistency)), &reqs[i])
	}
}

// Ops writes a batch of writes, for bulk write and transact.
func (e *Encoder) Ops(ops []Op, deadline time.Duration) {
	_, items := e.batch(len(ops), deadline)
	for i := range ops {
		op := &ops[i]
		if op.Kind == OpDelete {
			d := op.Delete()
			e.deleteBody(e.item(items, i, FlagDelete|requestFlags(false, op.Consistency)), &d)
			continue
		}
		e.setBody(e.item(items, i, requestFlags(op.FirstWrite, op.Consistency)), &op.SetRequest)
	}
}

// Import writes a batch of items; their ttl fields hold the absolute expiry.
func (e *Encoder) Import(in []Item, deadline time.Duration) {
	_, items := e.batch(len(in), deadline)
	for i := range in {
		it := &in[i]
		rec := e.item(items, i, 0)
		if rec != nil {
			le.PutUint64(rec[48:], uint64(it.ExpiresAt))
		}
		e.bytes(rec, 8, it.Key)
		e.bytes(rec, 16, it.Value)
		e.bytes(rec, 24, it.ETag)
		e.bytes(rec, 32, it.ContentType)
	}
}

// Init writes the init request: the component's name and its properties.
func (e *Encoder) Init(name string, properties []Pair, deadline time.Duration) {
	rec, _ := e.batch(0, deadline)
	e.bytes(rec, 40, []byte(name))
	e.pairs(rec, 32, properties)
}
