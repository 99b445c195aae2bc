package sandbox

import (
	"context"

	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmstore"
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
