package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
)

const (
	// handOverBatch is how many bytes of items move at a time.
	handOverBatch = 256 << 10
	// handOverLimit is how long writes may be held back before the hand-over is
	// given up and the old store goes on.
	handOverLimit = 30 * time.Second
	// takeBackLimit is how long the removal of a failed hand-over may take.
	takeBackLimit = 5 * time.Second
)

// handOver is what there is to say of a state that moved.
type handOver struct {
	pause time.Duration // how long writes were held back
	items int64         // -1 = nothing moved
}

// moveState copies the state of old into g if both can, while writes wait and
// reads go on. open lets the writes go on; it is never nil and is called after
// the swap.
func (s *Set) moveState(sl *slot, old, g *generation) (moved handOver, open func(), err error) {
	none := handOver{items: -1}
	if move, err := s.mustMove(sl, old, g); err != nil || !move {
		return none, func() {}, err
	}
	from := time.Now()
	gt := &gate{open: make(chan struct{}), idle: make(chan struct{}, 1)}
	sl.handle.gate.Store(gt)
	open = func() {
		sl.handle.gate.Store(nil)
		close(gt.open)
	}
	defer func() {
		if err != nil {
			open()
			open = func() {}
			err = fmt.Errorf("hand over the state: %w", err)
		}
	}()
	ctx, cancel := context.WithTimeout(s.ctx, handOverLimit)
	defer cancel()
	for old.writers.Load() != 0 {
		select {
		case <-gt.idle:
		case <-ctx.Done():
			return none, open, fmt.Errorf("writes in progress do not end: %w", ctx.Err())
		}
	}
	var n int64
	err = contain(func() (err error) {
		if !g.volatile() {
			if err := mustBeEmpty(ctx, g.store); err != nil {
				return err
			}
		}
		if n, err = copyItems(ctx, old.store, g.store); err != nil && !g.volatile() {
			err = errors.Join(err, takeBack(context.WithoutCancel(ctx), g.store))
		}
		return err
	})
	return handOver{pause: time.Since(from), items: n}, open, err
}

// mustMove says whether data has to be copied for a change from old to g. It is
// an error if data would be lost and nobody said that it may be.
//
//	old        new        what happens
//	volatile   any        the data moves, or the change is refused
//	durable    volatile   the data moves if both can, else it stays where it is
//	durable    durable    the data stays where it is
func (s *Set) mustMove(sl *slot, old, g *generation) (bool, error) {
	switch {
	case old == nil:
		return false, nil
	case !g.spec.KeepState:
		if old.volatile() {
			s.log.Warn("the data of the old store is dropped", zap.String("component", sl.name),
				zap.String("from", old.spec.Type), zap.String("to", g.spec.Type))
		}
		return false, nil
	case !old.volatile() && !g.volatile():
		return false, nil
	case old.handsOver() && g.handsOver():
		return true, nil
	case !old.volatile():
		return false, nil
	}
	which := "the new store (" + g.spec.Type + ")"
	if !old.handsOver() {
		which = "the old store (" + old.spec.Type + ")"
	}
	return false, abi.NewError(abi.CodeUnsupported, "the data in memory would be lost: "+which+
		" does not declare EXPORT; the old version goes on. Choose a store that can take the data over, or add the metadata item onReload: discard to drop it")
}

// copyItems streams every item of one store into another.
func copyItems(ctx context.Context, from, to abi.Store) (n int64, err error) {
	exp, ok := from.(abi.Exporter)
	imp, ok2 := to.(abi.Importer)
	if !ok || !ok2 {
		return 0, abi.NewError(abi.CodeUnsupported, "a store declares EXPORT and does not offer it")
	}
	req := abi.ExportRequest{MaxBytes: handOverBatch}
	var resp abi.ExportResponse
	sum := newTally(from)
	for {
		resp.Items, resp.Cursor = resp.Items[:0], resp.Cursor[:0]
		if err := exp.Export(ctx, &req, &resp); err != nil {
			return sum.items, err
		}
		if err := sum.add(resp.Items); err != nil {
			return sum.items, err
		}
		if len(resp.Items) > 0 {
			if err := imp.Import(ctx, resp.Items); err != nil {
				return sum.items, err
			}
		}
		if len(resp.Cursor) == 0 {
			return sum.items, nil
		}
		if len(resp.Items) == 0 {
			return sum.items, abi.NewError(abi.CodeInternal, "the export does not advance: a page without items that is not the last")
		}
		req.Cursor = append(req.Cursor[:0], resp.Cursor...)
	}
}

// mustBeEmpty fails if a durable store that is to take data over has data of
// its own: mixed, keys that were deleted since would come back.
func mustBeEmpty(ctx context.Context, to abi.Store) error {
	exp, ok := to.(abi.Exporter)
	if !ok {
		return abi.NewError(abi.CodeUnsupported, "a store declares EXPORT and does not offer it")
	}
	var resp abi.ExportResponse
	if err := exp.Export(ctx, &abi.ExportRequest{MaxBytes: 1}, &resp); err != nil {
		return err
	}
	if len(resp.Items) > 0 {
		return abi.NewError(abi.CodeUnsupported, "the new store already holds data, and the data in memory would be mixed with it; the old version goes on."+
			" Give the new store an empty place, or add the metadata item onReload: discard to keep only what it holds")
	}
	return nil
}

// takeBack empties a durable store after a hand-over into it has failed, so
// that the next attempt finds it empty again.
func takeBack(ctx context.Context, to abi.Store) error {
	ctx, cancel := context.WithTimeout(ctx, takeBackLimit)
	defer cancel()
	for {
		var resp abi.ExportResponse
		if err := to.(abi.Exporter).Export(ctx, &abi.ExportRequest{MaxBytes: handOverBatch}, &resp); err != nil || len(resp.Items) == 0 {
			return err
		}
		for i := range resp.Items {
			if err := to.Delete(ctx, &abi.DeleteRequest{Key: resp.Items[i].Key}); err != nil {
				return err
			}
		}
	}
}
