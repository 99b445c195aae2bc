package component

import (
	"context"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// DefaultInitTimeout is how long Init may take unless a component says otherwise.
const DefaultInitTimeout = 5 * time.Second

// Spec is one component as it should be. It is a value; the functions in it
// may be called several times, from any goroutine, one after the other.
type Spec struct {
	Name    string // as in the API path
	Type    string // full type, such as "state.sqlite"
	Version string // as given; may be empty
	Source  string // where it comes from, as file:line, for people
	// Digest changes whenever anything that matters changes: the document, the
	// values of its secrets, the bytes of its module.
	Digest string

	InitTimeout     time.Duration // 0 = DefaultInitTimeout
	IgnoreErrors    bool          // a failure is no reason not to start
	KeyPrefix       string        // strategy: "", appid, name, namespace, none or a text
	IgnoreLastETag  bool          // etagOnLastWrite: ignore
	ActorStateStore bool
	// KeepState moves data that would be lost by a change to the new store, and
	// refuses a new store that cannot take it. Without it such data is dropped.
	KeepState bool
	// Uses names the components that this one is built on. They are awaited
	// before it starts; a cycle is refused.
	Uses []string

	// Create makes the store, from the registry or from a module. An error is
	// a failure of the kind "creation".
	Create func(ctx context.Context) (abi.Store, error)
	// Resolve returns the final properties: secrets, environment and templates
	// filled in and checked. Called at every attempt. An error with a method
	// Waiting() string parks the component until that is there. nil = no
	// properties.
	Resolve func(ctx context.Context) (abi.Metadata, error)
	// Redact replaces the component's secrets in a text for people; nil = there
	// are none. It is applied to every error of the component.
	Redact func(text string) string
}

// redacted is err without secrets in its text. What it wraps stays.
func (s *Spec) redacted(err error) error {
	if err == nil || s.Redact == nil {
		return err
	}
	text := err.Error()
	if clean := s.Redact(text); clean != text {
		return &redactedError{clean, err}
	}
	return err
}

// redactedError is an error with another text.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Unwrap() error { return e.err }

func (s *Spec) initTimeout() time.Duration {
	if s.InitTimeout <= 0 {
		return DefaultInitTimeout
	}
	return s.InitTimeout
}

// source is where the component comes from; "" for none.
func (s *Spec) source() string {
	if s == nil {
		return ""
	}
	return s.Source
}

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

// Status is what there is to say of a component.
type Status struct {
	Name          string       `json:"name"`
	Type          string       `json:"type"`
	Version       string       `json:"version"`
	State         State        `json:"state"`
	Reason        string       `json:"reason,omitempty"`    // why it is not ready
	Source        string       `json:"source,omitempty"`    // file:line
	Digest        string       `json:"digest,omitempty"`    // of what serves
	Generation    int64        `json:"generation"`          // of what serves, from 1; 0 = nothing
	Since         time.Time    `json:"since"`               // when it entered the state
	InFlight      int64        `json:"inFlight"`            // calls in progress
	Instances     int          `json:"instances,omitempty"` // of a wasm store
	Features      abi.Features `json:"-"`
	Capabilities  []string     `json:"capabilities"`
	Actor         bool         `json:"actorStateStore,omitempty"` // asked to be the actor store
	IgnoreErrors  bool         `json:"ignoreErrors,omitempty"`
	RolledBack    bool         `json:"rolledBack,omitempty"` // an earlier version serves by request
	CanRollBack   bool         `json:"canRollBack,omitempty"`
	Attempts      int          `json:"attempts,omitempty"` // failed attempts in a row
	NextAttempt   time.Time    `json:"nextAttempt,omitzero"`
	LastHandOver  int64        `json:"lastHandOverMicros,omitempty"` // how long writes were held back
	HandOverItems int64        `json:"lastHandOverItems,omitempty"`
}

// Op names an operation in metrics and errors.
type Op uint8

// The operations of a handle.
const (
	OpGet Op = iota
	OpSet
	OpDelete
	OpBulkGet
	OpBulkWrite
	OpTransact
	OpKeys
	OpDeleteWithPrefix
	OpPing
	NumOps
)

var opNames = [NumOps]string{"get", "set", "delete", "bulk_get", "bulk_write", "transact", "keys", "delete_with_prefix", "ping"}

// String is the operation as metrics label it, such as "bulk_get".
func (o Op) String() string { return opNames[o] }

// Recorder counts the operations of one component. Op must not block or
// allocate; it is called from many goroutines.
type Recorder interface {
	Op(op Op, code abi.Code, took time.Duration)
}

// Observer is told what happens in a [Set]. It must not block and not call
// back. It is called from many goroutines.
type Observer interface {
	Recorder(component, typ string) Recorder
	Initialized(component, typ string)
	InitFailed(component, typ, reason string) // reason is "creation" or "init"
	Reloaded(component, outcome string)       // "ok" or "failed": a change of a component that was serving
	StateChanged(component, typ string, state State)
	Removed(component string)
}

// nopObserver is used when nobody listens.
type nopObserver struct{}

func (nopObserver) Recorder(string, string) Recorder            { return nopObserver{} }
func (nopObserver) Initialized(string, string)                  {}
func (nopObserver) InitFailed(string, string, string)           {}
func (nopObserver) Reloaded(string, string)                     {}
func (nopObserver) StateChanged(string, string, State)          {}
func (nopObserver) Removed(string)                              {}
func (nopObserver) Op(op Op, code abi.Code, took time.Duration) {}
