package memstore

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// keyIndex holds the keys in ascending order once somebody has listed them. It
// may hold keys that are gone; the map decides. No key is in it twice.
type keyIndex struct {
	built  bool
	sorted []string
	recent []string // created lately, also sorted: cheap to insert into
}

// mostRecent is how many keys are inserted one by one before they are merged.
const mostRecent = 1024

// created notes a new key; live is the number of keys there are.
func (x *keyIndex) created(key string, live int) {
	if x.stale(live) {
		*x = keyIndex{} // built again by the next listing, or never
		return
	}
	if _, found := slices.BinarySearch(x.sorted, key); found {
		return // was deleted before
	}
	i, found := slices.BinarySearch(x.recent, key)
	if found {
		return
	}
	if x.recent = slices.Insert(x.recent, i, key); len(x.recent) > mostRecent {
		x.sorted = merge(x.sorted, x.recent)
		x.recent = x.recent[:0]
	}
}

// stale reports whether the index must be built before it can be used: it never
// was, or most of it is out of date.
func (x *keyIndex) stale(live int) bool {
	return !x.built || len(x.sorted)+len(x.recent) > 2*live+mostRecent
}

// merge adds the sorted keys of add to those of sorted, from the back and in
// place.
func merge(sorted, add []string) []string {
	i, j := len(sorted)-1, len(add)-1
	sorted = append(sorted, add...)
	for at := len(sorted) - 1; j >= 0; at-- {
		if i >= 0 && sorted[i] > add[j] {
			sorted[at] = sorted[i]
			i--
		} else {
			sorted[at] = add[j]
			j--
		}
	}
	return sorted
}

// from yields the keys that begin with prefix and come after the key after.
func (x *keyIndex) from(prefix, after string) iter.Seq[string] {
	start := func(keys []string) []string {
		i, _ := slices.BinarySearch(keys, max(prefix, after))
		if keys = keys[i:]; len(keys) > 0 && keys[0] == after {
			keys = keys[1:]
		}
		return keys
	}
	return func(yield func(string) bool) {
		a, b := start(x.sorted), start(x.recent)
		for len(a) > 0 || len(b) > 0 {
			next := &a
			if len(a) == 0 || len(b) > 0 && b[0] < a[0] {
				next = &b
			}
			key := (*next)[0]
			*next = (*next)[1:]
			if !strings.HasPrefix(key, prefix) || !yield(key) {
				return
			}
		}
	}
}

// listing calls page under the lock with an index that can be used.
func (s *store) listing(ctx context.Context, page func()) error {
	s.mu.RLock()
	if err := s.ready(ctx); err != nil || !s.index.stale(len(s.entries)) {
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
	s.index = keyIndex{built: true, sorted: slices.Sorted(maps.Keys(s.entries))}
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
		for key := range s.index.from(prefix, string(req.Cursor)) {
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
		for key := range s.index.from("", string(req.Cursor)) {
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
