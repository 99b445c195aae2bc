package engine

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/text"
)

// Mode is how operations are spread over instances.
type Mode uint8

// The modes.
const (
	ModePool    Mode = iota // any instance serves any operation
	ModeSingle              // one instance
	ModeSharded             // one instance per shard; the caller chooses the shard
)

// opSetup is the operation of an instance that is being set up.
const opSetup = -1

// Config describes a guest. Fields without a stated default must be set.
type Config struct {
	Component string // for errors
	Code      Code

	// Ops are the exports, by operation; every one has the type (i32) -> i64
	// but Open, which has (i32, i32) -> i64. Required marks those that must be
	// there.
	Ops      []string
	Required []bool
	Open     int // the operation with two parameters; -1 = none
	Idle     int // run off the request path, one bounded step per call; -1 = none. See idleResult
	Close    int // run before an instance is dropped; -1 = none

	Mode      Mode
	Instances int  // at most, >= 1; the number of shards in ModeSharded
	Stateful  bool // the instances hold what cannot be made again: they are replaced after faults only

	Memory       uint64 // cap of one instance in bytes, a multiple of 64 KiB
	MemoryShare  int64  // bound of all instances together, if the operator set one; 0 = a quarter of the budget
	MemoryRetire uint64 // retire an instance that is larger after an operation; 0 = never
	MaxOps       int64  // retire an instance after so many operations; 0 = never

	Timeout      time.Duration // for one operation
	MaxWait      time.Duration // for an instance; 0 = as long as the caller's context
	SetupTimeout time.Duration // to make and set up an instance
	IdleTimeout  time.Duration // for one step of the idle export, and for the close export
	IdleTrim     time.Duration // how often unneeded instances are dropped; 0 = never
	IdleOps      int           // operations between runs of the idle export
	IdleBytes    uint64        // bytes moved between runs of the idle export

	Host     *hostfuncs.Host // nil = the guest may import nothing. Closed with the guest
	Cache    *Cache
	Budget   *Budget
	Observer Observer // nil = nobody

	// Step is told where the host is in an operation, so that a test can end
	// its caller there; apart if it is not the caller's goroutine that is told.
	// nil outside of tests.
	Step func(name string, apart bool)
}

// Guest is one module in the service of one component. Safe for concurrent use.
type Guest struct {
	cfg       Config
	prog      *program
	has       []bool // by operation: exported
	hasIdle   bool
	minMemory uint64
	share     *share // of the budget
	stateKey  any
	observer  Observer
	setup     func(ctx context.Context, in *Instance) error

	pools   []*pool
	waiters sync.Pool // of *waiter

	ctx        context.Context // of making instances; ends with Close
	cancel     context.CancelFunc
	background sync.WaitGroup // making, idling, trimming; Close waits
	closeOnce  sync.Once
	closeErr   error
}

// Load compiles a module and links what it imports. No code of it runs. A
// refusal is a *abi.Fault of abi.FaultLoad that lists everything that is wrong. On
// error the host is closed too.
func Load(ctx context.Context, cfg Config) (*Guest, error) {
	g := &Guest{cfg: cfg, stateKey: hostfuncs.Key(), observer: cfg.Observer}
	if g.observer == nil {
		g.observer = noObserver{}
	}
	if err := g.load(ctx); err != nil {
		if g.prog != nil {
			_ = g.prog.close()
		}
		if g.cfg.Host != nil {
			_ = g.cfg.Host.Close()
		}
		return nil, err
	}
	g.share = cfg.Budget.share(int64(cfg.Memory), int64(g.minMemory), cfg.MemoryShare)
	g.waiters.New = func() any { return &waiter{wake: make(chan struct{}, 1)} }
	g.ctx, g.cancel = context.WithCancel(context.Background())
	shards, size := 1, cfg.Instances
	switch cfg.Mode {
	case ModeSingle:
		size = 1
	case ModeSharded:
		shards, size = cfg.Instances, 1
	}
	for range shards {
		g.pools = append(g.pools, newPool(g, size))
	}
	return g, nil
}

func (g *Guest) load(ctx context.Context) error {
	cfg := &g.cfg
	prog, err := cfg.Cache.compile(ctx, &cfg.Code, cfg.Code.Meter == MeterWazero)
	if err != nil {
		return g.refuse(err, "cannot be compiled: "+text.Clean(err.Error(), 1000))
	}
	g.prog = prog
	exports := map[string]string{}
	for name, f := range prog.module.ExportedFunctions() {
		exports[name] = signature(f)
	}
	mem := prog.module.ExportedMemories()[abi.ExportMemory]
	if mem != nil {
		g.minMemory = uint64(mem.Min()) * pageSize
	}
	wrong := cfg.Check(exports, g.minMemory, mem != nil)
	g.has = make([]bool, len(cfg.Ops))
	for i, name := range cfg.Ops {
		_, g.has[i] = exports[name]
	}
	g.hasIdle = cfg.Idle >= 0 && g.has[cfg.Idle]
	var imports []hostfuncs.Import
	for _, f := range prog.module.ImportedFunctions() {
		module, name, _ := f.Import()
		if cfg.Code.Meter == MeterFuel && module == cfg.Code.RefillModule && name == cfg.Code.RefillName {
			continue
		}
		imports = append(imports, hostfuncs.Import{Module: module, Name: name})
	}
	if cfg.Host == nil && len(imports) > 0 {
		wrong = append(wrong, fmt.Sprintf("it imports %d functions and is granted none", len(imports)))
	}
	if len(wrong) > 0 {
		return g.refuse(nil, strings.Join(wrong, "; "))
	}
	if len(imports) > 0 {
		if err := cfg.Host.Instantiate(ctx, prog.runtime, imports); err != nil {
			return g.refuse(err, "cannot be linked: "+text.Clean(err.Error(), 1000))
		}
	} else if cfg.Host != nil {
		_ = cfg.Host.Close()
		cfg.Host = nil // nobody calls it: calls need not announce themselves
	}
	if cfg.Code.Meter == MeterFuel {
		if err := instantiateRefill(ctx, prog.runtime, &cfg.Code); err != nil {
			return g.refuse(err, "cannot be metered: "+err.Error())
		}
	}
	if wrong := g.checkImports(); len(wrong) > 0 {
		return g.refuse(nil, strings.Join(wrong, "; "))
	}
	return nil
}

// checkImports compares the types of what is imported with what was linked:
// wazero would find out when the first instance is made.
func (g *Guest) checkImports() []string {
	var wrong []string
	for _, f := range g.prog.module.ImportedFunctions() {
		module, name, _ := f.Import()
		var offered api.FunctionDefinition
		if m := g.prog.runtime.Module(module); m != nil {
			offered = m.ExportedFunctionDefinitions()[name]
		}
		if offered == nil {
			wrong = append(wrong, text.Clean(fmt.Sprintf("it imports %s.%s, which is not offered", module, name), maxGuestText))
			continue
		}
		want, have := signature(f), signature(offered)
		if want != have {
			wrong = append(wrong, text.Clean(fmt.Sprintf("it imports %s.%s as %s and it is %s", module, name, want, have), maxGuestText))
		}
	}
	return wrong
}

func signature(f api.FunctionDefinition) string {
	return "(" + types(f.ParamTypes()) + ") -> (" + types(f.ResultTypes()) + ")"
}

// refuse is a load error. A context error among the causes stays visible.
func (g *Guest) refuse(err error, msg string) error {
	e := &abi.Fault{Kind: abi.FaultLoad, Component: g.cfg.Component, Msg: msg}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.Err = err
	}
	return e
}

// Check lists what keeps a module from running as cfg says: exports that are
// missing or of another type, given as text such as "(i32) -> (i64)" by name,
// and its memory, of at least minMemory bytes.
func (cfg *Config) Check(exports map[string]string, minMemory uint64, hasMemory bool) []string {
	var wrong, missing []string
	if !hasMemory {
		wrong = append(wrong, `it does not export its memory as "memory"`)
	} else if minMemory > cfg.Memory || cfg.Memory > maxMemory {
		wrong = append(wrong, fmt.Sprintf("it needs %s of memory from the start and is allowed %s: raise sandbox.memory", text.FormatSize(int64(minMemory)), text.FormatSize(int64(cfg.Memory))))
	}
	var mistyped []string
	check := func(name, want string, required bool) {
		have, ok := exports[name]
		switch {
		case !ok && required:
			missing = append(missing, name)
		case ok && have != want:
			mistyped = append(mistyped, fmt.Sprintf("%s is %s and must be %s", name, have, want))
		}
	}
	for i, name := range cfg.Ops {
		want := "(i32) -> (i64)"
		if i == cfg.Open {
			want = "(i32, i32) -> (i64)"
		}
		check(name, want, cfg.Required[i])
	}
	check(abi.ExportInitialize, "() -> ()", false)
	if len(missing) > 0 {
		sort.Strings(missing)
		wrong = append(wrong, "it does not export "+strings.Join(missing, ", "))
	}
	return append(wrong, mistyped...)
}

func types(ts []api.ValueType) string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = api.ValueTypeName(t)
	}
	return strings.Join(names, ", ")
}

// Start makes the first instance, or one per shard, with setup run on each and
// on every later one before it serves. It returns the first error. Called once,
// before Acquire. The caller closes the guest after an error.
func (g *Guest) Start(ctx context.Context, setup func(ctx context.Context, in *Instance) error) error {
	g.setup = setup
	for _, p := range g.pools {
		in, err := p.acquire(ctx, opSetup)
		if err != nil {
			return err
		}
		p.done(in)
	}
	if g.cfg.IdleTrim > 0 && g.cfg.Mode == ModePool && g.cfg.Instances > 1 && !g.cfg.Stateful {
		g.background.Add(1)
		go g.trim()
	}
	return nil
}

// make makes an instance and sets it up. It runs in the background, where a
// panic would end the process.
func (g *Guest) make(p *pool) (in *Instance, err error) {
	defer func() {
		if r := recover(); r != nil {
			in, err = nil, fmt.Errorf("component %s: panic while an instance was set up: %v", g.cfg.Component, r)
		}
	}()
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.SetupTimeout)
	defer cancel()
	in, err = g.newInstance(ctx, p)
	if err != nil {
		return nil, err
	}
	if g.setup == nil {
		return in, nil
	}
	in.begin(ctx, opSetup, g.cfg.SetupTimeout)
	if err := g.setup(ctx, in); err != nil {
		in.dispose()
		return nil, err
	}
	in.ctx.end()
	in.funcs = make([]api.Function, len(g.cfg.Ops)) // handles of set-up functions are large and not needed again
	in.used()
	in.upkeep = upkeep{size: in.mem.size}
	return in, nil
}

// trim drops unneeded instances until Close.
func (g *Guest) trim() {
	defer g.background.Done()
	tick := time.NewTicker(g.cfg.IdleTrim)
	defer tick.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-tick.C:
			for _, p := range g.pools {
				p.trim()
			}
		}
	}
}

// Shards is the number of shards; 1 in the other modes.
func (g *Guest) Shards() int { return len(g.pools) }

// Has reports whether the guest exports operation op.
func (g *Guest) Has(op int) bool { return g.has[op] }

// Acquire waits for an instance and starts operation op on it. The caller
// calls Done when it has taken what it needs. Errors: those of ctx,
// abi.ErrClosed, an abi error with CodeUnavailable after MaxWait, a
// *abi.Fault of abi.FaultDown, or why an instance could not be made.
func (g *Guest) Acquire(ctx context.Context, op int, shard uint32) (*Instance, error) {
	if len(g.pools) == 1 {
		return g.pools[0].acquire(ctx, op)
	}
	return g.pools[int(shard)%len(g.pools)].acquire(ctx, op)
}

// Done ends the operation and gives the instance back.
func (in *Instance) Done() {
	if f := in.g.cfg.Step; f != nil {
		f("done", false) // the caller's, who may have left a call that goes on
	}
	if in.apart.through() {
		in.pool.done(in)
	}
}

// Close turns new callers away, waits for the operations in progress, which
// end by their deadlines, and releases everything. Idempotent.
func (g *Guest) Close() error {
	g.closeOnce.Do(func() {
		for _, p := range g.pools {
			p.close()
		}
		g.cancel() // what is being made; after close, so that no caller hears of it
		for _, p := range g.pools {
			<-p.empty
		}
		g.background.Wait()
		g.share.close()
		g.closeErr = g.prog.close()
		if g.cfg.Host != nil {
			g.closeErr = errors.Join(g.closeErr, g.cfg.Host.Close())
		}
	})
	return g.closeErr
}

// Stats is a snapshot of the guest's counters.
func (g *Guest) Stats() Stats {
	var s Stats
	for i, p := range g.pools {
		p.mu.Lock()
		if i == 0 {
			s.Ops = append(s.Ops, p.counts.ops...)
		} else {
			for j := range p.counts.ops {
				s.Ops[j].add(&p.counts.ops[j])
			}
		}
		s.Instances += p.total
		s.Busy += p.total - len(p.free)
		s.Waiting += p.queue.n
		s.Memory += p.memory
		s.Created += p.counts.created
		s.Idles += p.counts.idles
		for c, n := range p.counts.retired {
			s.Retirements[c] += n
		}
		if !p.breaker.closed() {
			s.Down = max(s.Down, time.Until(p.breaker.until), time.Nanosecond)
		}
		s.Failures = max(s.Failures, p.breaker.failures)
		p.mu.Unlock()
	}
	return s
}

func (o *OpStats) add(p *OpStats) {
	o.Calls += p.Calls
	o.Faults += p.Faults
	o.Fuel += p.Fuel
	o.Waits += p.Waits
	o.Waited += p.Waited
}
