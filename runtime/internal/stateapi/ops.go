package stateapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// Get reads one key into resp and charges the value. found is false, without an
// error, for a key that is not there. The charge is released by the caller, when
// the value has been written.
//
// Nobody knows how large a value is before it is read: as much is charged before
// as the store's largest answer of late, and if what comes is larger and there is
// no room for it, it is dropped, waited for and read again.
func (a *API) Get(ctx context.Context, st *component.Store, req *abi.GetRequest, resp *abi.GetResponse, charge *Charge) (found bool, e *Error) {
	seen := a.largest(st.Name())
	for try := 0; ; try++ {
		if e := charge.Grow(ctx, seen.Load()); e != nil {
			return false, e
		}
		err := st.Get(ctx, req, resp)
		size := int64(len(resp.Value))
		switch {
		case errors.Is(err, abi.ErrNotFound):
			return false, nil
		case err != nil:
			return false, failed(st.Name(), "ERR_STATE_GET", "fail to get "+clipKey(req.Key)+" from state store "+st.Name(), err)
		case size > a.cfg.Limits.Answer:
			return false, tooLarge(fmt.Sprintf("the value of %s has %d bytes, more than an answer may have (%d)", clipKey(req.Key), size, a.cfg.Limits.Answer))
		}
		learn(seen, size)
		if charge.TryGrow(size) {
			charge.Shrink(size)
			return true, nil
		}
		resp.Value = nil // somebody else needs the room while we wait
		charge.Release()
		if try == 3 {
			return false, busy()
		}
	}
}

// largest is the counter of a store's largest answer of late.
func (a *API) largest(store string) *atomic.Int64 {
	if v, ok := a.sizes.Load(store); ok {
		return v.(*atomic.Int64)
	}
	v, _ := a.sizes.LoadOrStore(store, new(atomic.Int64))
	return v.(*atomic.Int64)
}

// learn remembers size if it is the largest; else what is remembered fades.
func learn(seen *atomic.Int64, size int64) {
	switch was := seen.Load(); {
	case size > was && size > free:
		seen.Store(size)
	case was > free && size < was/2:
		seen.Store(was - was/64)
	}
}

// clipKey shortens a key that an error repeats.
func clipKey(key []byte) string { return text.Clip(key, 128) }

// CheckItems refuses the n-th item of a save or transaction beyond the limit.
func (a *API) CheckItems(n int) *Error {
	if n <= a.cfg.Limits.Items {
		return nil
	}
	return tooLarge(fmt.Sprintf("the request has more than %d items, the limit of this server; send several requests", a.cfg.Limits.Items))
}

// Save writes ops: one, with its new etag in etag, or many, each for itself. The
// error of a batch is that of its worst item: a mismatch, which the client can
// act on, before an invalid etag before any other.
func (a *API) Save(ctx context.Context, st *component.Store, ops []abi.Op) (etag []byte, e *Error) {
	const code = "ERR_STATE_SAVE"
	text := "failed saving state in state store " + st.Name()
	switch len(ops) {
	case 0:
		return nil, nil
	case 1:
		var resp abi.SetResponse
		if err := st.Set(ctx, &ops[0].SetRequest, &resp); err != nil {
			return nil, failed(st.Name(), code, text, err)
		}
		return resp.ETag, nil
	}
	results := make([]abi.WriteResult, len(ops))
	if err := st.BulkWrite(ctx, ops, results); err != nil {
		return nil, failed(st.Name(), code, text, err)
	}
	if i := worst(results); i >= 0 {
		return nil, failed(st.Name(), code, text+" (key "+strconv.Quote(clipKey(ops[i].Key))+")", results[i].Err)
	}
	return nil, nil
}

// worst is the index of the error that answers for a batch; -1 if there is none.
func worst(results []abi.WriteResult) int {
	found, rank := -1, 0
	for i := range results {
		r := 1
		switch abi.CodeOf(results[i].Err) {
		case abi.CodeOK:
			r = 0
		case abi.CodeETagMismatch:
			r = 3
		case abi.CodeETagInvalid:
			r = 2
		}
		if r > rank {
			found, rank = i, r
		}
	}
	return found
}

// Delete removes one key.
func (a *API) Delete(ctx context.Context, st *component.Store, req *abi.DeleteRequest) *Error {
	if err := st.Delete(ctx, req); err != nil {
		return failed(st.Name(), "ERR_STATE_DELETE", "failed deleting state with key "+clipKey(req.Key), err)
	}
	return nil
}

// Transact applies all of ops or none.
func (a *API) Transact(ctx context.Context, st *component.Store, ops []abi.Op) *Error {
	if err := st.Transact(ctx, ops); err != nil {
		return failed(st.Name(), "ERR_STATE_TRANSACTION", "error while executing state transaction", err)
	}
	return nil
}

// UnknownOperation refuses a transaction's operation.
func UnknownOperation(name string) *Error {
	return &Error{Status: 400, Code: "ERR_NOT_SUPPORTED_STATE_OPERATION", Message: fmt.Sprintf("operation type %s not supported", clip(name))}
}
