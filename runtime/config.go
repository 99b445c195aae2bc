package runtime

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
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

	APIToken    string // asked of HTTP clients; "" = none
	MaxBodySize int64  // of HTTP requests in bytes; 0 = 4 MiB

	// KeepGoing starts with the components that are good, instead of failing,
	// and goes on trying the rest.
	KeepGoing bool
	// CloseGrace is how long calls in progress may take at shutdown and when a
	// store is replaced; 0 = 30 s.
	CloseGrace time.Duration

	CacheDir     string // compiled modules; "" = in memory only. Created with mode 0700
	MemoryBudget int64  // linear memory of all guests together in bytes; 0 = 4 GiB, < 0 = no bound

	// Lookup reads environment variables for envRef, templates and secret
	// stores; nil = none are seen.
	Lookup func(name string) (string, bool)
	// Version is what the metadata API tells; "" = "dev".
	Version string
}

// State announces a store type to the registry of a runtime.
type State = abi.Registration

// Registry knows the store types. See [NewRegistry].
type Registry = component.Registry

// NewRegistry returns an empty registry whose errors suggest the nearest name.
func NewRegistry() *Registry { return component.NewRegistry() }

// Store is the handle of a component. It survives reloads.
type Store = component.Store

// Status is what there is to say of a component.
type Status = component.Status

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
func WithLogger(log *zap.Logger) Option { return func(o *options) { o.log = log } }

// withDefaults checks cfg and fills in what is not given.
func (cfg Config) withDefaults() (Config, error) {
	cfg.AppID = cmp.Or(cfg.AppID, "wasmstate")
	cfg.Version = cmp.Or(cfg.Version, "dev")
	if cfg.CloseGrace <= 0 {
		cfg.CloseGrace = 30 * time.Second
	}
	for what, text := range map[string]string{"app id": cfg.AppID, "namespace": cfg.Namespace} {
		if strings.Contains(text, "||") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return cfg, fmt.Errorf("the %s %q must not contain \"||\" or control characters", what, text)
		}
	}
	return cfg, nil
}
