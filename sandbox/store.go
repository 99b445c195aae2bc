package sandbox

import (
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmstore"
)

// store is a store whose guest can be looked at.
type store struct {
	*wasmstore.Store
	guest  *engine.Guest
	seen   *observer
	keeps  bool  // its data is in the instances
	most   int64 // bytes of linear memory of all its instances at most
	closed func()
	once   sync.Once
}

var (
	_ abi.Volatiler  = (*store)(nil)
	_ abi.Sizer      = (*store)(nil)
	_ abi.LossTeller = (*store)(nil)
)

// Volatile implements abi.Volatiler: what is in the instances goes with them.
func (s *store) Volatile() bool { return s.keeps }

// LostData implements abi.LossTeller.
func (s *store) LostData() (at time.Time, reason string) {
	if l := s.seen.lost.Load(); l != nil {
		return l.at, l.reason
	}
	return time.Time{}, ""
}

// StateBytes implements abi.Sizer: no instance holds more than its memory.
func (s *store) StateBytes() int64 { return s.most }

// Instances is how many instances of the module there are at the moment.
func (s *store) Instances() int { return s.guest.Stats().Instances }

// Close implements abi.Store.
func (s *store) Close() error {
	err := s.Store.Close()
	if s.closed != nil {
		s.once.Do(s.closed)
	}
	return err
}

// Stats is a snapshot of the counters of a wasm store.
type Stats struct {
	Ops         []OpStats        // one per export that was called or can be
	Instances   int              // that exist
	Busy        int              // of them, in use
	Waiting     int              // callers in the queue
	Memory      int64            // bytes of linear memory of all instances
	Created     int64            // instances since the start
	Retired     map[string]int64 // instances that went, by cause; every cause is there
	Losses      int64            // of them, those that took data with them
	Idles       int64            // runs of ws_idle
	Down        time.Duration    // > 0: the guest failed repeatedly and is tried again after this
	FailedInRow int              // failures since the last success
}

// OpStats counts one operation since the store was opened.
type OpStats struct {
	Op     string        // the export
	Calls  int64         // finished, faults included
	Faults int64         // of them, how many ended in a fault of the guest
	Fuel   int64         // units used; 0 without the fuel meter
	Waits  int64         // how many had to wait for an instance
	Waited time.Duration // and how long together
}

// StatsOf returns the counters of a store that [Module.Open] or [Sandbox.Open]
// made; false for any other store.
func StatsOf(s abi.Store) (Stats, bool) {
	st, ok := s.(*store)
	if !ok {
		return Stats{}, false
	}
	from := st.guest.Stats()
	stats := Stats{
		Instances: from.Instances, Busy: from.Busy, Waiting: from.Waiting, Memory: from.Memory, Created: from.Created,
		Retired: map[string]int64{}, Losses: st.seen.losses.Load(), Idles: from.Idles, Down: from.Down, FailedInRow: from.Failures,
	}
	for _, cause := range engine.Causes() {
		stats.Retired[cause.String()] = from.Retirements[cause]
	}
	for _, op := range from.Ops {
		stats.Ops = append(stats.Ops, OpStats(op))
	}
	return stats, true
}
