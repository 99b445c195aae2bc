package engine

import (
	"context"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// pool is a bounded set of instances: one for mode single, one per shard for
// mode sharded. Callers wait in a queue; see waiter for how fair it is.
//
//	acquire ── one is free ──▶ in use ── done ──▶ giveBack ── retired ──▶ bury, and
//	   │                         ▲ ▲                │  │                  expand for
//	   │ none: expand, queue     │ │ takes one      │  └─ the first was    the next
//	   ▼                         │ │ (look)         │     overtaken ──┐
//	 waiter ◀── wakes the first ─│─│──────── free ◀─┘                 │
//	   │                         │ └──────── waiter                   │
//	   │                         └─ settled with the instance ◀───────┘
//	   └─ leaves (its context, MaxWait): gives back what it was settled with
//
//	expand ── fewer being made than wait ──▶ make, in the background ──▶ giveBack
//
// total counts an instance from the begin of make to the end of bury, so that
// there are never more than max.
type pool struct {
	g   *Guest
	max int

	mu      sync.Mutex // guards everything below
	free    []*Instance
	total   int // instances that exist, are being made or are idling
	making  int // of them, being made
	minFree int // fewest free since the last trim
	queue   queue
	breaker breaker
	closed  bool
	empty   chan struct{} // closed when the pool is closed and total is 0
	counts  counts
	memory  int64 // linear memory of all instances, as of their last operation

	makeAfter time.Time // no more instances before, as long as there are some
	makeBad   int       // of them that could not be made, in a row
	idleAfter time.Time // no run of the idle export before
	idleBad   int       // runs that broke an instance, in a row
	stuck     bool      // the upkeep of the only instance takes too long
}

func newPool(g *Guest, size int) *pool {
	p := &pool{g: g, max: size, empty: make(chan struct{}), free: make([]*Instance, 0, size)}
	p.counts.ops = make([]OpStats, len(g.cfg.Ops))
	for i, name := range g.cfg.Ops {
		p.counts.ops[i].Op = name
	}
	return p
}

// acquire returns an instance for one operation.
func (p *pool) acquire(ctx context.Context, op int) (*Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, abi.ErrClosed
	}
	t := p.breaker.ticket()
	if !p.breaker.closed() {
		var err error
		if t, err = p.pass(ctx); err != nil {
			return nil, err
		}
	}
	if in := p.take(); in != nil {
		p.mu.Unlock()
		in.ticket = t
		in.begin(ctx, op, p.g.cfg.Timeout)
		in.step("taken")
		return in, nil
	}
	return p.wait(ctx, op, t)
}

// take takes a free instance, or nil. Called with the lock held.
func (p *pool) take() *Instance {
	n := len(p.free)
	if n == 0 {
		return nil
	}
	in := p.free[n-1]
	p.free = p.free[:n-1]
	p.minFree = min(p.minFree, n-1)
	return in
}

// expand makes an instance in the background if somebody waits and there is
// place. A caller does not make its own: its deadline may be too short, and
// the next one's too. Called with the lock held.
func (p *pool) expand() {
	if p.closed || p.total >= p.max || p.queue.n <= p.making {
		return
	}
	if p.total > 0 && !p.makeAfter.IsZero() && time.Now().Before(p.makeAfter) {
		return
	}
	p.total++
	p.making++
	p.g.background.Add(1)
	go p.make(p.breaker.ticket())
}

// make makes one instance and hands it over.
func (p *pool) make(t ticket) {
	defer p.g.background.Done() // Close waits for it, and cancels what it does
	in, err := p.g.make(p)
	p.mu.Lock()
	p.making--
	if err == nil {
		p.counts.created++
		p.makeAfter, p.makeBad = time.Time{}, 0
		p.account(in)
		p.giveBack(in)
		p.mu.Unlock()
		return
	}
	if p.closed { // what was being made was cancelled: that is no fault
		p.total--
		p.vacated()
		p.mu.Unlock()
		return
	}
	p.counts.retired[CauseSetup]++
	p.total--
	now := time.Now()
	if p.total > p.making { // there are others, which serve those who wait
		p.makeAfter = now.Add(min(backoffMin<<min(p.makeBad, 9), backoffMax))
		p.makeBad++
		p.mu.Unlock()
		p.g.observer.Retired(CauseSetup, err)
		return
	}
	d := p.breaker.fail(t, now, inability, 0, err)
	failures := p.breaker.failures
	if w := p.queue.pop(); w != nil {
		w.settle(nil, err)
	}
	p.vacated()
	p.mu.Unlock()
	p.g.observer.Retired(CauseSetup, err)
	if d > 0 {
		p.g.observer.Down(d, failures, err)
	}
}

// account notes the size of an instance. Called with the lock held.
func (p *pool) account(in *Instance) {
	if in.mem.size != in.counted {
		p.memory += int64(in.mem.size) - int64(in.counted)
		in.counted = in.mem.size
	}
}

// wait queues until an instance is handed over. It is called with the lock
// held and returns without.
func (p *pool) wait(ctx context.Context, op int, t ticket) (*Instance, error) {
	w := p.g.waiters.Get().(*waiter)
	p.queue.push(w)
	p.expand()
	most := p.g.cfg.MaxWait
	if p.stuck && (most <= 0 || most > p.g.cfg.Timeout) {
		most = p.g.cfg.Timeout
	}
	p.mu.Unlock()
	if f := p.g.cfg.Step; f != nil {
		f("queued", false)
	}

	start := time.Now()
	var limit <-chan time.Time
	if most > 0 && op != opSetup { // the start has its own time
		timer := time.NewTimer(most)
		defer timer.Stop()
		limit = timer.C
	}
	for {
		select {
		case <-w.wake:
			in, err, again := p.look(w, t)
			if again {
				continue
			}
			if in != nil {
				in.ticket = t
				in.begin(ctx, op, p.g.cfg.Timeout)
				in.waited = time.Since(start)
				in.step("woken")
			}
			return in, err
		case <-ctx.Done():
			p.leave(w, t)
			if op == opSetup {
				return nil, &abi.Fault{Kind: abi.FaultDeadline, Component: p.g.cfg.Component, Err: ctx.Err(),
					Msg: "not ready in time: it is still being instantiated and opened"}
			}
			return nil, ctx.Err()
		case <-limit:
			p.leave(w, t)
			return nil, p.busy(most)
		}
	}
}

// look is what a waiter does when it is woken: it takes its outcome, or a free
// instance, or waits again.
func (p *pool) look(w *waiter, t ticket) (in *Instance, err error, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.done {
		if in = p.take(); in == nil {
			w.urgent = true
			return nil, nil, true
		}
		p.queue.remove(w)
		p.wakeFirst()
	} else {
		in, err = w.in, w.err
	}
	if err != nil {
		p.breaker.skip(t)
	}
	w.reset()
	p.g.waiters.Put(w)
	return in, err, false
}

// leave takes a waiter out that will not wait any longer.
func (p *pool) leave(w *waiter, t ticket) {
	p.mu.Lock()
	p.queue.remove(w)
	in := w.in
	w.reset()
	p.g.waiters.Put(w)
	if in != nil { // handed over meanwhile: pass it on
		p.giveBack(in)
	}
	p.breaker.skip(t) // if this was the probe, the next caller is
	p.wakeFirst()
	p.mu.Unlock()
}

// wakeFirst tells the first in the queue that there is a free instance, if it
// does not know yet. Called with the lock held.
func (p *pool) wakeFirst() {
	if w := p.queue.head; w != nil && len(p.free) > 0 && !w.woken {
		w.woken = true
		w.signal()
	}
}

// vacated gives a place that became free away. Called with the lock held after
// total went down.
func (p *pool) vacated() {
	if p.closed {
		if p.total == 0 {
			close(p.empty)
		}
		return
	}
	if !p.breaker.open || p.breaker.probe != 0 { // the probe is in the queue
		p.expand()
	}
	if p.total == 0 { // nobody is left who could serve the queue
		err := p.down(time.Until(p.breaker.until))
		for w := p.queue.pop(); w != nil; w = p.queue.pop() {
			w.settle(nil, err)
		}
	}
}

// done takes an instance back after an operation.
func (p *pool) done(in *Instance) {
	in.ended()
	fuel := in.used()
	p.mu.Lock()
	if in.op >= 0 {
		c := &p.counts.ops[in.op]
		c.Calls++
		c.Fuel += fuel
		if in.err != nil {
			c.Faults++
		}
		if in.waited > 0 {
			c.Waits++
			c.Waited += in.waited
		}
	}
	in.waited = 0
	p.account(in)
	var backoff time.Duration
	up := false
	switch {
	case in.err != nil && !in.blameless():
		now := time.Now()
		how, took := in.judge(now)
		backoff = p.breaker.fail(in.ticket, now, how, took, in.err)
	case in.err != nil || !in.called:
		p.breaker.skip(in.ticket) // it tells nothing
	case p.breaker.failures > 0:
		up = p.breaker.succeed(in.ticket)
	}
	failures := p.breaker.failures
	if !p.closed && p.wantsIdle(in) {
		p.counts.idles++
		p.g.background.Add(1)
		p.mu.Unlock()
		go p.idle(in)
		return
	}
	p.giveBack(in)
	p.mu.Unlock()
	if backoff > 0 {
		p.g.observer.Down(backoff, failures, in.err)
	}
	if up {
		p.g.observer.Up()
	}
}

// giveBack hands in to the next caller, keeps it, or has it buried if it is
// retired. Called with the lock held.
func (p *pool) giveBack(in *Instance) {
	if p.closed && in.retire == CauseNone {
		in.retire = CauseClose
	}
	if in.retire != CauseNone {
		p.retire(in, in.retire)
		return
	}
	if w := p.queue.head; w != nil && w.urgent {
		p.queue.pop()
		w.settle(in, nil)
		return
	}
	p.free = append(p.free, in)
	p.wakeFirst()
}

// retire buries in in the background: the close export may take its time, and
// so does giving back much memory. Called with the lock held.
func (p *pool) retire(in *Instance, cause Cause) {
	in.retire = cause
	p.counts.retired[cause]++
	p.memory -= int64(in.counted)
	p.g.background.Add(1)
	go p.bury(in)
}

// bury disposes of a retired instance and then gives its place away, so that
// there are never more instances than allowed.
func (p *pool) bury(in *Instance) {
	defer p.g.background.Done() // Close waits for it
	switch in.retire {
	case CauseClose, CauseTrim, CauseMaxOps, CauseLarge:
		in.sayGoodbye()
	}
	cause, err := in.retire, in.err
	in.dispose()
	p.mu.Lock()
	p.total--
	p.vacated()
	p.mu.Unlock()
	p.g.observer.Retired(cause, err)
}

// trim retires the instances that were free ever since the last trim, but
// keeps one.
func (p *pool) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(p.minFree, len(p.free)-1)
	for i := range max(n, 0) {
		p.retire(p.free[i], CauseTrim) // the oldest: callers take from the end
	}
	if n > 0 {
		p.free = append(p.free[:0], p.free[n:]...)
	}
	p.minFree = len(p.free)
}

// close sends everybody away, once. Instances in use go when their operation
// ends; empty is closed after the last one.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.breaker.quicken() // who waits there looks again
	for w := p.queue.pop(); w != nil; w = p.queue.pop() {
		w.settle(nil, abi.ErrClosed)
	}
	for _, in := range p.free {
		p.retire(in, CauseClose)
	}
	p.free = nil
	if p.total == 0 {
		close(p.empty)
	}
}
