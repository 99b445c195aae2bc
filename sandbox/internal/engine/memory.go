package engine

import "github.com/tetratelabs/wazero/experimental"

// pageSize is the size of a WebAssembly page in bytes.
const pageSize = 64 << 10

// maxMemory bounds the linear memory of one instance. wazero's size counter
// overflows at 4 GiB, so the last page is never given.
const maxMemory = 4<<30 - pageSize

// linearMemory is the memory of one instance: address space for its cap,
// reserved at once so that it never moves, and usable as far as the guest grew
// it. It is the LinearMemory and the MemoryAllocator that wazero asks for.
//
// wazero's Free only notes that wazero is done: after a forced close it may
// come while a call is still returning. The owner unmaps with release.
type linearMemory struct {
	buf    []byte // the whole reservation; nil after release
	size   uint64 // usable bytes
	limit  uint64 // cap of the component
	budget *share
	denied denial // why the last growth was refused, until it is asked for
}

// denial is the reason for a refused growth.
type denial uint8

const (
	denialNone   denial = iota
	denialCap           // over the component's cap
	denialShare         // over the component's share of the budget
	denialBudget        // over the process-wide budget
	denialSystem        // the operating system has none
)

// newLinearMemory reserves limit bytes, of which the first size are usable.
func newLinearMemory(size, limit uint64, budget *share) (*linearMemory, denial) {
	m := &linearMemory{limit: limit, budget: budget}
	buf, err := reserve(limit)
	if err != nil {
		return nil, denialSystem
	}
	m.buf = buf
	if d := m.grow(size); d != denialNone {
		m.release()
		return nil, d
	}
	return m, denialNone
}

// Allocate implements experimental.MemoryAllocator. The memory exists already.
func (m *linearMemory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory: nil refuses.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if d := m.grow(size); d != denialNone {
		m.denied = d
		return nil
	}
	return m.buf[:size:size]
}

func (m *linearMemory) grow(size uint64) denial {
	if size <= m.size {
		return denialNone
	}
	if size > m.limit {
		return denialCap
	}
	more := int64(size - m.size)
	if d := m.budget.take(more); d != denialNone {
		return d
	}
	buf, err := commit(m.buf, m.size, size)
	if err != nil {
		m.budget.give(more)
		return denialSystem
	}
	m.buf, m.size = buf, size
	return denialNone
}

// Free implements experimental.LinearMemory; see the type.
func (m *linearMemory) Free() {}

// release unmaps the memory and returns it to the budget. Only the owner of
// the instance may call it, when no call can touch the memory any more.
func (m *linearMemory) release() {
	if m.buf == nil {
		return
	}
	unreserve(m.buf)
	m.budget.give(int64(m.size))
	m.buf, m.size = nil, 0
}

// takeDenied returns and forgets why the last growth was refused.
func (m *linearMemory) takeDenied() denial {
	d := m.denied
	m.denied = denialNone
	return d
}
