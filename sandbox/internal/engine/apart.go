package engine

import "sync/atomic"

// An operation on an instance that holds a store's data must not be stopped
// when its caller's time is up: the data would be gone. And the caller must not
// wait for it. So it runs on a goroutine of its own if the caller can leave at
// all. Who leaves gets the error of its context, and the operation goes on to
// its end or to the component's limit.

// apart is that goroutine of one instance. Its life ends with the instance.
type apart struct {
	jobs  chan job
	done  chan struct{} // buffered: the caller may not wait any more
	phase atomic.Int32
	r     uint64
	err   error
}

type job struct {
	op   int
	arg  uint32
	arg2 uint32
}

// The phases of a call. The instance goes back to its pool when both the call
// and its caller are through with it.
const (
	phaseNone     int32 = iota
	phaseRunning        // the caller waits
	phaseFinished       // the caller has the result
	phaseLeft           // the caller left and has not yet called Done
	phaseOver           // it has not, and the call is over: its Done gives the instance back
	phaseOrphan         // it has, and the call runs: its end gives the instance back
)

// callApart makes a call that the caller can leave.
func (in *Instance) callApart(j job) (uint64, error) {
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
		w.r, w.err = in.callHere(j)
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
