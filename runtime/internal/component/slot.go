package component

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/runtime/handle"
)

// slot is the place of one name in a set: what is wanted (desired), what serves
// (handle.current), and the worker that brings the two together. The state says
// how the two stand:
//
//	                 ┌────────── fails, nothing serves ──────────> failed
//	                 │                                            │   ^
//	         Apply   │                                   retried  │   │ fails
//	(none) ───────> pending ── comes up ──> ready <───────────────┘   │
//	                 ^  │                   │  ^                      │
//	                 └──┘ waits for a       │  └── comes up, or the ──┤
//	                      secret store      │      old file is back   │
//	                                        │                         │
//	                    a change fails, or  └──> degraded ────────────┘
//	                    its file is wrong        (the old one serves) if that goes too
//
//	any of them ── Remove, and what replaces it is ready ──> closing ──> (none)
//
// Fields change under Set.mu only; version counts what was asked, so that the
// worker notices that something newer is wanted while it worked without the lock.
type slot struct {
	name   string
	handle Store
	wake   chan struct{} // capacity 1: look again

	// Guarded by Set.mu.
	desired     *Spec    // what its file says; nil once removed
	target      *Spec    // what to bring up instead, after a rollback
	pinned      string   // digest of desired when it was rolled back
	previous    *Spec    // the good one before the one that serves
	leaving     bool     // to be removed
	removeAfter []string // components that must be ready before it leaves
	version     int64    // counts what was asked
	settled     bool     // the last thing asked has been tried once
	working     bool     // the worker runs
	state       handle.State
	err         error // why it is not ready
	since       time.Time
	attempts    int
	next        time.Time
	generations int64
	handOver    handOver
	complaint   error // about its file; what serves goes on

	lost         loss      // of a generation that served before
	acknowledged time.Time // losses up to it are known
}

func (s *Set) newSlot(name string) *slot {
	sl := &slot{name: name, wake: make(chan struct{}, 1), state: handle.StatePending, since: time.Now()}
	sl.handle.name, sl.handle.log = name, s.log
	return sl
}

// instances is implemented by stores that run in several instances.
type instances interface{ Instances() int }

// status is a snapshot; mu is held.
func (sl *slot) status() handle.Status {
	st := handle.Status{Name: sl.name, State: sl.state, Since: sl.since, Attempts: sl.attempts, NextAttempt: sl.next,
		RolledBack: sl.pinned != "", CanRollBack: sl.previous != nil}
	spec := sl.desired
	if sl.err != nil {
		st.Reason = sl.err.Error()
		if file, _, _ := strings.Cut(spec.source(), ":"); !strings.Contains(st.Reason, file) {
			st.Reason = spec.source() + ": " + st.Reason
		}
	}
	if g := sl.handle.current.Load(); g != nil {
		if c, ok := g.store.(instances); ok {
			st.Instances = c.Instances()
		}
		st.Generation, st.Digest, st.InFlight, st.Features = g.number, g.spec.Digest, g.inFlight(), g.features
		if spec == nil || sl.state != handle.StateDegraded {
			spec = &g.spec
		}
		st.Type, st.Version = g.spec.Type, g.spec.Version
	}
	if spec != nil {
		st.Source, st.ActorStateStore, st.IgnoreErrors = spec.Source, spec.ActorStateStore, spec.IgnoreErrors
		if st.Type == "" {
			st.Type, st.Version = spec.Type, spec.Version
		}
	}
	if sl.complaint != nil {
		st.Reason = sl.complaint.Error()
		if sl.state == handle.StateReady {
			st.State = handle.StateDegraded
		}
	}
	sl.showLoss(&st)
	st.HandOverPause, st.HandOverItems = sl.handOver.pause, sl.handOver.items
	return st
}

func (sl *slot) desiredType() string {
	if sl.desired == nil {
		return ""
	}
	return sl.desired.Type
}

// setState records a state; mu is held.
func (s *Set) setState(sl *slot, state handle.State, err error) {
	if sl.state != state {
		sl.since = time.Now()
	}
	sl.state, sl.err = state, err
	why := "component " + sl.name + " is " + string(state)
	if err != nil {
		why += ": " + err.Error()
	}
	sl.handle.down.Store(&why)
	s.cfg.Observer.StateChanged(sl.name, sl.desiredType(), state)
	s.broadcast()
}

// takeDown retires what serves, waits for its leases and closes it.
func (s *Set) takeDown(ctx context.Context, sl *slot, why string) error {
	s.mu.Lock()
	g := sl.handle.current.Swap(nil)
	sl.handle.down.Store(&why)
	s.mu.Unlock()
	if g == nil {
		return nil
	}
	return s.drain(ctx, g)
}

// drain retires a generation, waits for its leases up to the grace and closes
// its store.
func (s *Set) drain(ctx context.Context, g *generation) error {
	g.retire()
	timer := time.NewTimer(s.cfg.CloseGrace)
	defer timer.Stop()
	select {
	case <-g.drained:
	case <-timer.C:
		s.log.Warn("closing a store with calls in progress", zap.String("component", g.spec.Name), zap.Int64("calls", g.inFlight()))
	case <-ctx.Done():
	}
	return contain(g.store.Close)
}
