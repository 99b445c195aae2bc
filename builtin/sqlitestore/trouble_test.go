package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

func TestBadConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "text")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.db")
	mustExec(t, openSQL(t, other), `CREATE TABLE state (id INTEGER PRIMARY KEY, name TEXT)`)
	good := filepath.Join(dir, "good.db")
	for _, tt := range []struct {
		name       string
		properties []string
		code       abi.Code
		want       string
	}{
		{"no connection string", nil, abi.CodeInvalidArgument, "connectionString is missing"},
		{"folder missing", []string{"url", filepath.Join(dir, "no", "data.db")}, abi.CodeInvalidArgument, "does not exist; create it"},
		{"folder is a file", []string{"url", filepath.Join(file, "data.db")}, abi.CodeInvalidArgument, "is not a folder"},
		{"file is a folder", []string{"url", dir}, abi.CodeInvalidArgument, "is a folder; give the path of a file"},
		{"read-only and missing", []string{"url", filepath.Join(dir, "none.db") + "?mode=ro"}, abi.CodeInvalidArgument, "does not exist and is opened read-only"},
		{"no database", []string{"url", file}, abi.CodeCorrupt, "not a sound SQLite database"},
		{"somebody's table", []string{"url", other}, abi.CodeInvalidArgument, `no column "key"`},
		{"read-only without table", []string{"url", other + "?mode=ro", "tableName", "x"}, abi.CodeInvalidArgument, `table "x" does not exist`},
		{"injection", []string{"url", good, "tableName", "state; DROP TABLE state"}, abi.CodeInvalidArgument, "tableName"},
		{"quoted table", []string{"url", good, "metadataTableName", `"m"`}, abi.CodeInvalidArgument, "metadataTableName"},
		{"system table", []string{"url", good, "tableName", "sqlite_master"}, abi.CodeInvalidArgument, "tableName"},
		{"digit first", []string{"url", good, "tableName", "1state"}, abi.CodeInvalidArgument, "tableName"},
		{"same table twice", []string{"url", good, "tableName", "METADATA"}, abi.CodeInvalidArgument, "is taken by tableName"},
		{"content types' table", []string{"url", good, "metadataTableName", "state_content_type"}, abi.CodeInvalidArgument, "is taken by tableName"},
		{"bad timeout", []string{"url", good, "timeout", "soon"}, abi.CodeInvalidArgument, "timeout"},
		{"short timeout", []string{"url", good, "timeoutInSeconds", "0"}, abi.CodeInvalidArgument, "less than 1s"},
		{"bad switch", []string{"url", good, "disableWAL", "maybe"}, abi.CodeInvalidArgument, "disableWAL"},
		{"bad synchronous", []string{"url", good, "synchronous", "twice"}, abi.CodeInvalidArgument, "synchronous"},
		{"pragma", []string{"url", good + "?_pragma=journal_mode(DELETE)"}, abi.CodeInvalidArgument, "use the property disableWAL"},
		{"zero byte", []string{"url", good + "\x00"}, abi.CodeInvalidArgument, "zero byte"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := try(t, tt.properties...)
			if abi.CodeOf(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %q %v, want %q with %q", abi.CodeOf(err), err, tt.code, tt.want)
			}
		})
	}
}

func TestConnectionStrings(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{
		filepath.Join(dir, "plain.db"), filepath.Join(dir, "100%#sure.db"), "file:" + filepath.Join(dir, "uri.db"), "file://" + filepath.Join(dir, "uri2.db"),
		filepath.Join(dir, "option.db") + "?_pragma=cache_size(100)", ":memory:", "file::memory:?cache=shared", "FILE:" + filepath.Join(dir, "upper.db"),
	} {
		s := open(t, "connectionString", text)
		set(t, s, abi.SetRequest{Key: []byte("k"), Value: []byte("v")})
		get(t, s, "k")
	}
	for _, name := range []string{"plain.db", "100%#sure.db", "uri.db", "uri2.db", "option.db", "upper.db"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, want 0600: state may be secret", name, info.Mode())
		}
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	mustExec(t, openSQL(t, path), daprLayout+`INSERT INTO state (key, value, is_binary, etag) VALUES ('k', 'v', 0, 'e')`)
	s := open(t, "connectionString", path+"?mode=ro")
	if r := get(t, s, "k"); string(r.Value) != "v" {
		t.Errorf("%q", r.Value)
	}
	if err := s.Set(t.Context(), &abi.SetRequest{Key: []byte("k")}, &abi.SetResponse{}); abi.CodeOf(err) != abi.CodePermission {
		t.Errorf("set: %v", err)
	}
}

// TestOneBadWrite lets one write of many fail in the database.
func TestOneBadWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, "connectionString", path)
	mustExec(t, openSQL(t, path), `CREATE TRIGGER no BEFORE INSERT ON state WHEN NEW.key = 'bad' BEGIN SELECT RAISE(ABORT, 'refused'); END`)
	var wg sync.WaitGroup
	for i := range 200 {
		key := fmt.Sprint(i)
		if i%10 == 0 {
			key = "bad"
		}
		wg.Go(func() {
			err := s.Set(context.Background(), &abi.SetRequest{Key: []byte(key), Value: []byte("v")}, &abi.SetResponse{})
			if (err != nil) != (key == "bad") {
				t.Errorf("set %s: %v", key, err)
			}
		})
	}
	wg.Wait()
	for i := range 200 {
		if i%10 != 0 {
			get(t, s, fmt.Sprint(i))
		}
	}
}

// TestLeavesWhileLocked has another process hold the file's lock for ever.
func TestLeavesWhileLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, "connectionString", path, "busyTimeout", "1h", "timeout", "1h")
	hasty := open(t, "connectionString", path, "busyTimeout", "1ms")
	set(t, s, abi.SetRequest{Key: []byte("k"), Value: []byte("old")})
	locker, err := openSQL(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer locker.Close()
	if _, err := locker.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		req := abi.SetRequest{Key: []byte("k"), Value: []byte("new")}
		if err := s.Set(ctx, &req, &abi.SetResponse{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("set while locked: %v", err)
		}
		copy(req.Value, "!!!") // the race detector sees whether the store still reads it
		cancel()
	}
	if err := hasty.Set(t.Context(), &abi.SetRequest{Key: []byte("k")}, &abi.SetResponse{}); abi.CodeOf(err) != abi.CodeUnavailable {
		t.Errorf("set after busyTimeout: %v", err)
	}
	if r := get(t, s, "k"); string(r.Value) != "old" {
		t.Errorf("read while locked: %q", r.Value)
	}
	if _, err := locker.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	set(t, s, abi.SetRequest{Key: []byte("other")})
	if r := get(t, s, "k"); string(r.Value) != "old" {
		t.Errorf("a write that its caller had left was carried out: %q", r.Value)
	}
}

// TestReaderLeavesWhileLocked does the same where readers need the lock too.
func TestReaderLeavesWhileLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, "connectionString", path, "busyTimeout", "1h", "timeout", "1h", "disableWAL", "true")
	set(t, s, abi.SetRequest{Key: []byte("k"), Value: []byte("v")})
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	locker, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer locker.Close()
	if _, err := locker.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	for range 20 { // more than there are readers
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if err := s.Get(ctx, &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("get while locked: %v", err)
		}
		cancel()
	}
	if _, err := locker.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	get(t, s, "k")
}

// TestTwoStoresOneFile counts in one key from two stores.
func TestTwoStoresOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	stores := []abi.Store{open(t, "connectionString", path), open(t, "connectionString", path)}
	set(t, stores[0], abi.SetRequest{Key: []byte("n")})
	const each = 50
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s := stores[i%2]
			for range each {
				for {
					var resp abi.GetResponse
					if err := s.Get(context.Background(), &abi.GetRequest{Key: []byte("n")}, &resp); err != nil {
						t.Error(err)
						return
					}
					err := s.Set(context.Background(), &abi.SetRequest{Key: []byte("n"), Value: append(resp.Value, 'x'), ETag: resp.ETag}, &abi.SetResponse{})
					if err == nil {
						break
					}
					if abi.CodeOf(err) != abi.CodeETagMismatch {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(get(t, stores[0], "n").Value); n != 4*each {
		t.Errorf("counted %d, want %d", n, 4*each)
	}
}

// TestOpenWhileLocked opens a store on a file that has its tables while
// somebody else holds the lock for writing: a reload needs no lock.
func TestOpenWhileLocked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.db")
	first := open(t, "url", file)
	set(t, first, abi.SetRequest{Key: []byte("k"), Value: []byte("v")})

	db, err := openSQL(t, file).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	second := open(t, "url", file, "busyTimeout", "1ms")
	get(t, second, "k")
	if _, err := try(t, "url", file, "busyTimeout", "1ms", "tableName", "other"); abi.CodeOf(err) != abi.CodeUnavailable {
		t.Errorf("a table was created without the lock: %v", err)
	}
	if _, err := db.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	set(t, second, abi.SetRequest{Key: []byte("k"), Value: []byte("w")})
}
