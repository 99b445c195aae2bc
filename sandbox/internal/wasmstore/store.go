package wasmstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
)

const (
	firstBuffer = 16 << 10      // bytes that a fresh instance is asked for
	keepBuffer  = 4 << 20       // an instance with a larger buffer is replaced after the operation
	maxMessage  = 1 << 10       // bytes of a guest's error message that are kept
	maxRead     = 8 << 10       // bytes of it that are searched for secrets before it is cut
	maxCopy     = abi.MaxBuffer // bytes that one response may make the host copy
	importBatch = 1 << 20       // bytes of one import call
)

// Config describes the store that a guest is.
type Config struct {
	Features          abi.Features // of the manifest
	MaxTransactionOps int          // 0 = no bound
	// Redact removes secrets from the guest's error messages; nil = nothing to
	// remove.
	Redact func(text string) string
}

// Store is a guest as a store. What it offers is what Features says: the
// methods of the optional interfaces return abi.ErrUnsupported otherwise.
type Store struct {
	g        Guest
	features abi.Features
	maxOps   int
	redact   func(text string) string
	started  atomic.Bool
}

var (
	_ abi.Store              = (*Store)(nil)
	_ abi.Transactor         = (*Store)(nil)
	_ abi.TransactionLimiter = (*Store)(nil)
	_ abi.BulkGetter         = (*Store)(nil)
	_ abi.BulkWriter         = (*Store)(nil)
	_ abi.Lister             = (*Store)(nil)
	_ abi.Pinger             = (*Store)(nil)
	_ abi.Exporter           = (*Store)(nil)
	_ abi.Importer           = (*Store)(nil)
)

// Check says what keeps a module with these features from being a store; nil
// if nothing does.
func Check(features abi.Features, shards int) []string {
	var wrong []string
	if no := features & (abi.FeatureQuery | abi.FeatureWatch | abi.FeatureDeleteWithPrefix); no != 0 {
		wrong = append(wrong, "it declares "+no.String()+", which a module of ABI version 1 cannot offer")
	}
	if no := features & (abi.FeatureTransactional | abi.FeatureKeys); no != 0 && shards > 1 {
		wrong = append(wrong, "it declares "+no.String()+", which the concurrency mode sharded cannot offer: no shard sees all keys")
	}
	return wrong
}

// New returns a store that is not yet initialised. The guest exports what
// Required lists. The store closes the guest.
func New(g Guest, cfg Config) *Store {
	s := &Store{g: g, features: cfg.Features, maxOps: cfg.MaxTransactionOps, redact: cfg.Redact}
	if g.Shards() > 1 {
		s.features &^= abi.FeatureBulk // the keys of a batch live in different shards
	}
	if s.maxOps <= 0 {
		s.maxOps = 1<<31 - 1
	}
	return s
}

// Features returns the features of the manifest, less what the mode rules out.
func (s *Store) Features() abi.Features { return s.features }

// MaxTransactionOps implements abi.TransactionLimiter.
func (s *Store) MaxTransactionOps() int { return s.maxOps }

// Init makes the first instance. Every instance gets the same properties.
func (s *Store) Init(ctx context.Context, md abi.Metadata) error {
	if s.started.Swap(true) {
		return abi.NewError(abi.CodeInternal, "initialised twice")
	}
	pairs := make([]abi.Pair, 0, len(md.Properties))
	for name, value := range md.Properties {
		pairs = append(pairs, abi.Pair{Name: name, Value: value})
	}
	abi.SortPairs(pairs)
	return s.g.Start(ctx, func(_ context.Context, in Instance) error {
		if err := s.open(in, firstBuffer); err != nil {
			return err
		}
		if !s.g.Has(opInit) {
			return nil
		}
		return s.initInstance(in, md.Name, pairs)
	})
}

func (s *Store) initInstance(in Instance, name string, pairs []abi.Pair) error {
	a, err := s.exchange(in, opInit, func(e *abi.Encoder) { e.Init(name, pairs, in.Remaining()) })
	clear(in.Buffer()) // the properties may be secrets
	if err != nil {
		return err
	}
	return s.err(in, &a)
}

// open asks for a shared buffer of at least want bytes. Which one the guest
// gave is remembered even if the caller leaves before it is known: the guest
// uses the new one only.
func (s *Store) open(in Instance, want uint32) error {
	_, err := in.Call2(OpOpen, abi.Version, want, func(r uint64) error {
		addr, size := uint32(r>>32), uint32(r)
		switch {
		case r == 0:
			return abi.NewError(abi.CodeTooLarge, fmt.Sprintf("the guest refuses a buffer of %d bytes", want))
		case size < want:
			return in.Violate(fmt.Sprintf("ws_open returned a buffer of %d bytes where %d were asked for", size, want))
		case !in.SetBuffer(addr, min(size, abi.MaxBuffer)):
			return in.Violate(fmt.Sprintf("ws_open returned a buffer outside of its memory: %d bytes at %#x", size, addr))
		}
		return nil
	})
	return err
}

// grow makes the buffer large enough for a message of size bytes.
func (s *Store) grow(in Instance, size uint64) error {
	if size > abi.MaxBuffer {
		return abi.NewError(abi.CodeTooLarge, fmt.Sprintf("the request takes %d bytes and at most %d can be sent", size, abi.MaxBuffer))
	}
	want := uint64(firstBuffer)
	for want < size {
		want *= 2
	}
	if err := s.open(in, uint32(want)); err != nil {
		return err
	}
	if want > keepBuffer {
		in.Retire()
	}
	return nil
}

// exchange encodes a request, growing the buffer if need be, and calls op.
func (s *Store) exchange(in Instance, op int, encode func(e *abi.Encoder)) (answer, error) {
	e := abi.Encoder{Buf: in.Buffer()}
	encode(&e)
	if !e.Fits() {
		if err := s.grow(in, e.Size()); err != nil {
			return answer{}, err
		}
		e = abi.Encoder{Buf: in.Buffer()}
		encode(&e)
	}
	return call(in, op, uint32(e.Size()))
}

// Ping asks the guest, or only makes sure that an instance is there if it
// cannot be asked.
func (s *Store) Ping(ctx context.Context) error {
	for shard := range s.g.Shards() {
		in, err := s.g.Acquire(ctx, opPing, uint32(shard))
		if err != nil {
			return err
		}
		if s.g.Has(opPing) {
			var a answer
			if a, err = call(in, opPing, 0); err == nil {
				err = s.err(in, &a)
			}
		}
		in.Done()
		if err != nil {
			return err
		}
	}
	return nil
}

// Close waits for the operations in progress and releases the guest.
func (s *Store) Close() error { return s.g.Close() }

// answer is a checked response record.
type answer struct {
	code abi.Code
	abi.ResponseView
	empty bool // no record at all
}

// call makes the call and checks the result and the record. The addresses in
// the record are not yet checked; slice does that.
func call(in Instance, op int, n uint32) (answer, error) {
	r, err := in.Call(op, n)
	if err != nil {
		return answer{}, err
	}
	code, size := abi.Unpack(r)
	if !code.Valid() {
		return answer{}, in.Violate(fmt.Sprintf("status %d does not exist", uint32(code)))
	}
	buf := in.Buffer()
	if uint64(size) > uint64(len(buf)) {
		return answer{}, in.Violate(fmt.Sprintf("the response is %d bytes long and the buffer %d", size, len(buf)))
	}
	v, ok := abi.ParseResponse(buf[:size])
	if !ok {
		return answer{}, in.Violate(fmt.Sprintf("the response of %d bytes is not a record", size))
	}
	return answer{code: code, ResponseView: v, empty: size == 0}, nil
}

// slice returns the guest's bytes that s points at. The addresses are 32 bits
// wide and the sum is taken in 64.
func slice(in Instance, s abi.Span, what string) ([]byte, error) {
	if s.Len == 0 {
		return nil, nil
	}
	mem := in.Memory()
	end := uint64(s.Addr) + uint64(s.Len)
	if end > uint64(len(mem)) {
		return nil, in.Violate(fmt.Sprintf("the %s points outside of its memory: %d bytes at %#x of %#x", what, s.Len, s.Addr, len(mem)))
	}
	return mem[s.Addr:end:end], nil
}

// err is the error that the guest reported, or nil.
func (s *Store) err(in Instance, a *answer) error {
	return s.failure(in, a.code, a.Message)
}

// failure makes an error of a code and a message in guest memory.
func (s *Store) failure(in Instance, code abi.Code, message abi.Span) error {
	if code == abi.CodeOK {
		return nil
	}
	if message.Len > maxRead {
		if uint64(message.Addr)+uint64(message.Len) > uint64(len(in.Memory())) {
			return in.Violate("the message points outside of its memory")
		}
		message.Len = maxRead
	}
	said, err := slice(in, message, "message")
	if err != nil {
		return err
	}
	if len(said) == 0 {
		return sentinel(code)
	}
	msg := string(said)
	if s.redact != nil { // before anything is changed or cut, so that no part of a secret is left
		msg = s.redact(msg)
	}
	return abi.NewError(code, text.Clean(msg, maxMessage))
}

// sentinel is the error of a code without a message.
func sentinel(code abi.Code) error {
	switch code {
	case abi.CodeNotFound:
		return abi.ErrNotFound
	case abi.CodeETagMismatch:
		return abi.ErrETagMismatch
	case abi.CodeETagInvalid:
		return abi.ErrETagInvalid
	case abi.CodeUnsupported:
		return abi.ErrUnsupported
	}
	return &abi.Error{Code: code}
}

var errNotOffered = errors.New("the module does not offer it")

// unsupported is the error of an operation that Features does not announce.
func unsupported(f abi.Features) error {
	return abi.WrapError(abi.CodeUnsupported, f.String(), errNotOffered)
}
