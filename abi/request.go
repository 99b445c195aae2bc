package abi

import "time"

// MaxTTL is the longest time to live, 2^31-1 seconds (about 68 years).
const MaxTTL = (1<<31 - 1) * time.Second

// Consistency is the read or write consistency that a caller asks for. A store
// that knows one level only serves that one.
type Consistency uint8

// The consistency levels. ConsistencyDefault leaves it to the store.
const (
	ConsistencyDefault Consistency = iota
	ConsistencyEventual
	ConsistencyStrong
)

// Pair is one entry of request metadata, such as partitionKey. Stores ignore
// names that they do not know.
type Pair struct {
	Name, Value string
}

// GetRequest asks for one key.
type GetRequest struct {
	Key         []byte // non-empty UTF-8; the store's full key, prefix included
	Consistency Consistency
	Metadata    []Pair // usually nil
}

// GetResponse is filled by [Store.Get]. The slices belong to the caller; a
// store appends to them from length zero.
type GetResponse struct {
	Value       []byte // byte for byte what was set; may be empty
	ETag        []byte // empty without FeatureETag
	ContentType []byte // as given to Set; empty if none was
	ExpiresAt   int64  // Unix time in milliseconds; 0 = never
}

// Reset empties the response and keeps the capacity of its buffers.
func (r *GetResponse) Reset() {
	r.Value = r.Value[:0]
	r.ETag = r.ETag[:0]
	r.ContentType = r.ContentType[:0]
	r.ExpiresAt = 0
}

// GetResult is the outcome of one key of a bulk get.
type GetResult struct {
	GetResponse
	Err error // nil, ErrNotFound or another error for this key alone
}

// SetRequest asks to write one key.
type SetRequest struct {
	Key         []byte        // non-empty UTF-8
	Value       []byte        // opaque; nil and empty are the same, an empty value
	ETag        []byte        // empty = none given
	ContentType []byte        // kept and returned; empty = none
	FirstWrite  bool          // without ETag: create only
	TTL         time.Duration // 0 = never expires; else 1 s to MaxTTL
	Consistency Consistency
	Metadata    []Pair
}

// SetResponse is filled by [Store.Set].
type SetResponse struct {
	ETag []byte // the new etag; empty without FeatureETag
}

// DeleteRequest asks to remove one key.
type DeleteRequest struct {
	Key         []byte // non-empty UTF-8
	ETag        []byte // empty = none given
	Consistency Consistency
	Metadata    []Pair
}

// OpKind tells the two kinds of write apart.
type OpKind uint8

// The kinds of [Op].
const (
	OpSet OpKind = iota
	OpDelete
)

// Op is one write of a transaction or bulk request. For OpDelete only the
// fields of [DeleteRequest] count.
type Op struct {
	Kind OpKind
	SetRequest
}

// Delete returns the operation as a delete request that shares its slices.
func (o *Op) Delete() DeleteRequest {
	return DeleteRequest{Key: o.Key, ETag: o.ETag, Consistency: o.Consistency, Metadata: o.Metadata}
}

// WriteResult is the outcome of one operation of a bulk write.
type WriteResult struct {
	SetResponse
	Err error
}

// KeysRequest asks for a page of keys.
type KeysRequest struct {
	Prefix []byte // empty = every key
	Cursor []byte // empty = from the start; else KeysResponse.Cursor of the page before
	Limit  int    // > 0; a store may return fewer and still set a cursor
}

// KeysResponse is a page of keys, ascending.
type KeysResponse struct {
	Keys   [][]byte // fresh slices, owned by the caller
	Cursor []byte   // empty = no more
}

// ExportRequest asks for a batch of items.
type ExportRequest struct {
	Cursor   []byte // empty = from the start
	MaxBytes int    // wish for the sum of key and value lengths; at least one item is returned
}

// ExportResponse is a batch of items.
type ExportResponse struct {
	Items  []Item
	Cursor []byte // empty = no more
}

// Item is a stored entry as it moves from one store to its successor.
type Item struct {
	Key, Value, ETag, ContentType []byte
	ExpiresAt                     int64 // Unix milliseconds; 0 = never
}
