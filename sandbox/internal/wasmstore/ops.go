package wasmstore

import (
	"context"

	"github.com/wasmstate/wasmstate/abi"
)

// shard is the shard of a key (FNV-1a). It must not change: a module that is
// reloaded hands its keys over by it.
func (s *Store) shard(key []byte) uint32 {
	n := s.g.Shards()
	if n == 1 {
		return 0
	}
	h := uint32(2166136261)
	for _, b := range key {
		h = (h ^ uint32(b)) * 16777619
	}
	return h % uint32(n)
}

// Get implements abi.Store. It does not allocate but for what it appends.
func (s *Store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	resp.Reset()
	in, err := s.g.Acquire(ctx, opGet, s.shard(req.Key))
	if err != nil {
		return err
	}
	defer in.Done()
	return s.get(in, req, resp)
}

func (s *Store) get(in Instance, req *abi.GetRequest, resp *abi.GetResponse) error {
	e := abi.Encoder{Buf: in.Buffer()}
	e.Get(req, in.Remaining())
	if !e.Fits() {
		if err := s.grow(in, e.Size()); err != nil {
			return err
		}
		e = abi.Encoder{Buf: in.Buffer()}
		e.Get(req, in.Remaining())
	}
	a, err := call(in, opGet, uint32(e.Size()))
	if err != nil {
		return err
	}
	if a.code != abi.CodeOK {
		return s.err(in, &a)
	}
	return s.take(in, &a.ResponseView, resp)
}

// take copies an entry into the caller's buffers, the only copy there is.
func (s *Store) take(in Instance, v *abi.ResponseView, resp *abi.GetResponse) error {
	value, err := slice(in, v.Value, "value")
	if err != nil {
		return err
	}
	resp.Value = append(resp.Value[:0], value...)
	in.Moved(len(value))
	if s.features&abi.FeatureETag != 0 {
		etag, err := slice(in, v.ETag, "etag")
		if err != nil {
			return err
		}
		resp.ETag = append(resp.ETag[:0], etag...)
	}
	if s.features&abi.FeatureContentType != 0 && v.ContentType.Len != 0 {
		ct, err := slice(in, v.ContentType, "content type")
		if err != nil {
			return err
		}
		resp.ContentType = append(resp.ContentType[:0], ct...)
	}
	if s.features&abi.FeatureTTL != 0 {
		if v.ExpiresAt < 0 {
			return in.Violate("the expiry is negative")
		}
		resp.ExpiresAt = v.ExpiresAt
	}
	return nil
}

// Set implements abi.Store. It does not allocate but for what it appends.
func (s *Store) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	resp.ETag = resp.ETag[:0]
	if err := s.checkSet(req); err != nil {
		return err
	}
	in, err := s.g.Acquire(ctx, opSet, s.shard(req.Key))
	if err != nil {
		return err
	}
	defer in.Done()
	return s.set(in, req, resp)
}

func (s *Store) set(in Instance, req *abi.SetRequest, resp *abi.SetResponse) error {
	e := abi.Encoder{Buf: in.Buffer()}
	e.Set(req, in.Remaining())
	if !e.Fits() {
		if err := s.grow(in, e.Size()); err != nil {
			return err
		}
		e = abi.Encoder{Buf: in.Buffer()}
		e.Set(req, in.Remaining())
	}
	a, err := call(in, opSet, uint32(e.Size()))
	if err != nil {
		return err
	}
	if a.code != abi.CodeOK {
		return s.err(in, &a)
	}
	return s.takeETag(in, &a.ResponseView, resp)
}

func (s *Store) takeETag(in Instance, v *abi.ResponseView, resp *abi.SetResponse) error {
	if s.features&abi.FeatureETag == 0 {
		return nil
	}
	etag, err := slice(in, v.ETag, "etag")
	if err != nil {
		return err
	}
	resp.ETag = append(resp.ETag[:0], etag...)
	return nil
}

// checkSet refuses what the guest does not offer before it is bothered.
func (s *Store) checkSet(req *abi.SetRequest) error {
	if (len(req.ETag) > 0 || req.FirstWrite) && s.features&abi.FeatureETag == 0 {
		return unsupported(abi.FeatureETag)
	}
	if req.TTL > 0 && s.features&abi.FeatureTTL == 0 {
		return unsupported(abi.FeatureTTL)
	}
	return nil
}

func (s *Store) checkDelete(etag []byte) error {
	if len(etag) > 0 && s.features&abi.FeatureETag == 0 {
		return unsupported(abi.FeatureETag)
	}
	return nil
}

func (s *Store) checkOp(op *abi.Op) error {
	if op.Kind == abi.OpDelete {
		return s.checkDelete(op.ETag)
	}
	return s.checkSet(&op.SetRequest)
}

// Delete implements abi.Store.
func (s *Store) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	if err := s.checkDelete(req.ETag); err != nil {
		return err
	}
	in, err := s.g.Acquire(ctx, opDelete, s.shard(req.Key))
	if err != nil {
		return err
	}
	defer in.Done()
	return s.delete(in, req)
}

func (s *Store) delete(in Instance, req *abi.DeleteRequest) error {
	e := abi.Encoder{Buf: in.Buffer()}
	e.Delete(req, in.Remaining())
	if !e.Fits() {
		if err := s.grow(in, e.Size()); err != nil {
			return err
		}
		e = abi.Encoder{Buf: in.Buffer()}
		e.Delete(req, in.Remaining())
	}
	a, err := call(in, opDelete, uint32(e.Size()))
	if err != nil {
		return err
	}
	return s.err(in, &a)
}
