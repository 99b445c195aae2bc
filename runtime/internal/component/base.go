package component

import (
	"context"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// base is the innermost link: a store with every optional interface of abi. An
// operation that the store does not declare, or declares and does not have, is
// a [*handle.UnsupportedError]. The interfaces are looked up once.
type base struct {
	abi.Store
	name     string
	features abi.Features

	bulkGetter  abi.BulkGetter // nil = the store has none; so all of these
	bulkWriter  abi.BulkWriter
	transactor  abi.Transactor
	lister      abi.Lister
	deleter     abi.PrefixDeleter
	pinger      abi.Pinger
	transactMax abi.TransactionLimiter
}

func newBase(name string, store abi.Store) *base {
	b := &base{Store: store, name: name, features: store.Features()}
	if b.features.Has(abi.FeatureBulk) {
		b.bulkGetter, _ = store.(abi.BulkGetter)
		b.bulkWriter, _ = store.(abi.BulkWriter)
	}
	if b.features.Has(abi.FeatureTransactional) {
		b.transactor, _ = store.(abi.Transactor)
		b.transactMax, _ = store.(abi.TransactionLimiter)
	}
	if b.features.Has(abi.FeatureKeys) {
		b.lister, _ = store.(abi.Lister)
	}
	if b.features.Has(abi.FeatureDeleteWithPrefix) {
		b.deleter, _ = store.(abi.PrefixDeleter)
	}
	b.pinger, _ = store.(abi.Pinger)
	return b
}

// maxOps is the most operations of a transaction; 0 = no limit.
func (b *base) maxOps() int {
	if b.transactMax == nil {
		return 0
	}
	return b.transactMax.MaxTransactionOps()
}

func (b *base) unsupported(f abi.Features) error {
	return &handle.UnsupportedError{Component: b.name, Feature: f}
}

func (b *base) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	if b.bulkGetter == nil {
		return b.unsupported(abi.FeatureBulk)
	}
	return b.bulkGetter.BulkGet(ctx, reqs, results)
}

func (b *base) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error {
	if b.bulkWriter == nil {
		return b.unsupported(abi.FeatureBulk)
	}
	return b.bulkWriter.BulkWrite(ctx, ops, results)
}

func (b *base) Transact(ctx context.Context, ops []abi.Op) error {
	if b.transactor == nil {
		return b.unsupported(abi.FeatureTransactional)
	}
	if limit := b.maxOps(); limit > 0 && len(ops) > limit {
		return &handle.TooManyOpsError{Component: b.name, Ops: len(ops), Max: limit}
	}
	return b.transactor.Transact(ctx, ops)
}

func (b *base) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	if b.lister == nil {
		return b.unsupported(abi.FeatureKeys)
	}
	return b.lister.Keys(ctx, req, resp)
}

func (b *base) DeleteWithPrefix(ctx context.Context, prefix []byte) (int64, error) {
	if b.deleter == nil {
		return 0, b.unsupported(abi.FeatureDeleteWithPrefix)
	}
	return b.deleter.DeleteWithPrefix(ctx, prefix)
}

// Ping asks whether the backend answers; a store that cannot tell is fine.
func (b *base) Ping(ctx context.Context) error {
	if b.pinger != nil {
		if err := b.pinger.Ping(ctx); abi.CodeOf(err) != abi.CodeUnsupported {
			return err
		}
	}
	return nil
}
