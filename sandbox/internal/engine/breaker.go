package engine

import "time"

const (
	breakAfter = 3 // faults in a row, without one good operation between them
	backoffMin = 100 * time.Millisecond
	backoffMax = 30 * time.Second
)

// breaker keeps a guest that fails every time from being tried every time. It
// is guarded by the lock of its pool.
type breaker struct {
	failures int // in a row
	until    time.Time
	probing  bool // somebody is trying
	last     error
}

// closed reports whether calls pass without a look at the clock.
func (b *breaker) closed() bool { return b.failures < breakAfter }

// allow reports whether a call may pass now. While the breaker is open only
// one caller at a time may, after the back-off: the probe.
func (b *breaker) allow(now time.Time) (wait time.Duration, ok bool) {
	if b.closed() {
		return 0, true
	}
	if wait = b.until.Sub(now); wait > 0 || b.probing {
		return max(wait, 0), false
	}
	b.probing = true
	return 0, true
}

// fail notes a fault; hard ones, such as an instance that cannot be made, open
// the breaker at once. It returns the new back-off, 0 if the breaker is still
// closed.
func (b *breaker) fail(now time.Time, hard bool, err error) time.Duration {
	b.probing = false
	b.last = err
	b.failures++
	if hard && b.failures < breakAfter {
		b.failures = breakAfter
	}
	if b.closed() {
		return 0
	}
	d := backoffMax
	if n := b.failures - breakAfter; n < 9 {
		d = min(backoffMin<<n, backoffMax)
	}
	b.until = now.Add(d)
	return d
}

// succeed notes a good operation and reports whether the breaker was open.
func (b *breaker) succeed() bool {
	open := !b.closed()
	b.failures, b.probing, b.last = 0, false, nil
	return open
}

// skip ends a probe that told nothing, because its caller left.
func (b *breaker) skip() { b.probing = false }
