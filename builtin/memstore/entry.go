package memstore

import (
	"container/heap"
	"time"
)

// sweepEvery is how often expired keys are removed, sweepBatch how many at
// most while the lock is held. Reads never return them anyway.
const (
	sweepEvery = time.Second
	sweepBatch = 1024
)

// entry is one stored key. Its slices belong to the store.
type entry struct {
	key                      string
	value, contentType, etag []byte
	expires                  int64 // Unix milliseconds; 0 = never
	place                    int   // in the expiry heap; -1 = not in it
}

// live reports whether e exists and has not expired.
func (e *entry) live() bool {
	return e != nil && (e.expires == 0 || e.expires > time.Now().UnixMilli())
}

// insert adds an entry whose key is not there. If the key was never there, the
// caller tells the index.
func (s *store) insert(e *entry) {
	s.entries[e.key] = e
	if e.expires != 0 {
		heap.Push(&s.expiry, e)
	}
}

func (s *store) remove(e *entry) {
	delete(s.entries, e.key)
	if e.place >= 0 {
		heap.Remove(&s.expiry, e.place)
	}
}

// expire sets the expiry of an entry that is in the map.
func (s *store) expire(e *entry, at int64) {
	e.expires = at
	switch {
	case at == 0 && e.place >= 0:
		heap.Remove(&s.expiry, e.place)
	case at != 0 && e.place >= 0:
		heap.Fix(&s.expiry, e.place)
	case at != 0:
		heap.Push(&s.expiry, e)
	}
}

// sweep removes expired entries until Close.
func (s *store) sweep() {
	defer close(s.done)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			for s.sweepSome() == sweepBatch {
			}
		}
	}
}

// sweepSome removes at most sweepBatch expired entries and says how many.
func (s *store) sweepSome() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < sweepBatch && len(s.expiry) > 0 && !s.expiry[0].live() {
		s.remove(s.expiry[0])
		n++
	}
	return n
}

// replace overwrites old with b. It reuses the memory of old unless most of it
// would lie idle.
func replace(old, b []byte) []byte {
	if cap(old) > 4*len(b)+64 {
		old = nil
	}
	return append(old[:0], b...)
}

// expiryHeap orders entries by expiry, soonest first; see container/heap.
type expiryHeap []*entry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires < h[j].expires }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *expiryHeap) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.place = -1
	return e
}
