package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// Config configures [New].
type Config struct {
	Guard  stateapi.Guard
	Pace   Pace        // of bodies and answers; zero = the defaults
	Logger *zap.Logger // nil = none
}

type server struct {
	api   *stateapi.API
	cfg   Config
	calls sync.Pool // of *call
}

// New returns the handler of the API. It is safe for concurrent use and holds
// nothing that needs closing.
func New(api *stateapi.API, cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Pace = cfg.Pace.withDefaults()
	return &server{api: api, cfg: cfg}
}

// ServeHTTP routes by hand: ServeMux would clean the path, and a key is taken
// as it was written.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.recover(w, r)
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/v1.0/healthz"); ok {
		s.health(w, r, rest)
		return
	}
	if !s.admitted(w, r) {
		return
	}
	switch rest, ok := strings.CutPrefix(path, "/v1.0/state/"); {
	case ok:
		s.state(w, r, rest)
	case path == "/v1.0/metadata" || strings.HasPrefix(path, "/v1.0/metadata/"):
		s.metadata(w, r, strings.TrimPrefix(strings.TrimPrefix(path, "/v1.0/metadata"), "/"))
	default:
		noRoute(w, r)
	}
}

// admitted answers a request that may not ask, and the questions that browsers
// ask before they send one.
func (s *server) admitted(w http.ResponseWriter, r *http.Request) bool {
	guard := &s.cfg.Guard
	if why := guard.Refuse(r); why != "" {
		write(w, &stateapi.Error{Status: http.StatusForbidden, Code: "ERR_PERMISSION_DENIED", Message: why})
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" && guard.Allowed(origin) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Expose-Headers", "Etag, Metadata.ttlExpireTime")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "*, Authorization, Content-Type, If-Match, Dapr-Api-Token, Traceparent, Tracestate")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return false
		}
	}
	if !guard.TokenOK(r.Header.Get("Dapr-Api-Token")) {
		http.Error(w, "invalid api token", http.StatusUnauthorized)
		return false
	}
	return true
}

// state routes what follows /v1.0/state/: a store, and perhaps a key.
func (s *server) state(w http.ResponseWriter, r *http.Request, rest string) {
	rawStore, rawKey, hasKey := strings.Cut(rest, "/")
	name, err1 := url.PathUnescape(rawStore)
	key, err2 := url.PathUnescape(rawKey)
	if err1 != nil || err2 != nil || name == "" {
		noRoute(w, r)
		return
	}
	post := r.Method == http.MethodPost || r.Method == http.MethodPut
	var do func(http.ResponseWriter, *http.Request, *component.Store, string) *stateapi.Error
	switch {
	case !hasKey || rawKey == "":
		if !post {
			notAllowed(w, r, "POST, PUT")
			return
		}
		do = s.save
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		do = s.get
	case r.Method == http.MethodDelete:
		do = s.delete
	case post && rawKey == "bulk":
		do = s.bulkGet
	case post && rawKey == "transaction":
		do = s.transact
	default:
		notAllowed(w, r, "GET, DELETE")
		return
	}
	st, e := s.api.Store(name)
	if e == nil {
		e = do(w, r, st, key)
	}
	if e != nil {
		s.drain(w, r)
		write(w, e)
	}
}

// drain takes the rest of a body that was refused before it was read, as far as
// a body may be: a client that is still sending would see its connection reset
// instead of the answer.
func (s *server) drain(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		_, _ = io.CopyN(io.Discard, s.paced(w, r), s.api.Limits().Body)
	}
}

func (s *server) recover(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == any(http.ErrAbortHandler) {
		panic(v)
	}
	s.cfg.Logger.Error("request panicked", zap.String("method", r.Method), zap.String("path", r.URL.Path),
		zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
	write(w, &stateapi.Error{Status: http.StatusInternalServerError, Code: "ERR_INTERNAL", Message: "internal error; see the server's log"})
}

// write answers with an error in Dapr's form.
func write(w http.ResponseWriter, e *stateapi.Error) {
	body, err := json.Marshal(struct {
		Code    string `json:"errorCode"`
		Message string `json:"message"`
		Details []any  `json:"details,omitempty"`
	}{e.Code, e.Message, e.Details})
	if err != nil {
		body = []byte(`{"errorCode":"ERR_INTERNAL","message":"the error cannot be shown"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(body)
}

func noRoute(w http.ResponseWriter, r *http.Request) {
	write(w, &stateapi.Error{Status: http.StatusNotFound, Code: "ERR_NOT_FOUND", Message: "there is nothing at " + text.Clip(r.URL.Path, 200) + "; the state API is at /v1.0/state/{store}/{key}"})
}

func notAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	write(w, &stateapi.Error{Status: http.StatusMethodNotAllowed, Code: "ERR_METHOD_NOT_ALLOWED", Message: r.Method + " is not possible here; use " + allow})
}
