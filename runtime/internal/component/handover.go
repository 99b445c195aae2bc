package component

import (
	"context"
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
	if old == nil || !old.handsOver() {
		return none, func() {}, nil
	}
	if !g.handsOver() {
		if old.spec.KeepState && old.spec.Type == g.spec.Type {
			return none, func() {}, abi.NewError(abi.CodeUnsupported,
				"the new version cannot take over the state of the old one: it does not declare EXPORT")
		}
		s.log.Warn("the state of the old store is dropped", zap.String("component", sl.name), zap.String("from", old.spec.Type), zap.String("to", g.spec.Type))
		return none, func() {}, nil
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
	err = contain(func() error {
		n, err = copyItems(ctx, old.store, g.store)
		return err
	})
	return handOver{pause: time.Since(from), items: n}, open, err
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
	for {
		resp.Items, resp.Cursor = resp.Items[:0], resp.Cursor[:0]
		if err := exp.Export(ctx, &req, &resp); err != nil {
			return n, err
		}
		if len(resp.Items) > 0 {
			if err := imp.Import(ctx, resp.Items); err != nil {
				return n, err
			}
		}
		n += int64(len(resp.Items))
		if len(resp.Cursor) == 0 {
			return n, nil
		}
		if len(resp.Items) == 0 && string(resp.Cursor) == string(req.Cursor) {
			return n, abi.NewError(abi.CodeInternal, "the export does not advance")
		}
		req.Cursor = append(req.Cursor[:0], resp.Cursor...)
	}
}
