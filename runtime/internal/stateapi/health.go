package stateapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wasmstate/wasmstate/runtime/handle"
)

// Readiness is the policy of what has to serve for the server to be ready for
// traffic. It says nothing of liveness: a process that serves is alive, whatever
// happens to a component.
type Readiness string

// The policies.
const (
	ReadyAll    Readiness = "all"    // every component that does not say ignoreErrors
	ReadyAny    Readiness = "any"    // at least one component, or there are none
	ReadyServer Readiness = "server" // the server itself; components do not matter
)

// ParseReadiness reads a policy; empty is ReadyAll.
func ParseReadiness(text string) (Readiness, error) {
	switch r := Readiness(strings.ToLower(text)); r {
	case "":
		return ReadyAll, nil
	case ReadyAll, ReadyAny, ReadyServer:
		return r, nil
	}
	return "", fmt.Errorf("readiness %q is none of all, any and server", clip(text))
}

// CheckAppID refuses a probe that is meant for another application; empty is
// for any.
func (a *API) CheckAppID(id string) *Error {
	if id == "" || id == a.cfg.AppID {
		return nil
	}
	return &Error{Status: http.StatusInternalServerError, Code: "ERR_HEALTH_APPID_NOT_MATCH", Message: "dapr app-id does not match"}
}

// Live answers the liveness probe, /v1.0/healthz: an error until the start is
// over and once the server stops, as Dapr; nothing else makes it one.
func (a *API) Live() *Error {
	if a.cfg.Ready() {
		return nil
	}
	return &Error{Status: http.StatusInternalServerError, Code: "ERR_HEALTH_NOT_READY", Message: "dapr is not ready: the server is starting or stopping"}
}

// ReadyToServe answers the readiness probe, /v1.0/healthz/outbound, by the
// policy. A degraded component serves.
func (a *API) ReadyToServe() *Error {
	var down []string
	up := 0
	if !a.cfg.Ready() {
		down = append(down, "the server is starting or stopping")
	} else if a.cfg.Readiness != ReadyServer {
		for _, st := range a.stores.Status() {
			switch {
			case serves(st):
				up++
			case !st.IgnoreErrors:
				down = append(down, st.Name+" is "+string(st.State))
			}
		}
		if a.cfg.Readiness == ReadyAny && up > 0 {
			down = nil
		}
	}
	if len(down) == 0 {
		return nil
	}
	const most = 10
	if n := len(down); n > most {
		down = append(down[:most], fmt.Sprintf("and %d more", n-most))
	}
	return &Error{Status: http.StatusInternalServerError, Code: "ERR_OUTBOUND_HEALTH_NOT_READY", Message: "dapr outbound is not ready: " + strings.Join(down, ", ")}
}

func serves(st handle.Status) bool {
	return st.State == handle.StateReady || st.State == handle.StateDegraded
}

// pingTime bounds how long the probe of one store waits for its backend.
const pingTime = 2 * time.Second

// StoreReady answers the probe of one store, /v1.0/healthz/stores/{name}: it
// serves, and its backend answers.
func (a *API) StoreReady(ctx context.Context, name string) *Error {
	refuse := func(status int, msg string) *Error {
		return &Error{Status: status, Code: "ERR_HEALTH_NOT_READY", Message: msg}
	}
	if e := a.Live(); e != nil {
		return e
	}
	list := a.stores.Status()
	at := slices.IndexFunc(list, func(st handle.Status) bool { return st.Name == name })
	if at < 0 {
		e := a.storeErrorOf(name)
		e.Status = http.StatusNotFound
		return e
	}
	if st := list[at]; !serves(st) {
		msg := "store " + name + " is " + string(st.State)
		if st.Reason != "" {
			msg += ": " + st.Reason
		}
		return refuse(http.StatusInternalServerError, msg)
	}
	st, e := a.Store(name)
	if e != nil {
		return e
	}
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if err := st.Ping(ctx); err != nil {
		return refuse(http.StatusInternalServerError, "store "+name+" does not answer: "+err.Error())
	}
	return nil
}

func (a *API) storeErrorOf(name string) *Error {
	_, e := a.Store(name)
	if e == nil {
		e = &Error{Code: "ERR_STATE_STORE_NOT_FOUND", Message: "state store " + name + " is not found"}
	}
	return e
}
