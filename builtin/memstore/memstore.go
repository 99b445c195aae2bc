// Package memstore is the store `state.in-memory`: a map in this process.
//
// It is also the store to copy when writing a new one. It offers every feature
// of package abi and holds to every rule of abi/storetest.
//
// Costs: Get, and Set of an existing key whose value does not grow, copy the
// bytes and allocate nothing. An expiry costs one heap operation. Keys are
// listed from a sorted index that the first listing builds (n log n); from then
// on a page costs a binary search and a new key an insertion (a microsecond or
// so). A store that never lists pays nothing for it.
//
// Nothing survives the process. A reload moves the data to the new generation
// with Export and Import, etags and expiry included.
package memstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// Name is the type of the store in component files.
const Name = "state.in-memory"

// store guards everything with one lock: calls are memory copies, so that
// several locks would only pay off with more cores than a state store gets.
type store struct {
	mu      sync.RWMutex // guards all fields below, and the entries
	entries map[string]*entry
	expiry  expiryHeap // the entries that expire, soonest first
	index   keyIndex
	epoch   string // random, so that etags never repeat after a restart
	count   uint64 // of writes, the other part of an etag
	closed  bool

	stop chan struct{} // closed by Close
	done chan struct{} // closed by the sweeper; nil before Init
}

var (
	_ abi.Store         = (*store)(nil)
	_ abi.Transactor    = (*store)(nil)
	_ abi.BulkGetter    = (*store)(nil)
	_ abi.BulkWriter    = (*store)(nil)
	_ abi.Lister        = (*store)(nil)
	_ abi.PrefixDeleter = (*store)(nil)
	_ abi.Pinger        = (*store)(nil)
	_ abi.Exporter      = (*store)(nil)
	_ abi.Importer      = (*store)(nil)
)

// Registration announces the store to a registry. It has no properties.
func Registration() abi.Registration {
	return abi.Registration{Name: Name, Properties: []abi.Property{}, New: New}
}

// New returns an empty store that is not yet initialised. It is an
// [abi.Factory].
func New() abi.Store {
	return &store{entries: map[string]*entry{}, stop: make(chan struct{})}
}

// Init starts the sweeper of expired keys. It cannot fail.
func (s *store) Init(context.Context, abi.Metadata) error {
	var b [8]byte
	rand.Read(b[:]) // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return abi.ErrClosed
	}
	s.epoch = hex.EncodeToString(b[:]) + "-"
	s.done = make(chan struct{})
	go s.sweep() // ended by stop, awaited by Close
	return nil
}

// Features says that the store offers everything.
func (s *store) Features() abi.Features {
	return abi.FeatureETag | abi.FeatureTransactional | abi.FeatureTTL | abi.FeatureKeys | abi.FeatureDeleteWithPrefix |
		abi.FeatureBulk | abi.FeatureExport | abi.FeatureContentType
}

// Close drops the data and waits for the sweeper.
func (s *store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		s.entries, s.expiry, s.index = nil, nil, keyIndex{}
		close(s.stop)
	}
	done := s.done
	s.mu.Unlock()
	if done != nil { // awaited without the lock, which the sweeper needs
		<-done
	}
	return nil
}

// Ping fails only after Close.
func (s *store) Ping(ctx context.Context) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ready(ctx)
}

// ready is asked under the lock before anything is touched.
func (s *store) ready(ctx context.Context) error {
	if s.closed {
		return abi.ErrClosed
	}
	return ctx.Err()
}

// Get implements [abi.Store].
func (s *store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.get(req.Key, resp)
}

func (s *store) get(key []byte, resp *abi.GetResponse) error {
	resp.Reset()
	e := s.entries[string(key)]
	if !e.live() {
		return abi.ErrNotFound
	}
	resp.Value = append(resp.Value, e.value...)
	resp.ETag = append(resp.ETag, e.etag...)
	resp.ContentType = append(resp.ContentType, e.contentType...)
	resp.ExpiresAt = e.expires
	return nil
}

// BulkGet implements [abi.BulkGetter].
func (s *store) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	for i := range reqs {
		results[i].Err = s.get(reqs[i].Key, &results[i].GetResponse)
	}
	return nil
}

// Set implements [abi.Store].
func (s *store) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.set(req, resp)
}

func (s *store) set(req *abi.SetRequest, resp *abi.SetResponse) error {
	resp.ETag = resp.ETag[:0]
	old := s.entries[string(req.Key)]
	if err := check(old, req.ETag, req.FirstWrite); err != nil {
		return err
	}
	e := old
	if e == nil {
		e = &entry{key: string(req.Key), place: -1}
		s.insert(e)
		s.index.created(e.key, len(s.entries))
	}
	s.fill(e, req)
	resp.ETag = append(resp.ETag, e.etag...)
	return nil
}

// fill overwrites e with what req says and gives it a new etag.
func (s *store) fill(e *entry, req *abi.SetRequest) {
	e.value = replace(e.value, req.Value)
	e.contentType = replace(e.contentType, req.ContentType)
	s.count++
	e.etag = strconv.AppendUint(append(e.etag[:0], s.epoch...), s.count, 36)
	var expires int64
	if req.TTL > 0 {
		expires = time.Now().Add(req.TTL).UnixMilli()
	}
	s.expire(e, expires)
}

// check compares the etag that a write gave with the stored entry.
func check(e *entry, etag []byte, firstWrite bool) error {
	switch {
	case len(etag) > 0:
		if !e.live() || !bytes.Equal(etag, e.etag) {
			return abi.ErrETagMismatch
		}
	case firstWrite && e.live():
		return abi.ErrETagMismatch
	}
	return nil
}

// Delete implements [abi.Store].
func (s *store) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.delete(req)
}

func (s *store) delete(req *abi.DeleteRequest) error {
	e := s.entries[string(req.Key)]
	if err := check(e, req.ETag, false); err != nil {
		return err
	}
	if e != nil {
		s.remove(e)
	}
	return nil
}

// BulkWrite implements [abi.BulkWriter].
func (s *store) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	for i := range ops {
		op, res := &ops[i], &results[i]
		if op.Kind == abi.OpDelete {
			d := op.Delete()
			res.ETag = res.ETag[:0]
			res.Err = s.delete(&d)
			continue
		}
		res.Err = s.set(&op.SetRequest, &res.SetResponse)
	}
	return nil
}

// Transact implements [abi.Transactor]. It replaces entries instead of
// changing them, so that the old ones can be put back.
func (s *store) Transact(ctx context.Context, ops []abi.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	type change struct{ before, after *entry }
	var done []change
	for i := range ops {
		op := &ops[i]
		c := change{before: s.entries[string(op.Key)]}
		if err := check(c.before, op.ETag, op.FirstWrite && op.Kind == abi.OpSet); err != nil {
			for _, c := range slices.Backward(done) {
				s.swap(c.after, c.before)
			}
			return &abi.OpError{Index: i, Err: err}
		}
		if op.Kind == abi.OpSet {
			c.after = &entry{key: string(op.Key), place: -1}
		}
		s.swap(c.before, c.after)
		if c.after != nil {
			s.fill(c.after, &op.SetRequest)
			if c.before == nil {
				s.index.created(c.after.key, len(s.entries))
			}
		}
		done = append(done, c)
	}
	return nil
}

// swap puts in the place of out; either may be nil.
func (s *store) swap(out, in *entry) {
	if out != nil {
		s.remove(out)
	}
	if in != nil {
		s.insert(in)
	}
}
