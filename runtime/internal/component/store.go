package component

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
)

// Store is the portable handle of a component. It survives reloads: each call
// takes a lease on the store that serves at the moment.
//
// Keys are the client's: the handle checks them, adds the component's prefix
// on the way in and cuts it off on the way out. It checks times to live and
// declared features, falls back where a store has no bulk operation, contains
// panics, and wraps an error once, as an [*OpError]; a missing key is
// [abi.ErrNotFound] itself. Get, Set and Delete allocate nothing of their own.
//
// The rules for slices are those of [abi.Store]: requests are read until the
// call returns, responses are appended to from length zero. Safe for
// concurrent use.
type Store struct {
	name string
	log  *zap.Logger

	current atomic.Pointer[generation] // nil while nothing serves
	gate    atomic.Pointer[gate]       // not nil while writes are held back
	down    atomic.Pointer[string]     // why nothing serves
	rec     atomic.Pointer[Recorder]
	scratch pool
}

// gate holds writes back during a hand-over.
type gate struct {
	open chan struct{} // closed when writes may go on
	idle chan struct{} // told when the last write in progress ends
}

// Name is the component's name.
func (s *Store) Name() string { return s.name }

// Type is the full type of what serves, "" while nothing does.
func (s *Store) Type() string {
	if g := s.current.Load(); g != nil {
		return g.spec.Type
	}
	return ""
}

// Features are those of the store that serves at the moment.
func (s *Store) Features() abi.Features {
	if g := s.current.Load(); g != nil {
		return g.features
	}
	return 0
}

// MaxTransactionOps is the most operations that Transact takes; 0 = no limit.
func (s *Store) MaxTransactionOps() int {
	g := s.current.Load()
	if g == nil {
		return 0
	}
	if l, ok := g.store.(abi.TransactionLimiter); ok {
		return l.MaxTransactionOps()
	}
	return 0
}

// ApplyConcurrency puts the concurrency option of a client, "first-write",
// "last-write" or "", into req. With last-write and the component's switch
// etagOnLastWrite: ignore, the etag is dropped. Any other word is an invalid
// argument.
func (s *Store) ApplyConcurrency(word string, req *abi.SetRequest) error {
	switch word {
	case "":
	case "first-write":
		req.FirstWrite = true
	case "last-write":
		if g := s.current.Load(); g != nil && g.spec.IgnoreLastETag {
			req.ETag = nil
		}
	default:
		return invalid("unrecognized concurrency model %q; use first-write or last-write", clip(word, 40))
	}
	return nil
}

// ParseConsistency reads the consistency option of a client: "eventual",
// "strong" or "". Any other word is an invalid argument.
func ParseConsistency(word string) (abi.Consistency, error) {
	switch word {
	case "":
		return abi.ConsistencyDefault, nil
	case "eventual":
		return abi.ConsistencyEventual, nil
	case "strong":
		return abi.ConsistencyStrong, nil
	}
	return 0, invalid("unrecognized consistency model %q; use eventual or strong", clip(word, 40))
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

// lease returns the generation that serves, held.
func (s *Store) lease() (*generation, error) {
	for {
		g := s.current.Load()
		if g == nil {
			why := "not ready"
			if p := s.down.Load(); p != nil {
				why = *p
			}
			return nil, abi.NewError(abi.CodeUnavailable, why)
		}
		if g.acquire() {
			return g, nil
		}
	}
}

// leaseWrite is lease for a write: it waits while writes are held back.
func (s *Store) leaseWrite(ctx context.Context) (*generation, error) {
	for {
		if gt := s.gate.Load(); gt != nil {
			select {
			case <-gt.open:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		g, err := s.lease()
		if err != nil || !g.handsOver() {
			return g, err
		}
		g.writers.Add(1)
		// A whole hand-over may have passed between lease and Add: then the gate
		// is open again and g is no longer the one that serves.
		if s.gate.Load() == nil && s.current.Load() == g {
			return g, nil
		}
		s.releaseWrite(g)
	}
}

func (s *Store) releaseWrite(g *generation) {
	if g.handsOver() && g.writers.Add(-1) == 0 {
		if gt := s.gate.Load(); gt != nil {
			select {
			case gt.idle <- struct{}{}:
			default:
			}
		}
	}
	g.release()
}

// finish ends a call: it contains a panic of the store, wraps the error and
// records the outcome. It is deferred.
func (s *Store) finish(op Op, key []byte, from time.Time, err *error) {
	if r := recover(); r != nil {
		s.log.Error("store panicked", zap.String("component", s.name), zap.Stringer("operation", op),
			zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
		*err = abi.NewError(abi.CodeInternal, fmt.Sprintf("the store panicked: %v", r))
	}
	code := abi.CodeOK
	if *err != nil && *err != error(abi.ErrNotFound) { //nolint:errorlint // the common answer first; wrapped ones follow
		code = abi.CodeOf(*err)
		if code == abi.CodeNotFound {
			*err = abi.ErrNotFound
		} else {
			cause := *err
			if g := s.current.Load(); g != nil {
				cause = g.spec.redacted(cause)
			}
			*err = &OpError{Component: s.name, Op: op, Key: string(key), Err: cause}
		}
	} else if *err != nil {
		code = abi.CodeNotFound
	}
	if rec := s.rec.Load(); rec != nil {
		(*rec).Op(op, code, time.Since(from))
	}
}

// contain runs a call of a fallback in its own goroutine's frame, where finish
// cannot catch a panic.
func contain(call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = abi.NewError(abi.CodeInternal, fmt.Sprintf("the store panicked: %v", r))
		}
	}()
	return call()
}

func supports(g *generation, want abi.Features) error {
	if g.features.Has(want) {
		return nil
	}
	return &UnsupportedError{g.spec.Name, want &^ g.features}
}

// Get reads one key. See [abi.Store].
func (s *Store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) (err error) {
	defer s.finish(OpGet, req.Key, time.Now(), &err)
	resp.Reset()
	if err = ctx.Err(); err != nil {
		return err
	}
	if err = checkKey(req.Key); err != nil {
		return err
	}
	g, err := s.lease()
	if err != nil {
		return err
	}
	defer g.release()
	sc := s.scratch.take()
	defer s.scratch.give(sc)
	sc.get = *req
	sc.get.Key = sc.prefixed(g, req.Key)
	return g.store.Get(ctx, &sc.get, resp)
}

// prefixed builds the stored key in the scratch buffer.
func (sc *scratch) prefixed(g *generation, key []byte) []byte {
	sc.key = append(append(sc.key[:0], g.prefix...), key...)
	return sc.key
}

// Set writes one key. See [abi.Store].
func (s *Store) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) (err error) {
	defer s.finish(OpSet, req.Key, time.Now(), &err)
	resp.ETag = resp.ETag[:0]
	if err = ctx.Err(); err != nil {
		return err
	}
	if err = checkSet(req); err != nil {
		return err
	}
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return err
	}
	defer s.releaseWrite(g)
	if err = supportsSet(g, req); err != nil {
		return err
	}
	sc := s.scratch.take()
	defer s.scratch.give(sc)
	sc.set = *req
	sc.set.Key = sc.prefixed(g, req.Key)
	return g.store.Set(ctx, &sc.set, resp)
}

func checkSet(req *abi.SetRequest) error {
	if err := checkKey(req.Key); err != nil {
		return err
	}
	return checkTTL(req.TTL)
}

func supportsSet(g *generation, req *abi.SetRequest) error {
	if req.TTL != 0 {
		if err := supports(g, abi.FeatureTTL); err != nil {
			return err
		}
	}
	if len(req.ETag) > 0 || req.FirstWrite {
		return supports(g, abi.FeatureETag)
	}
	return nil
}

// Delete removes one key. See [abi.Store].
func (s *Store) Delete(ctx context.Context, req *abi.DeleteRequest) (err error) {
	defer s.finish(OpDelete, req.Key, time.Now(), &err)
	if err = ctx.Err(); err != nil {
		return err
	}
	if err = checkKey(req.Key); err != nil {
		return err
	}
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return err
	}
	defer s.releaseWrite(g)
	if len(req.ETag) > 0 {
		if err = supports(g, abi.FeatureETag); err != nil {
			return err
		}
	}
	sc := s.scratch.take()
	defer s.scratch.give(sc)
	sc.del = *req
	sc.del.Key = sc.prefixed(g, req.Key)
	return g.store.Delete(ctx, &sc.del)
}

// Ping asks whether the backend answers; a store that cannot tell is fine.
func (s *Store) Ping(ctx context.Context) (err error) {
	defer s.finish(OpPing, nil, time.Now(), &err)
	g, err := s.lease()
	if err != nil {
		return err
	}
	defer g.release()
	return ping(ctx, g.store)
}

func ping(ctx context.Context, store abi.Store) error {
	if p, ok := store.(abi.Pinger); ok {
		if err := p.Ping(ctx); abi.CodeOf(err) != abi.CodeUnsupported {
			return err
		}
	}
	return nil
}
