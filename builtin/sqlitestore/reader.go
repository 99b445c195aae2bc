package sqlitestore

import (
	"context"
	"database/sql/driver"

	"github.com/wasmstate/wasmstate/abi"
)

// live is the condition of a row that has not expired; its parameter is now().
const live = "(expiration_time IS NULL OR expiration_time > ?)"

// reader is a connection with the statements that read.
type reader struct {
	c                 *conn
	get, keys, export stmt
}

func newReader(c *conn, cfg *config) (*reader, error) {
	contentType := "(SELECT t.content_type FROM " + cfg.typesTable + " t WHERE t.key = s.key AND t.etag = s.etag)"
	if cfg.readOnly { // then Dapr may have made the file, without this table
		_, ok, err := c.value("SELECT 1 FROM sqlite_master WHERE name = ?", cfg.name+typesSuffix)
		if err != nil {
			return nil, err
		}
		if !ok {
			contentType = "''"
		}
	}
	r := &reader{c: c}
	var err error
	if r.get, err = c.prepare("SELECT value, is_binary, etag, CAST(expiration_time AS TEXT), " + contentType +
		" FROM " + cfg.table + " s WHERE key = ? AND " + live); err != nil {
		return nil, err
	}
	if r.export, err = c.prepare("SELECT value, is_binary, etag, CAST(expiration_time AS TEXT), " + contentType + ", key" +
		" FROM " + cfg.table + " s WHERE key >= ? AND " + live + " ORDER BY key"); err != nil {
		return nil, err
	}
	r.keys, err = c.prepare("SELECT key FROM " + cfg.table + " WHERE key >= ? AND key < ? AND " + live + " ORDER BY key LIMIT ?")
	return r, err
}

// record reads one row; ok is false if the key is missing or expired.
func (r *reader) record(key string, into *record) (ok bool, err error) {
	err = r.get.rows(5, func(row []driver.Value) error {
		ok = true
		return into.scan(row)
	}, key, now())
	return ok, err
}

// read is work for a reader. It touches nothing that belongs to the caller,
// who may have left.
type read struct {
	run  func(r *reader) error
	err  error
	done chan struct{}
}

func (j *read) do(r *reader) {
	j.err = j.run(r)
	close(j.done)
}

// reading serves reads until stop.
func (s *store) reading(r *reader) {
	defer s.release(r.c)
	for {
		select {
		case <-s.stop:
			return
		case j := <-s.reads:
			j.do(r)
		}
	}
}

// read runs f on a reader's goroutine and waits for it.
func (s *store) read(ctx context.Context, f func(r *reader) error) error {
	j := &read{run: f, done: make(chan struct{})}
	if err := send(ctx, s, s.reads, j, j.done); err != nil {
		return err
	}
	return j.err
}

// Ping reads from the table, and looks whether the file is still in its place.
func (s *store) Ping(ctx context.Context) error {
	return s.read(ctx, func(r *reader) error {
		if err := s.file.check(); err != nil {
			return err
		}
		_, err := r.record("", new(record))
		return err
	})
}

// Get implements [abi.Store].
func (s *store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	resp.Reset()
	key, rec, ok := string(req.Key), new(record), new(bool)
	if err := s.read(ctx, func(r *reader) (err error) {
		*ok, err = r.record(key, rec)
		return err
	}); err != nil {
		return err
	}
	if !*ok {
		return abi.ErrNotFound
	}
	return rec.copyTo(resp)
}

// BulkGet implements [abi.BulkGetter]: one visit to a reader for all keys.
func (s *store) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	keys, recs, found := make([]string, len(reqs)), make([]record, len(reqs)), make([]bool, len(reqs))
	for i := range reqs {
		keys[i] = string(reqs[i].Key)
	}
	if err := s.read(ctx, func(r *reader) (err error) {
		for i := 0; i < len(keys) && err == nil; i++ {
			found[i], err = r.record(keys[i], &recs[i])
		}
		return err
	}); err != nil {
		return err
	}
	for i := range results {
		if !found[i] {
			results[i].Reset()
			results[i].Err = abi.ErrNotFound
			continue
		}
		results[i].Err = recs[i].copyTo(&results[i].GetResponse)
	}
	return nil
}

// mostKeys bounds a page, whatever the caller asks for.
const mostKeys = 10000

// Keys implements [abi.Lister]. The cursor is the last key of the page before.
func (s *store) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	resp.Keys, resp.Cursor = resp.Keys[:0], resp.Cursor[:0]
	if req.Limit <= 0 {
		return abi.NewError(abi.CodeInvalidArgument, "keys: the limit must be above 0")
	}
	limit := min(req.Limit, mostKeys)
	from, end := string(req.Prefix), after(req.Prefix)
	if c := string(req.Cursor); c >= from && c != "" {
		from = c + "\x00" // the smallest text above the cursor
	}
	var page []string
	if err := s.read(ctx, func(r *reader) error {
		return r.keys.rows(1, func(row []driver.Value) error {
			page = append(page, text(row[0]))
			return nil
		}, from, end, now(), int64(limit+1))
	}); err != nil {
		return err
	}
	for i, key := range page {
		if i == limit {
			resp.Cursor = append(resp.Cursor, page[limit-1]...)
			break
		}
		resp.Keys = append(resp.Keys, []byte(key))
	}
	return nil
}
