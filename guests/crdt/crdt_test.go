// Package crdt_test proves the committed module.
package crdt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/builtin/sqlitestore"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
	"github.com/wasmstate/wasmstate/runtime"
	"github.com/wasmstate/wasmstate/sandbox"
)

func modules(t *testing.T) (*sandbox.Sandbox, []byte) {
	wasm, err := os.ReadFile("crdt.wasm")
	require.NoError(t, err)
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m, wasm
}

func memory(t *testing.T) abi.Store {
	s := memstore.New()
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "data"}))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func sqlite(t *testing.T) abi.Store {
	s := sqlitestore.New()
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "data", Properties: map[string]string{
		"connectionString": filepath.Join(t.TempDir(), "data.db"),
	}}))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// replica opens a store of the module over data. All of them are one component.
func replica(t *testing.T, m *sandbox.Sandbox, wasm []byte, data hostfuncs.KV) abi.Store {
	s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "votes", Host: hostfuncs.Config{KV: map[string]hostfuncs.KV{"data": data}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "votes"}))
	return s
}

func TestSuite(t *testing.T) {
	m, wasm := modules(t)
	for name, open := range map[string]func(t *testing.T) abi.Store{"memory": memory, "sqlite": sqlite} {
		t.Run(name, func(t *testing.T) {
			if name == "sqlite" && testing.Short() {
				t.Skip("takes some seconds")
			}
			storetest.Run(t, func(t *testing.T) abi.Store {
				return replica(t, m, wasm, open(t).(hostfuncs.KV))
			}, storetest.Options{Small: true, Skip: map[string]string{
				"close.goroutines": "the store behind it is closed after it",
			}})
		})
	}
}

func get(t *testing.T, s abi.Store, key string) (value, etag string) {
	var resp abi.GetResponse
	require.NoError(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte(key)}, &resp))
	return string(resp.Value), string(resp.ETag)
}

func set(t *testing.T, s abi.Store, key, value string) string {
	var resp abi.SetResponse
	require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: []byte(value)}, &resp))
	return string(resp.ETag)
}

func TestCounters(t *testing.T) {
	m, wasm := modules(t)
	s := replica(t, m, wasm, memory(t).(hostfuncs.KV))
	for _, key := range []string{"counter/a", "app||counter/a", "a||b||counter/a"} {
		for _, step := range []struct{ add, want string }{{"5", "5"}, {"+10", "15"}, {"-20", "-5"}, {`"+6"`, "1"}, {"0", "1"}} {
			etag := set(t, s, key, step.add)
			value, current := get(t, s, key)
			require.Equal(t, step.want, value, "%s after %s", key, step.add)
			require.Equal(t, current, etag)
		}
	}
	key := []byte("counter/a")
	for _, bad := range []string{"", "many", "1.5", "9223372036854775808", "9223372036854775807"} {
		err := s.Set(t.Context(), &abi.SetRequest{Key: key, Value: []byte(bad)}, &abi.SetResponse{})
		require.ErrorIs(t, err, abi.ErrInvalidArgument, bad)
	}
	value, etag := get(t, s, "counter/a")
	require.Equal(t, "1", value, "what was refused was not added")
	set(t, s, "counter/a", "1")
	err := s.Set(t.Context(), &abi.SetRequest{Key: key, Value: []byte("1"), ETag: []byte(etag)}, &abi.SetResponse{})
	require.ErrorIs(t, err, abi.ErrETagMismatch)
	require.NoError(t, s.Delete(t.Context(), &abi.DeleteRequest{Key: key}))
	set(t, s, "counter/a", "1")
	value, _ = get(t, s, "counter/a")
	require.Equal(t, "1", value, "a deleted counter begins anew")
	set(t, s, "counters", "many") // is no counter
}

// TestReplicasMerge counts and writes on two runtimes at once, each with its
// own connection to one database.
func TestReplicasMerge(t *testing.T) {
	const (
		writers = 4
		adds    = 25
	)
	wasm, err := os.ReadFile("crdt.wasm")
	require.NoError(t, err)
	db := filepath.Join(t.TempDir(), "votes.db")
	var replicas [2]runtime.Store
	for i := range replicas {
		replicas[i] = start(t, wasm, db)
	}
	ctx := t.Context()
	var group sync.WaitGroup
	errs := make(chan error, 2*len(replicas)*writers*adds)
	for _, s := range replicas {
		for w := range writers {
			group.Go(func() {
				for i := range adds {
					errs <- s.Set(ctx, &abi.SetRequest{Key: []byte("counter/votes"), Value: []byte(strconv.Itoa(i - 5))}, &abi.SetResponse{})
					errs <- s.Set(ctx, &abi.SetRequest{Key: []byte("last"), Value: fmt.Appendf(nil, "%d-%d", w, i)}, &abi.SetResponse{})
				}
			})
		}
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	want := 0
	for i := range adds {
		want += len(replicas) * writers * (i - 5)
	}
	var count, last [2]abi.GetResponse
	for i, s := range replicas {
		require.NoError(t, s.Get(ctx, &abi.GetRequest{Key: []byte("counter/votes")}, &count[i]))
		require.NoError(t, s.Get(ctx, &abi.GetRequest{Key: []byte("last")}, &last[i]))
		require.Equal(t, strconv.Itoa(want), string(count[i].Value))
	}
	require.Equal(t, count[0], count[1])
	require.Equal(t, last[0], last[1], "both see one winner")

	// A later write wins on whichever replica it comes.
	for i := range 20 {
		value := strconv.Itoa(i)
		require.NoError(t, replicas[i%2].Set(ctx, &abi.SetRequest{Key: []byte("last"), Value: []byte(value)}, &abi.SetResponse{}))
		require.NoError(t, replicas[1-i%2].Get(ctx, &abi.GetRequest{Key: []byte("last")}, &last[0]))
		require.Equal(t, value, string(last[0].Value))
	}
}

// start runs a runtime with the component votes over a database.
func start(t *testing.T, wasm []byte, db string) runtime.Store {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "crdt.wasm"), wasm, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "votes.yaml"), fmt.Appendf(nil, `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: db}
spec: {type: state.sqlite, version: v1, metadata: [{name: connectionString, value: %q}]}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: votes}
spec: {type: state.crdt, version: v1, metadata: [{name: sandbox, value: {kv: {data: db}}}]}
`, db), 0o600))
	rt := guesttest.Run(t, runtime.Config{ComponentsPaths: []string{dir}, AppID: "poll"})
	s, err := rt.Store("votes")
	require.NoError(t, err)
	return s
}

// TestWhatIsStored reads a foreign value, and tells what lies behind.
func TestWhatIsStored(t *testing.T) {
	m, wasm := modules(t)
	data := memory(t)
	s := replica(t, m, wasm, data.(hostfuncs.KV))
	set(t, s, "counter/a", "7")
	set(t, s, "b", "value")
	var page abi.KeysResponse
	require.NoError(t, data.(abi.Lister).Keys(t.Context(), &abi.KeysRequest{Limit: 10}, &page))
	require.Len(t, page.Keys, 2)
	for _, key := range page.Keys {
		require.NoError(t, data.Set(t.Context(), &abi.SetRequest{Key: key, Value: []byte("not a record")}, &abi.SetResponse{}))
	}
	for _, key := range []string{"counter/a", "b"} {
		require.ErrorIs(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte(key)}, &abi.GetResponse{}), abi.ErrCorrupt)
		require.ErrorIs(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: []byte("1")}, &abi.SetResponse{}), abi.ErrCorrupt)
	}
}

// shaky loses some writes on the way there and the answer of some on the way back.
type shaky struct {
	hostfuncs.KV
	sets int
}

func (s *shaky) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	s.sets++
	if s.sets%4 == 1 {
		return abi.NewError(abi.CodeUnavailable, "lost before it arrived")
	}
	err := s.KV.Set(ctx, req, resp)
	if err == nil && s.sets%4 == 3 {
		return abi.NewError(abi.CodeUnavailable, "lost after it arrived")
	}
	return err
}

// TestUncertainWrites: what is reported as done was done once, and what is
// reported as failed was not done.
func TestUncertainWrites(t *testing.T) {
	m, wasm := modules(t)
	s := replica(t, m, wasm, &shaky{KV: memory(t).(hostfuncs.KV)})
	done, last := 0, "none"
	for i := range 200 {
		err := s.Set(t.Context(), &abi.SetRequest{Key: []byte("counter/k"), Value: []byte("+1")}, &abi.SetResponse{})
		if err == nil {
			done++
		} else {
			require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err))
		}
		if done > 0 {
			value, _ := get(t, s, "counter/k")
			require.Equal(t, strconv.Itoa(done), value)
		}
		if i%3 != 0 {
			continue // so that both keys meet both kinds of loss
		}
		text := strconv.Itoa(i)
		if s.Set(t.Context(), &abi.SetRequest{Key: []byte("k"), Value: []byte(text)}, &abi.SetResponse{}) == nil {
			last = text
		}
		if last != "none" {
			value, _ := get(t, s, "k")
			require.Equal(t, last, value)
		}
	}
	require.Greater(t, done, 100)
	require.Less(t, done, 200)
}
