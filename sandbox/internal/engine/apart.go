package engine

import (
	"sync/atomic"
	"time"
)

// Who may leave a call that is in progress is decided before it begins.
//
// An instance without state is stopped when its caller's time is up: the call
// runs on the caller's goroutine and ends at the guest's next look at the clock.
//
// An instance that holds a store's data must not be stopped for its caller's
// sake: the data would be gone. Its calls run on the caller's goroutine too, to
// their end or to the component's limit, whatever becomes of the caller's
// context meanwhile; a caller that was cancelled gets the result like any other.
// Only a caller whose own deadline comes before the component's limit must be
// released earlier. Its calls run apart, on a goroutine of the instance, so
// that it can leave while the guest goes on:
//
//	caller                           instance's goroutine
//	------                           --------------------
//	phase = running
//	jobs <- job ───────────────────▶ guest call
//	wait for done or the deadline    note: what the host must remember of it
//	                                 (where the shared buffer is now)
//	 a) done first
//	    result  ◀─────────────────── running → finished, done
//	    Done: gives the instance back
//	 b) the deadline first
//	    running → left               (goes on)
//	    error of the context
//	   b1) Done: left → orphan       orphan → none: gives the instance back
//	   b2)                           left → over: nobody is told
//	       Done finds over: gives the instance back
//
// Whoever is second in b gives the instance back, exactly once. What follows
// from a call is noted on the goroutine that made it and before its end is
// told, so that host and guest agree whether or not somebody still waits.

// apart is that goroutine of one instance. Its life ends with the instance.
type apart struct {
	jobs  chan job
	done  chan struct{} // buffered: the caller may not wait any more
	phase atomic.Int32
	r     uint64
	err   error
}

// job is one guest call.
type job struct {
	op   int
	arg  uint32
	arg2 uint32
	note func(result uint64) error // see Call2; nil = nothing to note
}

// The phases of a call that runs apart.
const (
	phaseNone     int32 = iota
	phaseRunning        // the caller waits
	phaseFinished       // the caller has the result
	phaseLeft           // the caller left and has not yet called Done
	phaseOver           // it has not, and the call is over: its Done gives the instance back
	phaseOrphan         // it has, and the call runs: its end gives the instance back
)

// mustBeReleased reports whether the caller has to be released before the
// guest is stopped.
func (in *Instance) mustBeReleased() bool {
	c := in.ctx
	if !c.outlives() || c.Context.Done() == nil {
		return false
	}
	d, ok := c.Context.Deadline()
	switch {
	case !ok:
		return false
	case c.deadline.IsZero(): // nobody has looked at the clock in this operation
		return time.Until(d) < c.timeout
	}
	return d.Before(c.deadline)
}

// callApart makes a call that the caller can leave.
func (in *Instance) callApart(j job) (uint64, error) {
	if err := in.ctx.Context.Err(); err != nil {
		return 0, err // it left already: nothing begins
	}
	w := in.apart
	if w == nil {
		w = &apart{jobs: make(chan job), done: make(chan struct{}, 1)}
		in.apart = w
		in.g.background.Add(1)
		go w.serve(in)
	}
	w.phase.Store(phaseRunning)
	w.jobs <- j
	select {
	case <-w.done:
	case <-in.ctx.Context.Done():
		if w.phase.CompareAndSwap(phaseRunning, phaseLeft) {
			return 0, in.ctx.Context.Err()
		}
		<-w.done
	}
	return w.r, w.err
}

// serve runs calls until dispose closes the jobs.
func (w *apart) serve(in *Instance) {
	defer in.g.background.Done() // Close waits for it
	for j := range w.jobs {
		in.away = true
		in.step("apart: begin")
		w.r, w.err = in.callHere(j)
		in.step("apart: end")
		in.away = false
		switch {
		case w.phase.CompareAndSwap(phaseRunning, phaseFinished):
			w.done <- struct{}{}
		case w.phase.CompareAndSwap(phaseLeft, phaseOver):
		default: // orphan
			w.phase.Store(phaseNone)
			in.pool.done(in)
		}
	}
}

// through reports whether the caller's Done is to give the instance back.
func (w *apart) through() bool {
	return w == nil || !w.phase.CompareAndSwap(phaseLeft, phaseOrphan)
}

// step tells a test where the host is in an operation; it does nothing
// otherwise. Called by the goroutine that makes the guest's calls. See
// Config.Step.
func (in *Instance) step(name string) {
	if f := in.g.cfg.Step; f != nil {
		f(name, in.away)
	}
}
