package sqlitestore

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/google/uuid"

	"github.com/wasmstate/wasmstate/abi"
)

// op is a copy of one set or delete as the statements take it.
type op struct {
	kind        abi.OpKind
	firstWrite  bool
	key, etag   string
	value       string
	binary      bool
	newETag     string
	expires     any // text or nil
	contentType string
	err         error // what the caller did wrong
}

func setOp(r *abi.SetRequest) op {
	o := op{
		kind: abi.OpSet, firstWrite: r.FirstWrite, key: string(r.Key), etag: string(r.ETag), newETag: uuid.NewString(), contentType: string(r.ContentType),
	}
	o.value, o.binary = encodeValue(r.Value)
	if r.TTL > 0 {
		o.expires = time.Now().Add(r.TTL).UTC().Format(timeFormat)
	}
	return o
}

func deleteOp(r *abi.DeleteRequest) op {
	return op{kind: abi.OpDelete, key: string(r.Key), etag: string(r.ETag)}
}

func copyOps(in []abi.Op) []op {
	out := make([]op, len(in))
	for i := range in {
		if in[i].Kind == abi.OpDelete {
			d := in[i].Delete()
			out[i] = deleteOp(&d)
			continue
		}
		out[i] = setOp(&in[i].SetRequest)
	}
	return out
}

// apply carries out o. A mismatch goes to o.err, errors of the database are
// returned.
func (w *writer) apply(o *op) (err error) {
	o.err = nil
	var changed int64
	if o.kind == abi.OpDelete {
		changed, err = w.applyDelete(o)
	} else {
		changed, err = w.applySet(o)
	}
	if err != nil {
		return err
	}
	if changed == 0 && (o.etag != "" || o.firstWrite) {
		o.err = abi.ErrETagMismatch
		return nil
	}
	switch {
	case o.contentType != "":
		w.types = true
		_, err = w.setType.exec(o.key, o.newETag, o.contentType)
	case w.types:
		_, err = w.dropType.exec(o.key)
	}
	return err
}

func (w *writer) applySet(o *op) (int64, error) {
	switch {
	case o.etag != "":
		return w.update.exec(o.value, o.binary, o.newETag, o.expires, o.key, o.etag, now())
	case o.firstWrite:
		return w.create.exec(o.key, o.value, o.binary, o.newETag, o.expires, now())
	}
	return w.upsert.exec(o.key, o.value, o.binary, o.newETag, o.expires)
}

func (w *writer) applyDelete(o *op) (int64, error) {
	if o.etag != "" {
		return w.compare.exec(o.key, o.etag, now())
	}
	return w.remove.exec(o.key)
}

// write runs f on the writer's goroutine and waits until it is committed.
func (s *store) write(ctx context.Context, size int, f func(w *writer) error) error {
	j := &write{run: f, size: size, done: make(chan struct{})}
	if err := send(ctx, s, s.writes, j, j.done); err != nil {
		j.left.Store(true)
		return err
	}
	return j.err
}

// Set implements [abi.Store].
func (s *store) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	resp.ETag = resp.ETag[:0]
	o := setOp(req)
	err := s.write(ctx, len(o.key)+len(o.value), func(w *writer) error { return w.apply(&o) })
	if err != nil {
		return err // o may still be in use
	}
	if o.err == nil {
		resp.ETag = append(resp.ETag, o.newETag...)
	}
	return o.err
}

// Delete implements [abi.Store].
func (s *store) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	o := deleteOp(req)
	if err := s.write(ctx, len(o.key), func(w *writer) error { return w.apply(&o) }); err != nil {
		return err
	}
	return o.err
}

func size(ops []op) (n int) {
	for i := range ops {
		n += len(ops[i].key) + len(ops[i].value)
	}
	return n
}

// BulkWrite implements [abi.BulkWriter]: one visit to the writer for all.
func (s *store) BulkWrite(ctx context.Context, in []abi.Op, results []abi.WriteResult) error {
	if len(in) == 0 {
		return ctx.Err()
	}
	ops := copyOps(in)
	if err := s.write(ctx, size(ops), func(w *writer) (err error) {
		for i := 0; i < len(ops) && err == nil; i++ {
			err = w.apply(&ops[i])
		}
		return err
	}); err != nil {
		return err
	}
	for i := range ops {
		r := &results[i]
		r.ETag, r.Err = r.ETag[:0], ops[i].err
		if r.Err == nil {
			r.ETag = append(r.ETag, ops[i].newETag...)
		}
	}
	return nil
}

// Transact implements [abi.Transactor]. A savepoint takes back what a failing
// transaction did without the others in the same commit.
func (s *store) Transact(ctx context.Context, in []abi.Op) error {
	if len(in) == 0 {
		return ctx.Err()
	}
	ops := copyOps(in)
	failed := -1
	err := s.write(ctx, size(ops), func(w *writer) error {
		failed = -1
		if _, err := w.savepoint.exec(); err != nil {
			return err
		}
		for i := range ops {
			if err := w.apply(&ops[i]); err != nil {
				return err
			}
			if ops[i].err != nil {
				failed = i
				if _, err := w.undo.exec(); err != nil {
					return err
				}
				break
			}
		}
		_, err := w.release.exec()
		return err
	})
	if err != nil {
		return err
	}
	if failed >= 0 {
		return &abi.OpError{Index: failed, Err: ops[failed].err}
	}
	return nil
}

// DeleteWithPrefix implements [abi.PrefixDeleter].
func (s *store) DeleteWithPrefix(ctx context.Context, prefix []byte) (int64, error) {
	if len(prefix) == 0 {
		return 0, abi.NewError(abi.CodeInvalidArgument, "delete with prefix: the prefix is empty")
	}
	from, end := string(prefix), after(prefix)
	var count int64
	err := s.write(ctx, len(from), func(w *writer) error {
		if err := w.countRange.rows(1, func(row []driver.Value) error {
			count, _ = row[0].(int64)
			return nil
		}, from, end, now()); err != nil {
			return err
		}
		if _, err := w.dropRange.exec(from, end); err != nil {
			return err
		}
		_, err := w.dropTypes.exec(from, end)
		return err
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}

// cleanBatch is how many expired rows one commit removes, so that others can
// write in between.
const cleanBatch = 500

// cleaning removes expired rows every cleanupInterval until ctx ends. A failure
// is left to the next time: the rows are not found anyway, and a file that
// cannot be written shows in every write.
func (s *store) cleaning(ctx context.Context) {
	tick := time.NewTicker(s.cfg.cleanupInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.clean(ctx)
		}
	}
}

// clean removes all expired rows, and content types that Dapr's writes left.
func (s *store) clean(ctx context.Context) error {
	for removed := int64(cleanBatch); removed == cleanBatch; {
		if err := s.write(ctx, 0, func(w *writer) (err error) {
			removed, err = w.dropExpired.exec(now(), int64(cleanBatch))
			return err
		}); err != nil {
			return err
		}
	}
	return s.write(ctx, 0, func(w *writer) error {
		if w.types {
			if _, err := w.dropOrphans.exec(); err != nil {
				return err
			}
		}
		_, err := w.noteCleanup.exec()
		return err
	})
}
