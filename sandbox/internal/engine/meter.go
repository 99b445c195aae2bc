package engine

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Meter is how a guest is kept from running past its deadline.
type Meter uint8

// The meters.
const (
	MeterNone   Meter = iota // not at all: an endless loop freezes the process at the next garbage collection
	MeterFuel                // the module counts and calls Refill when a slice is used up
	MeterWazero              // wazero's own check at loop heads
)

// Code is a module ready to be compiled.
type Code struct {
	Bytes []byte // what wazero gets: for MeterFuel, the rewritten module
	Debug bool   // read DWARF line numbers for stack traces
	// Estimated bytes that compiling takes with two workers, and for each more.
	Memory, WorkerMemory int64

	Meter Meter
	// For MeterFuel: the exported mutable i64 global that counts down, and the
	// imported function () -> () that is called when it is below zero and sets
	// it to Slice again.
	FuelGlobal, RefillModule, RefillName string
	Slice                                int64 // units of fuel between two looks at the clock, at most
	First                                int64 // units that the module begins with; 0 = Slice
}

const (
	// grace is how long a guest may go on after its caller left. Most
	// operations end within it, and a finished operation saves the instance.
	grace = 2 * time.Millisecond
	// lateness is how long after its deadline a guest may use up its fuel, and
	// dearUnit what a unit of it may take.
	lateness = 2 * time.Millisecond
	dearUnit = 500 * time.Nanosecond
	// patience is how long a guest has the processor for itself before it
	// yields at every refill.
	patience = time.Millisecond
	// hostCallsPerLook is how many host calls there are between two looks at
	// the clock, if they are cheap.
	hostCallsPerLook = 8
	// maxStack bounds the call stack of a guest in bytes. wazero's own bound is
	// 100 MB, outside of every budget, and takes long to copy and to unwind.
	maxStack = 8 << 20
	// keepStack is the largest call stack that is kept between operations.
	keepStack = 64 << 10
	// fairTime is how long an operation must have been allowed to take before
	// stopping it counts as the guest's fault.
	fairTime = 100 * time.Millisecond
)

// callContext is the context of every guest call of one instance: the caller's,
// and the answer to who is calling. Its parent is swapped per operation, so
// that a call does not allocate.
type callContext struct {
	context.Context // the caller's; background between operations
	in              *Instance

	timeout  time.Duration
	deadline time.Time // zero until somebody looked at the clock
	since    time.Time // first look at the clock
	last     time.Time // last look at the clock
	left     time.Time // when the caller was first seen gone
}

type instanceKey struct{}

// Value answers for the instance and forwards everything else.
func (c *callContext) Value(key any) any {
	if key == c.in.g.stateKey {
		if c.in.state == nil {
			return nil
		}
		c.in.hostCall()
		return c.in.state
	}
	if _, ok := key.(instanceKey); ok {
		return c.in
	}
	return c.Context.Value(key)
}

// Deadline is the sooner of the caller's and the operation's.
func (c *callContext) Deadline() (time.Time, bool) {
	c.look()
	return c.deadline, true
}

// look fixes the deadline at the first look at the clock. An operation that
// ends within its first slice of fuel never looks.
func (c *callContext) look() time.Time {
	now := time.Now()
	c.last = now
	if c.deadline.IsZero() {
		c.since = now
		c.deadline = now.Add(c.timeout)
		if d, ok := c.Context.Deadline(); ok && d.Before(c.deadline) && !c.outlives() {
			c.deadline = d
		}
	}
	return now
}

func (c *callContext) begin(ctx context.Context, timeout time.Duration) {
	c.Context, c.timeout = ctx, timeout
	c.deadline, c.since, c.left = time.Time{}, time.Time{}, time.Time{}
}

func (c *callContext) end() { c.Context = context.Background() }

// outlives reports whether an operation goes on although its caller left; see
// apart. There only the component's own limit counts. Setting an instance up is
// no such operation: there is no data yet.
func (c *callContext) outlives() bool { return c.in.g.cfg.Stateful && c.in.op >= 0 }

// Done is what host functions wait for beside the deadline: the caller's end,
// but for an operation that outlives it.
func (c *callContext) Done() <-chan struct{} {
	if c.outlives() {
		return nil
	}
	return c.Context.Done()
}

// Err belongs to Done.
func (c *callContext) Err() error {
	if c.outlives() {
		return nil
	}
	return c.Context.Err()
}

// check returns why the guest must stop, or nil.
func (c *callContext) check() error {
	now := c.look()
	if c.in.patient() {
		return c.in.checkIdle(now)
	}
	if now.After(c.deadline) {
		if d, ok := c.Context.Deadline(); !ok || c.deadline.Before(d) {
			return context.DeadlineExceeded // the component's own limit
		}
		if now.Sub(c.deadline) > grace {
			return context.DeadlineExceeded
		}
	} else if err := c.Context.Err(); err != nil && !c.outlives() {
		if c.left.IsZero() {
			c.left = now
		}
		if now.Sub(c.left) > grace {
			return err
		}
	}
	if now.Sub(c.since) > patience {
		runtime.Gosched()
	}
	return nil
}

// hostCall is called at the beginning of each host call, when the host asks who
// is calling. A guest that does little but host calls uses hardly any fuel of
// its own, so that the clock is looked at here too.
func (in *Instance) hostCall() {
	if !in.announced {
		in.beginHost()
	}
	in.step("host call")
	if !in.running || in.g.cfg.Code.Meter != MeterFuel {
		return
	}
	if in.hostCalls++; in.hostCalls < hostCallsPerLook && in.state.Fuel < in.g.cfg.Code.Slice {
		return
	}
	in.spent += in.state.Fuel
	in.state.Fuel, in.hostCalls = 0, 0
	before := in.ctx.last
	if err := in.ctx.check(); err != nil {
		panic(&stop{err})
	}
	if in.ctx.last.Sub(before) > patience {
		in.hostCalls = hostCallsPerLook // they are slow: look at each
	}
}

// refill is the host function that a metered guest calls when its slice is
// used up.
func refill(ctx context.Context, caller api.Module, _ []uint64) {
	in, ok := ctx.(*callContext)
	if !ok { // the start function runs under a derived context
		in = ctx.Value(instanceKey{}).(*Instance).ctx
	}
	in.in.step("refill")
	if err := in.check(); err != nil {
		panic(&stop{err})
	}
	if in.in.stackSize(in.in.current) > maxStack {
		panic(&stop{errOverflow})
	}
	in.in.refill(caller)
}

// refill gives the guest its next slice, less what host calls cost.
func (in *Instance) refill(caller api.Module) {
	if in.fuel == nil { // the start function: the instance is not complete
		in.findFuel(caller)
	}
	slice := nextSlice(in.g.cfg.Code.Slice, min(in.ctx.deadline.Sub(in.ctx.last), in.ctx.timeout))
	in.refills++
	in.spent += in.granted - int64(in.fuel.Get())
	in.granted = slice
	if in.state != nil {
		in.granted -= min(in.state.Fuel, slice-1)
		in.spent += in.state.Fuel
		in.state.Fuel = 0
	}
	in.fuel.Set(uint64(in.granted))
}

// nextSlice is how much a guest gets, of slice at most, with so much time left:
// less as the deadline comes near, because a unit of fuel may be a store to a
// page that was never touched, which takes some hundred nanoseconds and not one.
func nextSlice(slice int64, left time.Duration) int64 {
	return min(slice, int64((max(left, 0)+lateness)/dearUnit))
}

// used returns the fuel spent since the last time it was asked.
func (in *Instance) used() int64 {
	if in.fuel == nil {
		return 0
	}
	left := int64(in.fuel.Get())
	n := in.spent + in.granted - left
	in.spent, in.granted = 0, left
	return n
}

func (in *Instance) findFuel(m api.Module) {
	in.fuel, _ = m.ExportedGlobal(in.g.cfg.Code.FuelGlobal).(api.MutableGlobal)
	if in.granted = in.g.cfg.Code.First; in.granted == 0 {
		in.granted = in.g.cfg.Code.Slice
	}
}

// errOverflow stops a guest whose call stack passes maxStack.
var errOverflow = errors.New("stack overflow")

// stackSize is the size of the call stack that wazero has made for f, which no
// API tells; 0 if it cannot be found out, as in another version of wazero.
func (in *Instance) stackSize(f api.Function) int {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return 0
	}
	v = v.Elem()
	if in.stackField == 0 { // looked up by name once: this runs at every refill
		field, ok := v.Type().FieldByName("stack")
		if !ok || len(field.Index) != 1 || field.Type.Kind() != reflect.Slice {
			return 0
		}
		in.stackField = field.Index[0] + 1
	}
	return v.Field(in.stackField - 1).Len()
}

// instantiateRefill offers the refill function to the module.
func instantiateRefill(ctx context.Context, r wazero.Runtime, code *Code) error {
	_, err := r.NewHostModuleBuilder(code.RefillModule).
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(refill), nil, nil).Export(code.RefillName).
		Instantiate(ctx)
	return err
}
