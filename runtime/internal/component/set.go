package component

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// Config configures a [Set]. The zero value is ready.
type Config struct {
	AppID     string // for key prefixes; must not contain "||"
	Namespace string
	Logger    *zap.Logger // nil = none
	Observer  Observer    // nil = none
	// CloseGrace is how long a replaced or removed store may finish its calls
	// before it is closed all the same; 0 = 30 s.
	CloseGrace time.Duration
}

// Set is the live set of components. Make one with [New], call Run once, and
// feed it with Reconcile, Apply and Remove. Safe for concurrent use.
type Set struct {
	cfg Config
	log *zap.Logger

	// pending is what everything feeds: a component whose desire has changed.
	// The consumer hands it to the component's own worker and never waits, so
	// order is kept per name and names do not delay each other.
	pending chan *slot

	mu       sync.Mutex // guards what follows and every slot's fields
	slots    map[string]*slot
	changed  chan struct{} // closed and replaced when anything changes
	closed   bool
	workers  sync.WaitGroup
	stopping context.CancelFunc // ends the workers
	ctx      context.Context    // of the workers
}

// New returns an empty set. It starts nothing.
func New(cfg Config) *Set {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Observer == nil {
		cfg.Observer = nopObserver{}
	}
	if cfg.CloseGrace <= 0 {
		cfg.CloseGrace = 30 * time.Second
	}
	s := &Set{cfg: cfg, log: cfg.Logger, pending: make(chan *slot, 64), slots: map[string]*slot{}, changed: make(chan struct{})}
	s.ctx, s.stopping = context.WithCancel(context.Background())
	return s
}

// Run consumes pending changes until ctx ends or the set is closed. Components
// go on serving after it returned; Close ends them.
func (s *Set) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.ctx.Done():
			return nil
		case sl := <-s.pending:
			s.mu.Lock()
			if !sl.working && !s.closed {
				sl.working = true
				s.workers.Go(func() { s.work(sl) })
			}
			s.mu.Unlock()
			select {
			case sl.wake <- struct{}{}:
			default: // it will look again anyway
			}
		}
	}
}

// Apply asks for spec. An unchanged digest is a no-op. It returns at once; see
// Wait and Status for what came of it.
func (s *Set) Apply(spec Spec) { s.submit(spec.Name, &spec, nil) }

// Remove asks for the component to go: it finishes its calls and is closed.
func (s *Set) Remove(name string) { s.submit(name, nil, nil) }

// Reconcile makes desired the whole of the set. Components that are not in it
// are removed, except those for which keep reports true: their file cannot be
// read at the moment. A component that goes while another of its type comes is
// taken for renamed, and serves until the new one is ready.
func (s *Set) Reconcile(desired []Spec, keep func(name string) bool) {
	want := make(map[string]bool, len(desired))
	arriving := map[string][]string{} // by type
	s.mu.Lock()
	for i := range desired {
		want[desired[i].Name] = true
		if sl := s.slots[desired[i].Name]; sl == nil || sl.desired == nil {
			arriving[desired[i].Type] = append(arriving[desired[i].Type], desired[i].Name)
		}
	}
	type leaving struct {
		name  string
		after []string
	}
	var gone []leaving
	for name, sl := range s.slots {
		if sl.desired != nil && !want[name] && (keep == nil || !keep(name)) {
			gone = append(gone, leaving{name, arriving[sl.desired.Type]})
		}
	}
	// All is recorded before any worker looks: whoever is built on another one
	// must not find it missing because its file comes later.
	var changed []*slot
	for i := range desired {
		if sl := s.record(desired[i].Name, &desired[i], nil); sl != nil {
			changed = append(changed, sl)
		}
	}
	for _, l := range gone {
		if sl := s.record(l.name, nil, l.after); sl != nil {
			changed = append(changed, sl)
		}
	}
	s.mu.Unlock()
	s.push(changed...)
}

// submit records what is wanted of a component and puts it in the channel.
func (s *Set) submit(name string, spec *Spec, after []string) {
	s.mu.Lock()
	sl := s.record(name, spec, after)
	s.mu.Unlock()
	if sl != nil {
		s.push(sl)
	}
}

// record notes what is wanted of a component and returns its slot if that is
// something new. Called with the lock held.
func (s *Set) record(name string, spec *Spec, after []string) *slot {
	if s.closed {
		return nil
	}
	sl := s.slots[name]
	if sl == nil {
		if spec == nil {
			return nil
		}
		sl = s.newSlot(name)
		s.slots[name] = sl
	}
	switch {
	case spec == nil && sl.desired == nil,
		spec != nil && sl.desired != nil && sl.desired.Digest == spec.Digest && sl.removeAfter == nil && !sl.leaving:
		return nil
	case spec != nil && sl.desired != nil && sl.desired.Digest == spec.Digest:
		sl.leaving, sl.removeAfter = false, nil // wanted again before it went
	case spec != nil:
		sl.desired, sl.leaving, sl.removeAfter = spec, false, nil
		sl.pinned = ""
		sl.settled = false
	default:
		sl.leaving, sl.removeAfter, sl.settled = true, after, false
	}
	sl.version++
	s.broadcast()
	return sl
}

// push puts slots in the channel.
func (s *Set) push(slots ...*slot) {
	for _, sl := range slots {
		select {
		case s.pending <- sl:
		case <-s.ctx.Done():
		}
	}
}

// Complain says that the file of a component that serves is wrong at the
// moment: it goes on, shown as degraded with the reason. nil takes it back. An
// unknown name is ignored.
func (s *Set) Complain(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl := s.slots[name]; sl != nil {
		was := sl.complaint
		sl.complaint = err
		if sl.state == handle.StateReady && (was == nil) != (err == nil) {
			sl.since = time.Now()
			state := handle.StateReady
			if err != nil {
				state = handle.StateDegraded
			}
			s.cfg.Observer.StateChanged(name, sl.desiredType(), state)
			s.broadcast()
		}
	}
}

// Retry tries the named components again at once, if they failed; no name
// means all.
func (s *Set) Retry(names ...string) {
	s.mu.Lock()
	var again []*slot
	for name, sl := range s.slots {
		if (len(names) == 0 || slices.Contains(names, name)) && sl.attempts > 0 {
			sl.version++
			sl.next = time.Time{}
			again = append(again, sl)
		}
	}
	s.mu.Unlock()
	for _, sl := range again {
		select {
		case s.pending <- sl:
		case <-s.ctx.Done():
		}
	}
}

// broadcast tells everybody who waits that something changed; mu is held.
func (s *Set) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Failure is a component that did not come up.
type Failure struct {
	Component, Source, Reason string
	IgnoreErrors              bool
	Err                       error
}

// Error reads like `orders.yaml:3: component orders: init: …`.
func (f *Failure) Error() string {
	prefix := ""
	if f.Source != "" {
		prefix = f.Source + ": "
	}
	return fmt.Sprintf("%scomponent %s: %v", prefix, f.Component, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Wait returns when every component asked for so far has come up or failed for
// the first time, and lists those that failed, by name.
func (s *Set) Wait(ctx context.Context) ([]*Failure, error) {
	for {
		s.mu.Lock()
		var failures []*Failure
		busy := false
		for _, sl := range s.slots {
			busy = busy || !sl.settled && !s.heldBack(sl)
			if sl.err != nil && sl.desired != nil {
				failures = append(failures, &Failure{sl.name, sl.desired.Source, string(sl.state), sl.desired.IgnoreErrors, sl.err})
			}
		}
		changed, closed := s.changed, s.closed
		s.mu.Unlock()
		if !busy || closed {
			slices.SortFunc(failures, func(a, b *Failure) int { return cmp.Compare(a.Component, b.Component) })
			return failures, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Store returns the handle of a component that is configured, whatever state
// it is in; the calls of one that does not serve are [abi.ErrUnavailable] with
// the reason. An unknown name is a [*handle.NotFoundError].
func (s *Set) Store(name string) (*Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.slots[name]
	if sl == nil || sl.desired == nil && sl.handle.current.Load() == nil {
		var known []string
		for n, other := range s.slots {
			if other.desired != nil {
				known = append(known, n)
			}
		}
		slices.Sort(known)
		return nil, &handle.NotFoundError{Name: name, Configured: len(known) > 0, Near: text.Nearest(name, known)}
	}
	return &sl.handle, nil
}

// Status lists every component, by name.
func (s *Set) Status() []handle.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []handle.Status
	for _, sl := range s.slots {
		if sl.desired != nil || sl.handle.current.Load() != nil {
			list = append(list, sl.status())
		}
	}
	slices.SortFunc(list, func(a, b handle.Status) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// NotReady lists the components that do not serve what their file says, except
// those that ignore errors; empty means healthy. A degraded component serves
// and is not listed.
func (s *Set) NotReady() []handle.Status {
	return slices.DeleteFunc(s.Status(), func(st handle.Status) bool {
		return st.State == handle.StateReady || st.State == handle.StateDegraded || st.IgnoreErrors
	})
}

// ActorStore applies the selection rule for the actor state store: exactly one
// component asks for it and has ETAG and TRANSACTIONAL. warning says why there
// is none; it is empty if nobody asks.
func (s *Set) ActorStore() (name, warning string) {
	const needs = abi.FeatureETag | abi.FeatureTransactional
	var asked []string
	var features abi.Features
	for _, st := range s.Status() {
		if st.ActorStateStore {
			asked = append(asked, st.Name)
			features = st.Features
		}
	}
	switch {
	case len(asked) == 0:
		return "", ""
	case len(asked) > 1:
		return "", "several actor state stores are specified: " + strings.Join(asked, ", ")
	case !features.Has(needs):
		return "", fmt.Sprintf("%s cannot be the actor state store: it lacks %s", asked[0], needs&^features)
	}
	return asked[0], ""
}

// Rollback returns a component to its previous good generation. It stays there
// until its digest changes.
func (s *Set) Rollback(name string) error {
	s.mu.Lock()
	sl := s.slots[name]
	if sl == nil || sl.desired == nil {
		s.mu.Unlock()
		_, err := s.Store(name)
		return cmp.Or(err, error(abi.ErrNotFound))
	}
	if sl.state == handle.StateDegraded {
		// The good version serves already: stop trying the other one.
		sl.pinned, sl.settled = sl.desired.Digest, true
		sl.attempts, sl.next = 0, time.Time{}
		sl.version++
		s.setState(sl, handle.StateReady, nil)
		s.mu.Unlock()
		return nil
	}
	if sl.previous == nil {
		s.mu.Unlock()
		return abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf("component %s has no earlier version to return to", name))
	}
	sl.target, sl.pinned = sl.previous, sl.desired.Digest
	sl.settled = false
	sl.version++
	s.broadcast()
	s.mu.Unlock()
	select {
	case s.pending <- sl:
	case <-s.ctx.Done():
	}
	return nil
}

// Close retires every component, waits for the calls in progress up to the
// grace, closes the stores and waits for all goroutines, at most until ctx
// ends. Idempotent. An Init that hangs is reported and left behind.
func (s *Set) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	slots := make([]*slot, 0, len(s.slots))
	for _, sl := range s.slots {
		slots = append(slots, sl)
	}
	s.broadcast()
	s.mu.Unlock()
	s.stopping()

	errs := make(chan error, len(slots)+1)
	for _, sl := range slots {
		go func() { errs <- s.takeDown(ctx, sl, "the runtime is closing") }()
	}
	var all []error
	for range slots {
		all = append(all, <-errs)
	}
	done := make(chan struct{})
	go func() { s.workers.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		all = append(all, fmt.Errorf("close components: %w: a store does not return from Init or Close", ctx.Err()))
	}
	return errors.Join(all...)
}
