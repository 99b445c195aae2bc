package component

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/wasmstate/wasmstate/abi"
)

// bulkParallelism bounds the calls in progress of one bulk operation on a
// store without a bulk operation of its own.
const bulkParallelism = 8

func (l *portable) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	if len(reqs) != len(results) {
		return invalid("%d results for %d requests", len(results), len(reqs))
	}
	for i := range reqs {
		if err := checkKey(reqs[i].Key); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil || len(reqs) == 0 {
		return err
	}
	full := make([]abi.GetRequest, len(reqs))
	keys := newKeys(l.prefix, len(reqs), func(i int) []byte { return reqs[i].Key })
	for i := range reqs {
		full[i] = reqs[i]
		full[i].Key = keys[i]
	}
	if l.next.bulkGetter != nil {
		return l.next.BulkGet(ctx, full, results)
	}
	each(len(full), func(i int) int { return i }, func(i int) {
		results[i].Err = contain(func() error { return l.next.Store.Get(ctx, &full[i], &results[i].GetResponse) })
	})
	return nil
}

func (l *portable) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error {
	if len(ops) != len(results) {
		return invalid("%d results for %d operations", len(results), len(ops))
	}
	full, err := l.stored(ctx, ops)
	if err != nil || len(full) == 0 {
		return err
	}
	if l.next.bulkWriter != nil {
		return l.next.BulkWrite(ctx, full, results)
	}
	seed := maphash.MakeSeed()
	each(len(full), func(i int) int { return int(maphash.Bytes(seed, full[i].Key) >> 1) }, func(i int) {
		op := &full[i]
		results[i].Err = contain(func() error {
			if op.Kind == abi.OpDelete {
				d := op.Delete()
				return l.next.Store.Delete(ctx, &d)
			}
			return l.next.Store.Set(ctx, &op.SetRequest, &results[i].SetResponse)
		})
	})
	return nil
}

// stored checks ops and returns them with stored keys; none for none.
func (l *portable) stored(ctx context.Context, ops []abi.Op) ([]abi.Op, error) {
	for i := range ops {
		err := checkSet(&ops[i].SetRequest)
		if err == nil {
			err = l.supportsSet(&ops[i].SetRequest)
		}
		if err != nil {
			return nil, &abi.OpError{Index: i, Err: err}
		}
	}
	if err := ctx.Err(); err != nil || len(ops) == 0 {
		return nil, err
	}
	full := make([]abi.Op, len(ops))
	keys := newKeys(l.prefix, len(ops), func(i int) []byte { return ops[i].Key })
	for i := range ops {
		full[i] = ops[i]
		full[i].Key = keys[i]
	}
	return full, nil
}

// newKeys returns n stored keys in one allocation.
func newKeys(prefix string, n int, key func(int) []byte) [][]byte {
	size := 0
	for i := range n {
		size += len(prefix) + len(key(i))
	}
	buf, keys := make([]byte, 0, size), make([][]byte, n)
	for i := range n {
		from := len(buf)
		buf = append(append(buf, prefix...), key(i)...)
		keys[i] = buf[from:len(buf):len(buf)]
	}
	return keys
}

// each calls f for 0..n-1 from a few goroutines; those with the same lane run
// in order.
func each(n int, lane func(i int) int, f func(i int)) {
	workers := min(n, bulkParallelism)
	if workers == 1 {
		for i := range n {
			f(i)
		}
		return
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
}
