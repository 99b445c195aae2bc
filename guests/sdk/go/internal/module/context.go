package module

import (
	"context"
	"time"
)

// opContext is the context of one operation. It reads the clock only when it
// is asked, since most stores never ask: the time counts from the first
// question.
type opContext struct {
	left time.Duration // 0 = no deadline
	end  time.Time     // zero until asked
}

var _ context.Context = (*opContext)(nil)

func (c *opContext) begin(ms uint64) {
	const most = uint64(1<<63-1) / uint64(time.Millisecond)
	*c = opContext{left: time.Duration(min(ms, most)) * time.Millisecond}
}

func (c *opContext) Deadline() (time.Time, bool) {
	if c.left == 0 {
		return time.Time{}, false
	}
	if c.end.IsZero() {
		c.end = time.Unix(0, Now()).Add(c.left)
	}
	return c.end, true
}

// Done is nil: nothing can happen while the guest runs.
func (c *opContext) Done() <-chan struct{} { return nil }

func (c *opContext) Err() error {
	if c.left == 0 {
		return nil
	}
	if c.end.IsZero() {
		c.end = time.Unix(0, Now()).Add(c.left)
		return nil
	}
	if time.Unix(0, Now()).After(c.end) {
		return context.DeadlineExceeded
	}
	return nil
}

func (c *opContext) Value(any) any { return nil }
