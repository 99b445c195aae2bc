// Package cipher_test proves the committed module.
package cipher_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/builtin/sqlitestore"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/runtime"
	"github.com/wasmstate/wasmstate/sandbox"
)

const (
	key1 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	key2 = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

func TestSuite(t *testing.T) {
	wasm, err := os.ReadFile("cipher.wasm")
	require.NoError(t, err)
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	secrets := func(context.Context, string) (string, error) { return key1, nil }
	for name, open := range map[string]func(t *testing.T) (abi.Store, map[string]string){
		"memory": func(*testing.T) (abi.Store, map[string]string) { return memstore.New(), nil },
		"sqlite": func(t *testing.T) (abi.Store, map[string]string) {
			return sqlitestore.New(), map[string]string{"connectionString": filepath.Join(t.TempDir(), "data.db")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "sqlite" && testing.Short() {
				t.Skip("takes some seconds")
			}
			storetest.Run(t, func(t *testing.T) abi.Store {
				data, properties := open(t)
				require.NoError(t, data.Init(t.Context(), abi.Metadata{Name: "data", Properties: properties}))
				t.Cleanup(func() { require.NoError(t, data.Close()) })
				s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "safe", Host: hostfuncs.Config{
					KV: map[string]hostfuncs.KV{"data": data.(hostfuncs.KV)}, Secrets: secrets,
				}})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "safe"}))
				return s
			}, storetest.Options{Small: true, Skip: map[string]string{
				"close.goroutines": "the store behind it is closed after it",
			}})
		})
	}
}

// world is a running server's worth of component files.
type world struct {
	t    *testing.T
	dir  string
	logs *observer.ObservedLogs
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir()}
	wasm, err := os.ReadFile("cipher.wasm")
	require.NoError(t, err)
	w.write("cipher.wasm", string(wasm))
	w.write("secrets.json", fmt.Sprintf(`{"k1": %q, "k2": %q, "bad": "correct horse battery staple"}`, key1, key2))
	w.write("vault.yaml", document("vault", "secretstores.local.file", "{name: secretsFile, value: secrets.json}"))
	return w
}

func document(name, typ string, items ...string) string {
	text := fmt.Sprintf("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: %s}\nspec:\n  type: %s\n  version: v1\n", name, typ)
	if len(items) > 0 {
		text += "  metadata:\n  - " + strings.Join(items, "\n  - ") + "\n"
	}
	return text
}

func (w *world) write(name, text string) {
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
}

// safe writes the component under test.
func (w *world) safe(secrets string, properties ...string) {
	items := append([]string{"{name: sandbox, value: {kv: {data: data}, secrets: " + secrets + "}}"}, properties...)
	w.write("safe.yaml", document("safe", "state.cipher", items...)+"auth: {secretStore: vault}\n")
}

// with runs f in a runtime on the files.
func (w *world) with(f func(rt *runtime.Runtime)) error {
	core, logs := observer.New(zap.DebugLevel)
	w.logs = logs
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{w.dir}}, runtime.WithStates(all.States()...), runtime.WithLogger(zap.New(core)))
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	if err = rt.Wait(ctx); err == nil && f != nil {
		f(rt)
	}
	cancel()
	if ended := <-done; ended != nil {
		return ended // says more than that the runtime is closed
	}
	return err
}

func store(t *testing.T, rt *runtime.Runtime, name string) runtime.Store {
	s, err := rt.Store(name)
	require.NoError(t, err)
	return s
}

func get(t *testing.T, s runtime.Store, key string) (string, error) {
	var resp abi.GetResponse
	err := s.Get(t.Context(), &abi.GetRequest{Key: []byte(key)}, &resp)
	return string(resp.Value), err
}

func set(t *testing.T, s runtime.Store, key, value string) {
	require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: []byte(value)}, &abi.SetResponse{}))
}

// stored are the keys and values of the component behind.
func stored(t *testing.T, s runtime.Store) map[string][]byte {
	var page abi.KeysResponse
	require.NoError(t, s.Keys(t.Context(), &abi.KeysRequest{Limit: 100}, &page))
	all := map[string][]byte{}
	for _, key := range page.Keys {
		var resp abi.GetResponse
		require.NoError(t, s.Get(t.Context(), &abi.GetRequest{Key: key}, &resp))
		all[string(key)] = bytes.Clone(resp.Value)
	}
	return all
}

// backEnds are the components that keep the values.
func backEnds(t *testing.T) map[string]string {
	return map[string]string{
		"memory": document("data", "state.in-memory"),
		"sqlite": document("data", "state.sqlite", fmt.Sprintf("{name: connectionString, value: %q}", filepath.Join(t.TempDir(), "data.db"))),
	}
}

func TestTheStoreBehindSeesNoPlainText(t *testing.T) {
	const secret = "the value that nobody may see"
	for name, doc := range backEnds(t) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write("data.yaml", doc)
			w.safe("{key: k1}")
			require.NoError(t, w.with(func(rt *runtime.Runtime) {
				safe, data := store(t, rt, "safe"), store(t, rt, "data")
				set(t, safe, "a", secret)
				require.NoError(t, safe.Transact(t.Context(), []abi.Op{
					{SetRequest: abi.SetRequest{Key: []byte("b"), Value: []byte(secret)}},
					{SetRequest: abi.SetRequest{Key: []byte("c"), Value: []byte(secret)}},
				}))
				seen := map[string]bool{}
				for key, value := range stored(t, data) {
					require.NotContains(t, string(value), secret[:9], "%s", key)
					require.Len(t, value, len(secret)+49)
					seen[string(value)] = true
				}
				require.Len(t, seen, 3, "equal values are stored as different ones")
				for _, key := range []string{"a", "b", "c"} {
					got, err := get(t, safe, key)
					require.NoError(t, err)
					require.Equal(t, secret, got)
				}
			}))
		})
	}
}

func TestTamperingIsDetected(t *testing.T) {
	w := newWorld(t)
	w.write("data.yaml", document("data", "state.in-memory"))
	w.safe("{key: k1}")
	require.NoError(t, w.with(func(rt *runtime.Runtime) {
		safe, data := store(t, rt, "safe"), store(t, rt, "data")
		set(t, safe, "a", "one")
		set(t, safe, "b", "two")
		values := stored(t, data)
		require.Len(t, values, 2)
		for key, value := range values {
			for other, swapped := range values {
				if key == other {
					continue
				}
				set(t, data, key, string(swapped)) // another key's value
				_, errA := get(t, safe, "a")
				_, errB := get(t, safe, "b")
				require.True(t, (errA == nil) != (errB == nil), "exactly one was replaced")
				bad := errA
				if errB != nil {
					bad = errB
				}
				require.ErrorIs(t, bad, abi.ErrCorrupt)
				require.ErrorContains(t, bad, "changed or moved")
			}
			for i, want := range map[int]string{0: "not written by this store", 1: "fingerprint", 40: "changed or moved", 49: "changed or moved"} {
				broken := bytes.Clone(value)
				broken[i] ^= 1
				set(t, data, key, string(broken))
				_, errA := get(t, safe, "a")
				_, errB := get(t, safe, "b")
				require.ErrorContains(t, errors.Join(errA, errB), want)
			}
			set(t, data, key, string(value))
		}
	}))
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	w.write("data.yaml", document("data", "state.sqlite", fmt.Sprintf("{name: connectionString, value: %q}", filepath.Join(t.TempDir(), "data.db"))))
	w.safe("{key: k1}")
	require.NoError(t, w.with(func(rt *runtime.Runtime) { set(t, store(t, rt, "safe"), "old", "value") }))

	// The new key alone does not read what the old one wrote, and says so.
	w.safe("{key: k2}")
	require.NoError(t, w.with(func(rt *runtime.Runtime) {
		_, err := get(t, store(t, rt, "safe"), "old")
		require.ErrorIs(t, err, abi.ErrCorrupt)
		require.ErrorContains(t, err, "oldKeys")
		for _, key := range []string{key1, key2} {
			require.NotContains(t, err.Error(), key)
		}
	}))

	// With both, old values are read, and what is written needs the new one only.
	w.safe("{key: k2, before: k1}", "{name: oldKeys, value: before}")
	require.NoError(t, w.with(func(rt *runtime.Runtime) {
		got, err := get(t, store(t, rt, "safe"), "old")
		require.NoError(t, err)
		require.Equal(t, "value", got)
		set(t, store(t, rt, "safe"), "old", got)
	}))
	w.safe("{key: k2}")
	require.NoError(t, w.with(func(rt *runtime.Runtime) {
		got, err := get(t, store(t, rt, "safe"), "old")
		require.NoError(t, err)
		require.Equal(t, "value", got)
	}))
}

func TestWhatCannotWorkIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		secrets, property, want string
	}{
		"no key":          {"{key: bad}", "", "64 hexadecimal digits"},
		"unknown secret":  {"{key: k3}", "", "secret store"},
		"not granted":     {"{key: k1}", "{name: key, value: other}", `"other" is not granted`},
		"old not granted": {"{key: k1}", "{name: oldKeys, value: before}", "before"},
		"no such bucket":  {"{key: k1}", "{name: bucket, value: shelf}", "shelf"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write("data.yaml", document("data", "state.in-memory"))
			var properties []string
			if tc.property != "" {
				properties = append(properties, tc.property)
			}
			w.safe(tc.secrets, properties...)
			err := w.with(nil)
			require.ErrorContains(t, err, tc.want)
			told := err.Error()
			for _, e := range w.logs.All() {
				told += fmt.Sprint(e.Message, e.ContextMap())
			}
			for _, secret := range []string{key1, "battery"} {
				require.NotContains(t, told, secret)
			}
		})
	}
}
