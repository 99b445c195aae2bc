package runtime

import (
	"context"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// Store is the portable handle of a component: it survives reloads, because each
// call takes a lease on the store that serves at the moment. Only a [Runtime]
// makes it. Safe for concurrent use.
//
// Keys are the client's: non-empty UTF-8 without "||", at most 32 KiB; the
// component's prefix is added and cut off again. Requests are read until the
// call returns, responses are appended to from length zero and belong to the
// caller; Get, Set and Delete allocate nothing of their own. A call whose context
// has ended fails with its error.
//
// Every error is [abi.ErrNotFound] itself or a [*handle.OpError] that tells the
// component, the operation and the key; abi.CodeOf gives its code:
// abi.CodeUnavailable while nothing serves, abi.CodeUnsupported for a feature
// that the store lacks, abi.CodeInvalidArgument for a bad key or time to live.
type Store interface {
	// Name is the component's name, Type the full type of what serves, such as
	// "state.sqlite"; "" while nothing does.
	Name() string
	Type() string
	// Features are those of what serves; 0 while nothing does.
	Features() abi.Features
	// MaxTransactionOps is the most operations that Transact takes; 0 = no limit.
	MaxTransactionOps() int

	// Get reads one key; a missing or expired one is abi.ErrNotFound.
	Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error
	// Set writes one key. An etag that does not match, and a first write to a key
	// that is there, are abi.ErrETagMismatch.
	Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error
	// Delete removes one key. Without an etag a missing key is no error.
	Delete(ctx context.Context, req *abi.DeleteRequest) error
	// BulkGet reads reqs[i] into results[i], which has an Err of its own;
	// len(results) must be len(reqs).
	BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error
	// BulkWrite applies ops, each for itself, in order for one key; results[i] is
	// the outcome of ops[i].
	BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error
	// Transact applies all of ops, in order, or none; see abi.Transactor. The error
	// of a failing operation is an *abi.OpError with its index.
	Transact(ctx context.Context, ops []abi.Op) error
	// Keys lists a page of the keys that start with req.Prefix; see abi.Lister.
	Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error
	// DeleteWithPrefix removes the keys that start with prefix and returns how many
	// went. prefix may be empty if the component has a key prefix.
	DeleteWithPrefix(ctx context.Context, prefix []byte) (int64, error)
	// Ping asks whether the backend answers; a store that cannot tell is fine.
	Ping(ctx context.Context) error

	component.Sealed
}

// Registry knows the native store types of a runtime. A type may be registered
// while the runtime runs; components that want it come up at their next attempt.
// Safe for concurrent use.
type Registry interface {
	// Register adds store types. A name or alias that exists in the same version is
	// an error that names both; then nothing is added.
	Register(states ...State) error
	// Lookup finds what serves a type in a version; "" is the default version. The
	// error for an unknown name suggests the nearest.
	Lookup(typ, version string) (State, error)
	// Create makes a store of a type, not yet initialised.
	Create(typ, version string) (abi.Store, error)
	// Types lists the registered names and aliases in lower case, sorted.
	Types() []string
}

// Status is what there is to say of a component.
type Status = handle.Status
