package component

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/builtin/sqlitestore"
)

// sqliteSpec is a SQLite component on a file, or ":memory:".
func sqliteSpec(digest, path string) Spec {
	sp := memSpec(digest)
	sp.Type = sqlitestore.Name
	sp.Create = func(context.Context) (abi.Store, error) { return sqlitestore.New(), nil }
	sp.Resolve = func(context.Context) (Resolved, error) {
		return Resolved{Metadata: abi.Metadata{Properties: map[string]string{"connectionString": path}}}, nil
	}
	return sp
}

func TestDataMovesBetweenKindsOfStores(t *testing.T) {
	s := start(t, Config{})
	dir := t.TempDir()
	s.Apply(memSpec("0"))
	require.Empty(t, settle(t, s))
	st, _ := s.Store("mem")
	set(t, st, "k", "v")
	for i, sp := range []Spec{
		sqliteSpec("1", ":memory:"), sqliteSpec("2", ":memory:"), memSpec("3"), sqliteSpec("4", filepath.Join(dir, "a.db")),
		sqliteSpec("5", filepath.Join(dir, "a.db")), memSpec("6"), sqliteSpec("7", filepath.Join(dir, "b.db")),
	} {
		s.Apply(sp)
		require.Empty(t, settle(t, s), "step %d", i+1)
		require.Equal(t, "v", get(t, st, "k"), "step %d", i+1)
		require.Equal(t, fmt.Sprint(i+2), fmt.Sprint(statusOf(t, s, "mem").Generation))
	}
}

func TestDataInMemoryIsNotDropped(t *testing.T) {
	s := start(t, Config{})
	file := filepath.Join(t.TempDir(), "a.db")
	s.Apply(sqliteSpec("0", file))
	require.Empty(t, settle(t, s))
	st, _ := s.Store("mem")
	set(t, st, "old", "1")
	s.Apply(memSpec("1"))
	require.Empty(t, settle(t, s))
	set(t, st, "new", "1")

	// A store of another type that cannot import.
	f := newFake()
	sp := memSpec("2")
	sp.Type, sp.Create = "state.other", func(context.Context) (abi.Store, error) { return f, nil }
	s.Apply(sp)
	settle(t, s)
	require.Contains(t, statusOf(t, s, "mem").Reason, "onReload: discard")
	require.Equal(t, "1", get(t, st, "new"))

	// A file that has data.
	s.Apply(sqliteSpec("3", file))
	settle(t, s)
	require.Contains(t, statusOf(t, s, "mem").Reason, "already holds data")
	require.Equal(t, "1", get(t, st, "new"))

	sp = sqliteSpec("4", file)
	sp.KeepState = false
	s.Apply(sp)
	require.Empty(t, settle(t, s))
	require.Equal(t, "1", get(t, st, "old"))
}

func TestReloadAfterTheFileHasGone(t *testing.T) {
	s := start(t, Config{})
	file := filepath.Join(t.TempDir(), "a.db")
	s.Apply(sqliteSpec("0", file))
	require.Empty(t, settle(t, s))
	st, _ := s.Store("mem")
	set(t, st, "k", "v")
	// The log is left: a new file would take it over.
	require.NoError(t, os.Remove(file))
	s.Apply(sqliteSpec("1", file))
	settle(t, s)
	require.Contains(t, statusOf(t, s, "mem").Reason, "the file is gone")
	require.Equal(t, "v", get(t, st, "k"), "the old version serves")

	require.NoError(t, os.Remove(file+"-wal"))
	require.NoError(t, os.Remove(file+"-shm"))
	s.Apply(sqliteSpec("1b", file))
	require.Empty(t, settle(t, s))
	require.Equal(t, "v", get(t, st, "k"), "the new file has what the old one had")
	set(t, st, "k", "w")
	s.Apply(sqliteSpec("2", file))
	require.Empty(t, settle(t, s))
	require.Equal(t, "w", get(t, st, "k"))
}

// exporter exports what page says.
type exporter struct {
	wholeStore
	page func(n int) []abi.Item
	n    int
}

func (e *exporter) Export(_ context.Context, _ *abi.ExportRequest, resp *abi.ExportResponse) error {
	e.n++
	resp.Items = append(resp.Items, e.page(e.n)...)
	resp.Cursor = append(resp.Cursor, "same"...)
	return nil
}

func (e *exporter) StateBytes() int64 { return 1 << 20 }

func TestHandOverIsBounded(t *testing.T) {
	shared := make([]byte, 64<<10)
	key := func(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	for want, page := range map[string]func(n int) []abi.Item{
		"can hold":     func(n int) []abi.Item { return []abi.Item{{Key: key(n), Value: shared}} },
		"that it can":  func(n int) []abi.Item { return []abi.Item{{Key: key(n), ETag: shared}} },
		"more than":    func(n int) []abi.Item { return []abi.Item{{Key: key(n), ContentType: shared}} },
		"exports more": func(n int) []abi.Item { return []abi.Item{{Key: key(n)}} },
		"larger pages": func(n int) []abi.Item {
			var out []abi.Item
			for i := range 8 {
				out = append(out, abi.Item{Key: key(n*8 + i), Value: shared})
			}
			return out
		},
		"twice":            func(int) []abi.Item { return []abi.Item{{Key: key(1)}} },
		"does not advance": func(int) []abi.Item { return nil },
	} {
		t.Run(want, func(t *testing.T) {
			s := start(t, Config{})
			sp := memSpec("1")
			sp.Create = func(context.Context) (abi.Store, error) {
				return &exporter{wholeStore: memstore.New().(wholeStore), page: page}, nil
			}
			s.Apply(sp)
			require.Empty(t, settle(t, s))
			st, _ := s.Store("mem")
			set(t, st, "k", "v")
			s.Apply(memSpec("2"))
			settle(t, s)
			require.Contains(t, statusOf(t, s, "mem").Reason, want)
			set(t, st, "k", "w")
			require.Equal(t, "w", get(t, st, "k"))
		})
	}
}

func TestWrapperMustPassOnWhatItDeclares(t *testing.T) {
	s := start(t, Config{})
	sp := memSpec("1")
	sp.Create = func(context.Context) (abi.Store, error) { return struct{ abi.Store }{memstore.New()}, nil }
	s.Apply(sp)
	settle(t, s)
	require.Contains(t, statusOf(t, s, "mem").Reason, "feature TRANSACTIONAL and has no method Transact")
}
