// Package admin serves what operators ask of a running server:
//
//	GET  /v1.0/admin/components                  every component, and what is wrong with the files
//	POST /v1.0/admin/reload                      read the files now
//	POST /v1.0/admin/components/{name}/rollback  back to the version before
//	GET  /v1.0/admin/healthz
//
// It is meant for a loopback listener; its guard refuses web pages and Hosts
// that are not this machine, and asks for the API token if there is one.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// Runtime is what the admin API asks.
type Runtime interface {
	Status() []handle.Status
	Problems() []string
	Reload(ctx context.Context) ([]string, error)
	Rollback(name string) error
	Acknowledge(name string) error
	Ready() bool
}

// Config configures [New].
type Config struct {
	Guard          stateapi.Guard
	AppID, Version string
	Logger         *zap.Logger
}

// reloadTimeout bounds how long a reload is waited for.
const reloadTimeout = time.Minute

// Components is the answer of GET /v1.0/admin/components.
type Components struct {
	AppID      string      `json:"appID"`
	Version    string      `json:"version"`
	Ready      bool        `json:"ready"`
	Components []Component `json:"components"` // never null
	Problems   []string    `json:"problems"`   // of the component files, one line each; never null
}

type server struct {
	rt  Runtime
	cfg Config
}

// New returns the handler of the admin API. Safe for concurrent use.
func New(rt Runtime, cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	s := &server{rt, cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.0/admin/healthz", s.healthz)
	mux.HandleFunc("GET /v1.0/admin/components", s.components)
	mux.HandleFunc("POST /v1.0/admin/reload", s.reload)
	mux.HandleFunc("POST /v1.0/admin/components/{name}/rollback", s.rollback)
	mux.HandleFunc("POST /v1.0/admin/components/{name}/acknowledge", s.acknowledge)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := s.cfg.Guard.Refuse(r); why != "" {
			fail(w, http.StatusForbidden, "ERR_FORBIDDEN", why)
			return
		}
		if !s.cfg.Guard.TokenOK(r.Header.Get("Dapr-Api-Token")) {
			fail(w, http.StatusUnauthorized, "ERR_UNAUTHORIZED", "invalid api token; set the header dapr-api-token")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *server) healthz(w http.ResponseWriter, _ *http.Request) {
	if !s.rt.Ready() {
		fail(w, http.StatusServiceUnavailable, "ERR_HEALTH_NOT_READY", "the server is starting or stopping")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) components(w http.ResponseWriter, _ *http.Request) {
	list := []Component{}
	for _, st := range s.rt.Status() {
		list = append(list, componentOf(st))
	}
	answer(w, http.StatusOK, Components{s.cfg.AppID, s.cfg.Version, s.rt.Ready(), list, append([]string{}, s.rt.Problems()...)})
}

func (s *server) reload(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reloadTimeout)
	defer cancel()
	problems, err := s.rt.Reload(ctx)
	if err != nil {
		fail(w, http.StatusServiceUnavailable, "ERR_RELOAD", err.Error())
		return
	}
	s.cfg.Logger.Info("reloaded by request", zap.Int("problems", len(problems)))
	if problems == nil {
		problems = []string{}
	}
	answer(w, http.StatusOK, struct {
		Problems []string `json:"problems"`
	}{problems})
}

func (s *server) rollback(w http.ResponseWriter, r *http.Request) {
	s.change(w, r, "ERR_ROLLBACK", "rolled back by request", s.rt.Rollback)
}

func (s *server) acknowledge(w http.ResponseWriter, r *http.Request) {
	s.change(w, r, "ERR_ACKNOWLEDGE", "loss of data acknowledged by request", s.rt.Acknowledge)
}

// change does something to one component and answers.
func (s *server) change(w http.ResponseWriter, r *http.Request, code, done string, do func(name string) error) {
	name := r.PathValue("name")
	err := do(name)
	var nf *handle.NotFoundError
	switch {
	case errors.As(err, &nf):
		fail(w, http.StatusNotFound, "ERR_COMPONENT_NOT_FOUND", nf.Error())
	case abi.CodeOf(err) == abi.CodeInvalidArgument:
		fail(w, http.StatusConflict, code, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, code, err.Error())
	default:
		s.cfg.Logger.Info(done, zap.String("component", name))
		w.WriteHeader(http.StatusAccepted)
	}
}

func fail(w http.ResponseWriter, status int, code, msg string) {
	answer(w, status, map[string]string{"errorCode": code, "message": msg})
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"errorCode":"ERR_INTERNAL","message":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
