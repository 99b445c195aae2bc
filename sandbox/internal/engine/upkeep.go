package engine

import (
	"context"
	"runtime"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

const (
	// idleFewest is how many operations there are at least between two runs of
	// the idle export that bytes or memory ask for: with values of a megabyte
	// each operation would.
	idleFewest = 16
	// idleSteps is how many steps one run takes at most, if nobody waits.
	idleSteps = 64
	// idlePause is how many times longer than a run the pause after it is.
	idlePause = 8
	// idleBackoff is the longest pause after runs that failed or were late.
	idleBackoff = 10 * time.Minute
)

// upkeep is what one instance knows of its idle export. A run is one or more
// steps, that is calls, in each of which the guest does a bounded part of what
// there is to do and tells whether more is left:
//
//	operation ── due? ── no ──▶ back to the pool
//	               │
//	               yes: off the request path
//	               ▼
//	             step ◀───────────────┐
//	               │ more, nobody waits, fewer than idleSteps
//	               ├──────────────────┘
//	               └─ else ──▶ back to the pool; not due for a while
type upkeep struct {
	ops   int       // operations since the last run
	bytes uint64    // bytes moved since then
	size  uint64    // memory then
	more  bool      // its last step said that work is left
	look  int       // operations before which the clock is not asked
	after time.Time // no run before
	late  int       // how many times its time the step in progress has passed, 2 at most
	bad   int       // runs in a row that failed or were late
}

// wantsIdle reports whether the idle export should run before the next
// operation: after a number of them, when much data went through, when the
// memory grew by half, or when the last run left work. While somebody waits it
// is put off, but not for ever.
func (in *Instance) wantsIdle(awaited bool) bool {
	u := &in.upkeep
	if !in.g.hasIdle || in.retire != CauseNone || u.ops < u.look {
		return false
	}
	by := 1
	if awaited {
		by = 4
	}
	cfg := &in.g.cfg
	switch {
	case u.ops >= by*cfg.IdleOps:
	case u.ops < by*idleFewest:
		return false
	case u.bytes >= uint64(by)*cfg.IdleBytes, in.mem.size > u.size+uint64(by)*u.size/2, u.more:
	default:
		return false
	}
	if !u.after.IsZero() && time.Now().Before(u.after) {
		u.look = u.ops + idleFewest
		return false
	}
	return true
}

// patient reports whether the call in progress may pass its time: the idle
// export of an instance that holds data. Nobody but the upkeep itself waits for
// it, and stopping it would throw the data away.
func (in *Instance) patient() bool {
	return in.g.cfg.Stateful && in.op == in.g.cfg.Idle && in.op >= 0
}

// checkIdle is the look at the clock of such a call. What takes too long is
// told once, and those who wait for the instance are sent away after a time;
// it is stopped only when the guest is closed.
func (in *Instance) checkIdle(now time.Time) error {
	if now.Sub(in.ctx.since) > patience {
		runtime.Gosched()
	}
	over := now.Sub(in.ctx.deadline)
	if over <= 0 {
		return nil
	}
	u := &in.upkeep
	if u.late == 0 {
		u.late = 1
		in.pool.stick(true)
		in.g.observer.Late(in.g.cfg.Ops[in.op], in.ctx.timeout)
	}
	if u.late == 1 && over > in.ctx.timeout {
		u.late = 2
		in.pool.sendAway()
	}
	return in.g.ctx.Err()
}

// stick notes whether the upkeep of the instance takes too long: callers that
// come meanwhile wait for the component's time limit at most.
func (p *pool) stick(stuck bool) {
	p.mu.Lock()
	p.stuck = stuck
	p.mu.Unlock()
}

// sendAway ends the waiting of those who came before the upkeep got stuck.
func (p *pool) sendAway() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := p.queue.pop(); w != nil; w = p.queue.pop() {
		w.settle(nil, p.busy(p.g.cfg.IdleTimeout))
	}
}

// busy is the error of a caller that got no instance for d.
func (p *pool) busy(d time.Duration) error {
	return abi.NewError(abi.CodeUnavailable, "every instance of component "+p.g.cfg.Component+" was busy for "+d.String())
}

// idleMore is the low half of the idle export's result that says that work is
// left. Any other says that there is none: older modules leave it open.
const idleMore = 1

// idle makes one step and reports whether more is left. A guest that is broken
// afterwards is retired. One that only says that it failed is not: it is tried
// again after a while, and so is one that took too long.
func (in *Instance) idle() (more bool) {
	start := time.Now()
	u := &in.upkeep
	u.late = 0
	in.begin(context.Background(), in.g.cfg.Idle, in.g.cfg.IdleTimeout)
	result, err := in.Call(in.op, 0)
	in.ctx.end()
	if u.late > 0 {
		in.pool.stick(false)
	}
	if err != nil {
		in.retire, in.err = CauseIdle, err
		return false
	}
	now := time.Now()
	failed := result>>32 != 0
	switch {
	case failed && !in.g.cfg.Stateful:
		in.retire, in.err = CauseIdle, in.idleFailure(result)
		return false
	case failed:
		in.g.observer.Failed(in.g.cfg.Ops[in.op], in.idleFailure(result))
	}
	pause := idlePause * now.Sub(start)
	if failed || u.late > 0 {
		pause = max(pause, min(in.g.cfg.IdleTimeout<<min(u.bad, 16), idleBackoff))
		u.bad++
	} else {
		u.bad = 0
	}
	*u = upkeep{size: in.mem.size, bad: u.bad, more: !failed && uint32(result) == idleMore, after: now.Add(pause)}
	return u.more
}

func (in *Instance) idleFailure(result uint64) error {
	return &abi.Fault{Kind: abi.FaultABI, Component: in.g.cfg.Component, Op: in.g.cfg.Ops[in.op],
		Msg: "answered with status " + itoa(result>>32)}
}

// idle runs the idle export off the request path, step after step as long as
// there is work and nobody waits.
func (p *pool) idle(in *Instance) {
	defer p.g.background.Done() // Close waits for it
	for steps := 1; ; steps++ {
		more := in.idle()
		in.used()
		p.mu.Lock()
		p.account(in)
		if !more || steps == idleSteps || p.queue.n > 0 || p.closed {
			break
		}
		p.mu.Unlock()
	}
	if in.retire == CauseIdle {
		p.idleFailed(time.Now())
	}
	p.giveBack(in)
	p.mu.Unlock()
}

// wantsIdle reports whether in is to run its idle export before it goes back.
// Called with the lock held.
func (p *pool) wantsIdle(in *Instance) bool {
	return in.wantsIdle(p.queue.n > 0) && (p.idleAfter.IsZero() || !time.Now().Before(p.idleAfter))
}

// idleFailed puts the idle export off for all instances: one that broke an
// instance will break the next. Called with the lock held.
func (p *pool) idleFailed(now time.Time) {
	p.idleAfter = now.Add(min(p.g.cfg.IdleTimeout<<min(p.idleBad, 16), idleBackoff))
	p.idleBad++
}
