//go:build !tinygo && !wasip1

package kv

import (
	"context"
	"sync"

	"github.com/wasmstate/wasmstate/abi"
)

// provided are the stores behind the labels: global, as the labels of a module
// are, and for tests only.
var provided sync.Map

// Provide makes store the one behind a label, for native tests.
func Provide(label string, store abi.Store) { provided.Store(label, store) }

// Bucket is a store that was provided. Safe for concurrent use if the store is.
type Bucket struct{ store abi.Store }

// Open returns the bucket with a label.
func Open(label string) (*Bucket, error) {
	s, ok := provided.Load(label)
	if !ok {
		return nil, abi.NewError(abi.CodePermission, "kv: no bucket with the label "+label)
	}
	return &Bucket{s.(abi.Store)}, nil
}

// Features are those of the store.
func (b *Bucket) Features() abi.Features { return b.store.Features() }

// Get reads one key.
func (b *Bucket) Get(req *abi.GetRequest, resp *abi.GetResponse) error {
	return b.store.Get(context.Background(), req, resp)
}

// Set writes one key.
func (b *Bucket) Set(req *abi.SetRequest, resp *abi.SetResponse) error {
	if resp == nil {
		resp = &abi.SetResponse{}
	}
	return b.store.Set(context.Background(), req, resp)
}

// Delete removes one key.
func (b *Bucket) Delete(req *abi.DeleteRequest) error {
	return b.store.Delete(context.Background(), req)
}

// BulkGet reads many keys.
func (b *Bucket) BulkGet(reqs []abi.GetRequest, results []abi.GetResult) error {
	for i := range reqs {
		results[i].Err = b.Get(&reqs[i], &results[i].GetResponse)
	}
	return nil
}

// BulkWrite applies writes, each for itself.
func (b *Bucket) BulkWrite(ops []abi.Op, results []abi.WriteResult) error {
	for i := range ops {
		if op := &ops[i]; op.Kind == abi.OpDelete {
			d := op.Delete()
			results[i].Err = b.Delete(&d)
		} else {
			results[i].Err = b.Set(&op.SetRequest, &results[i].SetResponse)
		}
	}
	return nil
}

// Transact applies all writes or none.
func (b *Bucket) Transact(ops []abi.Op) error {
	t, ok := b.store.(abi.Transactor)
	if !ok {
		return abi.ErrUnsupported
	}
	return t.Transact(context.Background(), ops)
}

// Keys lists a page of keys.
func (b *Bucket) Keys(req *abi.KeysRequest, resp *abi.KeysResponse) error {
	l, ok := b.store.(abi.Lister)
	if !ok {
		return abi.ErrUnsupported
	}
	r := *req
	if r.Limit <= 0 {
		r.Limit = 100
	}
	return l.Keys(context.Background(), &r, resp)
}
