package engine

import (
	"context"
	"slices"
	"sync"
)

// room is memory that those who ask for it share: first come, first served, so
// that small ones cannot keep a large one waiting for ever. Safe for concurrent
// use.
type room struct {
	size int64

	mu      sync.Mutex
	used    int64
	waiting []*lodger // in the order in which they came
}

type lodger struct {
	bytes int64
	in    chan struct{} // closed when the bytes are taken for it
}

// take waits until n bytes, at most size, are free, and takes them.
func (r *room) take(ctx context.Context, n int64) error {
	r.mu.Lock()
	if len(r.waiting) == 0 && n <= r.size-r.used {
		r.used += n
		r.mu.Unlock()
		return nil
	}
	l := &lodger{bytes: n, in: make(chan struct{})}
	r.waiting = append(r.waiting, l)
	r.mu.Unlock()
	select {
	case <-l.in:
		return nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	if i := slices.Index(r.waiting, l); i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
		r.admit() // it may have been the one that held the others up
		r.mu.Unlock()
		return context.Cause(ctx)
	}
	r.mu.Unlock()
	r.give(n) // it came in at the same moment
	return context.Cause(ctx)
}

// give returns n bytes.
func (r *room) give(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	r.admit()
}

// admit lets in whoever fits, in order.
func (r *room) admit() {
	for len(r.waiting) > 0 && r.waiting[0].bytes <= r.size-r.used {
		r.used += r.waiting[0].bytes
		close(r.waiting[0].in)
		r.waiting = r.waiting[1:]
	}
}
