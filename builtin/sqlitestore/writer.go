package sqlitestore

import (
	"errors"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/wasmstate/wasmstate/abi"
)

// A commit takes what waits, up to these bounds, so that no caller waits for
// more than one large commit.
const (
	mostWrites = 512
	mostBytes  = 8 << 20
)

// writer is the connection that writes.
type writer struct {
	c                                                   *conn
	reads                                               *reader // of a database in memory, else nil
	begin, commit, savepoint, undo, release             stmt
	upsert, create, update, remove, compare             stmt
	setType, dropType, countRange, dropRange, dropTypes stmt
	dropExpired, dropOrphans, noteCleanup               stmt
	types                                               bool // content types may be stored

	turn turn // with other processes

	file    place
	checked time.Time // when file was last found in its place
}

func newWriter(c *conn, cfg *config, stop <-chan struct{}) (*writer, error) {
	w := &writer{c: c}
	if cfg.memory {
		var err error
		if w.reads, err = newReader(c, cfg); err != nil {
			return nil, err
		}
	}
	if cfg.readOnly {
		return w, nil
	}
	t, types := cfg.table, cfg.typesTable
	upsert := "INSERT INTO " + t + " (" + columns + ") VALUES (?, ?, ?, ?, ?, CURRENT_TIMESTAMP)" +
		" ON CONFLICT (key) DO UPDATE SET value = excluded.value, is_binary = excluded.is_binary, etag = excluded.etag," +
		" expiration_time = excluded.expiration_time, update_time = excluded.update_time"
	const inRange = " WHERE key >= ? AND key < ?"
	for _, p := range []struct {
		to   *stmt
		text string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.savepoint, "SAVEPOINT op"},
		{&w.undo, "ROLLBACK TO op"},
		{&w.release, "RELEASE op"},
		{&w.upsert, upsert},
		{&w.create, upsert + " WHERE " + t + ".expiration_time <= ?"},
		{&w.update, "UPDATE " + t + " SET value = ?, is_binary = ?, etag = ?, expiration_time = ?, update_time = CURRENT_TIMESTAMP" +
			" WHERE key = ? AND etag = ? AND " + live},
		{&w.remove, "DELETE FROM " + t + " WHERE key = ?"},
		{&w.compare, "DELETE FROM " + t + " WHERE key = ? AND etag = ? AND " + live},
		{&w.setType, "INSERT OR REPLACE INTO " + types + " (key, etag, content_type) VALUES (?, ?, ?)"},
		{&w.dropType, "DELETE FROM " + types + " WHERE key = ?"},
		{&w.countRange, "SELECT count(*) FROM " + t + inRange + " AND " + live},
		{&w.dropRange, "DELETE FROM " + t + inRange},
		{&w.dropTypes, "DELETE FROM " + types + inRange},
		{&w.dropExpired, "DELETE FROM " + t + " WHERE rowid IN (SELECT rowid FROM " + t + " WHERE expiration_time IS NOT NULL AND expiration_time <= ? LIMIT ?)"},
		{&w.dropOrphans, "DELETE FROM " + types + " AS c WHERE NOT EXISTS (SELECT 1 FROM " + t + " s WHERE s.key = c.key AND s.etag = c.etag)"},
		{&w.noteCleanup, "INSERT INTO " + cfg.metadataTable + " (key, value) VALUES ('last-cleanup', CURRENT_TIMESTAMP)" +
			" ON CONFLICT (key) DO UPDATE SET value = excluded.value"},
	} {
		var err error
		if *p.to, err = c.prepare(p.text); err != nil {
			return nil, err
		}
	}
	var err error
	if _, w.types, err = c.value("SELECT 1 FROM " + types + " LIMIT 1"); err != nil {
		return nil, err
	}
	w.turn, err = newTurn(c, cfg, stop)
	return w, err
}

// write is work for the writer. It touches nothing that belongs to the caller,
// who may have left.
type write struct {
	// run does the work inside a transaction. It may run a second time after
	// a rollback. What the caller did wrong it keeps for itself; it returns
	// errors of the database, after which the transaction is rolled back.
	run  func(w *writer) error
	size int // bytes, roughly

	left atomic.Bool // the caller has left: do not start
	err  error       // set before done is closed
	done chan struct{}
}

// writing serves writes until stop.
func (s *store) writing(w *writer) {
	defer s.release(w.c)
	var reads chan *read
	if w.reads != nil {
		reads = s.reads
	}
	batch := make([]*write, 0, mostWrites)
	for {
		select {
		case <-s.stop:
			return
		case j := <-reads:
			j.do(w.reads)
		case j := <-s.writes:
			if s.cfg.readOnly {
				j.err = abi.NewError(abi.CodePermission, "sqlite: the connectionString opens the database read-only")
				close(j.done)
				continue
			}
			batch = s.waiting(append(batch[:0], j))
			w.carryOut(batch)
			clear(batch)
			w.turn.yield()
		}
	}
}

// waiting adds the writes that wait to the first one.
func (s *store) waiting(batch []*write) []*write {
	for size := batch[0].size; len(batch) < mostWrites && size < mostBytes; {
		select {
		case j := <-s.writes:
			batch, size = append(batch, j), size+j.size
		default:
			return batch
		}
	}
	return batch
}

// carryOut commits a batch. If that fails because of one of them, each gets a
// transaction of its own.
func (w *writer) carryOut(batch []*write) {
	err := w.together(batch)
	if err != nil && len(batch) > 1 && separable(err) {
		for _, j := range batch {
			j.err = w.together([]*write{j})
		}
		err = nil
	}
	for _, j := range batch {
		if err != nil {
			j.err = err
		}
		close(j.done)
	}
}

// separable says whether an error may be due to one write of several. Others,
// such as a lock held by another process, would only be met once more for each.
func separable(err error) bool {
	if errors.Is(err, abi.ErrClosed) {
		return false
	}
	if e := (*abi.Error)(nil); errors.As(err, &e) && e.Code == abi.CodeUnavailable {
		return false
	}
	switch primary(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PROTOCOL:
		return false
	}
	return true
}

// together carries out a batch in one transaction.
func (w *writer) together(batch []*write) error {
	if err := w.turn.wait(w.begin); err != nil {
		if primary(err) != sqlite3.SQLITE_ERROR {
			return err
		}
		// A rollback may have failed before; then a transaction is still open.
		if err := rollback(w.c); err != nil {
			return err
		}
		if err := w.turn.wait(w.begin); err != nil {
			return err
		}
	}
	if err := w.turn.look(); err != nil {
		rollback(w.c) //nolint:errcheck // met again by the next begin
		return err
	}
	for _, j := range batch {
		if j.left.Load() {
			continue
		}
		if err := j.run(w); err != nil {
			rollback(w.c) //nolint:errcheck // met again by the next begin
			return err
		}
	}
	if err := w.inPlace(); err != nil {
		rollback(w.c) //nolint:errcheck // met again by the next begin
		return err
	}
	if _, err := w.commit.exec(); err != nil {
		rollback(w.c) //nolint:errcheck // met again by the next begin
		return err
	}
	return nil
}

// inPlace looks at most once a second whether the file is still there, and
// each time once it is not.
func (w *writer) inPlace() error {
	now := time.Now()
	if now.Sub(w.checked) < checkEvery {
		return nil
	}
	if err := w.file.check(); err != nil {
		return err
	}
	w.checked = now
	return nil
}
