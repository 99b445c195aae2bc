package runtime

import (
	"context"

	"github.com/wasmstate/wasmstate/runtime/internal/engine"
	"github.com/wasmstate/wasmstate/runtime/internal/wasmstore"
)

// guest lets wasmstore use an engine's guest: the two do not know each other.
type guest struct{ *engine.Guest }

var (
	_ wasmstore.Guest    = guest{}
	_ wasmstore.Instance = (*engine.Instance)(nil)
)

func (g guest) Acquire(ctx context.Context, op int, shard uint32) (wasmstore.Instance, error) {
	in, err := g.Guest.Acquire(ctx, op, shard)
	if err != nil {
		return nil, err // a nil *engine.Instance must not become a non-nil interface
	}
	return in, nil
}

func (g guest) Start(ctx context.Context, setup func(ctx context.Context, in wasmstore.Instance) error) error {
	return g.Guest.Start(ctx, func(ctx context.Context, in *engine.Instance) error { return setup(ctx, in) })
}

// GuestError is a fault of a guest: a trap, a missed deadline, a broken ABI, a
// refused module. Reach it with errors.As.
type GuestError = engine.GuestError

// GuestKind says what went wrong with a guest.
type GuestKind = engine.Kind

// The kinds of a [GuestError].
const (
	GuestTrap     = engine.KindTrap     // it trapped
	GuestDeadline = engine.KindDeadline // it was stopped because time was up
	GuestMemory   = engine.KindMemory   // it was refused memory
	GuestABI      = engine.KindABI      // it broke the rules of the ABI
	GuestLoad     = engine.KindLoad     // the module was refused before it ran
	GuestExit     = engine.KindExit     // it ended itself
	GuestDown     = engine.KindDown     // it failed repeatedly and is not tried at the moment
)
