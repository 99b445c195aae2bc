package admin

import (
	"time"

	"github.com/wasmstate/wasmstate/runtime/handle"
)

// Component is what there is to say of a component, as the admin API words it.
type Component struct {
	Name          string       `json:"name"`
	Type          string       `json:"type"`
	Version       string       `json:"version"`
	State         handle.State `json:"state"`
	Reason        string       `json:"reason,omitempty"`    // why it is not ready
	Source        string       `json:"source,omitempty"`    // file:line
	Digest        string       `json:"digest,omitempty"`    // of what serves
	Generation    int64        `json:"generation"`          // of what serves, from 1; 0 = nothing
	Since         time.Time    `json:"since"`               // when it entered the state
	InFlight      int64        `json:"inFlight"`            // calls in progress
	Instances     int          `json:"instances,omitempty"` // of a wasm store
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

func componentOf(st handle.Status) Component {
	return Component{
		Name:          st.Name,
		Type:          st.Type,
		Version:       st.Version,
		State:         st.State,
		Reason:        st.Reason,
		Source:        st.Source,
		Digest:        st.Digest,
		Generation:    st.Generation,
		Since:         st.Since,
		InFlight:      st.InFlight,
		Instances:     st.Instances,
		Capabilities:  append([]string{}, st.Features.Names()...),
		Actor:         st.ActorStateStore,
		IgnoreErrors:  st.IgnoreErrors,
		RolledBack:    st.RolledBack,
		CanRollBack:   st.CanRollBack,
		Attempts:      st.Attempts,
		NextAttempt:   st.NextAttempt,
		LastHandOver:  st.HandOverPause.Microseconds(),
		HandOverItems: st.HandOverItems,
	}
}
