package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/wasmstate/wasmstate/abi"
)

// conn is one connection with its prepared statements, used by one goroutine
// at a time. It talks to the driver without database/sql, whose pool and
// conversions cost as much as a small read.
type conn struct {
	c     driver.Conn
	stmts []driver.Stmt
}

// connect opens a connection and makes its settings.
func connect(cfg *config) (*conn, error) {
	raw, err := new(sqlite.Driver).Open(cfg.dsn)
	if err != nil {
		return nil, wrap("open the database", err)
	}
	c := &conn{c: raw}
	journal := "WAL"
	if cfg.disableWAL {
		journal = "DELETE"
	}
	settings := []string{fmt.Sprintf("PRAGMA busy_timeout = %d", max(cfg.busyTimeout.Milliseconds(), 0)), "PRAGMA synchronous = " + cfg.synchronous}
	if !cfg.memory && !cfg.readOnly {
		settings = append(settings, "PRAGMA journal_mode = "+journal)
	}
	for _, s := range settings {
		if err := c.run(s); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// prepare makes a statement that lives as long as the connection.
func (c *conn) prepare(text string) (stmt, error) {
	s, err := c.c.Prepare(text)
	if err != nil {
		return stmt{}, wrap("prepare a statement", err)
	}
	c.stmts = append(c.stmts, s)
	return stmt{s}, nil
}

// run executes a statement once.
func (c *conn) run(text string, args ...any) error {
	s, err := c.c.Prepare(text)
	if err != nil {
		return wrap("prepare a statement", err)
	}
	_, err = stmt{s}.exec(args...)
	return errors.Join(err, s.Close())
}

// value reads one column of one row; ok is false if there is none.
func (c *conn) value(text string, args ...any) (v any, ok bool, err error) {
	s, err := c.c.Prepare(text)
	if err != nil {
		return nil, false, wrap("prepare a statement", err)
	}
	err = stmt{s}.rows(1, func(row []driver.Value) error {
		v, ok = row[0], true
		return nil
	}, args...)
	return v, ok, errors.Join(err, s.Close())
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	if err := errors.Join(append(errs, c.c.Close())...); err != nil {
		return wrap("close the database", err)
	}
	return nil
}

// stmt is a prepared statement.
type stmt struct{ s driver.Stmt }

func named(args []any) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

// exec runs the statement and returns the number of rows changed. The
// arguments are string, int64, bool or nil.
func (s stmt) exec(args ...any) (int64, error) {
	res, err := s.s.(driver.StmtExecContext).ExecContext(context.Background(), named(args))
	if err != nil {
		return 0, wrap("write", err)
	}
	return res.RowsAffected()
}

// rows calls each for every row of the given number of columns.
func (s stmt) rows(columns int, each func(row []driver.Value) error, args ...any) (err error) {
	rows, err := s.s.(driver.StmtQueryContext).QueryContext(context.Background(), named(args))
	if err != nil {
		return wrap("read", err)
	}
	defer func() {
		if closeErr := rows.Close(); err == nil && closeErr != nil {
			err = wrap("read", closeErr)
		}
	}()
	row := make([]driver.Value, columns)
	for {
		err := rows.Next(row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return wrap("read", err)
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// primary returns SQLite's result code without the details, or -1.
func primary(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return -1
}

// wrap gives a SQLite error a code and says what to do.
func wrap(what string, err error) error {
	code, hint := abi.CodeInternal, ""
	switch primary(err) {
	case sqlite3.SQLITE_FULL:
		code, hint = abi.CodeQuota, "the disk is full; make room, reads go on meanwhile"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		code, hint = abi.CodeUnavailable, "another process holds the file's lock for longer than busyTimeout"
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
		code, hint = abi.CodeUnavailable, "the file or its folder cannot be used: is one of them read-only or another user's, or the disk full or gone?"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		code, hint = abi.CodePermission, "the database or its folder is read-only"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		code, hint = abi.CodeCorrupt, "the file is not a sound SQLite database; restore a backup"
	case sqlite3.SQLITE_TOOBIG:
		code, hint = abi.CodeTooLarge, "the value is larger than SQLite allows"
	case sqlite3.SQLITE_NOMEM:
		code, hint = abi.CodeQuota, "out of memory"
	}
	msg := "sqlite: " + what
	if hint != "" {
		msg += ": " + hint
	}
	return abi.WrapError(code, msg, err)
}
