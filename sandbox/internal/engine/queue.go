package engine

// waiter is a caller in the queue of a pool. Its fields are guarded by the lock
// of the pool, but for wake.
//
// An instance that becomes free is not reserved for the first in the queue at
// once: it would lie idle until that goroutine runs, and with more callers than
// processors every call would wait for a switch. The first is woken and takes
// what is free; if somebody was faster it is next for certain.
type waiter struct {
	wake       chan struct{} // buffered: a signal to look again
	woken      bool          // since it became the first
	urgent     bool          // was overtaken: gets the next instance handed
	done       bool          // in or err is the outcome, and it is out of the queue
	in         *Instance
	err        error
	prev, next *waiter
	queued     bool
}

// signal wakes the waiter. A signal that is already there is enough.
func (w *waiter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// settle ends the waiting. It must be out of the queue.
func (w *waiter) settle(in *Instance, err error) {
	w.in, w.err, w.done = in, err, true
	w.signal()
}

// reset makes the waiter fit for the next caller.
func (w *waiter) reset() {
	select {
	case <-w.wake:
	default:
	}
	w.woken, w.urgent, w.done, w.in, w.err = false, false, false, nil, nil
}

// queue is a first-in first-out list that waiters can leave. Guarded by the
// lock of its pool.
type queue struct {
	head, tail *waiter
	n          int
}

func (q *queue) push(w *waiter) {
	w.prev, w.next, w.queued = q.tail, nil, true
	if q.tail == nil {
		q.head = w
	} else {
		q.tail.next = w
	}
	q.tail = w
	q.n++
}

func (q *queue) pop() *waiter {
	w := q.head
	if w != nil {
		q.remove(w)
	}
	return w
}

// remove takes w out and reports whether it was still in.
func (q *queue) remove(w *waiter) bool {
	if !w.queued {
		return false
	}
	if w.prev == nil {
		q.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.n--
	return true
}
