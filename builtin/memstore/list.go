package memstore

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// keyIndex holds the keys in ascending order once somebody has listed them.
// It may hold keys that are gone; the map decides.
type keyIndex struct {
	built  bool
	sorted []string
	added  []string // created since sorted was made, in any order
}

// created notes a new key; live is the number of keys there are. An index that
// is mostly out of date is dropped, which bounds its size.
func (x *keyIndex) created(key string, live int) {
	if !x.built {
		return
	}
	if len(x.sorted)+len(x.added) > 2*live+1024 {
		*x = keyIndex{}
		return
	}
	x.added = append(x.added, key)
}

// stale reports whether refresh has work to do.
func (x *keyIndex) stale() bool { return !x.built || len(x.added) > 0 }

// refresh brings the index up to date with entries.
func (x *keyIndex) refresh(entries map[string]*entry) {
	if !x.built {
		*x = keyIndex{built: true, sorted: slices.Sorted(maps.Keys(entries))}
		return
	}
	slices.Sort(x.added)
	merged := make([]string, 0, len(entries))
	old, added := x.sorted, x.added
	for len(old) > 0 || len(added) > 0 {
		var key string
		if len(added) == 0 || len(old) > 0 && old[0] <= added[0] {
			key, old = old[0], old[1:]
		} else {
			key, added = added[0], added[1:]
		}
		// A key that was deleted and created again is there twice.
		if n := len(merged); entries[key] != nil && (n == 0 || merged[n-1] != key) {
			merged = append(merged, key)
		}
	}
	*x = keyIndex{built: true, sorted: merged}
}

// from returns the sorted keys that begin with prefix and come after the key
// after. The caller holds the lock for reading at least and has refreshed.
func (x *keyIndex) from(prefix, after string) []string {
	keys := x.sorted
	i, _ := slices.BinarySearch(keys, max(prefix, after))
	if keys = keys[i:]; len(keys) > 0 && keys[0] == after {
		keys = keys[1:]
	}
	return keys
}

// listing calls page under the lock with an index that is up to date.
func (s *store) listing(ctx context.Context, page func()) error {
	s.mu.RLock()
	if err := s.ready(ctx); err != nil || !s.index.stale() {
		defer s.mu.RUnlock()
		if err == nil {
			page()
		}
		return err
	}
	s.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.index.refresh(s.entries)
	page()
	return nil
}

// Keys implements [abi.Lister]. The cursor is the last key of the page before.
func (s *store) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	resp.Keys, resp.Cursor = resp.Keys[:0], resp.Cursor[:0]
	if req.Limit <= 0 {
		return abi.NewError(abi.CodeInvalidArgument, "keys: the limit must be above 0")
	}
	prefix := string(req.Prefix)
	return s.listing(ctx, func() {
		for _, key := range s.index.from(prefix, string(req.Cursor)) {
			if !strings.HasPrefix(key, prefix) {
				return
			}
			if !s.entries[key].live() {
				continue
			}
			if len(resp.Keys) == req.Limit {
				resp.Cursor = append(resp.Cursor, resp.Keys[req.Limit-1]...)
				return
			}
			resp.Keys = append(resp.Keys, []byte(key))
		}
	})
}

// DeleteWithPrefix implements [abi.PrefixDeleter]. It looks at every key.
func (s *store) DeleteWithPrefix(ctx context.Context, prefix []byte) (int64, error) {
	if len(prefix) == 0 {
		return 0, abi.NewError(abi.CodeInvalidArgument, "delete with prefix: the prefix is empty")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	var n int64
	for key, e := range s.entries {
		if strings.HasPrefix(key, string(prefix)) {
			if e.live() {
				n++
			}
			s.remove(e)
		}
	}
	return n, nil
}

// Export implements [abi.Exporter]. The cursor is the last key exported.
func (s *store) Export(ctx context.Context, req *abi.ExportRequest, resp *abi.ExportResponse) error {
	resp.Cursor = resp.Cursor[:0]
	size, last := 0, ""
	return s.listing(ctx, func() {
		for _, key := range s.index.from("", string(req.Cursor)) {
			e := s.entries[key]
			if !e.live() {
				continue
			}
			if last != "" && size+len(key)+len(e.value) > req.MaxBytes {
				resp.Cursor = append(resp.Cursor, last...)
				return
			}
			size, last = size+len(key)+len(e.value), key
			resp.Items = append(resp.Items, abi.Item{
				Key: []byte(key), Value: slices.Clone(e.value), ETag: slices.Clone(e.etag),
				ContentType: slices.Clone(e.contentType), ExpiresAt: e.expires,
			})
		}
	})
}

// Import implements [abi.Importer].
func (s *store) Import(ctx context.Context, items []abi.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	for i := range items {
		it := &items[i]
		if old := s.entries[string(it.Key)]; old != nil {
			s.remove(old)
		}
		e := &entry{
			key: string(it.Key), value: slices.Clone(it.Value), contentType: slices.Clone(it.ContentType),
			etag: slices.Clone(it.ETag), expires: it.ExpiresAt, place: -1,
		}
		if e.live() {
			s.insert(e)
			s.index.created(e.key, len(s.entries))
		}
	}
	return nil
}
