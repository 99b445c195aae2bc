package component

import (
	"context"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// Store is the portable handle of a component. It survives reloads: each call
// takes a lease on the store that serves at the moment.
//
// Keys are the client's: they are checked, get the component's prefix on the
// way in and lose it on the way out. Times to live and declared features are
// checked, a store without bulk operations gets them, panics are contained, all
// by the chain of the generation (decorate.go). An error is wrapped once, as a
// [*handle.OpError]; a missing key is [abi.ErrNotFound] itself. Get, Set and
// Delete allocate nothing of their own.
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
	rec     atomic.Pointer[Recorder]   // counts the calls that no generation takes
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
	return g.base.maxOps()
}

// IgnoresLastETag reports whether what serves ignores etags on last-write
// requests, as its component says with etagOnLastWrite: ignore.
func (s *Store) IgnoresLastETag() bool {
	g := s.current.Load()
	return g != nil && g.spec.IgnoreLastETag
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

// refused ends a call that no generation takes.
func (s *Store) refused(ctx context.Context, op handle.Op, key []byte, err error) error {
	if rec := s.rec.Load(); rec != nil {
		(*rec).Op(ctx, op, abi.CodeOf(err), 0)
	}
	return s.wrap(op, key, err)
}

// wrap says what failed, on what; a missing key is no failure.
func (s *Store) wrap(op handle.Op, key []byte, err error) error {
	if err == nil || err == error(abi.ErrNotFound) { //nolint:errorlint // the common answer first; wrapped ones follow
		return err
	}
	if abi.CodeOf(err) == abi.CodeNotFound {
		return abi.ErrNotFound
	}
	return &handle.OpError{Component: s.name, Op: op, Key: string(key), Err: err}
}

// Get reads one key. See [abi.Store].
func (s *Store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	resp.Reset()
	g, err := s.lease()
	if err != nil {
		return s.refused(ctx, handle.Get, req.Key, err)
	}
	defer g.release()
	return s.wrap(handle.Get, req.Key, g.chain.Get(ctx, req, resp))
}

// Set writes one key. See [abi.Store].
func (s *Store) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	resp.ETag = resp.ETag[:0]
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return s.refused(ctx, handle.Set, req.Key, err)
	}
	defer s.releaseWrite(g)
	return s.wrap(handle.Set, req.Key, g.chain.Set(ctx, req, resp))
}

// Delete removes one key. See [abi.Store].
func (s *Store) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return s.refused(ctx, handle.Delete, req.Key, err)
	}
	defer s.releaseWrite(g)
	return s.wrap(handle.Delete, req.Key, g.chain.Delete(ctx, req))
}

// BulkGet reads reqs[i] into results[i], one round trip where the store can.
// len(results) must be len(reqs). Each result has its own Err; the returned
// error means that the call failed as a whole.
func (s *Store) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	for i := range results {
		results[i].Reset()
		results[i].Err = nil
	}
	g, err := s.lease()
	if err != nil {
		return s.refused(ctx, handle.BulkGet, nil, err)
	}
	defer g.release()
	return s.wrap(handle.BulkGet, nil, g.chain.BulkGet(ctx, reqs, results))
}

// BulkWrite applies ops, each for itself, in the given order for one key;
// results[i] is the outcome of ops[i]. The returned error means that the call
// failed as a whole and nothing was written if it is an invalid argument.
func (s *Store) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error {
	for i := range results {
		results[i].ETag = results[i].ETag[:0]
		results[i].Err = nil
	}
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return s.refused(ctx, handle.BulkWrite, nil, err)
	}
	defer s.releaseWrite(g)
	return s.wrap(handle.BulkWrite, nil, g.chain.BulkWrite(ctx, ops, results))
}

// Transact applies ops atomically. The error of a failing operation is an
// [*abi.OpError] with its index. See [abi.Transactor].
func (s *Store) Transact(ctx context.Context, ops []abi.Op) error {
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return s.refused(ctx, handle.Transact, nil, err)
	}
	defer s.releaseWrite(g)
	return s.wrap(handle.Transact, nil, g.chain.Transact(ctx, ops))
}

// Keys lists the component's keys that start with req.Prefix, as the client
// knows them. The store needs [abi.FeatureKeys]. See [abi.Lister].
func (s *Store) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	resp.Keys, resp.Cursor = resp.Keys[:0], resp.Cursor[:0]
	g, err := s.lease()
	if err != nil {
		return s.refused(ctx, handle.Keys, req.Prefix, err)
	}
	defer g.release()
	return s.wrap(handle.Keys, req.Prefix, g.chain.Keys(ctx, req, resp))
}

// DeleteWithPrefix removes the component's keys that start with prefix, which
// may be empty if the component has a key prefix, and returns how many went.
// The store needs [abi.FeatureDeleteWithPrefix].
func (s *Store) DeleteWithPrefix(ctx context.Context, prefix []byte) (int64, error) {
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return 0, s.refused(ctx, handle.DeleteWithPrefix, prefix, err)
	}
	defer s.releaseWrite(g)
	n, err := g.chain.DeleteWithPrefix(ctx, prefix)
	return n, s.wrap(handle.DeleteWithPrefix, prefix, err)
}

// Ping asks whether the backend answers; a store that cannot tell is fine.
func (s *Store) Ping(ctx context.Context) error {
	g, err := s.lease()
	if err != nil {
		return s.refused(ctx, handle.Ping, nil, err)
	}
	defer g.release()
	return s.wrap(handle.Ping, nil, g.chain.Ping(ctx))
}

// Sealed is implemented by [Store] only, so that the public interface of a
// handle may grow.
type Sealed interface{ sealed() }

func (s *Store) sealed() {}
