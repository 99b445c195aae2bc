package component

import (
	"context"
	"fmt"
	"sync"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// portable is the link that makes all stores alike for a client: it checks keys
// and times to live, puts the component's prefix before keys and cuts it off
// again, refuses what the store does not declare, and does bulk operations by
// single ones where the store has none (batch.go).
type portable struct {
	next     *base
	name     string
	features abi.Features
	prefix   string
	scratch  pool
}

// scratch is what one call needs and does not allocate.
type scratch struct {
	key []byte
	get abi.GetRequest
	set abi.SetRequest
	del abi.DeleteRequest
}

// pool holds scratch values; they never keep a caller's slices.
type pool struct{ p sync.Pool }

func (p *pool) take() *scratch {
	if sc, ok := p.p.Get().(*scratch); ok {
		return sc
	}
	return new(scratch)
}

func (p *pool) give(sc *scratch) {
	sc.get, sc.set, sc.del = abi.GetRequest{}, abi.SetRequest{}, abi.DeleteRequest{}
	if cap(sc.key) <= 4<<10 {
		p.p.Put(sc)
	}
}

// prefixed builds the stored key in the scratch buffer.
func (l *portable) prefixed(sc *scratch, key []byte) []byte {
	sc.key = append(append(sc.key[:0], l.prefix...), key...)
	return sc.key
}

// supports refuses what the store does not declare.
func (l *portable) supports(want abi.Features) error {
	if l.features.Has(want) {
		return nil
	}
	return &handle.UnsupportedError{Component: l.name, Feature: want &^ l.features}
}

func (l *portable) supportsSet(req *abi.SetRequest) error {
	if req.TTL != 0 {
		if err := l.supports(abi.FeatureTTL); err != nil {
			return err
		}
	}
	if len(req.ETag) > 0 || req.FirstWrite {
		return l.supports(abi.FeatureETag)
	}
	return nil
}

func checkSet(req *abi.SetRequest) error {
	if err := checkKey(req.Key); err != nil {
		return err
	}
	return checkTTL(req.TTL)
}

func (l *portable) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkKey(req.Key); err != nil {
		return err
	}
	sc := l.scratch.take()
	sc.get = *req
	sc.get.Key = l.prefixed(sc, req.Key)
	err := l.next.Store.Get(ctx, &sc.get, resp)
	l.scratch.give(sc) // not after a panic: the store may still use it
	return err
}

func (l *portable) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkSet(req); err != nil {
		return err
	}
	if err := l.supportsSet(req); err != nil {
		return err
	}
	sc := l.scratch.take()
	sc.set = *req
	sc.set.Key = l.prefixed(sc, req.Key)
	err := l.next.Store.Set(ctx, &sc.set, resp)
	l.scratch.give(sc)
	return err
}

func (l *portable) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkKey(req.Key); err != nil {
		return err
	}
	if len(req.ETag) > 0 {
		if err := l.supports(abi.FeatureETag); err != nil {
			return err
		}
	}
	sc := l.scratch.take()
	sc.del = *req
	sc.del.Key = l.prefixed(sc, req.Key)
	err := l.next.Store.Delete(ctx, &sc.del)
	l.scratch.give(sc)
	return err
}

func (l *portable) Transact(ctx context.Context, ops []abi.Op) error {
	if err := l.supports(abi.FeatureTransactional); err != nil {
		return err
	}
	if limit := l.next.maxOps(); limit > 0 && len(ops) > limit {
		return &handle.TooManyOpsError{Component: l.name, Ops: len(ops), Max: limit}
	}
	full, err := l.stored(ctx, ops)
	if err != nil || len(full) == 0 {
		return err
	}
	return l.next.Transact(ctx, full)
}

func (l *portable) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	if err := checkPrefix(req.Prefix); err != nil {
		return err
	}
	if req.Limit <= 0 {
		return invalid("limit %d is not positive", req.Limit)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	full := abi.KeysRequest{Prefix: append([]byte(l.prefix), req.Prefix...), Cursor: req.Cursor, Limit: req.Limit}
	if err := l.next.Keys(ctx, &full, resp); err != nil {
		return err
	}
	for i, k := range resp.Keys {
		if len(k) < len(full.Prefix) || string(k[:len(full.Prefix)]) != string(full.Prefix) {
			return abi.NewError(abi.CodeInternal, "the store listed a key outside of the prefix")
		}
		resp.Keys[i] = k[len(l.prefix):]
	}
	return nil
}

func (l *portable) DeleteWithPrefix(ctx context.Context, prefix []byte) (int64, error) {
	if err := checkPrefix(prefix); err != nil {
		return 0, err
	}
	if err := l.supports(abi.FeatureDeleteWithPrefix); err != nil {
		return 0, err
	}
	full := append([]byte(l.prefix), prefix...)
	if len(full) == 0 {
		return 0, &handle.IllegalKeyError{Why: "must not be empty"}
	}
	return l.next.DeleteWithPrefix(ctx, full)
}

func (l *portable) Ping(ctx context.Context) error { return l.next.Ping(ctx) }

// contain runs f and turns a panic into an error, where no link of a chain can:
// in a goroutine of its own, before a generation is there, after it went.
func contain(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = abi.NewError(abi.CodeInternal, fmt.Sprintf("the store panicked: %v", r))
		}
	}()
	return f()
}
