package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// DefaultMaxBody is the largest request body in bytes unless Config says otherwise.
const DefaultMaxBody = 4 << 20

// Stores is what the API needs of the live set.
type Stores interface {
	Store(name string) (*component.Store, error)
	Status() []component.Status
	NotReady() []component.Status
}

// Config configures [New].
type Config struct {
	AppID   string
	Version string
	Token   string // asked of clients in the header dapr-api-token; empty = none
	MaxBody int64  // bytes; 0 = DefaultMaxBody
	Logger  *zap.Logger
	// Ready reports whether the server takes requests: start-up is over and
	// shutdown has not begun. nil = always.
	Ready func() bool
}

type server struct {
	stores Stores
	cfg    Config
	token  [sha256.Size]byte
	calls  sync.Pool // of *call

	mu       sync.Mutex // guards extended
	extended map[string]string
}

// New returns the handler of the API. It is safe for concurrent use and holds
// nothing that needs closing.
func New(stores Stores, cfg Config) http.Handler {
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Ready == nil {
		cfg.Ready = func() bool { return true }
	}
	return &server{stores: stores, cfg: cfg, token: sha256.Sum256([]byte(cfg.Token)), extended: map[string]string{}}
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
	if !s.authorised(r) {
		http.Error(w, "invalid api token", http.StatusUnauthorized)
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

// state routes what follows /v1.0/state/: a store, and perhaps a key.
func (s *server) state(w http.ResponseWriter, r *http.Request, rest string) {
	rawStore, rawKey, hasKey := strings.Cut(rest, "/")
	name, err1 := url.PathUnescape(rawStore)
	key, err2 := url.PathUnescape(rawKey)
	if err1 != nil || err2 != nil || name == "" {
		noRoute(w, r)
		return
	}
	write := r.Method == http.MethodPost || r.Method == http.MethodPut
	if !hasKey || rawKey == "" {
		if !write {
			notAllowed(w, r, "POST, PUT")
			return
		}
		s.with(w, r, name, s.save)
		return
	}
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.withKey(w, r, name, key, s.get)
	case r.Method == http.MethodDelete:
		s.withKey(w, r, name, key, s.delete)
	case write && rawKey == "bulk":
		s.with(w, r, name, s.bulkGet)
	case write && rawKey == "transaction":
		s.with(w, r, name, s.transact)
	default:
		notAllowed(w, r, "GET, DELETE")
	}
}

func (s *server) with(w http.ResponseWriter, r *http.Request, name string, f func(http.ResponseWriter, *http.Request, *component.Store)) {
	st, err := s.stores.Store(name)
	if err != nil {
		storeError(w, s.cfg.AppID, name, err)
		return
	}
	f(w, r, st)
}

func (s *server) withKey(w http.ResponseWriter, r *http.Request, name, key string, f func(http.ResponseWriter, *http.Request, *component.Store, string)) {
	st, err := s.stores.Store(name)
	if err != nil {
		storeError(w, s.cfg.AppID, name, err)
		return
	}
	f(w, r, st, key)
}

// authorised compares hashes, so that the time taken says nothing about the token.
func (s *server) authorised(r *http.Request) bool {
	if s.cfg.Token == "" {
		return true
	}
	given := sha256.Sum256([]byte(r.Header.Get("Dapr-Api-Token")))
	return subtle.ConstantTimeCompare(given[:], s.token[:]) == 1
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
	apiError{http.StatusInternalServerError, "ERR_INTERNAL", "internal error; see the server's log", nil}.write(w)
}

func noRoute(w http.ResponseWriter, r *http.Request) {
	apiError{http.StatusNotFound, "ERR_NOT_FOUND", "there is nothing at " + r.URL.Path + "; the state API is at /v1.0/state/{store}/{key}", nil}.write(w)
}

func notAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	apiError{http.StatusMethodNotAllowed, "ERR_METHOD_NOT_ALLOWED", r.Method + " is not possible here; use " + allow, nil}.write(w)
}
