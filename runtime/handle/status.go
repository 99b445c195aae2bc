package handle

import (
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// State is where a component stands.
type State string

// The states of a component.
const (
	StatePending  State = "pending"  // not yet up, for the first time
	StateReady    State = "ready"    // serving what the file says
	StateDegraded State = "degraded" // an older version serves; the newest one failed
	StateFailed   State = "failed"   // nothing serves; it is tried again
	StateClosing  State = "closing"  // removed, finishing its last calls
)

// Status is what there is to say of a component. A value; the slices in it
// belong to the caller.
type Status struct {
	Name            string
	Type            string
	Version         string
	State           State
	Reason          string    // why it is not ready
	Source          string    // file:line
	Digest          string    // of what serves
	Generation      int64     // of what serves, from 1; 0 = nothing
	Since           time.Time // when it entered the state
	InFlight        int64     // calls in progress
	Instances       int       // of a wasm store
	Features        abi.Features
	ActorStateStore bool // asked to be the actor store
	IgnoreErrors    bool
	RolledBack      bool // an earlier version serves by request
	CanRollBack     bool
	Attempts        int // failed attempts in a row
	NextAttempt     time.Time
	HandOverPause   time.Duration // how long the last hand-over held writes back
	HandOverItems   int64         // and how many items moved
}
