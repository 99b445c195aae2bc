package component

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/runtime/handle"
)

// The back-off of failed components: it doubles from the first to the last.
const (
	firstBackOff = 500 * time.Millisecond
	lastBackOff  = 30 * time.Second
)

// work is the worker of one component: it brings up what is wanted, retries
// what failed, and takes down what is removed. It ends with the set.
func (s *Set) work(sl *slot) {
	for {
		s.mu.Lock()
		version, settled, leaving := sl.version, sl.settled, sl.leaving
		spec, next, changed := sl.desired, sl.next, s.changed
		if sl.target != nil {
			spec = sl.target
		}
		awaited := leaving && !s.allReady(sl.removeAfter)
		retry := sl.attempts > 0 && !time.Now().Before(next)
		s.mu.Unlock()

		switch {
		case s.ctx.Err() != nil:
			return
		case leaving && !awaited:
			s.remove(sl, version)
		case !leaving && spec != nil && (!settled || retry):
			s.bringUp(sl, spec, version)
		default:
			s.rest(sl, next, awaited, changed)
		}
	}
}

// rest waits until there is something to do.
func (s *Set) rest(sl *slot, next time.Time, awaited bool, changed <-chan struct{}) {
	var retry <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		retry = timer.C
	}
	if !awaited {
		changed = nil
	}
	select {
	case <-sl.wake:
	case <-retry:
	case <-changed:
	case <-s.ctx.Done():
	}
}

// allReady reports whether the named components serve; mu is held.
func (s *Set) allReady(names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool {
		sl := s.slots[n]
		return sl != nil && sl.desired != nil && !sl.leaving && sl.handle.current.Load() == nil
	})
}

// heldBack reports whether a renamed component waits for a successor that has
// failed for now; mu is held.
func (s *Set) heldBack(sl *slot) bool {
	return sl.leaving && !s.allReady(sl.removeAfter) && !slices.ContainsFunc(sl.removeAfter, func(n string) bool {
		next := s.slots[n]
		return next != nil && !next.settled
	})
}

// remove drains and closes a component that its folder no longer has.
func (s *Set) remove(sl *slot, version int64) {
	s.mu.Lock()
	if sl.version != version {
		s.mu.Unlock()
		return // wanted again
	}
	sl.leaving, sl.removeAfter = false, nil
	sl.desired, sl.target, sl.previous, sl.pinned = nil, nil, nil, ""
	sl.attempts, sl.next = 0, time.Time{}
	s.setState(sl, handle.StateClosing, nil)
	s.mu.Unlock()
	err := s.takeDown(s.ctx, sl, fmt.Sprintf("component %s was removed", sl.name))
	if err != nil {
		s.log.Warn("close failed", zap.String("component", sl.name), zap.Error(err))
	}
	s.cfg.Observer.Removed(sl.name)
	s.log.Info("component removed", zap.String("component", sl.name))
	s.mu.Lock()
	if sl.version == version {
		sl.settled = true
	}
	s.broadcast()
	s.mu.Unlock()
}

// bringUp tries spec once and records what came of it.
func (s *Set) bringUp(sl *slot, spec *Spec, version int64) {
	err := s.waitForUses(spec)
	// What serves already needs no making: its file was away or broken for a while.
	if g := sl.handle.current.Load(); err == nil && (g == nil || g.spec.Digest != spec.Digest) {
		err = s.replace(sl, spec)
	}
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.broadcast()
	serves := sl.handle.current.Load() != nil
	if err != nil && sl.target != nil {
		// A rollback that fails leaves everything as it was.
		sl.target, sl.pinned, sl.settled = nil, "", true
		s.setState(sl, sl.state, fmt.Errorf("roll back: %w", err))
		return
	}
	if sl.version != version {
		// Something newer is wanted; whoever asked has cleared settled if it
		// has to be tried.
		if err == nil {
			sl.attempts, sl.next = 0, time.Time{}
		}
		return
	}
	sl.settled = true
	if err == nil {
		sl.target = nil
		sl.attempts, sl.next = 0, time.Time{}
		s.setState(sl, handle.StateReady, nil)
		return
	}
	err = shortened(err)
	known := sl.err != nil && sl.err.Error() == err.Error()
	sl.attempts++
	sl.next = time.Now().Add(backOff(sl.attempts))
	state := handle.StateFailed
	var waiting interface{ Waiting() string }
	switch {
	case serves:
		state = handle.StateDegraded
	case errors.As(err, &waiting):
		state = handle.StatePending
	}
	s.setState(sl, state, err)
	level := zap.ErrorLevel
	if known {
		level = zap.DebugLevel // it has been said; nothing has changed
	}
	s.log.Log(level, "component failed", zap.String("component", sl.name), zap.String("type", spec.Type), zap.String("source", spec.Source),
		zap.String("state", string(state)), zap.Int("attempt", sl.attempts), zap.Time("next", sl.next), zap.Error(err))
}

// backOff doubles from firstBackOff to lastBackOff, less up to a fifth so that
// components do not retry in step.
func backOff(attempts int) time.Duration {
	d := lastBackOff
	if attempts < 8 {
		d = min(firstBackOff<<(attempts-1), lastBackOff)
	}
	return d - time.Duration(rand.Int64N(int64(d/5)))
}

// waitForUses waits until the components that spec is built on have been
// tried, and refuses a cycle.
func (s *Set) waitForUses(spec *Spec) error {
	for {
		s.mu.Lock()
		path := Cycle(spec.Name, s.usesOf(spec))
		busy := false
		var missing string
		for _, name := range spec.Uses {
			sl := s.slots[name]
			switch {
			case sl == nil || sl.desired == nil:
				missing = name
			case !sl.settled && sl.handle.current.Load() == nil:
				busy = true
			}
		}
		changed := s.changed
		s.mu.Unlock()
		switch {
		case path != nil:
			return fmt.Errorf("component %s uses itself: %s", spec.Name, strings.Join(path, " -> "))
		case missing != "":
			return fmt.Errorf("component %s uses %s, which is not configured", spec.Name, missing)
		case !busy:
			return nil
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// Cycle returns the way from name back to itself along uses, both ends
// included; nil if there is none.
func Cycle(name string, uses func(name string) []string) []string {
	seen := map[string]bool{}
	var walk func(at string) []string
	walk = func(at string) []string {
		for _, next := range uses(at) {
			if next == name {
				return []string{at, name}
			}
			if !seen[next] {
				seen[next] = true
				if path := walk(next); path != nil {
					return append([]string{at}, path...)
				}
			}
		}
		return nil
	}
	return walk(name)
}

// usesOf are the components that one is built on, spec.Name by spec itself; mu
// is held.
func (s *Set) usesOf(spec *Spec) func(name string) []string {
	return func(name string) []string {
		if name == spec.Name {
			return spec.Uses
		}
		if sl := s.slots[name]; sl != nil && sl.desired != nil {
			return sl.desired.Uses
		}
		return nil
	}
}
