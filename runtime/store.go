package runtime

import (
	"context"
	"time"

	"github.com/wasmstate/wasmstate/abi"
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

// Status is what there is to say of a component. A value; the slices in it
// belong to the caller.
type Status struct {
	Name, Type, Version string
	State               string    // pending, ready, degraded, failed or closing
	Reason              string    // why it is not ready
	Source              string    // file:line
	Digest              string    // of what serves
	Generation          int64     // of what serves, from 1; 0 = nothing
	Since               time.Time // when it entered the state
	InFlight            int64     // calls in progress
	Instances           int       // of a wasm store
	Features            abi.Features
	ActorStateStore     bool // asked to be the actor store
	IgnoreErrors        bool
	RolledBack          bool          // an earlier version serves by request
	CanRollBack         bool          // there is an earlier version
	Attempts            int           // failed attempts in a row
	NextAttempt         time.Time     // zero = none is planned
	HandOverPause       time.Duration // how long the last hand-over held writes back
	HandOverItems       int64         // and how many items moved
}

func statusOf(st component.Status) Status {
	return Status{
		Name: st.Name, Type: st.Type, Version: st.Version, State: string(st.State), Reason: st.Reason, Source: st.Source, Digest: st.Digest,
		Generation: st.Generation, Since: st.Since, InFlight: st.InFlight, Instances: st.Instances, Features: st.Features,
		ActorStateStore: st.Actor, IgnoreErrors: st.IgnoreErrors, RolledBack: st.RolledBack, CanRollBack: st.CanRollBack,
		Attempts: st.Attempts, NextAttempt: st.NextAttempt,
		HandOverPause: time.Duration(st.LastHandOver) * time.Microsecond, HandOverItems: st.HandOverItems,
	}
}
