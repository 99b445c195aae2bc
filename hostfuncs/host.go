package hostfuncs

import (
	"context"
	"time"

	"github.com/tetratelabs/wazero"
)

// Import is one function that a module imports.
type Import struct{ Module, Name string }

// Config is what one component may do. The zero value grants log, clock and
// random only.
type Config struct {
	Component string // for log lines, metrics and key isolation

	// Log receives one bounded, sanitised line of guest output; nil drops it.
	Log func(level Level, line string)
	// LogEnabled reports whether lines of level are wanted at all; nil = all.
	LogEnabled func(level Level) bool
}

// Level is the severity of a guest's log line.
type Level uint32

// The levels.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Host is what the guests of one component version may call. Safe for
// concurrent use.
type Host struct {
	cfg Config
}

// New checks cfg and builds a host. The caller closes it after the last State.
func New(cfg Config) (*Host, error) { return &Host{cfg: cfg}, nil }

// Check returns one line for every import that is unknown or not granted, in
// the order of imports; nil if all can be linked. It runs nothing.
func (h *Host) Check(imports []Import) []string { return nil }

// Instantiate adds the host modules that imports need to r. Called once per
// runtime, before the guest is instantiated.
func (h *Host) Instantiate(ctx context.Context, r wazero.Runtime, imports []Import) error {
	return nil
}

// Close releases what the component shares between its instances, such as idle
// connections.
func (h *Host) Close() error { return nil }

// State is what one instance has open: handles, counters and the operation in
// progress. Used by one goroutine at a time.
type State struct {
	host     *Host
	ctx      context.Context // of the operation in progress
	deadline time.Time

	// Fuel is charged by host calls; the engine takes it off the guest's
	// counter at the next refill.
	Fuel int64
}

// NewState returns the state of a new instance.
func (h *Host) NewState() *State { return &State{host: h} }

// Begin starts an operation. Host calls end by deadline at the latest; ctx is
// the caller's.
func (s *State) Begin(ctx context.Context, deadline time.Time) {
	s.ctx, s.deadline = ctx, deadline
}

// End finishes the operation: per-operation counters are reset and what may
// not outlive an operation is closed.
func (s *State) End() { s.ctx = nil }

// Close releases every handle of the instance. Idempotent.
func (s *State) Close() error { return nil }

// stateKey is the context key of the State.
type stateKey struct{}

// Key is the context key under which the engine's call context answers the
// instance's *State, without allocating.
func Key() any { return stateKey{} }

// FromContext returns the state of the calling instance; nil outside of a call.
func FromContext(ctx context.Context) *State {
	s, _ := ctx.Value(stateKey{}).(*State)
	return s
}
