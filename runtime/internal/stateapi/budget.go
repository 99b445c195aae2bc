package stateapi

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"
)

// Budget is a number of bytes that all requests and answers share. Whoever
// comes late waits, in order, and is turned away after a while. Safe for
// concurrent use.
type Budget struct {
	sem  *semaphore.Weighted
	size int64
	wait time.Duration
}

// NewBudget returns a budget of size bytes for which nobody waits longer than
// wait.
func NewBudget(size int64, wait time.Duration) *Budget {
	return &Budget{semaphore.NewWeighted(size), size, wait}
}

// free is what a request may hold without asking: connections are bounded, and
// small requests shall not wait for each other.
const free = 4 << 10

// Charge is what one request holds of a budget. It is not safe for concurrent
// use. The zero value holds nothing of no budget; make one with [Budget.Charge].
type Charge struct {
	b    *Budget
	held int64
}

// Charge begins to charge a request. Release it.
func (b *Budget) Charge() Charge { return Charge{b: b} }

// Grow makes the charge at least n bytes, waiting for them. The error is one of
// an answer: 503 when it takes too long, 413 when n is more than there is.
func (c *Charge) Grow(ctx context.Context, n int64) *Error {
	if n <= free {
		return nil
	}
	if n > c.b.size {
		return tooLarge(fmt.Sprintf("the request needs %d bytes at once, more than all requests together may take (%d)", n, c.b.size))
	}
	more := n - c.held
	if more <= 0 {
		return nil
	}
	if !c.b.sem.TryAcquire(more) {
		ctx, cancel := context.WithTimeout(ctx, c.b.wait)
		defer cancel()
		if c.b.sem.Acquire(ctx, more) != nil {
			return busy()
		}
	}
	c.held = n
	return nil
}

// TryGrow is Grow for whoever holds memory already and must not wait.
func (c *Charge) TryGrow(n int64) bool {
	more := n - c.held
	if n <= free || more <= 0 {
		return true
	}
	if n > c.b.size || !c.b.sem.TryAcquire(more) {
		return false
	}
	c.held = n
	return true
}

// Shrink gives back what is more than n bytes.
func (c *Charge) Shrink(n int64) {
	if n <= free {
		n = 0
	}
	if c.held > n {
		c.b.sem.Release(c.held - n)
		c.held = n
	}
}

// Release gives everything back. Idempotent.
func (c *Charge) Release() { c.Shrink(0) }
