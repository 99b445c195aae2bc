package hostfuncs

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// Prices of host calls in fuel, about one unit per instruction that the guest
// could have run meanwhile.
const (
	priceTiny = 100   // a few loads
	priceCopy = 500   // a bounded copy, a lock
	priceKV   = 2_000 // a call into another store
	priceNet  = 20_000
)

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

// function is one host function. Exactly one of plain and coded is set.
type function struct {
	module, name string
	params       []api.ValueType
	result       []api.ValueType // none, i32 or i64
	price        int64

	// plain reads parameters from and leaves its result in p.
	plain func(s *State, m api.Memory, p []uint64)
	// coded returns code<<32 | number, and is not called beyond the limit of calls.
	coded func(s *State, m api.Memory, p []uint64) uint64
}

// functions are all host functions, in the order of the specification.
func functions() []function {
	list := []function{
		{abi.ImportLog, "log", params(i32, i32, i32), nil, priceCopy, logLine, nil},
		{abi.ImportLog, "enabled", params(i32), params(i32), priceTiny, logEnabled, nil},
		{abi.ImportClock, "now", nil, params(i64), priceTiny, clockNow, nil},
		{abi.ImportClock, "monotonic", nil, params(i64), priceTiny, clockMonotonic, nil},
		coded(abi.ImportRandom, "fill", priceCopy, randomFill, i32, i32),
		coded(abi.ImportConfig, "get", priceCopy, configGet, i32, i32, i32, i32),
		coded(abi.ImportSecret, "get", priceKV, secretGet, i32, i32, i32, i32),
		coded(abi.ImportMetric, "add", priceCopy, metricAdd, i32, i32, i64),
		coded(abi.ImportMetric, "observe", priceCopy, metricObserve, i32, i32, i64),
		coded(abi.ImportKV, "bucket", priceTiny, kvBucket, i32, i32),
		coded(abi.ImportKV, "features", priceTiny, kvFeatures, i32),
		coded(abi.ImportKV, "get", priceKV, kvCall(kvGet, requestDeadline), i32, i32, i32, i32, i32),
		coded(abi.ImportKV, "set", priceKV, kvCall(kvSet, requestDeadline), i32, i32, i32, i32, i32),
		coded(abi.ImportKV, "delete", priceKV, kvCall(kvDelete, requestDeadline), i32, i32, i32, i32, i32),
		coded(abi.ImportKV, "bulk_get", priceKV, kvCall(kvBulkGet, batchDeadline), i32, i32, i32, i32, i32),
		coded(abi.ImportKV, "bulk_write", priceKV, kvCall(kvBulkWrite, batchDeadline), i32, i32, i32, i32, i32),
		coded(abi.ImportKV, "transact", priceKV, kvCall(kvTransact, batchDeadline), i32, i32, i32, i32, i32),
		coded(abi.ImportKV, "keys", priceKV, kvCall(kvKeys, requestDeadline), i32, i32, i32, i32, i32),
		coded(abi.ImportKV, "result", priceCopy, kvResult, i32, i32),
		coded(abi.ImportHTTP, "start", priceNet, httpStart, i32, i32),
		coded(abi.ImportHTTP, "write", priceNet, httpWrite, i32, i32, i32),
		coded(abi.ImportHTTP, "response", priceNet, httpResponse, i32, i32, i32),
		coded(abi.ImportHTTP, "read", priceKV, httpRead, i32, i32, i32),
		coded(abi.ImportHTTP, "close", priceCopy, httpClose, i32),
		coded(abi.ImportTCP, "connect", priceNet, tcpConnect, i32, i32, i32, i32),
		coded(abi.ImportTCP, "read", priceKV, tcpRead, i32, i32, i32, i32),
		coded(abi.ImportTCP, "write", priceKV, tcpWrite, i32, i32, i32, i32),
		coded(abi.ImportTCP, "close", priceCopy, tcpClose, i32),
		{moduleEnv, "abort", params(i32, i32, i32, i32), nil, priceCopy, envAbort, nil},
	}
	return append(list, wasiFunctions()...)
}

func params(types ...api.ValueType) []api.ValueType { return types }

func coded(module, name string, price int64, f func(*State, api.Memory, []uint64) uint64, types ...api.ValueType) function {
	return function{module: module, name: name, params: types, result: params(i64), price: price, coded: f}
}

// bind returns f as wazero calls it.
func (f *function) bind() api.GoModuleFunc {
	price, plain, coded := f.price, f.plain, f.coded
	if plain != nil {
		return func(ctx context.Context, caller api.Module, stack []uint64) {
			s := stateOf(ctx)
			s.Fuel += price
			if !s.take() {
				panic(&LimitError{}) // there is no way to answer
			}
			plain(s, caller.Memory(), stack)
		}
	}
	return func(ctx context.Context, caller api.Module, stack []uint64) {
		s := stateOf(ctx)
		s.Fuel += price
		if !s.take() {
			stack[0] = fail(abi.CodeQuota)
			return
		}
		stack[0] = coded(s, caller.Memory(), stack)
	}
}

// refuse returns a function of f's type that answers permission denied, for
// optional capabilities that are not granted.
func (f *function) refuse() api.GoModuleFunc {
	price := f.price
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		stateOf(ctx).Fuel += price
		stack[0] = fail(abi.CodePermission)
	}
}

func stateOf(ctx context.Context) *State {
	s := FromContext(ctx)
	if s == nil {
		panic(errNoState)
	}
	return s
}
