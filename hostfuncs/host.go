package hostfuncs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmstate/wasmstate/internal/text"
)

// Import is one function that a module imports.
type Import struct{ Module, Name string }

// Config is what one component may do. The zero value grants log, clock, random
// and the functions that toolchains need only. New copies nothing: the maps and
// slices must not change afterwards.
type Config struct {
	Component string // for log lines, metrics and key isolation; unique in the process

	// Optional are the import namespaces that are linked even though they are
	// not granted; their functions answer abi.CodePermission.
	Optional []string

	// Log receives one bounded, sanitised, redacted line of guest output; nil
	// drops it. Called from many goroutines.
	Log func(level Level, line string)
	// LogEnabled reports whether lines of level are wanted at all; nil = all.
	LogEnabled func(level Level) bool
	// LogRate is how many lines per second are kept; 0 = 100.
	LogRate int

	// ClockResolution is what times are rounded down to; 0 = 1 ms.
	ClockResolution time.Duration
	// Seed makes random bytes repeatable, for tests; nil = the system's source.
	Seed *int64

	// Config are the values of wasmstate_config; nil = not granted.
	Config map[string]string

	// Secrets reads a granted secret; nil = not granted. An error with
	// abi.CodePermission or abi.CodeNotFound says why there is none.
	Secrets func(ctx context.Context, name string) (string, error)
	// Redact are further values that never reach log lines or errors, such as
	// the component's secret properties.
	Redact []string

	// Metrics receives the guest's metrics; nil = not granted.
	Metrics Metrics

	// KV are the buckets by label; empty = not granted.
	KV map[string]KV

	// HTTP are the requests allowed, see [ParseHTTPRule]; empty = not granted.
	HTTP []string
	// TCP are the endpoints allowed, see [ParseTCPRule]; empty = not granted.
	TCP []string
	// Networks are the address ranges that HTTP and TCP may reach although they
	// are loopback, private or otherwise special.
	Networks []netip.Prefix
	// Resolver looks host names up; nil = the system's.
	Resolver *net.Resolver
	// RootCAs verify servers; nil = the system's.
	RootCAs *x509.CertPool

	// Limits of one operation and of one instance. Zero has a default.
	MaxCalls   int64         // host calls of one operation; 0 = 100,000
	MaxBytes   int64         // bytes that host calls of one operation move; 0 = 256 MiB
	MaxHandles int           // open exchanges and, separately, connections of an instance; 0 = 16
	HTTPTime   time.Duration // one HTTP exchange; 0 = 30 s
	HTTPBody   int64         // bytes of one response body, and of one request body that is not streamed; 0 = 8 MiB
	TCPIdle    time.Duration // connections unused for so long are closed; 0 = 5 min
}

func (c *Config) setDefaults() {
	def(&c.LogRate, 100)
	def(&c.ClockResolution, time.Millisecond)
	def(&c.MaxCalls, 100_000)
	def(&c.MaxBytes, 256<<20)
	def(&c.MaxHandles, 16)
	def(&c.HTTPTime, 30*time.Second)
	def(&c.HTTPBody, 8<<20)
	def(&c.TCPIdle, 5*time.Minute)
}

func def[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Level is the severity of a guest's log line.
type Level uint32

// The levels.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Host is what the guests of one component version may call. Safe for
// concurrent use.
type Host struct {
	cfg     Config
	log     logBudget
	secrets atomic.Pointer[text.Redactor] // the secrets known so far
	start   time.Time                     // of the monotonic clock
	metrics metricNames
	buckets []bucket
	web     *web // nil = http is not granted
	tcp     []TCPRule
	dialer  *net.Dialer

	instances atomic.Uint64 // made so far, for the seeded random source
	closeOnce sync.Once
}

// New checks cfg and builds a host. The caller closes it after the last State.
// The error lists everything that is wrong with cfg.
func New(cfg Config) (*Host, error) {
	cfg.setDefaults()
	h := &Host{cfg: cfg, start: time.Now()}
	h.learn(cfg.Redact...)
	var errs []error
	var err error
	if h.buckets, err = newBuckets(cfg.Component, cfg.KV); err != nil {
		errs = append(errs, err)
	}
	h.dialer = &net.Dialer{Timeout: cfg.HTTPTime, Resolver: cfg.Resolver, ControlContext: h.control}
	var rules []HTTPRule
	for _, text := range cfg.HTTP {
		r, err := ParseHTTPRule(text)
		if err == nil {
			err = h.reachable(r.Host)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("http: %q: %w", text, err))
		}
		rules = append(rules, r)
	}
	for _, text := range cfg.TCP {
		r, err := ParseTCPRule(text)
		if err == nil {
			err = h.reachable(r.Host)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("tcp: %q: %w", text, err))
		}
		h.tcp = append(h.tcp, r)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("sandbox of component %s: %w", cfg.Component, errors.Join(errs...))
	}
	if len(rules) > 0 {
		h.web = newWeb(h, rules)
	}
	return h, nil
}

// learn adds values to what is masked from now on.
func (h *Host) learn(values ...string) {
	for {
		old := h.secrets.Load()
		if next := old.With(values...); next == old || h.secrets.CompareAndSwap(old, next) {
			return
		}
	}
}

// Redact replaces every secret that the component is known to have in text by
// "[redacted]", however it is written. For texts that a guest had a hand in, as
// they came from it: a text that was escaped or split does not hold a secret any
// more, only its parts. The end of text may be cut. Safe for concurrent use.
func (h *Host) Redact(text string) string { return h.secrets.Load().Redact(text) }

// Clean makes text that a guest had a hand in fit for logs and errors: secrets
// are masked as in Redact, then what must not reach a terminal is escaped, and
// then it is cut to limit bytes. Safe for concurrent use.
func (h *Host) Clean(text string, limit int) string { return h.secrets.Load().Clean(text, limit) }

// LogDropped is the number of log lines that were over the budget.
func (h *Host) LogDropped() uint64 { return h.log.total.Load() }

// Close releases what the component shares between its instances, such as idle
// connections. Idempotent. Every State must be closed before.
func (h *Host) Close() error {
	h.closeOnce.Do(func() {
		if h.web != nil {
			h.web.transport.CloseIdleConnections()
		}
	})
	return nil
}
