package main

import (
	"context"
	"slices"
	"sync"

	"github.com/wasmstate/wasmstate/abi"
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
)

// entry is a stored value. Entries never change: a write makes a new one.
type entry struct {
	value, contentType []byte
	etag               [16]byte
	etagText           []byte // of an imported entry; nil = etag
	expires            int64  // Unix milliseconds; 0 = never
}

func (e *entry) tag() []byte {
	if e.etagText != nil {
		return e.etagText
	}
	return e.etag[:]
}

// store keeps everything in a map. The lock is for native tests only; a module
// gets one call at a time.
type store struct {
	mu      sync.Mutex
	entries map[string]*entry
	etag    uint64 // random at the start, so that etags do not repeat after a reload
	closed  bool
	timed   []timed  // the entries that expire, and some that are gone
	swept   int      // the next of them to look at
	sorted  []string // the keys in order; nil = to be sorted again
}

var (
	_ abi.Store      = (*store)(nil)
	_ abi.Transactor = (*store)(nil)
	_ abi.Lister     = (*store)(nil)
	_ abi.Exporter   = (*store)(nil)
	_ abi.Importer   = (*store)(nil)
	_ abi.Pinger     = (*store)(nil)
	_ sdk.StepIdler  = (*store)(nil)
)

func newStore() *store { return &store{entries: map[string]*entry{}} }

func (s *store) Init(context.Context, abi.Metadata) error {
	s.etag = sdk.RandomUint64()
	return nil
}

func (s *store) Features() abi.Features {
	return abi.FeatureETag | abi.FeatureTransactional | abi.FeatureTTL | abi.FeatureKeys | abi.FeatureExport | abi.FeatureContentType
}

// enter takes the lock if the store can serve. The caller unlocks on nil.
func (s *store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return abi.ErrClosed
	}
	return nil
}

// live returns the entry of a key, unless it has expired.
func (s *store) live(key []byte) *entry {
	e := s.entries[string(key)]
	if e == nil || e.expires != 0 && e.expires <= sdk.NowMillis() {
		return nil
	}
	return e
}

func (s *store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	e := s.live(req.Key)
	if e == nil {
		return abi.ErrNotFound
	}
	resp.Value = append(resp.Value[:0], e.value...)
	resp.ETag = append(resp.ETag[:0], e.tag()...)
	resp.ContentType = append(resp.ContentType[:0], e.contentType...)
	resp.ExpiresAt = e.expires
	return nil
}

func (s *store) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.allowed(req.Key, req.ETag, req.FirstWrite); err != nil {
		return err
	}
	e := s.make(req)
	s.put(string(req.Key), e)
	resp.ETag = append(resp.ETag[:0], e.tag()...)
	return nil
}

func (s *store) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.allowed(req.Key, req.ETag, false); err != nil {
		return err
	}
	s.put(string(req.Key), nil)
	return nil
}

// allowed checks the rules of etags and first-write.
func (s *store) allowed(key, etag []byte, create bool) error {
	switch e := s.live(key); {
	case len(etag) > 0 && (e == nil || string(e.tag()) != string(etag)), len(etag) == 0 && create && e != nil:
		return abi.ErrETagMismatch
	}
	return nil
}

func (s *store) make(req *abi.SetRequest) *entry {
	s.etag++
	e := &entry{value: clone(req.Value), contentType: clone(req.ContentType)}
	for i, v := len(e.etag)-1, s.etag; i >= 0; i, v = i-1, v>>4 {
		e.etag[i] = "0123456789abcdef"[v&15]
	}
	if req.TTL > 0 {
		e.expires = sdk.NowMillis() + req.TTL.Milliseconds()
	}
	return e
}

// put stores e, or removes the key if it is nil.
func (s *store) put(key string, e *entry) {
	_, had := s.entries[key]
	if had == (e == nil) {
		s.sorted = nil
	}
	if e == nil {
		delete(s.entries, key)
		return
	}
	if e.expires != 0 {
		s.timed = append(s.timed, timed{key, e})
	}
	s.entries[key] = e
}

// Transact applies the operations one after the other and takes them back in
// reverse if one fails.
func (s *store) Transact(ctx context.Context, ops []abi.Op) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	before := make([]*entry, 0, len(ops))
	for i := range ops {
		op := &ops[i]
		create := op.FirstWrite && op.Kind == abi.OpSet
		if err := s.allowed(op.Key, op.ETag, create); err != nil {
			for k := len(before) - 1; k >= 0; k-- {
				s.put(string(ops[k].Key), before[k])
			}
			return &abi.OpError{Index: i, Err: err}
		}
		key := string(op.Key)
		before = append(before, s.entries[key])
		if op.Kind == abi.OpDelete {
			s.put(key, nil)
		} else {
			s.put(key, s.make(&op.SetRequest))
		}
	}
	return nil
}

// Ping reports whether the store was closed; there is nothing else to reach.
func (s *store) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

func (s *store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries, s.timed, s.sorted, s.closed = nil, nil, nil, true
	return nil
}

// sweep is how many entries one step of the upkeep looks at.
const sweep = 256

// timed is an entry that expires, unless the key has another by then.
type timed struct {
	key string
	e   *entry
}

// IdleStep looks at the next few entries that expire and removes those that
// have. There is more to do if many had.
func (s *store) IdleStep() bool {
	now, gone := sdk.NowMillis(), 0
	for range min(sweep, len(s.timed)) {
		if s.swept >= len(s.timed) {
			s.swept = 0
		}
		t := s.timed[s.swept]
		current := s.entries[t.key] == t.e
		if current && t.e.expires > now {
			s.swept++
			continue
		}
		if current {
			s.put(t.key, nil)
		}
		last := len(s.timed) - 1
		s.timed[s.swept] = s.timed[last]
		s.timed[last] = timed{}
		s.timed = s.timed[:last]
		gone++
	}
	return gone >= sweep/4
}

// keys are all keys in order.
func (s *store) keys() []string {
	if s.sorted == nil {
		s.sorted = make([]string, 0, len(s.entries))
		for k := range s.entries {
			s.sorted = append(s.sorted, k)
		}
		slices.Sort(s.sorted)
	}
	return s.sorted
}

func clone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}
