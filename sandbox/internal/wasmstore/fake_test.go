package wasmstore

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// bufAt is where the shared buffer of a fake guest lies.
const bufAt = 4096

var errViolation = errors.New("abi violation")

// fakeGuest is a guest in Go: handlers get the request and answer with a
// record, a status and a length, exactly as a module would.
type fakeGuest struct {
	mem      []byte
	bufLen   uint32
	shards   int
	handlers map[int]func(in *fakeInstance, arg uint32) uint64
	open     func(g *fakeGuest, want uint32) uint64

	acquired, done, violated, retired int
	lastShard                         uint32
	closed                            bool
}

func newFake() *fakeGuest {
	return &fakeGuest{mem: make([]byte, 1<<20), shards: 1, handlers: map[int]func(*fakeInstance, uint32) uint64{}}
}

func (g *fakeGuest) Start(ctx context.Context, setup func(context.Context, Instance) error) error {
	return setup(ctx, &fakeInstance{g: g})
}

func (g *fakeGuest) Acquire(ctx context.Context, op int, shard uint32) (Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.acquired++
	g.lastShard = shard
	return &fakeInstance{g: g}, nil
}

func (g *fakeGuest) Has(op int) bool { return g.handlers[op] != nil }
func (g *fakeGuest) Shards() int     { return g.shards }
func (g *fakeGuest) Close() error    { g.closed = true; return nil }

// respond makes operation op answer with code and the record that fill makes.
func (g *fakeGuest) respond(op int, code abi.Code, v abi.ResponseView) {
	g.handlers[op] = func(in *fakeInstance, _ uint32) uint64 {
		abi.PutResponse(in.Buffer(), &v)
		return abi.Pack(code, abi.ResponseSize)
	}
}

// put places bytes in the guest's memory.
func (g *fakeGuest) put(addr uint32, b string) abi.Span {
	copy(g.mem[addr:], b)
	return abi.Span{Addr: addr, Len: uint32(len(b))}
}

// putItems places item records one after the other at addr.
func (g *fakeGuest) putItems(addr uint32, items ...abi.ResponseView) (abi.Span, uint32) {
	for i := range items {
		abi.PutResponse(g.mem[addr+uint32(i)*abi.ResponseSize:], &items[i])
	}
	return abi.Span{Addr: addr, Len: uint32(len(items))}, abi.ResponseSize
}

type fakeInstance struct {
	g *fakeGuest
}

func (in *fakeInstance) Call(op int, arg uint32) (uint64, error) {
	h := in.g.handlers[op]
	if h == nil {
		return 0, errors.New("no such operation")
	}
	return h(in, arg), nil
}

func (in *fakeInstance) Call2(_ int, _, want uint32, note func(uint64) error) (uint64, error) {
	r := bufAt<<32 | uint64(want)
	if in.g.open != nil {
		r = in.g.open(in.g, want)
	}
	return r, note(r)
}

func (in *fakeInstance) Memory() []byte { return in.g.mem }
func (in *fakeInstance) Buffer() []byte { return in.g.mem[bufAt : bufAt+in.g.bufLen] }

func (in *fakeInstance) SetBuffer(addr, size uint32) bool {
	if uint64(addr)+uint64(size) > uint64(len(in.g.mem)) {
		return false
	}
	in.g.bufLen = size
	return true
}

func (in *fakeInstance) Remaining() time.Duration { return time.Second }
func (in *fakeInstance) Violate(detail string) error {
	in.g.violated++
	return errors.Join(errViolation, errors.New(detail))
}
func (in *fakeInstance) Retire()     { in.g.retired++ }
func (in *fakeInstance) Moved(n int) {}
func (in *fakeInstance) Done()       { in.g.done++ }

func putU32(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }
