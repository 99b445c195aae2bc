package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox"
)

// ending is a context that ends when the test says so.
type ending struct {
	context.Context
	deadline time.Time // zero = none
	why      error
	done     chan struct{}
	ended    atomic.Bool
}

func (c *ending) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }
func (c *ending) Done() <-chan struct{}       { return c.done }

func (c *ending) Err() error {
	if c.ended.Load() {
		return c.why
	}
	return nil
}

func (c *ending) end() {
	if !c.ended.Swap(true) {
		close(c.done)
	}
}

// director ends the caller of one operation at its nth step.
type director struct {
	mu       sync.Mutex
	ctx      *ending
	at, seen int
	manner   manner
	returned chan struct{} // the caller is through
	over     chan struct{} // the call that runs apart is through
	steps    []string      // for the message of a failure
}

// manner is what happens between the caller's end and the next step of a call
// that runs apart.
type manner int

const (
	goOn        manner = iota // nothing: both go on at the same time
	callerFirst               // the caller returns first
	callFirst                 // the call ends first, and the caller calls Done afterwards
	mannersCount
)

// step is the hook. Away from the caller it may wait for the caller to return.
func (d *director) step(name string, apart bool) {
	d.mu.Lock()
	ctx := d.ctx
	if ctx == nil {
		d.mu.Unlock()
		return
	}
	d.seen++
	d.steps = append(d.steps, name)
	now, manner, returned, over := d.seen == d.at, d.manner, d.returned, d.over
	if now {
		ctx.end()
	}
	if name == "apart: end" {
		close(over)
		d.over = make(chan struct{})
	}
	d.mu.Unlock()
	switch {
	case now && apart && manner == callerFirst:
		<-returned
	case name == "done" && manner == callFirst && ctx.ended.Load() && d.left():
		<-over
	}
}

// left reports whether the call in progress began apart and has not ended.
func (d *director) left() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.steps) - 1; i >= 0; i-- {
		switch d.steps[i] {
		case "apart: end":
			return false
		case "apart: begin":
			return true
		}
	}
	return false
}

// run runs op under ctx and ends ctx at step at; it reports whether op had so
// many steps.
func (d *director) run(ctx *ending, at int, m manner, op func(ctx context.Context) error) (reached bool, err error) {
	returned := make(chan struct{})
	d.mu.Lock()
	d.ctx, d.at, d.seen, d.manner, d.steps = ctx, at, 0, m, nil
	d.returned, d.over = returned, make(chan struct{})
	d.mu.Unlock()
	err = op(ctx)
	close(returned)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ctx = nil
	return ctx.ended.Load(), err
}

const leaveTimeout = time.Minute // of operations: nobody reaches it

// callers are the kinds of contexts that a caller may come with.
var callers = map[string]func() *ending{
	"cancelled": func() *ending { return &ending{why: context.Canceled} },
	"a later deadline": func() *ending {
		return &ending{why: context.DeadlineExceeded, deadline: time.Now().Add(2 * leaveTimeout)}
	},
	"a sooner deadline": func() *ending {
		return &ending{why: context.DeadlineExceeded, deadline: time.Now().Add(leaveTimeout / 2)}
	},
}

// left is a store whose callers leave, with what it must hold.
type left struct {
	abi.Store
	d        director
	hook     func(name string, apart bool) // d.step, or another
	stateful bool
	want     map[string]string
	size     int // of the next value that makes the shared buffer grow
}

func openLeft(t *testing.T, mod *sandbox.Module, stateful bool) *left {
	t.Helper()
	s := &left{stateful: stateful, want: map[string]string{}, size: 20 << 10}
	s.hook = s.d.step
	cfg := sandbox.WithStep(sandbox.Config{Component: "left", Settings: sandbox.Settings{Timeout: leaveTimeout}}, func(name string, apart bool) { s.hook(name, apart) })
	st, err := mod.Open(t.Context(), cfg)
	require.NoError(t, err)
	s.Store = st
	require.NoError(t, st.Init(t.Context(), abi.Metadata{Name: "left"}))
	for i := range 20 {
		s.set(t, fmt.Sprintf("key-%d", i), fmt.Sprintf("value-%d", i))
	}
	return s
}

func (s *left) set(t *testing.T, key, value string) {
	t.Helper()
	require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: []byte(value)}, &abi.SetResponse{}))
	s.want[key] = value
}

// check reads every key and writes one, small or larger than any before.
func (s *left) check(t *testing.T, larger bool) {
	t.Helper()
	for key, value := range s.want {
		var resp abi.GetResponse
		err := s.Get(t.Context(), &abi.GetRequest{Key: []byte(key)}, &resp)
		if !s.stateful && abi.CodeOf(err) == abi.CodeNotFound {
			continue // of another instance
		}
		require.NoError(t, err)
		require.Equal(t, value, string(resp.Value))
	}
	value := "after"
	if larger {
		value = string(make([]byte, 4<<20))
	}
	s.set(t, "after", value)
	if !s.stateful {
		return
	}
	stats, ok := sandbox.StatsOf(s.Store)
	require.True(t, ok)
	require.Equal(t, int64(1), stats.Created)
	for cause, n := range stats.Retired {
		require.Zero(t, n, cause)
	}
}

// leaveOps are the operations that a caller leaves, with values that make the
// shared buffer grow.
var leaveOps = []struct {
	name string
	need abi.Features
	run  func(ctx context.Context, s *left) error
}{
	{"set", 0, func(ctx context.Context, s *left) error {
		return s.Set(ctx, &abi.SetRequest{Key: []byte("big"), Value: s.big()}, &abi.SetResponse{})
	}},
	{"get", 0, func(ctx context.Context, s *left) error {
		return s.Get(ctx, &abi.GetRequest{Key: []byte("key-7")}, &abi.GetResponse{})
	}},
	{"delete", 0, func(ctx context.Context, s *left) error {
		return s.Delete(ctx, &abi.DeleteRequest{Key: []byte("big")})
	}},
	{"transact", abi.FeatureTransactional, func(ctx context.Context, s *left) error {
		return s.Store.(abi.Transactor).Transact(ctx, []abi.Op{
			{SetRequest: abi.SetRequest{Key: []byte("big"), Value: s.big()}}, {Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: []byte("none")}},
		})
	}},
	{"keys", abi.FeatureKeys, func(ctx context.Context, s *left) error {
		return s.Store.(abi.Lister).Keys(ctx, &abi.KeysRequest{Limit: 100}, &abi.KeysResponse{})
	}},
	{"export", abi.FeatureExport, func(ctx context.Context, s *left) error {
		return s.Store.(abi.Exporter).Export(ctx, &abi.ExportRequest{MaxBytes: 1 << 20}, &abi.ExportResponse{})
	}},
	{"import", abi.FeatureExport, func(ctx context.Context, s *left) error {
		return s.Store.(abi.Importer).Import(ctx, []abi.Item{{Key: []byte("big"), Value: s.big()}, {Key: []byte("big-2"), Value: s.big()}})
	}},
	{"ping", 0, func(ctx context.Context, s *left) error { return s.Store.(abi.Pinger).Ping(ctx) }},
}

// big is a value for which the shared buffer has to grow.
func (s *left) big() []byte { return bytes.Repeat([]byte("b"), s.size) }

// A caller may leave at every step that the host takes: what is stored stays,
// no instance that holds data is retired, and host and guest agree where the
// shared buffer is.
func TestCallersLeaveAtEveryStep(t *testing.T) {
	m := newModules(t)
	for _, name := range []string{"memory-c", "memory-rust", "memory-as", "memory-go"} {
		wasm, err := os.ReadFile("../guests/" + name + "/" + name + ".wasm")
		require.NoError(t, err)
		for _, stateful := range []bool{true, false} {
			packed := wasm
			if !stateful {
				packed, err = m.Pack(wasm, []byte(`{"name":"pool","features":["ETAG","TRANSACTIONAL","KEYS","EXPORT"],"concurrency":{"mode":"pool","max":1},"state":"none"}`), true)
				require.NoError(t, err)
			}
			mod, err := m.Parse(packed, nil)
			require.NoError(t, err)
			for kind, caller := range callers {
				t.Run(fmt.Sprintf("%s, stateful %v, %s", name, stateful, kind), func(t *testing.T) {
					leaveEverywhere(t, mod, stateful, caller)
				})
			}
		}
	}
}

func leaveEverywhere(t *testing.T, mod *sandbox.Module, stateful bool, caller func() *ending) {
	s := openLeft(t, mod, stateful)
	steps := 0
	for _, op := range leaveOps {
		if !s.Features().Has(op.need) {
			continue
		}
		manners := mannersCount
		if d := caller().deadline; !stateful || d.IsZero() || time.Until(d) > leaveTimeout {
			manners = 1 // nothing runs apart
		}
		for m := range manners {
			for at := 1; ; at++ {
				ctx := caller()
				ctx.Context, ctx.done = t.Context(), make(chan struct{})
				reached, err := s.d.run(ctx, at, m, func(ctx context.Context) error { return op.run(ctx, s) })
				require.Conditionf(t, func() bool {
					return err == nil || abi.CodeOf(err) == abi.CodeOf(ctx.why) || abi.CodeOf(err) == abi.CodeNotFound
				},
					"%s, step %d of %v: %v", op.name, at, s.d.steps, err)
				s.check(t, false)
				if !reached {
					break
				}
				steps++
				if s.size *= 2; s.size > 1<<20 {
					s.check(t, true)
					require.NoError(t, s.Close())
					s = openLeft(t, mod, stateful)
				}
			}
		}
	}
	s.check(t, true)
	require.NoError(t, s.Close())
	require.Greater(t, steps, 30)
}
