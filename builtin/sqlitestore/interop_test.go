package sqlitestore_test

import (
	"database/sql"
	"encoding/base64"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// daprLayout is the layout of Dapr's state.sqlite.
const daprLayout = `
CREATE TABLE metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
CREATE TABLE state (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL, etag TEXT NOT NULL,
	expiration_time TIMESTAMP DEFAULT NULL, update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
INSERT INTO metadata VALUES ('migrations', '1');`

// openSQL opens the file without the store.
func openSQL(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t testing.TB, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.Exec(text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func get(t testing.TB, s abi.Store, key string) abi.GetResponse {
	t.Helper()
	var resp abi.GetResponse
	if err := s.Get(t.Context(), &abi.GetRequest{Key: []byte(key)}, &resp); err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return resp
}

func set(t testing.TB, s abi.Store, req abi.SetRequest) string {
	t.Helper()
	var resp abi.SetResponse
	if err := s.Set(t.Context(), &req, &resp); err != nil {
		t.Fatalf("set %s: %v", req.Key, err)
	}
	return string(resp.ETag)
}

// TestReadsDapr opens a file that Dapr wrote.
func TestReadsDapr(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	db := openSQL(t, path)
	mustExec(t, db, daprLayout)
	mustExec(t, db, `INSERT OR REPLACE INTO state (key, value, is_binary, etag, update_time, expiration_time) VALUES
		('app||text', '{"a":1}', 0, 'e1', CURRENT_TIMESTAMP, NULL),
		('app||bytes', ?, 1, 'e2', CURRENT_TIMESTAMP, NULL),
		('app||later', 'x', 0, 'e3', CURRENT_TIMESTAMP, DATETIME(CURRENT_TIMESTAMP, '+100 seconds')),
		('app||gone', 'x', 0, 'e4', CURRENT_TIMESTAMP, DATETIME(CURRENT_TIMESTAMP, '-1 seconds')),
		('app||bad', '***', 1, 'e5', CURRENT_TIMESTAMP, NULL)`, base64.StdEncoding.EncodeToString([]byte{0xff, 0, 1}))

	s := open(t, "connectionString", path)
	if r := get(t, s, "app||text"); string(r.Value) != `{"a":1}` || string(r.ETag) != "e1" || r.ExpiresAt != 0 {
		t.Errorf("text: %q, etag %q, expiry %d", r.Value, r.ETag, r.ExpiresAt)
	}
	if r := get(t, s, "app||bytes"); string(r.Value) != "\xff\x00\x01" {
		t.Errorf("bytes: %q", r.Value)
	}
	if left := time.Until(time.UnixMilli(get(t, s, "app||later").ExpiresAt)); left < 90*time.Second || left > 101*time.Second {
		t.Errorf("expires in %v, want 100s", left)
	}
	var resp abi.GetResponse
	if err := s.Get(t.Context(), &abi.GetRequest{Key: []byte("app||gone")}, &resp); abi.CodeOf(err) != abi.CodeNotFound {
		t.Errorf("expired: %v", err)
	}
	if err := s.Get(t.Context(), &abi.GetRequest{Key: []byte("app||bad")}, &resp); abi.CodeOf(err) != abi.CodeCorrupt {
		t.Errorf("broken base64: %v", err)
	}
	set(t, s, abi.SetRequest{Key: []byte("app||text"), Value: []byte("new"), ETag: []byte("e1")})
	var level string
	if err := db.QueryRow(`SELECT value FROM metadata WHERE key = 'migrations'`).Scan(&level); err != nil || level != "1" {
		t.Errorf("migrations %q, %v", level, err)
	}
}

// TestDaprReads reads with Dapr's types and statements what the store wrote.
func TestDaprReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, "connectionString", path)
	db := openSQL(t, path)
	for _, tt := range []struct {
		name, value string
		binary      bool
		ttl         time.Duration
	}{
		{"text", `{"a":"ü"}`, false, 0}, {"empty", "", false, 0}, {"bytes", "\xff\x00", true, 0}, {"zero", "a\x00b", true, 0}, {"expires", "x", false, time.Hour},
	} {
		etag := set(t, s, abi.SetRequest{Key: []byte(tt.name), Value: []byte(tt.value), TTL: tt.ttl, ContentType: []byte("text/plain")})
		var (
			key, gotETag string
			value        []byte
			binary       bool
			expires      sql.NullTime
		)
		err := db.QueryRow(`SELECT key, value, is_binary, etag, expiration_time FROM state
			WHERE key = ? AND (expiration_time IS NULL OR expiration_time > CURRENT_TIMESTAMP)`, tt.name).Scan(&key, &value, &binary, &gotETag, &expires)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if binary {
			if value, err = base64.StdEncoding.DecodeString(string(value)); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if string(value) != tt.value || binary != tt.binary || gotETag != etag || expires.Valid != (tt.ttl > 0) {
			t.Errorf("%s: %q, binary %v, etag %q (want %q), expires %v", tt.name, value, binary, gotETag, etag, expires)
		}
		if left := time.Until(expires.Time); tt.ttl > 0 && (left < 59*time.Minute || left > time.Hour) {
			t.Errorf("%s: expires in %v", tt.name, left)
		}
	}
}

// TestDaprWritesBeside lets Dapr's statements work on the same file.
func TestDaprWritesBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, "connectionString", path)
	db := openSQL(t, path)
	etag := set(t, s, abi.SetRequest{Key: []byte("k"), Value: []byte("ours"), ContentType: []byte("text/plain")})
	// Dapr creates with a positional insert of six columns.
	mustExec(t, db, `INSERT OR REPLACE INTO state SELECT 'created', 'theirs', 0, 'e1', NULL, CURRENT_TIMESTAMP`)
	if r := get(t, s, "created"); string(r.Value) != "theirs" || len(r.ContentType) != 0 {
		t.Errorf("created: %q, content type %q", r.Value, r.ContentType)
	}
	mustExec(t, db, `UPDATE state SET value = 'theirs', etag = 'e2', is_binary = 0 WHERE key = 'k' AND etag = ?`, etag)
	if r := get(t, s, "k"); string(r.Value) != "theirs" || string(r.ETag) != "e2" || len(r.ContentType) != 0 {
		t.Errorf("after their write: %q, etag %q, content type %q", r.Value, r.ETag, r.ContentType)
	}
	err := s.Set(t.Context(), &abi.SetRequest{Key: []byte("k"), ETag: []byte(etag)}, &abi.SetResponse{})
	if abi.CodeOf(err) != abi.CodeETagMismatch {
		t.Errorf("set with the etag from before their write: %v", err)
	}
}

// TestCleanup waits until a cleanup has removed what nobody can find.
func TestCleanup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, "connectionString", path, "cleanupInterval", "5ms")
	db := openSQL(t, path)
	set(t, s, abi.SetRequest{Key: []byte("theirs"), ContentType: []byte("text/plain")})
	set(t, s, abi.SetRequest{Key: []byte("stays"), ContentType: []byte("text/plain"), TTL: time.Hour})
	mustExec(t, db, `DELETE FROM state WHERE key = 'theirs'`)
	mustExec(t, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
		INSERT INTO state (key, value, is_binary, etag, expiration_time) SELECT 'old' || i, 'v', 0, 'e', '2001-01-01 00:00:00' FROM n`)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for rows, types := 0, 0; rows != 1 || types != 1; <-tick.C {
		if err := db.QueryRow(`SELECT (SELECT count(*) FROM state), (SELECT count(*) FROM state_content_type)`).Scan(&rows, &types); err != nil {
			t.Fatal(err)
		}
		if t.Context().Err() != nil {
			t.Fatal("not cleaned up")
		}
	}
	if r := get(t, s, "stays"); string(r.ContentType) != "text/plain" {
		t.Errorf("content type %q", r.ContentType)
	}
}
