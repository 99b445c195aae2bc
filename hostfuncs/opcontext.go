package hostfuncs

import (
	"context"
	"errors"
	"sync"
	"time"
)

// opContext is the context of an operation as back ends see it: it ends with
// the caller's context or at the operation's deadline, and carries no values.
//
// It is reused by the next operation unless somebody asked for Done, because
// only who waits for Done may leave goroutines behind that still hold it. That
// makes the calls that never wait free of allocations.
type opContext struct {
	mu       sync.Mutex // guards the fields: back ends may use several goroutines
	parent   context.Context
	deadline time.Time
	inner    context.Context // made by the first Done
	release  func()
}

var _ context.Context = (*opContext)(nil)

func (c *opContext) begin(parent context.Context, deadline time.Time) {
	if deadline.IsZero() {
		deadline, _ = parent.Deadline()
	}
	c.mu.Lock()
	c.parent, c.deadline = parent, deadline
	c.mu.Unlock()
}

// end reports whether the context must not be used for another operation.
func (c *opContext) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parent, c.deadline = nil, time.Time{}
	if c.inner == nil {
		return false
	}
	c.release()
	return true
}

// Deadline implements context.Context.
func (c *opContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline, !c.deadline.IsZero()
}

// endsWithin reports whether the operation ends in limit or sooner, give or take
// the milliseconds that limits are counted in.
func (c *opContext) endsWithin(limit time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.deadline.IsZero() && time.Until(c.deadline)-limit <= 2*time.Millisecond
}

// Done implements context.Context.
func (c *opContext) Done() <-chan struct{} { return c.standard().Done() }

func (c *opContext) standard() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner != nil {
		return c.inner
	}
	deadline, timed := c.deadline, false
	if c.parent != nil {
		var own time.Time
		if own, timed = c.parent.Deadline(); timed && (deadline.IsZero() || own.Before(deadline)) {
			deadline = own
		}
	}
	var cancel context.CancelFunc
	if deadline.IsZero() {
		c.inner, cancel = context.WithCancel(context.Background())
	} else {
		c.inner, cancel = context.WithDeadline(context.Background(), deadline)
	}
	if c.parent == nil || c.parent.Done() == nil {
		c.release = cancel
		if c.parent == nil { // no operation is in progress
			cancel()
		}
		return c.inner
	}
	parent := c.parent
	stop := context.AfterFunc(parent, func() {
		// The caller's deadline is inner's as well: its own timer ends it, with
		// the error of a deadline and not of a caller who left.
		if !timed || !errors.Is(parent.Err(), context.DeadlineExceeded) {
			cancel()
		}
	})
	c.release = func() {
		stop()
		cancel()
	}
	return c.inner
}

// Err implements context.Context.
func (c *opContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.inner != nil:
		return c.inner.Err()
	case c.parent == nil:
		return context.Canceled
	case !c.deadline.IsZero() && time.Until(c.deadline) <= 0:
		return context.DeadlineExceeded
	}
	return c.parent.Err()
}

// Value implements context.Context. Only the context package's own key is
// answered, which saves it a goroutine per derived context.
func (c *opContext) Value(key any) any {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner == nil {
		return nil
	}
	return inner.Value(key)
}
