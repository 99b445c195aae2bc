package component

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// link is a part of the chain that every call of a handle passes. A chain is
// built once for a generation, by newChain; a rule that concerns all operations
// is one link and is applied nowhere else:
//
//	Store (lease, wrap) -> measured -> guarded -> portable -> base -> the store
//	                       metrics     panics,    keys, TTL,  optional
//	                                   secrets    features,   interfaces
//	                                              fallbacks
//
// Links before portable see the client's keys, links after it the stored ones.
// A new link embeds the next one and overrides what it is about. The slices of
// requests and responses belong to the caller, as in [abi.Store].
type link interface {
	Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error
	Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error
	Delete(ctx context.Context, req *abi.DeleteRequest) error
	abi.BulkGetter
	abi.BulkWriter
	abi.Transactor
	abi.Lister
	abi.PrefixDeleter
	abi.Pinger
}

// newChain builds the chain of a generation. rec may be nil.
func newChain(g *generation, log *zap.Logger, rec Recorder) link {
	var l link = &portable{next: g.base, name: g.spec.Name, features: g.features, prefix: g.prefix}
	l = &guarded{link: l, name: g.spec.Name, log: log, redact: g.redact}
	if rec != nil {
		l = &measured{link: l, rec: rec}
	}
	return l
}

// guarded contains panics and keeps secrets out of errors, those of single
// items included. The secrets are those of its generation, so that a call that
// outlives a rotation is covered too.
type guarded struct {
	link
	name   string
	log    *zap.Logger
	redact func(text string) string // nil = there are no secrets
}

// end is deferred by every operation.
func (l *guarded) end(op handle.Op, err *error) {
	if r := recover(); r != nil {
		text := fmt.Sprint(r)
		if l.redact != nil {
			text = l.redact(text)
		}
		l.log.Error("store panicked", zap.String("component", l.name), zap.Stringer("operation", op),
			zap.String("panic", text), zap.ByteString("stack", debug.Stack()))
		*err = abi.NewError(abi.CodeInternal, "the store panicked: "+text)
	}
	*err = redacted(*err, l.redact)
}

func (l *guarded) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) (err error) {
	defer l.end(handle.Get, &err)
	return l.link.Get(ctx, req, resp)
}

func (l *guarded) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) (err error) {
	defer l.end(handle.Set, &err)
	return l.link.Set(ctx, req, resp)
}

func (l *guarded) Delete(ctx context.Context, req *abi.DeleteRequest) (err error) {
	defer l.end(handle.Delete, &err)
	return l.link.Delete(ctx, req)
}

func (l *guarded) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) (err error) {
	defer l.end(handle.BulkGet, &err)
	err = l.link.BulkGet(ctx, reqs, results)
	for i := range results {
		results[i].Err = redacted(results[i].Err, l.redact)
	}
	return err
}

func (l *guarded) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) (err error) {
	defer l.end(handle.BulkWrite, &err)
	err = l.link.BulkWrite(ctx, ops, results)
	for i := range results {
		results[i].Err = redacted(results[i].Err, l.redact)
	}
	return err
}

func (l *guarded) Transact(ctx context.Context, ops []abi.Op) (err error) {
	defer l.end(handle.Transact, &err)
	return l.link.Transact(ctx, ops)
}

func (l *guarded) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) (err error) {
	defer l.end(handle.Keys, &err)
	return l.link.Keys(ctx, req, resp)
}

func (l *guarded) DeleteWithPrefix(ctx context.Context, prefix []byte) (n int64, err error) {
	defer l.end(handle.DeleteWithPrefix, &err)
	return l.link.DeleteWithPrefix(ctx, prefix)
}

func (l *guarded) Ping(ctx context.Context) (err error) {
	defer l.end(handle.Ping, &err)
	return l.link.Ping(ctx)
}

// measured tells a recorder of every call. It is the outermost link, so that
// what the others refuse counts too.
type measured struct {
	link
	rec Recorder
}

func (l *measured) end(ctx context.Context, op handle.Op, from time.Time, err error) {
	code := abi.CodeOK
	if err == error(abi.ErrNotFound) { //nolint:errorlint // the common answer first; CodeOf knows the rest
		code = abi.CodeNotFound
	} else if err != nil {
		code = abi.CodeOf(err)
	}
	l.rec.Op(ctx, op, code, time.Since(from))
}

func (l *measured) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	from := time.Now()
	err := l.link.Get(ctx, req, resp)
	l.end(ctx, handle.Get, from, err)
	return err
}

func (l *measured) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	from := time.Now()
	err := l.link.Set(ctx, req, resp)
	l.end(ctx, handle.Set, from, err)
	return err
}

func (l *measured) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	from := time.Now()
	err := l.link.Delete(ctx, req)
	l.end(ctx, handle.Delete, from, err)
	return err
}

func (l *measured) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	from := time.Now()
	err := l.link.BulkGet(ctx, reqs, results)
	l.end(ctx, handle.BulkGet, from, err)
	return err
}

func (l *measured) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error {
	from := time.Now()
	err := l.link.BulkWrite(ctx, ops, results)
	l.end(ctx, handle.BulkWrite, from, err)
	return err
}

func (l *measured) Transact(ctx context.Context, ops []abi.Op) error {
	from := time.Now()
	err := l.link.Transact(ctx, ops)
	l.end(ctx, handle.Transact, from, err)
	return err
}

func (l *measured) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	from := time.Now()
	err := l.link.Keys(ctx, req, resp)
	l.end(ctx, handle.Keys, from, err)
	return err
}

func (l *measured) DeleteWithPrefix(ctx context.Context, prefix []byte) (int64, error) {
	from := time.Now()
	n, err := l.link.DeleteWithPrefix(ctx, prefix)
	l.end(ctx, handle.DeleteWithPrefix, from, err)
	return n, err
}

func (l *measured) Ping(ctx context.Context) error {
	from := time.Now()
	err := l.link.Ping(ctx)
	l.end(ctx, handle.Ping, from, err)
	return err
}
