package engine

// ticket is what a caller in the queue gets: an instance or an error.
type ticket struct {
	in  *Instance
	err error
}

// waiter is a caller in the queue of a pool.
type waiter struct {
	ready      chan ticket // buffered, so that handing over never blocks
	prev, next *waiter
	queued     bool
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
