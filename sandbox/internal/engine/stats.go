package engine

import (
	"strconv"
	"time"
)

// Cause says why an instance was retired.
type Cause uint8

// The causes. CauseNone means that the instance goes on.
const (
	CauseNone     Cause = iota
	CauseTrap           // the guest trapped or ended itself
	CauseDeadline       // the guest was stopped
	CauseMemory         // the guest was refused memory and trapped
	CauseABI            // the guest broke the rules of the ABI
	CauseOverflow       // the guest's call stack overflowed
	CauseLarge          // its memory passed the high-water mark
	CauseMaxOps         // it served as many operations as it may
	CauseIdle           // its idle export failed
	CauseTrim           // it was not needed for a while
	CauseSetup          // it could not be set up
	CauseClose          // the guest was closed

	causes
)

var causeNames = [causes]string{"none", "trap", "deadline", "memory", "abi", "overflow", "large", "max_ops", "idle", "trim", "setup", "close"}

// String is the cause as metrics and logs show it.
func (c Cause) String() string {
	if c < causes {
		return causeNames[c]
	}
	return "unknown"
}

// Causes lists every cause, for metrics that want all series from the start.
func Causes() []Cause {
	all := make([]Cause, 0, causes-1)
	for c := CauseTrap; c < causes; c++ {
		all = append(all, c)
	}
	return all
}

// OpStats counts one operation since the guest was loaded.
type OpStats struct {
	Op     string        // the export
	Calls  int64         // finished, faults included
	Faults int64         // of them, how many ended in a fault of the guest
	Fuel   int64         // units used; 0 without the fuel meter
	Waits  int64         // how many had to wait for an instance
	Waited time.Duration // and how long together
}

// Stats is a snapshot of a guest.
type Stats struct {
	Ops         []OpStats
	Instances   int                // that exist
	Busy        int                // of them, in use
	Waiting     int                // callers in the queue
	Memory      int64              // bytes of linear memory of all instances
	Created     int64              // instances since the start
	Retirements [int(causes)]int64 // by Cause
	Idles       int64              // runs of the idle export
	Down        time.Duration      // > 0: the guest failed repeatedly and is tried again after this
	Failures    int                // in a row
}

// counts is what a pool counts, guarded by its lock.
type counts struct {
	ops     []OpStats
	created int64
	retired [causes]int64
	idles   int64
}

// Observer hears of the rare events of a guest, for logs. Methods are called
// without locks held, from any goroutine, and must not call the guest.
type Observer interface {
	// Retired: an instance is gone. err is the fault, or nil.
	Retired(cause Cause, err error)
	// Down: the guest is not tried for d after failures in a row; err is the last.
	Down(d time.Duration, failures int, err error)
	// Up: the guest works again.
	Up()
	// Late: a call of the export op off the request path passed limit and goes
	// on, because the instance holds data.
	Late(op string, limit time.Duration)
	// Failed: such a call answered that it failed; nothing is lost.
	Failed(op string, err error)
}

type noObserver struct{}

func (noObserver) Retired(Cause, error)           {}
func (noObserver) Down(time.Duration, int, error) {}
func (noObserver) Up()                            {}
func (noObserver) Late(string, time.Duration)     {}
func (noObserver) Failed(string, error)           {}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
