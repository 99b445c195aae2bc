package engine

import (
	"context"
	"errors"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

const (
	breakAfter = 3 // faults in a row, without one good operation between them
	backoffMin = 100 * time.Millisecond
	backoffMax = 30 * time.Second

	// Where one input can cause the fault and nothing is lost by it, it takes
	// more: with one bad request in twenty, fifteen in a row do not happen.
	slowAfter   = 15
	slowExpense = 5                      // what a guest that had to be stopped counts there
	paceMin     = 10 * time.Millisecond  // between the callers that are let through
	paceMax     = 100 * time.Millisecond // or as long as the last fault took
	paceTimes   = 10                     // pace of a fault, as a multiple of its time: a tenth of a processor
	slowQueue   = time.Second            // who would have to wait longer is turned away
)

// breaker keeps a guest that fails every time from being tried every time. It
// is guarded by the lock of its pool.
//
//	          faults in a row                     faults in a row
//	slow ◀─────────────────────────  closed ─────────────────────────▶ open
//	  │    a pool without state: one    ▲     an instance that holds     │
//	  │    input may be the cause       │     data, or one that cannot   │
//	  │    callers pass one by one      │     be made: callers are       │ after the
//	  │    at a pace, in order          │     turned away                │ back-off
//	  │                                 │                                ▼
//	  └──── any good operation ────────▶├◀───── it is good ─────────── probe: one caller
//	                                    │                                │
//	                                    └        open, twice as long ◀───┘ it fails
//
// Operations overlap, so that many may fail of one cause. A failure counts only
// if the operation began after the last one that counted: a burst of bad
// requests is one failure, however many they are. What began before the breaker
// opened tells nothing new.
type breaker struct {
	failures int    // that counted, in a row
	score    int    // of them, for slow
	counted  uint64 // failures that ever counted: the clock of tickets
	open     bool
	slow     bool
	until    time.Time // open: no probe before; slow: the next caller
	probe    uint64    // number of the probe in progress; 0 = none
	probes   uint64
	pace     time.Duration // slow: between two callers
	gate     chan struct{} // slow: closed when it is over
	last     error
}

// ticket says when an operation began, and whether it is the probe. Exactly one
// of fail, succeed and skip is called with it.
type ticket struct {
	counted uint64
	probe   uint64 // its number; 0 = it is none
}

// closed reports whether calls pass without a look at the clock.
func (b *breaker) closed() bool { return !b.open && !b.slow }

// ticket is that of an operation that begins now.
func (b *breaker) ticket() ticket { return ticket{counted: b.counted} }

// allow reports whether a caller may pass an open breaker now, as the probe; if
// not, after what time it is worth trying.
func (b *breaker) allow(now time.Time) (t ticket, wait time.Duration, ok bool) {
	if wait = b.until.Sub(now); wait > 0 || b.probe != 0 {
		return t, max(wait, 0), false
	}
	b.probes++
	b.probe = b.probes
	return ticket{b.counted, b.probe}, 0, true
}

// queue takes a place among those that a slow breaker lets through, and tells
// how long the caller has to wait for its turn; false if there are too many.
func (b *breaker) queue(now time.Time) (wait time.Duration, ok bool) {
	if wait = max(b.until.Sub(now), 0); wait > slowQueue {
		return wait, false
	}
	b.until = now.Add(wait + b.pace)
	return wait, true
}

// unqueue gives the place of a caller that left to the next one that comes.
func (b *breaker) unqueue(gate chan struct{}, now time.Time) {
	if b.slow && b.gate == gate && b.until.Sub(now) > b.pace {
		b.until = b.until.Add(-b.pace)
	}
}

// severity is how a fault is judged.
type severity uint8

const (
	severe    severity = iota // it costs data, or no input can be the cause
	inability                 // an instance cannot be made: it opens at once
	input                     // one input may be the cause, and nothing is lost
	expensive                 // the same, and it took all the time there was
)

// fail notes a fault after took. It returns the new back-off, or 0 if there is
// nothing to tell.
func (b *breaker) fail(t ticket, now time.Time, how severity, took time.Duration, err error) time.Duration {
	b.skip(t)
	if t.counted != b.counted {
		return 0
	}
	b.counted++
	b.failures++
	b.last = err
	switch how {
	case input:
		b.score++
	case expensive:
		b.score += slowExpense
	case inability:
		b.failures = max(b.failures, breakAfter)
	}
	if how == input || how == expensive {
		return b.fallBehind(now, took)
	}
	if b.failures < breakAfter {
		return 0
	}
	b.quicken()
	b.open = true
	d := backoffMax
	if n := b.failures - breakAfter; n < 9 {
		d = min(backoffMin<<n, backoffMax)
	}
	b.until = now.Add(d)
	return d
}

// fallBehind opens the breaker for one caller at a time, or sets its pace.
func (b *breaker) fallBehind(now time.Time, took time.Duration) time.Duration {
	if b.score < slowAfter || b.open {
		return 0
	}
	b.pace = max(paceMin, min(paceTimes*took, max(paceMax, took)))
	if b.slow {
		return 0 // told already
	}
	b.slow, b.gate, b.until = true, make(chan struct{}), now.Add(b.pace)
	return b.pace
}

// quicken ends the time of the slow breaker: those that wait look again.
func (b *breaker) quicken() {
	if b.slow {
		b.slow = false
		close(b.gate)
	}
}

// succeed notes a good operation and reports whether the breaker was not
// closed. While it is open only the probe counts.
func (b *breaker) succeed(t ticket) bool {
	b.skip(t)
	if b.open && t.counted != b.counted {
		return false
	}
	was := !b.closed()
	b.quicken()
	b.failures, b.score, b.open, b.last = 0, 0, false, nil
	return was
}

// skip ends an operation that told nothing: its caller left.
func (b *breaker) skip(t ticket) {
	if t.probe != 0 && t.probe == b.probe {
		b.probe = 0
	}
}

// pass waits until the breaker lets the caller through. It is called with the
// lock held, and returns with it unless there is an error.
func (p *pool) pass(ctx context.Context) (ticket, error) {
	b := &p.breaker
	waited := false
	for !p.closed {
		switch {
		case b.closed(), b.slow && waited:
			return b.ticket(), nil
		case b.open:
			t, wait, ok := b.allow(time.Now())
			if !ok {
				err := p.down(wait)
				p.mu.Unlock()
				return t, err
			}
			return t, nil
		}
		wait, ok := b.queue(time.Now())
		if !ok {
			err := p.down(wait)
			p.mu.Unlock()
			return ticket{}, err
		}
		gate := b.gate
		p.mu.Unlock()
		err := sleep(ctx, gate, wait)
		p.mu.Lock()
		if err != nil {
			b.unqueue(gate, time.Now())
			p.mu.Unlock()
			return ticket{}, err
		}
		waited = true
	}
	p.mu.Unlock()
	return ticket{}, abi.ErrClosed
}

// sleep waits for d, or until gate is closed.
func sleep(ctx context.Context, gate <-chan struct{}, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// down is the error of a breaker that turns a caller away.
func (p *pool) down(wait time.Duration) error {
	last := "unknown"
	var ge *abi.Fault
	if errors.As(p.breaker.last, &ge) {
		last = ge.Msg
	} else if p.breaker.last != nil {
		last = p.breaker.last.Error()
	}
	when := "is being tried at this moment"
	if wait > 0 {
		when = "is tried again in " + max(wait.Round(time.Millisecond), time.Millisecond).String()
	}
	return &abi.Fault{Kind: abi.FaultDown, Component: p.g.cfg.Component,
		Msg: "failed " + itoa(uint64(p.breaker.failures)) + " times in a row and " + when + "; last: " + last}
}

// judge says how a fault of an instance counts and how long the operation took,
// as far as anybody looked.
func (in *Instance) judge(now time.Time) (severity, time.Duration) {
	var took time.Duration
	if !in.ctx.since.IsZero() {
		took = now.Sub(in.ctx.since)
	}
	switch {
	case in.g.cfg.Stateful:
		return severe, took
	case in.retire == CauseDeadline:
		return expensive, took
	}
	return input, took
}
