package main_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/builtin/sqlitestore"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

func modules(t *testing.T) (*sandbox.Sandbox, []byte) {
	t.Helper()
	wasm, err := os.ReadFile("journal.wasm")
	require.NoError(t, err)
	m, err := sandbox.New(sandbox.Options{CompileTimeout: 10 * time.Minute}) // under the race detector
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m, wasm
}

// memory and sqlite open the component behind the bucket.
func memory(t *testing.T) abi.Store { return initialised(t, memstore.New(), nil) }

func sqlite(t *testing.T) abi.Store {
	return initialised(t, sqlitestore.New(), map[string]string{"connectionString": filepath.Join(t.TempDir(), "data.db")})
}

func initialised(t *testing.T, s abi.Store, properties map[string]string) abi.Store {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "data", Properties: properties}))
	return s
}

// open opens a journal over a store.
func open(t *testing.T, m *sandbox.Sandbox, wasm []byte, data abi.Store, properties map[string]string) abi.Store {
	t.Helper()
	s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "ledger", Host: hostfuncs.Config{
		KV: map[string]hostfuncs.KV{"data": data.(hostfuncs.KV)},
	}})
	require.NoError(t, err)
	return initialised(t, s, properties)
}

func TestSuite(t *testing.T) {
	m, wasm := modules(t)
	for name, data := range map[string]func(*testing.T) abi.Store{"memory": memory, "sqlite": sqlite} {
		for _, keep := range []string{"0", "1", "3"} {
			t.Run(name+" keep "+keep, func(t *testing.T) {
				if testing.Short() && (name == "sqlite" || keep != "0") {
					t.Skip("takes some seconds")
				}
				storetest.Run(t, func(t *testing.T) abi.Store {
					return open(t, m, wasm, data(t), map[string]string{"keep": keep})
				}, storetest.Options{Small: true, Skip: map[string]string{
					"close.goroutines": "the store behind it is closed after it",
				}})
			})
		}
	}
}

// TestStandardGo is the same source without TinyGo.
func TestStandardGo(t *testing.T) {
	if testing.Short() || guestbuild.Race {
		t.Skip("takes some seconds")
	}
	m, _ := modules(t)
	wasm := guestbuild.Go(t, "journal")
	storetest.Run(t, func(t *testing.T) abi.Store { return open(t, m, wasm, memory(t), nil) }, storetest.Options{
		Small: true, Skip: map[string]string{"close.goroutines": "the store behind it is closed after it"},
	})
}

// client is what the helpers use: a store, or the handle of a runtime.
type client interface {
	Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error
	Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error
}

func get(t *testing.T, s client, key, version string) (string, error) {
	t.Helper()
	req := abi.GetRequest{Key: []byte(key)}
	if version != "" {
		req.Metadata = []abi.Pair{{Name: "version", Value: version}}
	}
	var resp abi.GetResponse
	err := s.Get(t.Context(), &req, &resp)
	if err == nil && version != "" {
		require.Equal(t, version, string(resp.ETag))
	}
	return string(resp.Value), err
}

func put(t *testing.T, s client, key, value string) string {
	t.Helper()
	var resp abi.SetResponse
	require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: []byte(value)}, &resp))
	return string(resp.ETag)
}

// keys are those in the store behind, without what keeps components apart.
func keys(t *testing.T, s abi.Store) (n int) {
	t.Helper()
	var resp abi.KeysResponse
	require.NoError(t, s.(abi.Lister).Keys(t.Context(), &abi.KeysRequest{Limit: 1000}, &resp))
	return len(resp.Keys)
}

func TestHistory(t *testing.T) {
	m, wasm := modules(t)
	data := memory(t)
	s := open(t, m, wasm, data, nil)
	for i := 1; i <= 3; i++ {
		require.Equal(t, fmt.Sprint(i), put(t, s, "a", fmt.Sprint("value ", i)))
	}
	put(t, s, "a/00000000000000000001", "another key")
	require.NoError(t, s.Delete(t.Context(), &abi.DeleteRequest{Key: []byte("a")}))
	require.NoError(t, s.Delete(t.Context(), &abi.DeleteRequest{Key: []byte("a")})) // nothing to delete: no version
	require.Equal(t, "5", put(t, s, "a", "value 5"))

	for version, want := range map[string]string{"1": "value 1", "2": "value 2", "3": "value 3", "5": "value 5", "": "value 5"} {
		got, err := get(t, s, "a", version)
		require.NoError(t, err, "version %s", version)
		require.Equal(t, want, got)
	}
	for _, version := range []string{"0", "4", "6"} {
		_, err := get(t, s, "a", version)
		require.ErrorIs(t, err, abi.ErrNotFound, "version %s", version)
	}
	_, err := get(t, s, "a", "last")
	require.ErrorContains(t, err, "version must be a number")
	require.Equal(t, 2+2+4, keys(t, data), "two heads, two of the index, four versions of the past")

	// A transaction writes a version per operation.
	ops := make([]abi.Op, 3)
	for i := range ops {
		ops[i].SetRequest = abi.SetRequest{Key: []byte("a"), Value: fmt.Append(nil, "value ", i+6)}
	}
	require.NoError(t, s.(abi.Transactor).Transact(t.Context(), ops))
	for version, want := range map[string]string{"6": "value 6", "7": "value 7", "": "value 8"} {
		got, err := get(t, s, "a", version)
		require.NoError(t, err, "version %s", version)
		require.Equal(t, want, got)
	}
}

func TestKeep(t *testing.T) {
	m, wasm := modules(t)
	data := memory(t)
	s := open(t, m, wasm, data, map[string]string{"keep": "3"})
	for i := 1; i <= 10; i++ {
		put(t, s, "a", fmt.Sprint("value ", i))
	}
	for version := 1; version <= 10; version++ {
		got, err := get(t, s, "a", fmt.Sprint(version))
		if version <= 7 {
			require.ErrorIs(t, err, abi.ErrNotFound, "version %d", version)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("value ", version), got)
	}
	require.Equal(t, 4, keys(t, data), "head, index and two versions of the past")
	for _, wrong := range []string{"-1", "x", "99999999999"} {
		s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "ledger", Host: hostfuncs.Config{
			KV: map[string]hostfuncs.KV{"data": data.(hostfuncs.KV)},
		}})
		require.NoError(t, err)
		err = s.Init(t.Context(), abi.Metadata{Name: "ledger", Properties: map[string]string{"keep": wrong}})
		require.ErrorContains(t, err, "keep must be a number of versions")
		require.NoError(t, s.Close())
	}
}

// TestWriters lets two components' worth of instances write one key without
// etags: every write becomes a version and none is lost.
func TestWriters(t *testing.T) {
	const writers, rounds = 8, 20
	m, wasm := modules(t)
	data := memory(t)
	stores := []abi.Store{open(t, m, wasm, data, nil), open(t, m, wasm, data, nil)}
	var group sync.WaitGroup
	seen := make([][]string, writers)
	for w := range writers {
		group.Go(func() {
			for range rounds {
				var resp abi.SetResponse
				if err := stores[w%2].Set(t.Context(), &abi.SetRequest{Key: []byte("a"), Value: fmt.Append(nil, w)}, &resp); err != nil {
					t.Error(err)
					return
				}
				seen[w] = append(seen[w], string(resp.ETag))
			}
		})
	}
	group.Wait()
	all := map[string]bool{}
	for w, tags := range seen {
		for _, tag := range tags {
			require.False(t, all[tag], "version %s was given twice", tag)
			all[tag] = true
			got, err := get(t, stores[0], "a", tag)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(w), got)
		}
	}
	require.Len(t, all, writers*rounds)
}

// featureless hides features of the store behind.
type featureless struct{ hostfuncs.KV }

func (featureless) Features() abi.Features { return abi.FeatureETag | abi.FeatureTTL | abi.FeatureKeys }

func TestNeedsTransactions(t *testing.T) {
	m, wasm := modules(t)
	s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "ledger", Host: hostfuncs.Config{
		KV: map[string]hostfuncs.KV{"data": featureless{memory(t).(hostfuncs.KV)}},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.ErrorContains(t, s.Init(t.Context(), abi.Metadata{Name: "ledger"}), "has no TRANSACTIONAL")
}
