package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// errPageFull ends the reading of rows; it reaches no caller.
var errPageFull = errors.New("the page is full")

// Export implements [abi.Exporter]. The cursor is the last key of the page.
func (s *store) Export(ctx context.Context, req *abi.ExportRequest, resp *abi.ExportResponse) error {
	resp.Cursor = resp.Cursor[:0]
	from, most := string(req.Cursor), req.MaxBytes
	if from != "" {
		from += "\x00" // the smallest text above the cursor
	}
	var page []abi.Item
	more := false
	if err := s.read(ctx, func(r *reader) error {
		size := 0
		err := r.export.rows(6, func(row []driver.Value) error {
			var rec record
			var got abi.GetResponse
			if err := rec.scan(row); err != nil {
				return err
			}
			if err := rec.copyTo(&got); err != nil {
				return err
			}
			it := abi.Item{Key: []byte(text(row[5])), Value: got.Value, ETag: got.ETag, ContentType: got.ContentType, ExpiresAt: got.ExpiresAt}
			if size += len(it.Key) + len(it.Value); len(page) > 0 && (size > most || len(page) == mostKeys) {
				more = true
				return errPageFull
			}
			page = append(page, it)
			return nil
		}, from, now())
		if errors.Is(err, errPageFull) {
			return nil
		}
		return err
	}); err != nil {
		return err
	}
	resp.Items = append(resp.Items, page...)
	if more {
		resp.Cursor = append(resp.Cursor, page[len(page)-1].Key...)
	}
	return nil
}

// Import implements [abi.Importer]: one commit for a batch.
func (s *store) Import(ctx context.Context, items []abi.Item) error {
	ops := make([]op, 0, len(items))
	nowMilli := time.Now().UnixMilli()
	for i := range items {
		it := &items[i]
		o := op{kind: abi.OpSet, key: string(it.Key), newETag: string(it.ETag), contentType: string(it.ContentType)}
		o.value, o.binary = encodeValue(it.Value)
		if it.ExpiresAt > 0 {
			if it.ExpiresAt <= nowMilli {
				continue
			}
			o.expires = time.UnixMilli(it.ExpiresAt).UTC().Format(timeFormat)
		}
		ops = append(ops, o)
	}
	if len(ops) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, size(ops), func(w *writer) (err error) {
		for i := 0; i < len(ops) && err == nil; i++ {
			err = w.apply(&ops[i])
		}
		return err
	})
}

// Volatile implements [abi.Volatiler]: a database in memory ends with the
// store, and so does a file that has lost its name.
func (s *store) Volatile() bool { return s.cfg.memory || s.file.check() != nil }
