package main

import (
	"context"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
	"github.com/wasmstate/wasmstate/guests/sdk/go/kv"
)

// maxOps bounds a transaction: an operation takes up to four writes in the
// bucket, which takes 1,000 at once.
const maxOps = 250

// store keeps everything in the bucket, so that any number of instances can
// serve the same keys. One call at a time, as modules are called.
type store struct {
	bucket *kv.Bucket
	keep   uint64 // versions of a key; 0 = all
	read   abi.GetResponse
	closed bool
}

var (
	_ abi.Store              = (*store)(nil)
	_ abi.Transactor         = (*store)(nil)
	_ abi.TransactionLimiter = (*store)(nil)
	_ abi.Lister             = (*store)(nil)
)

func (s *store) Init(_ context.Context, md abi.Metadata) error {
	b, err := kv.Open("data")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		feature abi.Features
		name    string
	}{
		{abi.FeatureETag, "ETAG"}, {abi.FeatureTransactional, "TRANSACTIONAL"},
		{abi.FeatureTTL, "TTL"}, {abi.FeatureKeys, "KEYS"},
	} {
		if !b.Features().Has(f.feature) {
			return abi.NewError(abi.CodeInvalidArgument, "the component behind the kv label data has no "+f.name+
				", which a journal needs: bind another one, such as state.sqlite")
		}
	}
	if text := md.Properties["keep"]; text != "" {
		if s.keep, err = strconv.ParseUint(text, 10, 31); err != nil {
			return abi.NewError(abi.CodeInvalidArgument, "keep must be a number of versions, 0 for all")
		}
	}
	s.bucket = b
	return nil
}

func (s *store) Features() abi.Features {
	return abi.FeatureETag | abi.FeatureTransactional | abi.FeatureTTL | abi.FeatureKeys | abi.FeatureContentType
}

func (s *store) MaxTransactionOps() int { return maxOps }

func (s *store) enter(ctx context.Context) error {
	if s.closed {
		return abi.ErrClosed
	}
	return ctx.Err()
}

// Get reads the current version, or the one that the metadata entry version
// asks for, which may be expired.
func (s *store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	v, _, err := s.load(headKey(req.Key))
	if err != nil {
		return err
	}
	old := false
	for _, p := range req.Metadata {
		if p.Name != "version" || p.Value == "" {
			continue
		}
		seq, err := strconv.ParseUint(p.Value, 10, 64)
		if err != nil {
			return abi.NewError(abi.CodeInvalidArgument, "version must be a number, as etags are")
		}
		if old = true; seq != v.seq {
			if v, _, err = s.load(historyKey(req.Key, seq)); err != nil {
				return err
			}
		}
	}
	if v.seq == 0 || v.deleted || !old && !v.exists(sdk.NowMillis()) {
		return abi.ErrNotFound
	}
	resp.Value = append(resp.Value[:0], v.value...)
	resp.ETag = strconv.AppendUint(resp.ETag[:0], v.seq, 10)
	resp.ContentType = append(resp.ContentType[:0], v.contentType...)
	resp.ExpiresAt = v.expires
	return nil
}

// load reads a version with its etag in the bucket; both are zero if there is
// none. The slices of the version are valid until the next call.
func (s *store) load(key []byte) (version, []byte, error) {
	s.read.Reset()
	switch err := s.bucket.Get(&abi.GetRequest{Key: key}, &s.read); {
	case codeOf(err) == abi.CodeNotFound:
		return version{}, nil, nil
	case err != nil:
		return version{}, nil, err
	}
	v, err := decode(s.read.Value)
	return v, s.read.ETag, err
}

func (s *store) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	seq, err := s.apply(ctx, []abi.Op{{SetRequest: *req}})
	if err == nil {
		resp.ETag = strconv.AppendUint(resp.ETag[:0], seq, 10)
	}
	return cause(err)
}

func (s *store) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	_, err := s.apply(ctx, []abi.Op{{Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: req.Key, ETag: req.ETag}}})
	return cause(err)
}

// Transact applies the operations in one transaction of the bucket.
func (s *store) Transact(ctx context.Context, ops []abi.Op) error {
	if len(ops) > maxOps {
		return abi.NewError(abi.CodeTooLarge, "a transaction has at most 250 operations")
	}
	_, err := s.apply(ctx, ops)
	return err
}

// Keys lists the keys of the index. The clock decides what has expired, as in
// Get: the bucket removes its entries a little later.
func (s *store) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	resp.Keys, resp.Cursor = resp.Keys[:0], resp.Cursor[:0]
	page := abi.KeysResponse{}
	in := abi.KeysRequest{Prefix: liveKey(req.Prefix), Cursor: req.Cursor, Limit: min(req.Limit, 1000)}
	for {
		if err := s.bucket.Keys(&in, &page); err != nil {
			return err
		}
		reqs := make([]abi.GetRequest, len(page.Keys))
		for i, k := range page.Keys {
			reqs[i].Key = k
		}
		expiries := make([]abi.GetResult, len(reqs))
		if err := s.bucket.BulkGet(reqs, expiries); err != nil {
			return err
		}
		now := sdk.NowMillis()
		for i, k := range page.Keys {
			switch err := expiries[i].Err; {
			case codeOf(err) == abi.CodeNotFound: // deleted meanwhile
				continue
			case err != nil:
				return err
			}
			expires, err := strconv.ParseInt(string(expiries[i].Value), 10, 64)
			if err != nil {
				return errCorrupt
			}
			if expires == 0 || expires > now {
				resp.Keys = append(resp.Keys, k[len(livePrefix):])
			}
		}
		resp.Cursor = append(resp.Cursor[:0], page.Cursor...)
		if len(resp.Keys) > 0 || len(page.Cursor) == 0 {
			return nil
		}
		in.Cursor = resp.Cursor
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (s *store) Close() error {
	s.closed = true
	return nil
}

// codeOf is abi.CodeOf without the reflection of errors.As, which would be the
// largest part of the module.
func codeOf(err error) abi.Code {
	switch e := cause(err).(type) { //nolint:errorlint // see above; buckets return bare errors
	case nil:
		return abi.CodeOK
	case *abi.Error:
		return e.Code
	}
	return abi.CodeInternal
}

// cause is the error without the index of the operation.
func cause(err error) error {
	if e, ok := err.(*abi.OpError); ok { //nolint:errorlint // see codeOf
		return e.Err
	}
	return err
}
