package manifest

import (
	"fmt"
	"sync"
	"time"
)

// The most that files which do not answer hold up one reading: the first such
// file firstPatience, each further one half of it, down to lastPatience.
const (
	firstPatience = 2 * time.Second
	lastPatience  = 20 * time.Millisecond
)

// Patience runs calls that may never return, such as a read of a file on a
// server that has gone, so that whoever reads files goes on. A call that hangs is
// left behind and asked again, not repeated, at the next reading: there is at
// most one goroutine for each file.
//
//	Await ── starts ──> call ── answers in time ──> its answer
//	                      │
//	                      └── does not ──> SlowError; kept in pending
//	next Await of the key: its answer if it has come by now, else SlowError at once
//
// The zero value is ready. Safe for concurrent use.
type Patience struct {
	mu      sync.Mutex
	pending map[string]any // *call[T] by key: those that hang
	wait    time.Duration  // for the next call that hangs
}

// SlowError says that a call was left behind because it does not return.
type SlowError struct{ After time.Duration }

// Error says that the last good content goes on.
func (e *SlowError) Error() string {
	return fmt.Sprintf("reading it takes longer than %v: the disk or file system behind it does not answer; until it does, what was read before goes on", e.After)
}

type call[T any] struct {
	done  chan struct{} // closed when the fields below are set
	value T
	err   error
}

// Await returns what f returns, or a *[SlowError]. key names what f is about: f
// is not called while an earlier call for the same key hangs.
func Await[T any](p *Patience, key string, f func() (T, error)) (T, error) {
	p.mu.Lock()
	c, hangs := p.pending[key].(*call[T])
	wait := max(p.wait, lastPatience)
	if p.wait == 0 {
		wait = firstPatience
	}
	p.mu.Unlock()
	if hangs {
		wait = 0
	} else {
		c = &call[T]{done: make(chan struct{})}
		go func() {
			defer close(c.done)
			c.value, c.err = f()
		}()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		select {
		case <-c.done: // both at once
		default:
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.pending == nil {
				p.pending = map[string]any{}
			}
			p.pending[key] = c
			if !hangs {
				p.wait = max(wait/2, lastPatience)
			}
			var zero T
			return zero, &SlowError{firstPatience}
		}
	}
	p.mu.Lock()
	delete(p.pending, key)
	p.mu.Unlock()
	return c.value, c.err
}

// Refresh begins a new reading: the first call that hangs is waited for in full
// again.
func (p *Patience) Refresh() {
	p.mu.Lock()
	p.wait = 0
	p.mu.Unlock()
}
