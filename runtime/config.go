package runtime

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/loader"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// Config is what a runtime reads from flags or a file. The zero value has no
// component files and no servers: a library.
type Config struct {
	// ComponentsPaths are folders of component files and modules, or single
	// files. They are watched.
	ComponentsPaths []string

	AppID     string // for scopes, templates and key prefixes; "" = wasmstate
	Namespace string // "" = none

	// The addresses to listen on, as host:port; port 0 takes a free one, ""
	// serves nothing. AdminAddr must be a loopback address.
	HTTPAddr, MetricsAddr, AdminAddr string

	APIToken    string // asked of clients; "" = none
	MaxBodySize int64  // of requests in bytes; 0 = 4 MiB
	Limits      Limits // what clients may take
	// AllowedOrigins are the web pages that may use the state API, such as
	// "https://app.example.com"; "*" = all. None may unless they are of the server's
	// own origin; with APIToken it is the token that decides.
	AllowedOrigins []string
	// Readiness is what must serve for /v1.0/healthz/outbound to be well: "all"
	// components that do not say ignoreErrors (also ""), "any" one, or the
	// "server" alone.
	Readiness string

	// KeepGoing starts with the components that are good, instead of failing,
	// and goes on trying the rest.
	KeepGoing bool
	// CloseGrace is how long calls in progress may take at shutdown and when a
	// store is replaced; 0 = 30 s.
	CloseGrace time.Duration
	// DrainDelay is how long requests are still taken at the end of Run's context,
	// while the health routes say not ready; 0 = not at all.
	DrainDelay time.Duration

	// RemovalGrace is how long a component's document must be missing from its
	// readable folder before the component goes; until then it serves. Reload does
	// not wait for it. 0 = 3 s, < 0 = none.
	RemovalGrace time.Duration

	CacheDir     string // compiled modules; "" = in memory only. Created with mode 0700
	MemoryBudget int64  // linear memory of all guests together in bytes; 0 = 4 GiB, < 0 = no bound

	// Lookup reads environment variables for envRef, templates and secret
	// stores; nil = none are seen.
	Lookup func(name string) (string, bool)
	// Version is what the metadata API and the metrics tell; "" = "dev".
	Version string
	// Revision is that of the source, for the metrics; "" = not known.
	Revision string
}

// Limits bound what the clients of a runtime take of it. A zero field has the
// default that is given. docs/limits.md has all limits.
type Limits struct {
	Items         int           // of one save or transaction; 0 = 10,000
	BulkKeys      int           // of one bulk get; 0 = 5,000
	AnswerBytes   int64         // of values in one answer; 0 = 64 MiB
	InFlightBytes int64         // of all bodies and answers together; 0 = 512 MiB
	QueueTime     time.Duration // for which a request waits for its share of them; 0 = 5 s
	Connections   int           // of one server at once; 0 = 4,096
	Streams       int           // of one HTTP/2 connection; 0 = 128
	PaceGrace     time.Duration // for which a body or an answer may stand still; 0 = 5 s
	PaceRate      int64         // bytes per second that must move after it; 0 = 1024
}

// State announces a store type to the registry of a runtime.
type State = abi.Registration

// Option injects what only code can give.
type Option func(*options)

type options struct {
	states []State
	log    *zap.Logger
}

// WithStates adds store types, usually all.States()... of builtin/all.
func WithStates(states ...State) Option {
	return func(o *options) { o.states = append(o.states, states...) }
}

// WithLogger sets the logger; the default is none.
func WithLogger(log *zap.Logger) Option {
	return func(o *options) {
		if log != nil {
			o.log = log
		}
	}
}

// prepare applies defaults and options, and registers the store types.
func prepare(cfg Config, opts []Option) (Config, options, *loader.Registry, error) {
	o := options{log: zap.NewNop()}
	for _, opt := range opts {
		opt(&o)
	}
	registry := new(loader.Registry)
	cfg, err := cfg.withDefaults()
	if err == nil {
		err = registry.Register(o.states...)
	}
	return cfg, o, registry, err
}

// withDefaults checks cfg and fills in what is not given.
func (cfg Config) withDefaults() (Config, error) {
	cfg.AppID = cmp.Or(cfg.AppID, "wasmstate")
	cfg.Version = cmp.Or(cfg.Version, "dev")
	if cfg.CloseGrace <= 0 {
		cfg.CloseGrace = 30 * time.Second
	}
	if _, err := stateapi.ParseReadiness(cfg.Readiness); err != nil {
		return cfg, err
	}
	for what, text := range map[string]string{"app id": cfg.AppID, "namespace": cfg.Namespace} {
		if strings.Contains(text, "||") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return cfg, fmt.Errorf("the %s %q must not contain \"||\" or control characters", what, text)
		}
	}
	return cfg, nil
}
