package abi

import (
	"context"
	"time"
)

// A Factory creates a store that is not yet initialised. It must not block,
// fail or touch the outside world; [Store.Init] does that.
type Factory func() Store

// Store is the contract that every state store implements.
//
// The runtime guarantees that Init is called first, once and alone; that it
// returned nil before any other method but Close is called; that every key is
// non-empty UTF-8; that a TTL is zero or between 1 second and 2^31-1 seconds;
// and that the request and response pointers are not nil.
//
// Errors carry a [Code]: use the sentinels of this package or an [*Error], or
// return any other error, which counts as [CodeInternal]. Context errors are
// returned as they are.
//
// A call whose context has ended when it is made must fail with the context's
// error and must change nothing, however fast the store is.
type Store interface {
	// Init opens the store with the component's metadata. It is given a
	// deadline (the component's initTimeout, 5 s unless set) and must return
	// soon after ctx ends. After an error the runtime calls Close and drops the
	// store; Init is never called twice on one value.
	Init(ctx context.Context, md Metadata) error

	// Features says which optional behaviour the store offers. It is
	// authoritative: what is not declared is not used, and storetest fails a
	// store whose behaviour and declaration disagree. Constant after Init;
	// must not block.
	Features() Features

	// Get reads one key into resp, appending to resp.Value[:0], resp.ETag[:0]
	// and resp.ContentType[:0] so that a caller may reuse its buffers. Every
	// field is set, also to empty: what an earlier call left there must not show
	// through, and resp.ExpiresAt is 0 for a key that does not expire.
	//
	// A missing or expired key is [ErrNotFound]. An empty value is not
	// missing: it returns nil with len(resp.Value) == 0.
	Get(ctx context.Context, req *GetRequest, resp *GetResponse) error

	// Set writes one key. The rules, in this order:
	//
	//   - req.ETag not empty: the write happens only if the stored etag is
	//     equal, else [ErrETagMismatch]; a missing or expired key is a
	//     mismatch; an etag this store could never have issued may be
	//     [ErrETagInvalid].
	//   - req.FirstWrite without etag: create only; an existing, unexpired
	//     key is [ErrETagMismatch].
	//   - otherwise the key is created or overwritten.
	//
	// The value, content type and expiry are replaced together: a Set with
	// TTL zero removes an earlier expiry. A store with [FeatureETag] appends
	// the new etag to resp.ETag[:0]; it differs from every earlier etag of the
	// key. Store without FeatureETag return [ErrUnsupported] for a request
	// with an etag or FirstWrite; stores without [FeatureTTL] for one with a TTL.
	Set(ctx context.Context, req *SetRequest, resp *SetResponse) error

	// Delete removes one key. Without etag it is idempotent: deleting a
	// missing key is nil. With an etag it is compared as in Set, and a
	// missing key is [ErrETagMismatch].
	Delete(ctx context.Context, req *DeleteRequest) error

	// Close releases everything and waits for every goroutine that the store
	// started. It is idempotent and safe during traffic: calls in progress
	// either complete or return [ErrClosed], later calls return ErrClosed.
	Close() error
}

// Transactor is implemented by stores with [FeatureTransactional].
type Transactor interface {
	// Transact applies ops in order, atomically: other callers see all of
	// them or none. Etags and FirstWrite are checked inside, against what
	// earlier operations of the same transaction left. On any error nothing
	// is applied. The error of a failing operation is an [*OpError] with its
	// index. No ops is a no-op.
	Transact(ctx context.Context, ops []Op) error
}

// TransactionLimiter is implemented by transactors that bound the number of
// operations in one transaction.
type TransactionLimiter interface {
	// MaxTransactionOps is the largest number of operations, > 0; constant
	// after Init.
	MaxTransactionOps() int
}

// BulkGetter is implemented by stores that read many keys in one round trip
// ([FeatureBulk]). The runtime falls back to parallel Gets without it.
type BulkGetter interface {
	// BulkGet reads reqs[i] into results[i]; len(results) == len(reqs).
	// Every result gets its own Err, with the meaning of Get's; a duplicate
	// key gets a result each. The returned error means that the whole call
	// failed and that results are to be ignored.
	BulkGet(ctx context.Context, reqs []GetRequest, results []GetResult) error
}

// BulkWriter is implemented by stores that write many keys in one round trip
// ([FeatureBulk]). The runtime falls back to parallel writes without it.
type BulkWriter interface {
	// BulkWrite applies ops, each for itself: not atomic, in any order across
	// different keys, in the given order for one key. results[i] gets the
	// outcome of ops[i]; len(results) == len(ops). The returned error means
	// that the whole call failed and that nothing can be said of any item.
	BulkWrite(ctx context.Context, ops []Op, results []WriteResult) error
}

// Lister is implemented by stores with [FeatureKeys].
type Lister interface {
	// Keys lists keys that start with req.Prefix in ascending byte order,
	// never expired ones, at most req.Limit of them. A following call with
	// req.Cursor = resp.Cursor continues; an empty resp.Cursor is the end. A
	// key that exists throughout the listing is returned exactly once.
	Keys(ctx context.Context, req *KeysRequest, resp *KeysResponse) error
}

// PrefixDeleter is implemented by stores with [FeatureDeleteWithPrefix].
type PrefixDeleter interface {
	// DeleteWithPrefix removes every key that starts with prefix, which is
	// not empty, and returns how many unexpired keys went.
	DeleteWithPrefix(ctx context.Context, prefix []byte) (int64, error)
}

// Pinger is implemented by stores that can tell whether their backend answers.
type Pinger interface {
	// Ping returns nil if the backend would serve a request now. The runtime
	// calls it before a new store goes live and for health.
	Ping(ctx context.Context) error
}

// Exporter is implemented by stores that can hand their state to their
// successor at a reload ([FeatureExport]): those that keep it in memory, and
// those that such a store may follow.
type Exporter interface {
	// Export appends a batch of live items to resp.Items, about req.MaxBytes
	// of them, and sets resp.Cursor to continue; an empty cursor is the end.
	// The runtime holds writes back while it exports.
	Export(ctx context.Context, req *ExportRequest, resp *ExportResponse) error
}

// Importer is the other side of [Exporter].
type Importer interface {
	// Import stores items as they are, etag and expiry included, before the
	// store goes live. Items that are already expired are skipped.
	Import(ctx context.Context, items []Item) error
}

// Volatiler is implemented by stores whose data may or may not outlive them.
// Without it a store that has [FeatureExport] counts as volatile and any other
// as not.
type Volatiler interface {
	// Volatile reports whether the data would be lost if the store were closed
	// now. It is asked after Init, at a reload.
	Volatile() bool
}

// LossTeller is implemented by stores that can lose what they hold while they
// serve, as a module with its data in an instance that trapped. Answering "not
// found" from then on would be a lie by omission, so that the status tells of it
// until somebody acknowledges it.
type LossTeller interface {
	// LostData returns when data was lost last, and why in a few words without
	// secrets; the zero time if none ever was. It is asked at any time, often.
	LostData() (at time.Time, reason string)
}

// Sizer is implemented by stores that know the most bytes their state can
// take. A hand-over that brings more is ended.
type Sizer interface {
	// StateBytes is the most that keys, values, etags and content types of all
	// items can add up to; 0 = not known. It must not block.
	StateBytes() int64
}
