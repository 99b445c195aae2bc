package hostfuncs

import (
	"context"
	"errors"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

var (
	errBadRecord = abi.NewError(abi.CodeInvalidArgument, "the request is not a record of the specification")
	errBadFlags  = abi.NewError(abi.CodeUnsupported, "the request has a flag that this version does not know")
	errBadTTL    = abi.NewError(abi.CodeInvalidArgument, "the time to live must be 0 or 1 second to 2^31-1 seconds")
	errBatch     = abi.NewError(abi.CodeTooLarge, "a batch has at most 1000 items")
	errValue     = abi.NewError(abi.CodeTooLarge, "the value is longer than 4 MiB")
	errBatchSize = abi.NewError(abi.CodeTooLarge, "the batch has more than 64 MiB")
	errCursor    = abi.NewError(abi.CodeInvalidArgument, "the cursor is longer than 64 KiB, so it is none of a listing")
	errPage      = abi.NewError(abi.CodeInternal, "the component behind the bucket listed more keys than it was asked for")
	errForeign   = abi.NewError(abi.CodeInternal, "the component behind the bucket listed a key of somebody else")
)

// must are the flags that a reader has to understand.
const must = 1<<16 - 1

// single reads a request record with a key into s.kv.key. flags are those that
// the operation knows.
func (s *State) single(b *bucket, flags uint32) (abi.RequestView, error) {
	v, valid := abi.ParseRequest(s.kv.in, 0)
	if !valid {
		return v, errBadRecord
	}
	if err := checkItem(&v, flags); err != nil {
		return v, err
	}
	s.kv.key = b.appendKey(s.kv.key[:0], v.Key)
	return v, nil
}

func checkItem(v *abi.RequestView, flags uint32) error {
	switch {
	case v.Flags&must&^flags != 0:
		return errBadFlags
	case v.TTL != 0 && (v.TTL < 1000 || v.TTL > uint64(abi.MaxTTL/time.Millisecond)):
		return errBadTTL
	}
	switch {
	case len(v.Value) > maxKVValue:
		return errValue
	case len(v.ETag) > maxETag:
		return errETag
	case len(v.ContentType) > maxContentType:
		return errContentType
	}
	return checkKey(v.Key, false)
}

func consistency(flags uint32) abi.Consistency {
	switch {
	case flags&abi.FlagStrong != 0:
		return abi.ConsistencyStrong
	case flags&abi.FlagEventual != 0:
		return abi.ConsistencyEventual
	}
	return abi.ConsistencyDefault
}

func kvGet(ctx context.Context, s *State, b *bucket) error {
	v, err := s.single(b, 0)
	if err != nil {
		return err
	}
	k := s.kv
	k.getReq = abi.GetRequest{Key: k.key, Consistency: consistency(v.Flags)}
	k.getResp.Reset()
	if err := b.kv.Get(ctx, &k.getReq, &k.getResp); err != nil {
		return err
	}
	k.reply.present = true
	k.reply.head.get(&k.getResp)
	return nil
}

func kvSet(ctx context.Context, s *State, b *bucket) error {
	v, err := s.single(b, abi.FlagFirstWrite)
	if err != nil {
		return err
	}
	k := s.kv
	k.setReq = setRequest(k.key, &v)
	k.setResp.ETag = k.setResp.ETag[:0]
	if err := b.kv.Set(ctx, &k.setReq, &k.setResp); err != nil {
		return err
	}
	k.reply.present = true
	k.reply.head.etag = k.setResp.ETag
	return nil
}

func setRequest(key []byte, v *abi.RequestView) abi.SetRequest {
	return abi.SetRequest{
		Key: key, Value: v.Value, ETag: v.ETag, ContentType: v.ContentType, FirstWrite: v.Flags&abi.FlagFirstWrite != 0,
		TTL: time.Duration(v.TTL) * time.Millisecond, Consistency: consistency(v.Flags),
	}
}

func kvDelete(ctx context.Context, s *State, b *bucket) error {
	v, err := s.single(b, 0)
	if err != nil {
		return err
	}
	k := s.kv
	k.delReq = abi.DeleteRequest{Key: k.key, ETag: v.ETag, Consistency: consistency(v.Flags)}
	return b.kv.Delete(ctx, &k.delReq)
}

// batch reads a batch record. The stored keys share one new buffer.
func (s *State) batch(b *bucket, flags uint32) ([]abi.RequestView, [][]byte, error) {
	v, valid := abi.ParseBatch(s.kv.in)
	switch {
	case !valid:
		return nil, nil, errBadRecord
	case v.Flags&must != 0:
		return nil, nil, errBadFlags
	case v.Count > maxKVBatch:
		return nil, nil, errBatch
	}
	items, keys := make([]abi.RequestView, v.Count), make([][]byte, v.Count)
	size, all := 0, tally{left: abi.MaxBuffer}
	for i := range items {
		item, valid := v.Item(i)
		if !valid {
			return nil, nil, &abi.OpError{Index: i, Err: errBadRecord}
		}
		if err := checkItem(&item, flags); err != nil {
			return nil, nil, &abi.OpError{Index: i, Err: err}
		}
		items[i] = item
		size += len(b.prefix) + len(item.Key)
		if !all.request(&item) {
			return nil, nil, errBatchSize
		}
	}
	if more := int64(all.sum) - int64(len(s.kv.in)); more > 0 && !s.move(int(more)) { // the record itself was counted
		return nil, nil, errMoved
	}
	buf := make([]byte, 0, size+size/8)
	for i := range items {
		at := len(buf)
		buf = b.appendKey(buf, items[i].Key)
		keys[i] = buf[at:len(buf):len(buf)]
	}
	return items, keys, nil
}

func kvBulkGet(ctx context.Context, s *State, b *bucket) error {
	items, keys, err := s.batch(b, 0)
	if err != nil {
		return err
	}
	reqs, results := make([]abi.GetRequest, len(items)), make([]abi.GetResult, len(items))
	for i := range items {
		reqs[i] = abi.GetRequest{Key: keys[i], Consistency: consistency(items[i].Flags)}
	}
	if err := s.readBulk(ctx, b, reqs, results); err != nil {
		return err
	}
	r := &s.kv.reply
	r.list(len(results))
	for i := range results {
		if err := results[i].Err; err != nil {
			r.items[i].code = uint32(codeOf(err))
			continue
		}
		r.items[i].get(&results[i].GetResponse)
	}
	return nil
}

// readBulk reads in pieces, so that what is held stays below the size of a reply
// plus one item: a piece has as many keys as there is room for if every item is
// as large as a guest may write it, and as the largest one was so far. The first
// one has one key, and each at most twice as many as the one before, because
// others may have written larger items. What was read for nothing counts too;
// deliver counts the rest.
func (s *State) readBulk(ctx context.Context, b *bucket, reqs []abi.GetRequest, results []abi.GetResult) error {
	bound, full := uint64(abi.MaxBuffer), errBatchSize
	if left := uint64(s.room()); left < bound {
		bound, full = left, errMoved
	}
	all := tally{left: bound}
	largest, piece := uint64(maxKVValue+maxETag+maxContentType), 1
	for at := 0; at < len(reqs); piece *= 2 {
		if err := ctx.Err(); err != nil { // not every back end looks at it
			s.spend(all.sum)
			return err
		}
		piece = max(1, min(piece, maxBulkGet, int(all.left/largest)))
		end := min(at+piece, len(reqs))
		if err := b.kv.BulkGet(ctx, reqs[at:end:end], results[at:end:end]); err != nil {
			s.spend(all.sum)
			return err
		}
		fits := true
		for ; at < end; at++ {
			before := all.sum
			fits = all.response(&results[at].GetResponse) && fits
			largest = max(largest, all.sum-before)
		}
		if !fits {
			s.spend(all.sum)
			return full
		}
	}
	return nil
}

// writes reads a batch of sets and deletes.
func (s *State) writes(b *bucket) ([]abi.Op, error) {
	items, keys, err := s.batch(b, abi.FlagFirstWrite|abi.FlagDelete)
	if err != nil {
		return nil, err
	}
	ops := make([]abi.Op, len(items))
	for i := range items {
		v := &items[i]
		if v.Flags&abi.FlagDelete == 0 {
			ops[i] = abi.Op{Kind: abi.OpSet, SetRequest: setRequest(keys[i], v)}
			continue
		}
		if v.Flags&abi.FlagFirstWrite != 0 || v.TTL != 0 || len(v.Value) > 0 {
			return nil, &abi.OpError{Index: i, Err: errBadRecord}
		}
		ops[i].Kind = abi.OpDelete
		ops[i].Key, ops[i].ETag, ops[i].Consistency = keys[i], v.ETag, consistency(v.Flags)
	}
	return ops, nil
}

func kvBulkWrite(ctx context.Context, s *State, b *bucket) error {
	ops, err := s.writes(b)
	if err != nil {
		return err
	}
	results := make([]abi.WriteResult, len(ops))
	if err := b.kv.BulkWrite(ctx, ops, results); err != nil {
		return err
	}
	r := &s.kv.reply
	r.list(len(results))
	for i := range results {
		if err := results[i].Err; err != nil {
			r.items[i].code = uint32(codeOf(err))
			continue
		}
		r.items[i].etag = results[i].ETag
	}
	return nil
}

func kvTransact(ctx context.Context, s *State, b *bucket) error {
	err := s.transact(ctx, b)
	var guilty *abi.OpError
	if err != nil && !errors.As(err, &guilty) {
		// No record, not even for a message: it would blame operation 0.
		return &abi.Error{Code: codeOf(err)}
	}
	return err
}

func (s *State) transact(ctx context.Context, b *bucket) error {
	if !b.kv.Features().Has(abi.FeatureTransactional) {
		return abi.ErrUnsupported
	}
	ops, err := s.writes(b)
	if err != nil {
		return err
	}
	return b.kv.Transact(ctx, ops)
}

func kvKeys(ctx context.Context, s *State, b *bucket) error {
	v, valid := abi.ParseRequest(s.kv.in, 0)
	if !valid {
		return errBadRecord
	}
	if v.Flags&must != 0 {
		return errBadFlags
	}
	if err := checkKey(v.Key, true); err != nil {
		return err
	}
	if len(v.Value) > maxCursor {
		return errCursor
	}
	limit := int(min(v.Limit, maxKVPage))
	if limit == 0 {
		limit = defaultPage
	}
	req := abi.KeysRequest{Prefix: b.appendKey(nil, v.Key), Cursor: v.Value, Limit: limit}
	var resp abi.KeysResponse
	if err := b.kv.Keys(ctx, &req, &resp); err != nil {
		return err
	}
	if len(resp.Keys) > limit {
		return errPage
	}
	r := &s.kv.reply
	r.list(len(resp.Keys))
	r.head.key = resp.Cursor
	for i, stored := range resp.Keys {
		key, own := b.guestKey(stored)
		if !own {
			return errForeign
		}
		r.items[i].key = key
	}
	return nil
}
