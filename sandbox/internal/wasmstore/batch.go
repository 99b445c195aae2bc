package wasmstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
)

// items returns the i-th item records of a response. They lie next to each
// other in guest memory, size bytes each.
type items struct {
	mem   []byte
	size  uint64
	count int
}

func (a *answer) items(in Instance, most int) (items, error) {
	n, size, addr := uint64(a.Items.Len), uint64(a.ItemSize), uint64(a.Items.Addr)
	if n == 0 {
		return items{}, nil
	}
	mem := in.Memory()
	if n > uint64(most) {
		return items{}, in.Violate(fmt.Sprintf("the response has %d items and may have %d", n, most))
	}
	// n <= 2^32 and size <= 2^32, so that the product does not overflow and
	// neither does the sum: the product is checked first.
	if size < abi.ResponseSize || n*size > uint64(len(mem)) || addr+n*size > uint64(len(mem)) {
		return items{}, in.Violate(fmt.Sprintf("the items point outside of its memory: %d of %d bytes at %#x", n, size, addr))
	}
	return items{mem: mem[addr : addr+n*size], size: size, count: int(n)}, nil
}

func (it *items) at(in Instance, i int) (abi.ResponseView, error) {
	rec := it.mem[uint64(i)*it.size : uint64(i+1)*it.size]
	v, ok := abi.ParseResponse(rec)
	if !ok {
		return v, in.Violate(fmt.Sprintf("item %d is not a record", i))
	}
	return v, nil
}

// copier bounds what one response may make the host copy: a guest can point
// any number of items at the same large area.
type copier struct{ left int }

func (c *copier) copy(in Instance, s abi.Span, what string) ([]byte, error) {
	b, err := slice(in, s, what)
	if err != nil || len(b) == 0 {
		return nil, err
	}
	if c.left -= len(b); c.left < 0 {
		return nil, abi.NewError(abi.CodeTooLarge, fmt.Sprintf("the response is larger than %d bytes", maxCopy))
	}
	return bytes.Clone(b), nil
}

// BulkGet implements abi.BulkGetter.
func (s *Store) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	if !s.features.Has(abi.FeatureBulk) {
		return unsupported(abi.FeatureBulk)
	}
	if len(reqs) == 0 {
		return nil
	}
	in, err := s.g.Acquire(ctx, opBulkGet, 0)
	if err != nil {
		return err
	}
	defer in.Done()
	it, err := s.batch(in, opBulkGet, len(reqs), func(e *abi.Encoder) { e.BulkGet(reqs, in.Remaining()) })
	if err != nil {
		return err
	}
	left := maxCopy
	for i := range results {
		r := &results[i]
		r.Reset()
		r.Err = nil
		v, err := it.at(in, i)
		if err != nil {
			return err
		}
		code := abi.Code(v.Code)
		switch {
		case !code.Valid():
			return in.Violate(fmt.Sprintf("item %d has status %d, which does not exist", i, v.Code))
		case code != abi.CodeOK:
			r.Err = s.failure(in, code, v.Message)
			continue
		}
		if left -= int(v.Value.Len) + int(v.ETag.Len) + int(v.ContentType.Len) + abi.ResponseSize; left < 0 {
			r.Err = abi.NewError(abi.CodeTooLarge, fmt.Sprintf("the response is larger than %d bytes: ask for fewer keys", maxCopy))
			continue
		}
		if err := s.take(in, &v, &r.GetResponse); err != nil {
			return err
		}
	}
	return nil
}

// BulkWrite implements abi.BulkWriter.
func (s *Store) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error {
	if !s.features.Has(abi.FeatureBulk) {
		return unsupported(abi.FeatureBulk)
	}
	for i := range ops {
		if err := s.checkOp(&ops[i]); err != nil {
			return err
		}
	}
	if len(ops) == 0 {
		return nil
	}
	in, err := s.g.Acquire(ctx, opBulkWrite, 0)
	if err != nil {
		return err
	}
	defer in.Done()
	it, err := s.batch(in, opBulkWrite, len(ops), func(e *abi.Encoder) { e.Ops(ops, in.Remaining()) })
	if err != nil {
		return err
	}
	left := maxCopy
	for i := range results {
		r := &results[i]
		r.ETag, r.Err = r.ETag[:0], nil
		v, err := it.at(in, i)
		if err != nil {
			return err
		}
		code := abi.Code(v.Code)
		if !code.Valid() {
			return in.Violate(fmt.Sprintf("item %d has status %d, which does not exist", i, v.Code))
		}
		if code != abi.CodeOK {
			r.Err = s.failure(in, code, v.Message)
			continue
		}
		if left -= int(v.ETag.Len); left < 0 {
			return in.Violate("the etags of the response are too large")
		}
		if err := s.takeETag(in, &v, &r.SetResponse); err != nil {
			return err
		}
	}
	return nil
}

// batch makes a call that answers with exactly n items.
func (s *Store) batch(in Instance, op, n int, encode func(e *abi.Encoder)) (items, error) {
	a, err := s.exchange(in, op, encode)
	if err != nil {
		return items{}, err
	}
	if a.code != abi.CodeOK {
		return items{}, s.err(in, &a)
	}
	it, err := a.items(in, n)
	if err == nil && it.count != n {
		err = in.Violate(fmt.Sprintf("the response has %d items and must have %d", it.count, n))
	}
	return it, err
}

// Transact implements abi.Transactor.
func (s *Store) Transact(ctx context.Context, ops []abi.Op) error {
	if !s.features.Has(abi.FeatureTransactional) {
		return unsupported(abi.FeatureTransactional)
	}
	for i := range ops {
		if err := s.checkOp(&ops[i]); err != nil {
			return &abi.OpError{Index: i, Err: err}
		}
	}
	switch {
	case len(ops) == 0:
		return nil
	case len(ops) > s.maxOps:
		return abi.NewError(abi.CodeTooLarge, fmt.Sprintf("the transaction has %d operations and may have %d", len(ops), s.maxOps))
	}
	in, err := s.g.Acquire(ctx, opTransact, 0)
	if err != nil {
		return err
	}
	defer in.Done()
	a, err := s.exchange(in, opTransact, func(e *abi.Encoder) { e.Ops(ops, in.Remaining()) })
	if err != nil {
		return err
	}
	err = s.err(in, &a)
	if err == nil || a.empty {
		return err
	}
	if a.Code >= uint32(len(ops)) {
		return in.Violate(fmt.Sprintf("operation %d of %d is said to have failed", a.Code, len(ops)))
	}
	return &abi.OpError{Index: int(a.Code), Err: err}
}

// Keys implements abi.Lister.
func (s *Store) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	resp.Keys, resp.Cursor = resp.Keys[:0], resp.Cursor[:0]
	if !s.features.Has(abi.FeatureKeys) {
		return unsupported(abi.FeatureKeys)
	}
	in, err := s.g.Acquire(ctx, opKeys, 0)
	if err != nil {
		return err
	}
	defer in.Done()
	a, err := s.exchange(in, opKeys, func(e *abi.Encoder) { e.Keys(req, in.Remaining()) })
	if err != nil {
		return err
	}
	if a.code != abi.CodeOK {
		return s.err(in, &a)
	}
	it, err := a.items(in, req.Limit)
	if err != nil {
		return err
	}
	c := copier{left: maxCopy}
	for i := range it.count {
		v, err := it.at(in, i)
		if err != nil {
			return err
		}
		key, err := c.copy(in, v.Key, "key")
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(key, req.Prefix) || i > 0 && bytes.Compare(resp.Keys[i-1], key) >= 0 {
			return in.Violate(fmt.Sprintf("key %d of the list is out of order or lacks the prefix", i))
		}
		resp.Keys = append(resp.Keys, key)
	}
	resp.Cursor, err = c.copy(in, a.Key, "cursor")
	return err
}

// Export implements abi.Exporter. With shards the cursor begins with the
// shard's number, and one shard is exported after the other.
func (s *Store) Export(ctx context.Context, req *abi.ExportRequest, resp *abi.ExportResponse) error {
	if !s.features.Has(abi.FeatureExport) {
		return unsupported(abi.FeatureExport)
	}
	shards := uint32(s.g.Shards())
	sub := *req
	shard := uint32(0)
	if shards > 1 && len(req.Cursor) > 0 {
		if len(req.Cursor) < 4 || binary.LittleEndian.Uint32(req.Cursor) >= shards {
			return abi.NewError(abi.CodeInvalidArgument, "the export cursor is not one of this store")
		}
		shard, sub.Cursor = binary.LittleEndian.Uint32(req.Cursor), req.Cursor[4:]
	}
	in, err := s.g.Acquire(ctx, opExport, shard)
	if err != nil {
		return err
	}
	defer in.Done()
	cursor, err := s.export(in, &sub, resp)
	switch {
	case err != nil:
		return err
	case shards == 1:
		resp.Cursor = cursor
	case len(cursor) > 0:
		resp.Cursor = append(binary.LittleEndian.AppendUint32(nil, shard), cursor...)
	case shard+1 < shards:
		resp.Cursor = binary.LittleEndian.AppendUint32(nil, shard+1)
	default:
		resp.Cursor = nil
	}
	return nil
}

func (s *Store) export(in Instance, req *abi.ExportRequest, resp *abi.ExportResponse) ([]byte, error) {
	a, err := s.exchange(in, opExport, func(e *abi.Encoder) { e.Export(req, in.Remaining()) })
	if err != nil {
		return nil, err
	}
	if a.code != abi.CodeOK {
		return nil, s.err(in, &a)
	}
	it, err := a.items(in, 1<<20)
	if err != nil {
		return nil, err
	}
	if err := checkPage(in, &it, req.MaxBytes); err != nil {
		return nil, err
	}
	c := copier{left: maxCopy}
	first := len(resp.Items)
	seen := make(map[string]struct{}, min(it.count, 1024))
	for i := range it.count {
		v, err := it.at(in, i)
		if err != nil {
			resp.Items = resp.Items[:first]
			return nil, err
		}
		var item abi.Item
		for _, f := range []struct {
			to   *[]byte
			from abi.Span
			name string
		}{{&item.Key, v.Key, "key"}, {&item.Value, v.Value, "value"}, {&item.ETag, v.ETag, "etag"}, {&item.ContentType, v.ContentType, "content type"}} {
			if *f.to, err = c.copy(in, f.from, f.name); err != nil {
				return nil, err
			}
		}
		if len(item.Key) == 0 || v.ExpiresAt < 0 {
			return nil, in.Violate(fmt.Sprintf("exported item %d has no key or a negative expiry", i))
		}
		if _, twice := seen[string(item.Key)]; twice {
			resp.Items = resp.Items[:first]
			return nil, in.Violate(fmt.Sprintf("exported item %d has a key that another of the page has", i))
		}
		seen[string(item.Key)] = struct{}{}
		item.ExpiresAt = v.ExpiresAt
		resp.Items = append(resp.Items, item)
	}
	return c.copy(in, a.Key, "cursor")
}

// pageSlack is how much larger than four times what was asked a page may be, in
// bytes: guests count differently.
const pageSlack = 1 << 20

// checkPage adds up every field of every item before anything is copied: items
// may all point at the same bytes. A single item may have any size.
func checkPage(in Instance, it *items, asked int) error {
	var total uint64
	for i := range it.count {
		v, err := it.at(in, i)
		if err != nil {
			return err
		}
		total += uint64(v.Key.Len) + uint64(v.Value.Len) + uint64(v.ETag.Len) + uint64(v.ContentType.Len)
		if i > 0 && total > 4*uint64(max(asked, 0))+pageSlack {
			return in.Violate(fmt.Sprintf("a page of the export has more than four times the %d bytes that were asked for", asked))
		}
	}
	return nil
}

// Import implements abi.Importer.
func (s *Store) Import(ctx context.Context, in []abi.Item) error {
	if !s.features.Has(abi.FeatureExport) {
		return unsupported(abi.FeatureExport)
	}
	if s.g.Shards() == 1 {
		return s.importInto(ctx, 0, in)
	}
	parts := make([][]abi.Item, s.g.Shards())
	for i := range in {
		n := s.shard(in[i].Key)
		parts[n] = append(parts[n], in[i])
	}
	for n, part := range parts {
		if len(part) == 0 {
			continue
		}
		if err := s.importInto(ctx, uint32(n), part); err != nil {
			return err
		}
	}
	return nil
}

// importInto sends items in batches that fit the largest buffer.
func (s *Store) importInto(ctx context.Context, shard uint32, list []abi.Item) error {
	for len(list) > 0 {
		n, size := 0, uint64(abi.BatchSize)
		for n < len(list) {
			it := &list[n]
			size += abi.RequestSize + uint64(len(it.Key)+len(it.Value)+len(it.ETag)+len(it.ContentType))
			if n > 0 && size > importBatch {
				break
			}
			n++
		}
		in, err := s.g.Acquire(ctx, opImport, shard)
		if err != nil {
			return err
		}
		a, err := s.exchange(in, opImport, func(e *abi.Encoder) { e.Import(list[:n], in.Remaining()) })
		if err == nil {
			err = s.err(in, &a)
		}
		in.Done()
		if err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}
