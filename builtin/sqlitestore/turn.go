package sqlitestore

import (
	"database/sql/driver"
	"math/rand/v2"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/wasmstate/wasmstate/abi"
)

// A process that writes without a break leaves the file's lock free for some
// microseconds between two commits. SQLite looks for it every 100 milliseconds
// and so may never get it. The writer therefore looks much more often, and
// leaves a longer gap after its own commits while others write too.
const (
	lookEvery  = time.Millisecond // at most, 100 µs at least
	gap        = time.Millisecond
	sharedTime = time.Second // after which a writer counts as alone again
)

// turn takes turns with other processes that write to the same file.
type turn struct {
	busyTimeout time.Duration   // 0 = SQLite waits
	stop        <-chan struct{} // of the store
	version     stmt            // changes when somebody else commits
	seen        int64           // the version at the last commit
	shared      time.Time       // when somebody else was last noticed
}

// newTurn prepares c, the connection of the writer.
func newTurn(c *conn, cfg *config, stop <-chan struct{}) (turn, error) {
	t := turn{stop: stop}
	if !cfg.disableWAL && !cfg.memory {
		// With the log, only the begin of a transaction waits for others. With
		// a journal other statements do too, and SQLite waits for all.
		t.busyTimeout = cfg.busyTimeout
		if err := c.run("PRAGMA busy_timeout = 0"); err != nil {
			return t, err
		}
	}
	var err error
	if t.version, err = c.prepare("PRAGMA data_version"); err != nil {
		return t, err
	}
	if err := t.look(); err != nil {
		return t, err
	}
	t.shared = time.Time{}
	return t, nil
}

// wait runs a statement that needs the file's lock, again and again until it
// gets it or busyTimeout has passed.
func (t *turn) wait(s stmt) error {
	var start time.Time
	for {
		_, err := s.exec()
		if primary(err) != sqlite3.SQLITE_BUSY {
			return err
		}
		if start.IsZero() {
			start = time.Now()
		}
		if time.Since(start) >= t.busyTimeout {
			return err
		}
		if !t.pause(lookEvery/10 + rand.N(lookEvery*9/10)) {
			return abi.ErrClosed
		}
	}
}

// look finds out whether somebody else wrote since the last commit.
func (t *turn) look() error {
	return t.version.rows(1, func(row []driver.Value) error {
		if v, _ := row[0].(int64); v != t.seen {
			t.seen, t.shared = v, time.Now()
		}
		return nil
	})
}

// yield gives others a chance after a commit, if there are any.
func (t *turn) yield() {
	if !t.shared.IsZero() && time.Since(t.shared) < sharedTime {
		t.pause(gap)
	}
}

// pause returns false if the store is closed meanwhile.
func (t *turn) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.stop:
		return false
	}
}
