package engine

import "sync"

// Parts of the budget.
const (
	mostPart     = 4   // a component gets a quarter at most, unless the operator says otherwise
	leastPart    = 256 // a component is sure of this part, if there are not too many
	promisedPart = 2   // all that is promised is half at most
	newcomerPart = 16  // is kept for the promises to components that come later
)

// Budget bounds the linear memory of all guests of a process, in bytes. Every
// component takes from it through its share. Safe for concurrent use.
//
//	limit ├── used ──┼── free for all ──┼── promised ──┼─ newcomers ─┤
//
// A share is sure of its least: what of it is not used is promised, and nobody
// else gets it. Beyond its least a share takes what is free for all, up to its
// most.
type Budget struct {
	limit int64 // <= 0: none, and no shares either

	mu       sync.Mutex // guards everything below, and the shares
	used     int64
	promised int64 // to all shares together: their least less what they use
	shares   map[*share]struct{}
}

// NewBudget returns a budget of limit bytes; limit <= 0 means no limit.
func NewBudget(limit int64) *Budget {
	return &Budget{limit: limit, shares: map[*share]struct{}{}}
}

// Used returns how many bytes are handed out.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Limit returns the size of the budget; <= 0 means no limit.
func (b *Budget) Limit() int64 { return b.limit }

// share is what one component has of the budget.
type share struct {
	b     *Budget
	used  int64
	least int64 // it is sure of
	want  int64 // more is not promised: it cannot use it
	most  int64
}

// share opens the share of a component whose instances take up to instance
// bytes each. most bounds it; 0 = a quarter of the budget, or one instance at
// its start if that is more.
func (b *Budget) share(instance, start, most int64) *share {
	if most <= 0 {
		most = b.limit / mostPart
	}
	s := &share{b: b, want: instance, most: max(most, start)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shares[s] = struct{}{}
	b.promise()
	return s
}

// close gives the share back. Its memory has been given back.
func (s *share) close() {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	delete(s.b.shares, s)
	s.b.promise()
}

// promise divides what is promised anew. Called with the lock held.
func (b *Budget) promise() {
	b.promised = 0
	if b.limit <= 0 || len(b.shares) == 0 {
		return
	}
	least := min(b.limit/leastPart, b.limit/promisedPart/int64(len(b.shares)))
	for s := range b.shares {
		s.least = min(least, s.want)
		b.promised += s.owed()
	}
}

// owed is what is promised to the share and not used.
func (s *share) owed() int64 { return max(0, s.least-s.used) }

// take takes n bytes, or says why not.
func (s *share) take(n int64) denial {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	owed := s.owed()
	if b.limit > 0 {
		if n > s.most-s.used {
			return denialShare
		}
		if n > b.limit-b.used {
			return denialBudget
		}
		if n > owed && n-owed > b.limit-b.used-b.promised-b.limit/newcomerPart {
			return denialBudget
		}
	}
	s.used += n
	b.used += n
	b.promised += s.owed() - owed
	return denialNone
}

func (s *share) give(n int64) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	owed := s.owed()
	s.used -= n
	b.used -= n
	b.promised += s.owed() - owed
}
