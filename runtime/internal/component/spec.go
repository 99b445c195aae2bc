package component

import (
	"context"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
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
	// filled in and checked. Called at every attempt, before Create. An error with
	// a method Waiting() string parks the component until that is there. nil = no
	// properties.
	Resolve func(ctx context.Context) (Resolved, error)
}

// Resolved are the properties of one attempt to bring a component up.
type Resolved struct {
	abi.Metadata
	// Redact replaces the secrets among the properties in a text for people; nil =
	// there are none. It is applied to every error of the generation that comes
	// of this attempt.
	Redact func(text string) string
}

// maxRedacted is how much of an error's text is looked at and kept.
const maxRedacted = 64 << 10

// redacted is err without secrets in its text. What it wraps stays.
func redacted(err error, redact func(string) string) error {
	if err == nil || redact == nil || err == error(abi.ErrNotFound) { //nolint:errorlint // the common answer has no secret
		return err
	}
	text := err.Error()
	clean := redact(text[:min(len(text), maxRedacted)]) // a redactor takes the end of a text for a cut
	if clean != text {
		return &retoldError{clean, err}
	}
	return err
}

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

// Recorder counts the operations of one component. Op must not block or
// allocate; it is called from many goroutines.
type Recorder interface {
	// Op: a call ended, took after its beginning. ctx is the caller's.
	Op(ctx context.Context, op handle.Op, code abi.Code, took time.Duration)
}

// Observer is told what happens in a [Set]. It must not block and not call
// back. It is called from many goroutines.
type Observer interface {
	Recorder(component, typ string) Recorder // nil = nothing is counted
	Initialized(component, typ string)
	InitFailed(component, typ, reason string) // reason is "creation" or "init"
	Reloaded(component, outcome string)       // "ok" or "failed": a change of a component that was serving
	StateChanged(component, typ string, state handle.State)
	Removed(component string)
}

// nopObserver is used when nobody listens.
type nopObserver struct{}

func (nopObserver) Recorder(string, string) Recorder          { return nil }
func (nopObserver) Initialized(string, string)                {}
func (nopObserver) InitFailed(string, string, string)         {}
func (nopObserver) Reloaded(string, string)                   {}
func (nopObserver) StateChanged(string, string, handle.State) {}
func (nopObserver) Removed(string)                            {}
