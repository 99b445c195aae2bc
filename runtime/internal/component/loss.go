package component

import (
	"fmt"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// loss says that a component lost data; the zero value that it did not.
type loss struct {
	at     time.Time
	reason string
}

func (l loss) String() string {
	return fmt.Sprintf("lost its data at %s: %s; `wasmstate acknowledge` ends this notice", l.at.UTC().Format(time.RFC3339), l.reason)
}

// loss is the last one that nobody acknowledged, of what serves or of what
// served before it; mu is held.
func (sl *slot) loss() loss {
	l := sl.lost
	if g := sl.handle.current.Load(); g != nil {
		if teller, ok := g.store.(abi.LossTeller); ok {
			if at, why := teller.LostData(); at.After(l.at) {
				l = loss{at, why}
			}
		}
	}
	if !l.at.After(sl.acknowledged) {
		return loss{}
	}
	return l
}

// showLoss tells of a loss in a status; mu is held.
func (sl *slot) showLoss(st *handle.Status) {
	l := sl.loss()
	if l.at.IsZero() {
		return
	}
	if st.State == handle.StateReady {
		st.State = handle.StateDegraded
	}
	if st.Reason != "" {
		st.Reason += "; "
	}
	st.Reason += l.String()
}

// Acknowledge ends the notice that a component lost its data. It fails for an
// unknown name, and with abi.ErrInvalidArgument if there is no such notice.
func (s *Set) Acknowledge(name string) error {
	if _, err := s.Store(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.slots[name]
	if sl == nil { // it went meanwhile
		return abi.ErrNotFound
	}
	l := sl.loss()
	if l.at.IsZero() {
		return abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf("component %s has lost no data that is not acknowledged", name))
	}
	sl.acknowledged = l.at
	return nil
}
