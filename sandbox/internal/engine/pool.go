package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/fault"
)

// pool is a bounded set of instances: one for mode single, one per shard for
// mode sharded. Callers wait in a queue; see waiter for how fair it is.
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
	if !p.breaker.closed() {
		if wait, ok := p.breaker.allow(time.Now()); !ok {
			err := p.down(wait)
			p.mu.Unlock()
			return nil, err
		}
	}
	if in := p.take(); in != nil {
		p.mu.Unlock()
		in.begin(ctx, op, p.g.cfg.Timeout)
		return in, nil
	}
	return p.wait(ctx, op)
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

// down is the error of an open breaker.
func (p *pool) down(wait time.Duration) error {
	last := "unknown"
	var ge *fault.Error
	if errors.As(p.breaker.last, &ge) {
		last = ge.Msg
	} else if p.breaker.last != nil {
		last = p.breaker.last.Error()
	}
	when := "is being tried at this moment"
	if wait > 0 {
		when = "is tried again in " + max(wait.Round(time.Millisecond), time.Millisecond).String()
	}
	return &fault.Error{Kind: fault.Down, Component: p.g.cfg.Component,
		Msg: "failed " + itoa(uint64(p.breaker.failures)) + " times in a row and " + when + "; last: " + last}
}

// expand makes an instance in the background if somebody waits and there is
// place. A caller does not make its own: its deadline may be too short, and
// the next one's too. Called with the lock held.
func (p *pool) expand() {
	if p.closed || p.total >= p.max || p.queue.n <= p.making {
		return
	}
	p.total++
	p.making++
	p.g.background.Add(1)
	go p.make()
}

// make makes one instance and hands it over.
func (p *pool) make() {
	defer p.g.background.Done() // Close waits for it, and cancels what it does
	in, err := p.g.make(p)
	p.mu.Lock()
	p.making--
	if err == nil {
		p.counts.created++
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
	d := p.breaker.fail(time.Now(), true, err)
	failures := p.breaker.failures
	p.total--
	if w := p.queue.pop(); w != nil {
		w.settle(nil, err)
	}
	p.vacated()
	p.mu.Unlock()
	p.g.observer.Retired(CauseSetup, err)
	p.g.observer.Down(d, failures, err)
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
func (p *pool) wait(ctx context.Context, op int) (*Instance, error) {
	w := p.g.waiters.Get().(*waiter)
	p.queue.push(w)
	p.expand()
	p.mu.Unlock()

	start := time.Now()
	var limit <-chan time.Time
	if d := p.g.cfg.MaxWait; d > 0 && op != opSetup { // the start has its own time
		t := time.NewTimer(d)
		defer t.Stop()
		limit = t.C
	}
	for {
		select {
		case <-w.wake:
			in, err, again := p.look(w)
			if again {
				continue
			}
			if in != nil {
				in.begin(ctx, op, p.g.cfg.Timeout)
				in.waited = time.Since(start)
			}
			return in, err
		case <-ctx.Done():
			p.leave(w)
			if op == opSetup {
				return nil, &fault.Error{Kind: fault.Deadline, Component: p.g.cfg.Component, Err: ctx.Err(),
					Msg: "not ready in time: it is still being instantiated and opened"}
			}
			return nil, ctx.Err()
		case <-limit:
			p.leave(w)
			return nil, abi.NewError(abi.CodeUnavailable, "every instance of component "+p.g.cfg.Component+" was busy for "+p.g.cfg.MaxWait.String())
		}
	}
}

// look is what a waiter does when it is woken: it takes its outcome, or a free
// instance, or waits again.
func (p *pool) look(w *waiter) (in *Instance, err error, again bool) {
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
	w.reset()
	p.g.waiters.Put(w)
	return in, err, false
}

// leave takes a waiter out that will not wait any longer.
func (p *pool) leave(w *waiter) {
	p.mu.Lock()
	p.queue.remove(w)
	in := w.in
	w.reset()
	p.g.waiters.Put(w)
	if in != nil { // handed over meanwhile: pass it on
		p.giveBack(in)
	}
	p.breaker.skip() // if this was the probe, the next caller is
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
	if p.breaker.closed() || p.breaker.probing { // the probe is in the queue
		p.expand()
	}
	if p.total == 0 { // nobody is left who could serve the queue
		p.breaker.skip()
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
		backoff = p.breaker.fail(time.Now(), false, in.err)
	case in.err != nil || !in.called:
		p.breaker.skip() // it tells nothing
	case p.breaker.failures > 0:
		up = p.breaker.succeed()
	}
	failures := p.breaker.failures
	if !p.closed && in.wantsIdle(p.queue.n > 0) {
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

// idle runs the guest's idle export off the request path.
func (p *pool) idle(in *Instance) {
	defer p.g.background.Done() // Close waits for it
	_ = in.idle()               // its failure retires the instance
	in.used()
	p.mu.Lock()
	p.account(in)
	p.giveBack(in)
	p.mu.Unlock()
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
