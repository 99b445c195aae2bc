package wasmstore

import (
	"context"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// The operations, as indexes into Exports.
const (
	opGet = iota
	opSet
	opDelete
	opBulkGet
	opBulkWrite
	opTransact
	opKeys
	opPing
	opExport
	opImport
	OpOpen // two parameters
	opInit
	OpIdle
	OpClose

	ops
)

// Exports returns the export of every operation, by index.
func Exports() []string {
	return []string{
		abi.ExportGet, abi.ExportSet, abi.ExportDelete, abi.ExportBulkGet, abi.ExportBulkWrite, abi.ExportTransact, abi.ExportKeys,
		abi.ExportPing, abi.ExportExport, abi.ExportImport, abi.ExportOpen, abi.ExportInit, abi.ExportIdle, abi.ExportClose,
	}
}

// Required returns, by operation, whether a guest that offers features must
// export it.
func Required(features abi.Features) []bool {
	r := make([]bool, ops)
	for _, op := range []int{OpOpen, opGet, opSet, opDelete} {
		r[op] = true
	}
	r[opTransact] = features.Has(abi.FeatureTransactional)
	r[opKeys] = features.Has(abi.FeatureKeys)
	r[opBulkGet] = features.Has(abi.FeatureBulk)
	r[opBulkWrite] = features.Has(abi.FeatureBulk)
	r[opExport] = features.Has(abi.FeatureExport)
	r[opImport] = features.Has(abi.FeatureExport)
	return r
}

// Guest is a module with its instances. Safe for concurrent use.
type Guest interface {
	// Start makes the first instance; setup runs on it and on every later one.
	Start(ctx context.Context, setup func(ctx context.Context, in Instance) error) error
	// Acquire starts operation op on an instance of a shard.
	Acquire(ctx context.Context, op int, shard uint32) (Instance, error)
	// Has reports whether operation op is exported.
	Has(op int) bool
	// Shards is the number of shards, at least 1.
	Shards() int
	// Close waits for the operations in progress and releases everything. Idempotent.
	Close() error
}

// Instance is one operation in progress. Slices of guest memory are valid
// until the next call, never after Done.
type Instance interface {
	Call(op int, arg uint32) (uint64, error)
	// Call2 calls note with the result before anything else can happen to the
	// instance, also if the caller has left; its error is returned.
	Call2(op int, a, b uint32, note func(result uint64) error) (uint64, error)
	Memory() []byte
	Buffer() []byte                   // the shared buffer
	SetBuffer(addr, size uint32) bool // false: not in the guest's memory
	Remaining() time.Duration         // of the operation, > 0
	Violate(detail string) error      // the guest broke the ABI: retires it, returns the error
	Retire()                          // make a new one in its place if nothing is lost
	Moved(n int)                      // n bytes were taken out
	Done()                            // the end; once
}
