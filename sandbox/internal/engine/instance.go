package engine

import (
	"context"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
)

// Instance is one operation in progress on one instance of the guest. It is
// used by the goroutine that acquired it, until Done; afterwards neither it nor
// anything that it returned may be touched.
type Instance struct {
	g    *Guest
	pool *pool

	mod   api.Module
	mem   *linearMemory
	state *hostfuncs.State // nil if the guest imports nothing
	ctx   *callContext
	funcs []api.Function // by operation, looked up at first use
	stack [2]uint64      // parameters and results of a call

	fuel    api.MutableGlobal // nil without the fuel meter
	granted int64             // units that the guest had at the last look
	spent   int64             // units used up to the last look, since used
	refills int               // in the call in progress

	current    api.Function // the one that is called
	stackField int          // where its stack is; see stackSize
	announced  bool         // the host functions know of the operation
	hostCalls  int          // since the last look at the clock

	counted uint64 // the memory as the pool knows it

	bufAddr, bufLen uint32 // the shared buffer, kept for the caller

	op      int
	running bool // a guest call is in progress
	away    bool // it runs apart from its caller
	called  bool // there was one in this operation
	apart   *apart
	retire  Cause // not CauseNone: the instance goes when it is done
	err     error // the fault that retires it

	served int64 // operations
	upkeep upkeep
	ticket ticket // of the breaker, for the operation in progress
	waited time.Duration
}

// newInstance instantiates the guest under ctx and runs _initialize. It is not
// yet set up.
func (g *Guest) newInstance(ctx context.Context, p *pool) (*Instance, error) {
	in := &Instance{g: g, pool: p, op: opSetup}
	in.ctx = &callContext{in: in, Context: ctx, timeout: g.cfg.SetupTimeout}
	mem, denied := newLinearMemory(g.minMemory, g.cfg.Memory, g.share)
	if denied != denialNone {
		return nil, &abi.Fault{Kind: abi.FaultMemory, Component: g.cfg.Component, Msg: g.describe(denied)}
	}
	in.mem = mem
	if g.cfg.Host != nil {
		in.state = g.cfg.Host.NewState()
	}
	start := experimental.WithMemoryAllocator(in.ctx, in.mem)
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize")
	var done context.CancelFunc
	if g.cfg.Code.Meter == MeterWazero {
		start, done = context.WithTimeout(start, g.cfg.SetupTimeout)
		defer done()
	}
	mod, err := g.prog.runtime.InstantiateModule(start, g.prog.module, cfg)
	in.endHost()
	if err != nil {
		fe, _ := in.fault(err, "instantiate")
		in.dispose()
		return nil, fe
	}
	in.mod = mod
	in.funcs = make([]api.Function, len(g.cfg.Ops))
	if g.cfg.Code.Meter == MeterFuel && in.fuel == nil {
		in.findFuel(mod)
		if in.fuel == nil {
			in.dispose()
			return nil, &abi.Fault{Kind: abi.FaultLoad, Component: g.cfg.Component, Msg: "the metered module has no fuel counter"}
		}
	}
	in.upkeep = upkeep{size: in.mem.size}
	return in, nil
}

// dispose closes the module and unmaps its memory. No call is in progress.
func (in *Instance) dispose() {
	if in.mod != nil {
		_ = in.mod.Close(context.Background())
	}
	if in.state != nil {
		_ = in.state.Close()
	}
	in.funcs = nil
	if in.apart != nil {
		close(in.apart.jobs)
	}
	in.mem.release()
}

// beginHost announces the operation to the host functions. It is called by the
// first host call of a guest call, on the guest's goroutine: most calls of most
// guests make none.
func (in *Instance) beginHost() {
	in.announced = true
	in.hostCalls = hostCallsPerLook - 2 // look at the second: the first may have been slow
	if in.ctx.deadline.IsZero() {
		in.ctx.look()
	}
	in.state.Begin(in.ctx, in.ctx.deadline)
}

func (in *Instance) endHost() {
	if in.announced {
		in.announced = false
		in.state.End()
	}
}

// Has reports whether the guest exports operation op.
func (in *Instance) Has(op int) bool { return in.g.has[op] }

// Call runs operation op with one parameter, the length of its request, and
// returns its result. A *abi.Fault retires the instance. On an instance that
// holds state the error may be that of the caller's context while the call goes
// on; then only Done may follow.
func (in *Instance) Call(op int, arg uint32) (uint64, error) {
	in.upkeep.bytes += uint64(arg)
	return in.call(job{op: op, arg: arg})
}

// Call2 runs operation op with two parameters, as Call does. note is called
// with the result before anything else can happen to the instance, also when
// the caller has left by then, perhaps on another goroutine: what host and
// guest must agree on afterwards is remembered there, and nowhere else. It may
// call SetBuffer, Memory and Violate; its error is returned. nil = nothing to
// remember.
func (in *Instance) Call2(op int, a, b uint32, note func(result uint64) error) (uint64, error) {
	return in.call(job{op: op, arg: a, arg2: b, note: note})
}

func (in *Instance) call(j job) (uint64, error) {
	in.step("call")
	if in.mustBeReleased() {
		return in.callApart(j)
	}
	return in.callHere(j)
}

// callHere makes a call on this goroutine.
func (in *Instance) callHere(j job) (uint64, error) {
	f, err := in.function(j.op)
	if err != nil {
		return 0, err
	}
	in.stack[0], in.stack[1] = uint64(j.arg), uint64(j.arg2)
	r, err := in.invoke(f, j.op)
	in.step("called")
	if err == nil && j.note != nil {
		err = j.note(r)
		in.step("noted")
	}
	return r, err
}

func (in *Instance) function(op int) (api.Function, error) {
	if f := in.funcs[op]; f != nil {
		return f, nil
	}
	f := in.mod.ExportedFunction(in.g.cfg.Ops[op])
	if f == nil {
		return nil, in.Violate("it does not export " + in.g.cfg.Ops[op])
	}
	in.funcs[op] = f
	return f, nil
}

func (in *Instance) invoke(f api.Function, op int) (uint64, error) {
	if in.running {
		return 0, errReentered
	}
	if in.retire != CauseNone && in.err != nil {
		return 0, in.err // nothing runs in a guest that failed
	}
	in.running, in.called, in.refills, in.current = true, true, 0, f
	err := in.callGuest(f)
	in.running, in.current = false, nil
	if in.refills > 0 {
		// A long call may have been a deep one, and a handle keeps its call
		// stack for good.
		if n := in.stackSize(f); n == 0 || n > keepStack {
			in.funcs[op] = nil
		}
	}
	if err != nil {
		fe, cause := in.fault(err, in.g.cfg.Ops[op])
		in.retire, in.err = cause, fe
		return 0, fe
	}
	in.mem.denied = denialNone
	return in.stack[0], nil
}

func (in *Instance) callGuest(f api.Function) error {
	if in.g.cfg.Code.Meter == MeterWazero {
		return in.callClosing(f)
	}
	err := f.CallWithStack(in.ctx, in.stack[:])
	in.endHost()
	return err
}

// closingContext is a callContext that ends, as wazero's own meter wants it.
type closingContext struct{ callContext }

func (c *closingContext) Done() <-chan struct{} { return c.Context.Done() }
func (c *closingContext) Err() error            { return c.Context.Err() }

// callClosing is a call for wazero's own meter. It gets a copy of the context:
// wazero's goroutine may look at it after the call.
func (in *Instance) callClosing(f api.Function) error {
	parent := in.ctx.Context
	if in.ctx.outlives() {
		parent = context.WithoutCancel(parent)
	}
	var cancel context.CancelFunc
	if in.patient() {
		parent, cancel = context.WithCancel(in.g.ctx)
	} else {
		parent, cancel = context.WithTimeout(parent, in.ctx.timeout)
	}
	defer cancel()
	in.ctx.look()
	own := &closingContext{*in.ctx}
	own.Context = parent
	err := f.CallWithStack(own, in.stack[:])
	in.endHost()
	return err
}

// Memory is the guest's whole linear memory. It is valid until the next call,
// and never after Done.
func (in *Instance) Memory() []byte { return in.mem.buf[:in.mem.size] }

// Buffer is the shared buffer that SetBuffer noted; empty before. Valid as
// Memory is.
func (in *Instance) Buffer() []byte {
	return in.mem.buf[in.bufAddr : in.bufAddr+in.bufLen : in.bufAddr+in.bufLen]
}

// SetBuffer notes where the shared buffer is. It reports false if that is not
// in the guest's memory.
func (in *Instance) SetBuffer(addr, size uint32) bool {
	if uint64(addr)+uint64(size) > in.mem.size {
		return false
	}
	in.bufAddr, in.bufLen = addr, size
	return true
}

// Remaining is the time that the operation may take from now on, for the
// guest's information.
func (in *Instance) Remaining() time.Duration {
	if d, ok := in.ctx.Context.Deadline(); ok {
		return min(max(time.Until(d), time.Millisecond), in.ctx.timeout)
	}
	return in.ctx.timeout
}

// Violate notes that the guest broke the ABI and returns the error for the
// caller. The instance is retired. detail must not hold unbounded guest text.
func (in *Instance) Violate(detail string) error {
	name := ""
	if in.op >= 0 {
		name = in.g.cfg.Ops[in.op]
	}
	in.retire = CauseABI
	in.err = &abi.Fault{Kind: abi.FaultABI, Component: in.g.cfg.Component, Op: name, Msg: "broke the ABI: " + detail}
	return in.err
}

// Retire asks for a new instance in place of this one, without a fault: for
// example because its buffer grew for one large operation.
func (in *Instance) Retire() {
	if in.retire == CauseNone && !in.g.cfg.Stateful {
		in.retire = CauseLarge
	}
}

// Moved adds n bytes to what the guest moved since its idle export ran.
func (in *Instance) Moved(n int) { in.upkeep.bytes += uint64(n) }

// ended is called before the instance goes back: it decides whether it goes on.
func (in *Instance) ended() {
	in.ctx.end()
	in.served++
	in.upkeep.ops++
	if in.retire != CauseNone || in.g.cfg.Stateful {
		return
	}
	switch {
	case in.g.cfg.MaxOps > 0 && in.served >= in.g.cfg.MaxOps:
		in.retire = CauseMaxOps
	case in.g.cfg.MemoryRetire > 0 && in.mem.size > in.g.cfg.MemoryRetire:
		in.retire = CauseLarge
	}
}

func (in *Instance) begin(ctx context.Context, op int, timeout time.Duration) {
	in.op, in.called = op, false
	in.ctx.begin(ctx, timeout)
}

// blameless reports whether the fault says nothing about the guest: its caller
// left before the operation had a fair amount of time. Otherwise callers with
// tiny deadlines could take a component down for everybody.
func (in *Instance) blameless() bool {
	return in.retire == CauseDeadline && !in.ctx.since.IsZero() && time.Since(in.ctx.since) < min(fairTime, in.g.cfg.Timeout)
}

// sayGoodbye runs the close export, for what it is worth.
func (in *Instance) sayGoodbye() {
	if op := in.g.cfg.Close; op >= 0 && in.g.has[op] && in.err == nil {
		in.begin(context.Background(), op, in.g.cfg.IdleTimeout)
		_, _ = in.Call(op, 0)
		in.ctx.end()
	}
}
