package hostfuncs

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/wasmstate/wasmstate/abi"
)

// fakeKV is a small store with the rules of the runtime's handle: it refuses
// keys with "||" and bulk calls work.
type fakeKV struct {
	mu   sync.Mutex
	data map[string]fakeItem
	rev  int
	slow func(ctx context.Context) // called first, if set
}

type fakeItem struct{ value, etag, ctype []byte }

func newFakeKV() *fakeKV { return &fakeKV{data: map[string]fakeItem{}} }

func (f *fakeKV) Features() abi.Features {
	return abi.FeatureETag | abi.FeatureTransactional | abi.FeatureKeys | abi.FeatureBulk | abi.FeatureContentType | abi.FeatureTTL | abi.FeatureExport
}

func (f *fakeKV) enter(ctx context.Context, key []byte) error {
	if f.slow != nil {
		f.slow(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if bytes.Contains(key, []byte("||")) {
		return abi.NewError(abi.CodeInvalidArgument, "the key contains ||")
	}
	return nil
}

func (f *fakeKV) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	if err := f.enter(ctx, req.Key); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	it, found := f.data[string(req.Key)]
	if !found {
		return abi.ErrNotFound
	}
	resp.Value, resp.ETag, resp.ContentType = append(resp.Value[:0], it.value...), append(resp.ETag[:0], it.etag...), append(resp.ContentType[:0], it.ctype...)
	return nil
}

func (f *fakeKV) check(key, etag []byte, first bool) error {
	it, found := f.data[string(key)]
	if len(etag) > 0 && (!found || !bytes.Equal(etag, it.etag)) || first && len(etag) == 0 && found {
		return abi.ErrETagMismatch
	}
	return nil
}

func (f *fakeKV) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	if err := f.enter(ctx, req.Key); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set(req, resp)
}

func (f *fakeKV) set(req *abi.SetRequest, resp *abi.SetResponse) error {
	if err := f.check(req.Key, req.ETag, req.FirstWrite); err != nil {
		return err
	}
	f.rev++
	it := fakeItem{bytes.Clone(req.Value), []byte(strconv.Itoa(f.rev)), bytes.Clone(req.ContentType)}
	f.data[string(req.Key)] = it
	resp.ETag = append(resp.ETag[:0], it.etag...)
	return nil
}

func (f *fakeKV) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	if err := f.enter(ctx, req.Key); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.delete(req)
}

func (f *fakeKV) delete(req *abi.DeleteRequest) error {
	if err := f.check(req.Key, req.ETag, false); err != nil {
		return err
	}
	delete(f.data, string(req.Key))
	return nil
}

func (f *fakeKV) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	for i := range reqs {
		results[i].Err = f.Get(ctx, &reqs[i], &results[i].GetResponse)
	}
	return ctx.Err()
}

func (f *fakeKV) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error {
	for i := range ops {
		if ops[i].Kind == abi.OpDelete {
			d := ops[i].Delete()
			results[i].Err = f.Delete(ctx, &d)
			continue
		}
		results[i].Err = f.Set(ctx, &ops[i].SetRequest, &results[i].SetResponse)
	}
	return ctx.Err()
}

func (f *fakeKV) Transact(ctx context.Context, ops []abi.Op) error {
	if err := f.enter(ctx, nil); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range ops {
		if err := f.check(ops[i].Key, ops[i].ETag, ops[i].FirstWrite); err != nil {
			return &abi.OpError{Index: i, Err: err}
		}
	}
	for i := range ops {
		if ops[i].Kind == abi.OpDelete {
			d := ops[i].Delete()
			_ = f.delete(&d)
			continue
		}
		_ = f.set(&ops[i].SetRequest, &abi.SetResponse{})
	}
	return nil
}

func (f *fakeKV) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	if err := f.enter(ctx, req.Prefix); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []string
	for k := range f.data {
		if bytes.HasPrefix([]byte(k), req.Prefix) && k > string(req.Cursor) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	resp.Keys, resp.Cursor = nil, nil
	for _, k := range keys[:min(len(keys), req.Limit)] {
		resp.Keys = append(resp.Keys, []byte(k))
	}
	if len(keys) > req.Limit {
		resp.Cursor = []byte(keys[req.Limit-1])
	}
	return nil
}
