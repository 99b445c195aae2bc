package component

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// bulkParallelism bounds the calls in progress of one bulk operation on a
// store without a bulk operation of its own.
const bulkParallelism = 8

// BulkGet reads reqs[i] into results[i], one round trip where the store can.
// len(results) must be len(reqs). Each result has its own Err; the returned
// error means that the call failed as a whole.
func (s *Store) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) (err error) {
	defer s.finish(OpBulkGet, nil, time.Now(), &err)
	if len(reqs) != len(results) {
		return invalid("%d results for %d requests", len(results), len(reqs))
	}
	for i := range results {
		results[i].Reset()
		results[i].Err = nil
	}
	for i := range reqs {
		if err := checkKey(reqs[i].Key); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil || len(reqs) == 0 {
		return err
	}
	g, err := s.lease()
	if err != nil {
		return err
	}
	defer g.release()
	full := make([]abi.GetRequest, len(reqs))
	keys := newKeys(g, len(reqs), func(i int) []byte { return reqs[i].Key })
	for i := range reqs {
		full[i] = reqs[i]
		full[i].Key = keys[i]
	}
	if b, ok := g.store.(abi.BulkGetter); ok && g.features.Has(abi.FeatureBulk) {
		return b.BulkGet(ctx, full, results)
	}
	return s.each(len(full), func(i int) int { return i }, func(i int) {
		results[i].Err = contain(func() error { return g.store.Get(ctx, &full[i], &results[i].GetResponse) })
	})
}

// BulkWrite applies ops, each for itself, in the given order for one key;
// results[i] is the outcome of ops[i]. The returned error means that the call
// failed as a whole and nothing was written if it is an invalid argument.
func (s *Store) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) (err error) {
	defer s.finish(OpBulkWrite, nil, time.Now(), &err)
	if len(ops) != len(results) {
		return invalid("%d results for %d operations", len(results), len(ops))
	}
	for i := range results {
		results[i].ETag = results[i].ETag[:0]
		results[i].Err = nil
	}
	full, g, err := s.prepare(ctx, ops)
	if err != nil || g == nil {
		return err
	}
	defer s.releaseWrite(g)
	if b, ok := g.store.(abi.BulkWriter); ok && g.features.Has(abi.FeatureBulk) {
		return b.BulkWrite(ctx, full, results)
	}
	seed := maphash.MakeSeed()
	return s.each(len(full), func(i int) int { return int(maphash.Bytes(seed, full[i].Key) >> 1) }, func(i int) {
		op := &full[i]
		results[i].Err = contain(func() error {
			if op.Kind == abi.OpDelete {
				d := op.Delete()
				return g.store.Delete(ctx, &d)
			}
			return g.store.Set(ctx, &op.SetRequest, &results[i].SetResponse)
		})
	})
}

// Transact applies ops atomically. The error of a failing operation is an
// [*abi.OpError] with its index. See [abi.Transactor].
func (s *Store) Transact(ctx context.Context, ops []abi.Op) (err error) {
	defer s.finish(OpTransact, nil, time.Now(), &err)
	g, err := s.lease()
	if err != nil {
		return err
	}
	err = supports(g, abi.FeatureTransactional)
	if l, ok := g.store.(abi.TransactionLimiter); ok && err == nil {
		if limit := l.MaxTransactionOps(); limit > 0 && len(ops) > limit {
			err = &TooManyOpsError{s.name, len(ops), limit}
		}
	}
	g.release()
	if err != nil {
		return err
	}
	full, g, err := s.prepare(ctx, ops)
	if err != nil || g == nil {
		return err
	}
	defer s.releaseWrite(g)
	t, ok := g.store.(abi.Transactor)
	if !ok {
		return &UnsupportedError{s.name, abi.FeatureTransactional}
	}
	return t.Transact(ctx, full)
}

// prepare checks ops, takes a write lease and returns them with stored keys. A
// nil generation without an error means that there is nothing to do.
func (s *Store) prepare(ctx context.Context, ops []abi.Op) ([]abi.Op, *generation, error) {
	for i := range ops {
		if err := checkSet(&ops[i].SetRequest); err != nil {
			return nil, nil, &abi.OpError{Index: i, Err: err}
		}
	}
	if err := ctx.Err(); err != nil || len(ops) == 0 {
		return nil, nil, err
	}
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return nil, nil, err
	}
	full := make([]abi.Op, len(ops))
	keys := newKeys(g, len(ops), func(i int) []byte { return ops[i].Key })
	for i := range ops {
		full[i] = ops[i]
		full[i].Key = keys[i]
		if err := supportsSet(g, &full[i].SetRequest); err != nil {
			s.releaseWrite(g)
			return nil, nil, &abi.OpError{Index: i, Err: err}
		}
	}
	return full, g, nil
}

// newKeys returns n stored keys in one allocation.
func newKeys(g *generation, n int, key func(int) []byte) [][]byte {
	size := 0
	for i := range n {
		size += len(g.prefix) + len(key(i))
	}
	buf, keys := make([]byte, 0, size), make([][]byte, n)
	for i := range n {
		from := len(buf)
		buf = append(append(buf, g.prefix...), key(i)...)
		keys[i] = buf[from:len(buf):len(buf)]
	}
	return keys
}

// each calls f for 0..n-1 from a few goroutines; those with the same lane run
// in order.
func (s *Store) each(n int, lane func(i int) int, f func(i int)) error {
	workers := min(n, bulkParallelism)
	if workers == 1 {
		for i := range n {
			f(i)
		}
		return nil
	}
	lanes := make([][]int, workers)
	for i := range n {
		l := lane(i) % workers
		lanes[l] = append(lanes[l], i)
	}
	var wg sync.WaitGroup
	for _, items := range lanes {
		wg.Go(func() {
			for _, i := range items {
				f(i)
			}
		})
	}
	wg.Wait()
	return nil
}

// Keys lists the component's keys that start with req.Prefix, as the client
// knows them. The store needs [abi.FeatureKeys]. See [abi.Lister].
func (s *Store) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) (err error) {
	defer s.finish(OpKeys, req.Prefix, time.Now(), &err)
	resp.Keys, resp.Cursor = resp.Keys[:0], resp.Cursor[:0]
	if err := checkPrefix(req.Prefix); err != nil {
		return err
	}
	if req.Limit <= 0 {
		return invalid("limit %d is not positive", req.Limit)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g, err := s.lease()
	if err != nil {
		return err
	}
	defer g.release()
	l, ok := g.store.(abi.Lister)
	if err := supports(g, abi.FeatureKeys); err != nil || !ok {
		return err
	}
	full := abi.KeysRequest{Prefix: append([]byte(g.prefix), req.Prefix...), Cursor: req.Cursor, Limit: req.Limit}
	if err := l.Keys(ctx, &full, resp); err != nil {
		return err
	}
	for i, k := range resp.Keys {
		if len(k) < len(full.Prefix) || string(k[:len(full.Prefix)]) != string(full.Prefix) {
			return abi.NewError(abi.CodeInternal, "the store listed a key outside of the prefix")
		}
		resp.Keys[i] = k[len(g.prefix):]
	}
	return nil
}

// DeleteWithPrefix removes the component's keys that start with prefix, which
// may be empty if the component has a key prefix. The store needs
// [abi.FeatureDeleteWithPrefix].
func (s *Store) DeleteWithPrefix(ctx context.Context, prefix []byte) (n int64, err error) {
	defer s.finish(OpDeleteWithPrefix, prefix, time.Now(), &err)
	if err := checkPrefix(prefix); err != nil {
		return 0, err
	}
	g, err := s.leaseWrite(ctx)
	if err != nil {
		return 0, err
	}
	defer s.releaseWrite(g)
	d, ok := g.store.(abi.PrefixDeleter)
	if err := supports(g, abi.FeatureDeleteWithPrefix); err != nil || !ok {
		return 0, err
	}
	full := append([]byte(g.prefix), prefix...)
	if len(full) == 0 {
		return 0, &IllegalKeyError{Why: "must not be empty"}
	}
	return d.DeleteWithPrefix(ctx, full)
}
