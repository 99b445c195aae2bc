package hostfuncs

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// fakeMemory is the memory of a guest without a guest.
type fakeMemory struct {
	api.Memory
	b []byte
}

func (m *fakeMemory) Read(at, n uint32) ([]byte, bool) {
	if uint64(at)+uint64(n) > uint64(len(m.b)) {
		return nil, false
	}
	return m.b[at : uint64(at)+uint64(n)], true
}

func (m *fakeMemory) Size() uint32 { return uint32(len(m.b)) }

type fakeModule struct {
	api.Module
	mem *fakeMemory
}

func (m *fakeModule) Memory() api.Memory { return m.mem }

// stateContext is what the engine's call context is.
type stateContext struct {
	context.Context
	s *State
}

func (c *stateContext) Value(key any) any {
	if key == Key() {
		return c.s
	}
	return c.Context.Value(key)
}

// testGuest calls host functions as a guest would.
type testGuest struct {
	tb     testing.TB
	host   *Host
	state  *State
	module *fakeModule
	ctx    *stateContext
	calls  map[string]api.GoModuleFunc
	next   uint32 // free memory
	stack  [16]uint64
	lines  *logLines
}

// logLines collects what was logged.
type logLines struct {
	mu   sync.Mutex
	all  []string
	kept []Level
}

func (l *logLines) add(level Level, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.kept = append(l.all, line), append(l.kept, level)
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

const guestMemory = 1 << 20

// newGuest returns a guest in an operation without deadline.
func newGuest(tb testing.TB, cfg Config) *testGuest {
	tb.Helper()
	lines := &logLines{}
	if cfg.Component == "" {
		cfg.Component = "test"
	}
	if cfg.Log == nil {
		cfg.Log = lines.add
	}
	h, err := New(cfg)
	require.NoError(tb, err)
	g := instanceOf(tb, h)
	g.lines = lines
	tb.Cleanup(func() { require.NoError(tb, h.Close()) })
	return g
}

// instanceOf returns another instance of a host.
func instanceOf(tb testing.TB, h *Host) *testGuest {
	g := &testGuest{tb: tb, host: h, state: h.NewState(), module: &fakeModule{mem: &fakeMemory{b: make([]byte, guestMemory)}}, next: 8}
	g.ctx = &stateContext{Context: context.Background(), s: g.state}
	g.calls = map[string]api.GoModuleFunc{}
	for _, f := range functions() {
		g.calls[f.module+"."+f.name] = f.bind()
	}
	g.begin(context.Background(), time.Time{})
	tb.Cleanup(func() { _ = g.state.Close() })
	return g
}

// begin ends the operation and starts another one.
func (g *testGuest) begin(ctx context.Context, deadline time.Time) {
	g.state.End()
	g.state.Begin(ctx, deadline)
	g.next = 8
}

// call calls a function by its full name and returns what it left in stack[0].
func (g *testGuest) call(name string, args ...uint64) uint64 {
	f := g.calls[name]
	if f == nil {
		g.tb.Fatalf("there is no function %s", name)
	}
	copy(g.stack[:], args)
	f(g.ctx, g.module, g.stack[:])
	return g.stack[0]
}

// coded is call for functions that pack a code and a number.
func (g *testGuest) coded(name string, args ...uint64) (abi.Code, uint32) {
	return abi.Unpack(g.call(name, args...))
}

// put copies b into the guest and returns address and length.
func (g *testGuest) put(b []byte) (at, n uint64) {
	at = uint64(g.next)
	g.next += uint32(copy(g.module.mem.b[at:], b)+7) &^ 7
	return at, uint64(len(b))
}

func (g *testGuest) text(s string) (at, n uint64) { return g.put([]byte(s)) }

// mem is a piece of the guest's memory.
func (g *testGuest) mem(at uint64, n uint32) []byte { return g.module.mem.b[at:][:n:n] }

// out is where results go.
const outAt, outCap = guestMemory / 2, guestMemory / 2

// get calls a function that returns bytes by name.
func (g *testGuest) get(function, name string) (abi.Code, string) {
	at, n := g.text(name)
	code, size := g.coded(function, at, n, outAt, outCap)
	if code != abi.CodeOK {
		return code, ""
	}
	return code, string(g.mem(outAt, size))
}
