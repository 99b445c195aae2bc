package hostfuncs

import (
	"context"
	"errors"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// Config is what one component may do. The zero value grants log, clock and
// random only, and the parts of WASI and env that give no power.
type Config struct {
	Component string // for log lines, metrics and key isolation

	// Log receives one bounded, sanitised line of guest output; nil drops it.
	Log func(level Level, line string)
	// LogEnabled reports whether lines of level are wanted at all; nil = all.
	LogEnabled func(level Level) bool
	// LogRate is the number of lines per second that are kept, with a burst of
	// ten times as many; 0 = 100.
	LogRate int

	// ClockResolution is what the wall clock is rounded down to; 0 = 1 ms.
	ClockResolution time.Duration
	// Seed makes the random numbers repeatable, for tests; nil = crypto random.
	Seed *int64

	// Config grants the config capability with these values; nil = not granted.
	Config map[string]string
	// Secrets reads a granted secret; nil = not granted. An error with
	// abi.CodePermission or CodeNotFound says why there is none.
	Secrets func(ctx context.Context, name string) (string, error)
	// Metrics receives the guest's own metrics; nil = not granted.
	Metrics Metrics

	// MaxCalls and MaxBytes bound the host calls of one operation and the bytes
	// they move; 0 = 100,000 and 256 MiB.
	MaxCalls, MaxBytes int64
}

// Metrics is where the guest's own metrics go. The methods report false for a
// series too many. Safe for concurrent use.
type Metrics interface {
	Count(component, name string, by float64) bool
	Observe(component, name string, value float64) bool
}

func (c Config) withDefaults() (Config, error) {
	if c.LogRate == 0 {
		c.LogRate = 100
	}
	if c.ClockResolution == 0 {
		c.ClockResolution = time.Millisecond
	}
	if c.MaxCalls == 0 {
		c.MaxCalls = 100_000
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 256 << 20
	}
	if c.LogRate < 0 || c.ClockResolution < 0 || c.MaxCalls < 0 || c.MaxBytes < 0 {
		return c, errors.New("logRate, clockResolution, maxHostCalls and maxHostBytes must not be negative")
	}
	return c, nil
}

// maxName bounds the names that a guest asks for, in bytes.
const maxName = 256

// configFunctions: get(name, nameLen, buf, cap) -> code<<32 | full length.
func configFunctions() []function {
	return []function{{"get", []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64}, func(s *State, mem api.Memory, st []uint64) {
		name, ok := view(mem, st[0], st[1])
		if !ok || len(name) > maxName {
			st[0] = abi.Pack(abi.CodeInvalidArgument, 0)
			return
		}
		value, ok := s.host.cfg.Config[string(name)]
		if !ok {
			st[0] = abi.Pack(abi.CodeNotFound, 0)
			return
		}
		st[0] = s.give(mem, []byte(value), st[2], st[3])
	}}}
}

// secretFunctions: get(name, nameLen, buf, cap) -> code<<32 | full length.
func secretFunctions() []function {
	return []function{{"get", []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64}, func(s *State, mem api.Memory, st []uint64) {
		name, ok := view(mem, st[0], st[1])
		if !ok || len(name) > maxName {
			st[0] = abi.Pack(abi.CodeInvalidArgument, 0)
			return
		}
		ctx, cancel := s.bounded()
		defer cancel()
		value, err := s.host.cfg.Secrets(ctx, string(name))
		if err != nil {
			st[0] = abi.Pack(abi.CodeOf(err), 0)
			return
		}
		s.host.secrets.add(value)
		st[0] = s.give(mem, []byte(value), st[2], st[3])
	}}}
}

// bounded is the operation's context with its deadline.
func (s *State) bounded() (context.Context, context.CancelFunc) {
	ctx := s.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	if s.deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, s.deadline)
}

// metricFunctions: count and observe take (name, nameLen, value) -> code.
func metricFunctions() []function {
	record := func(name string, to func(s *State) func(component, name string, v float64) bool) function {
		return function{name, []api.ValueType{i32, i32, f64}, []api.ValueType{i32}, func(s *State, mem api.Memory, st []uint64) {
			name, ok := view(mem, st[0], st[1])
			v := api.DecodeF64(st[2])
			switch {
			case !ok || len(name) == 0 || len(name) > maxName || v != v:
				st[0] = uint64(abi.CodeInvalidArgument)
			case !to(s)(s.host.cfg.Component, sanitise(name, maxName), v):
				st[0] = uint64(abi.CodeQuota)
			default:
				st[0] = uint64(abi.CodeOK)
			}
		}}
	}
	return []function{
		record("count", func(s *State) func(string, string, float64) bool { return s.host.cfg.Metrics.Count }),
		record("observe", func(s *State) func(string, string, float64) bool { return s.host.cfg.Metrics.Observe }),
	}
}
