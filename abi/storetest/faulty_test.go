package storetest_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
)

// full is what the in-memory store offers.
type full interface {
	abi.Store
	abi.Transactor
	abi.BulkGetter
	abi.BulkWriter
	abi.Lister
	abi.PrefixDeleter
	abi.Pinger
	abi.Exporter
	abi.Importer
}

// faulty is a good store with some operations replaced.
type faulty struct {
	full
	features func() abi.Features
	get      func(context.Context, *abi.GetRequest, *abi.GetResponse) error
	set      func(context.Context, *abi.SetRequest, *abi.SetResponse) error
	del      func(context.Context, *abi.DeleteRequest) error
	transact func(context.Context, []abi.Op) error
	bulkGet  func(context.Context, []abi.GetRequest, []abi.GetResult) error
	bulkSet  func(context.Context, []abi.Op, []abi.WriteResult) error
	keys     func(context.Context, *abi.KeysRequest, *abi.KeysResponse) error
	prefix   func(context.Context, []byte) (int64, error)
	ping     func(context.Context) error
	export   func(context.Context, *abi.ExportRequest, *abi.ExportResponse) error
	imports  func(context.Context, []abi.Item) error
	close    func() error

	reads atomic.Int64      // calls of Get
	mu    sync.Mutex        // guards kept and whatever a fault keeps
	kept  map[string][]byte // for faults that keep what they should not
}

// newFaulty opens a good store and breaks it.
func newFaulty(t testing.TB, spoil func(f *faulty)) abi.Store {
	inner := memstore.New().(full)
	if err := inner.Init(context.Background(), abi.Metadata{}); err != nil {
		t.Fatal(err)
	}
	f := &faulty{
		full: inner, features: inner.Features, get: inner.Get, set: inner.Set, del: inner.Delete, transact: inner.Transact,
		bulkGet: inner.BulkGet, bulkSet: inner.BulkWrite, keys: inner.Keys, prefix: inner.DeleteWithPrefix, ping: inner.Ping,
		export: inner.Export, imports: inner.Import, close: inner.Close, kept: map[string][]byte{},
	}
	spoil(f)
	return f
}

func (f *faulty) Features() abi.Features { return f.features() }
func (f *faulty) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	f.reads.Add(1)
	return f.get(ctx, req, resp)
}
func (f *faulty) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	return f.set(ctx, req, resp)
}
func (f *faulty) Delete(ctx context.Context, req *abi.DeleteRequest) error { return f.del(ctx, req) }
func (f *faulty) Transact(ctx context.Context, ops []abi.Op) error         { return f.transact(ctx, ops) }
func (f *faulty) BulkGet(ctx context.Context, r []abi.GetRequest, out []abi.GetResult) error {
	return f.bulkGet(ctx, r, out)
}
func (f *faulty) BulkWrite(ctx context.Context, ops []abi.Op, out []abi.WriteResult) error {
	return f.bulkSet(ctx, ops, out)
}
func (f *faulty) Keys(ctx context.Context, r *abi.KeysRequest, out *abi.KeysResponse) error {
	return f.keys(ctx, r, out)
}
func (f *faulty) DeleteWithPrefix(ctx context.Context, p []byte) (int64, error) {
	return f.prefix(ctx, p)
}
func (f *faulty) Ping(ctx context.Context) error { return f.ping(ctx) }
func (f *faulty) Export(ctx context.Context, r *abi.ExportRequest, out *abi.ExportResponse) error {
	return f.export(ctx, r, out)
}
func (f *faulty) Import(ctx context.Context, items []abi.Item) error { return f.imports(ctx, items) }
func (f *faulty) Close() error                                       { return f.close() }

// has reports whether a key is there.
func (f *faulty) has(ctx context.Context, key []byte) bool {
	return f.full.Get(ctx, &abi.GetRequest{Key: key}, &abi.GetResponse{}) == nil
}

// values passes every value that is set through change.
func (f *faulty) values(change func([]byte) []byte) {
	f.set = func(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
		r := *req
		r.Value = change(req.Value)
		return f.full.Set(ctx, &r, resp)
	}
	ops := func(in []abi.Op) []abi.Op {
		out := make([]abi.Op, len(in))
		for i := range in {
			out[i] = in[i]
			out[i].Value = change(in[i].Value)
		}
		return out
	}
	f.transact = func(ctx context.Context, in []abi.Op) error { return f.full.Transact(ctx, ops(in)) }
	f.bulkSet = func(ctx context.Context, in []abi.Op, out []abi.WriteResult) error {
		return f.full.BulkWrite(ctx, ops(in), out)
	}
}

// keyed passes every key through change.
func (f *faulty) keyed(change func([]byte) []byte) {
	f.get = func(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
		return f.full.Get(ctx, &abi.GetRequest{Key: change(req.Key)}, resp)
	}
	f.set = func(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
		r := *req
		r.Key = change(req.Key)
		return f.full.Set(ctx, &r, resp)
	}
	f.del = func(ctx context.Context, req *abi.DeleteRequest) error {
		return f.full.Delete(ctx, &abi.DeleteRequest{Key: change(req.Key), ETag: req.ETag})
	}
}

// yield gives others every chance to run between a check and an act.
func yield() {
	for range 50 {
		runtime.Gosched()
	}
}

// racy checks etags and then writes, with others in between.
func (f *faulty) racy() {
	check := func(ctx context.Context, key, etag []byte, create bool) error {
		var resp abi.GetResponse
		err := f.full.Get(ctx, &abi.GetRequest{Key: key}, &resp)
		defer yield()
		if len(etag) > 0 && (err != nil || string(etag) != string(resp.ETag)) || len(etag) == 0 && create && err == nil {
			return abi.ErrETagMismatch
		}
		return nil
	}
	f.set = func(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
		if err := check(ctx, req.Key, req.ETag, req.FirstWrite); err != nil {
			return err
		}
		r := *req
		r.ETag, r.FirstWrite = nil, false
		return f.full.Set(ctx, &r, resp)
	}
	f.del = func(ctx context.Context, req *abi.DeleteRequest) error {
		if err := check(ctx, req.Key, req.ETag, false); err != nil {
			return err
		}
		return f.full.Delete(ctx, &abi.DeleteRequest{Key: req.Key})
	}
	f.transact = func(ctx context.Context, ops []abi.Op) error { // and looks at the state before the transaction only
		plain := make([]abi.Op, len(ops))
		for i := range ops {
			op := &ops[i]
			if err := check(ctx, op.Key, op.ETag, op.FirstWrite && op.Kind == abi.OpSet); err != nil {
				return &abi.OpError{Index: i, Err: err}
			}
			plain[i] = *op
			plain[i].ETag, plain[i].FirstWrite = nil, false
		}
		return f.full.Transact(ctx, plain)
	}
}

// oneByOne applies transactions without atomicity. After each operation it lets
// some reads pass, if there is anybody who reads.
func (f *faulty) oneByOne(ctx context.Context, ops []abi.Op) error {
	for i := range ops {
		before := f.reads.Load()
		if err := f.full.Transact(ctx, ops[i:i+1]); err != nil {
			return &abi.OpError{Index: i, Err: errors.Unwrap(err)}
		}
		for n := 0; n < 10_000 && f.reads.Load() < before+16; n++ {
			runtime.Gosched()
		}
	}
	return nil
}

// versions gives etags that count the writes of a key from 1.
func (f *faulty) versions() {
	real, count := map[string]string{}, map[string]int{} // key+etag shown -> etag of the inner store; key -> writes
	show := func(n int) string { return string(rune('0' + n)) }
	translate := func(key, etag []byte) []byte {
		if len(etag) == 0 {
			return nil
		}
		return []byte("x" + real[string(key)+string(etag)])[1:]
	}
	f.set = func(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		r := *req
		if r.ETag = translate(req.Key, req.ETag); len(req.ETag) > 0 && len(r.ETag) == 0 {
			r.ETag = req.ETag
		}
		if err := f.full.Set(ctx, &r, resp); err != nil {
			return err
		}
		k := string(req.Key)
		count[k]++
		real[k+show(count[k])] = string(resp.ETag)
		resp.ETag = append(resp.ETag[:0], show(count[k])...)
		return nil
	}
	f.del = func(ctx context.Context, req *abi.DeleteRequest) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(count, string(req.Key))
		return f.full.Delete(ctx, &abi.DeleteRequest{Key: req.Key, ETag: translate(req.Key, req.ETag)})
	}
	export := f.export
	f.export = func(ctx context.Context, r *abi.ExportRequest, out *abi.ExportResponse) error {
		err := export(ctx, r, out)
		for i := range out.Items {
			out.Items[i].ETag = []byte(show(count[string(out.Items[i].Key)]))
		}
		return err
	}
}
