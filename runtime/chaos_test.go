package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wasmstate/wasmstate/abi"
	builtin "github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

// The size of the chaos test; WASMSTATE_CHAOS=OPERATIONS,RELOADS makes it
// larger (make chaos: a million and a thousand).
const (
	chaosOps     = 40_000
	chaosReloads = 60
	chaosClients = 8
	chaosKeys    = 40
)

func chaosSize(t *testing.T) (ops, reloads int) {
	text := os.Getenv("WASMSTATE_CHAOS")
	if text == "" {
		return chaosOps, chaosReloads
	}
	a, b, ok := strings.Cut(text, ",")
	ops, err1 := strconv.Atoi(a)
	reloads, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil {
		t.Fatalf("WASMSTATE_CHAOS=%q is not OPERATIONS,RELOADS", text)
	}
	return ops, reloads
}

// folder is the component folder that the chaos test edits.
type folder struct {
	t       *testing.T
	dir     string
	db      string
	rng     *rand.Rand
	modules [2][]byte
	n       int
}

func (f *folder) write(name string, data []byte) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	switch f.rng.IntN(3) {
	case 0: // in place
		require.NoError(f.t, os.WriteFile(path, data, 0o644))
	case 1: // as editors and atomic writers do
		require.NoError(f.t, os.WriteFile(path+".tmp", data, 0o644))
		require.NoError(f.t, os.Rename(path+".tmp", path))
	case 2: // in pieces
		file, err := os.Create(path)
		require.NoError(f.t, err)
		for len(data) > 0 {
			n := min(len(data), 1+len(data)/3)
			_, err := file.Write(data[:n])
			require.NoError(f.t, err)
			data = data[n:]
			goruntime.Gosched()
		}
		require.NoError(f.t, file.Close())
	}
}

// component writes a good document of a component that differs from the last.
func (f *folder) component(name string) {
	f.n++
	items := map[string]string{
		"mem":  "",
		"sql":  fmt.Sprintf("  metadata:\n  - {name: connectionString, value: %q}\n", f.db),
		"wasm": "  metadata:\n  - {name: url, value: file://wasm.module}\n",
		"temp": "",
	}[name]
	typ := map[string]string{"mem": "state.in-memory", "sql": "state.sqlite", "wasm": "state.wasm", "temp": "state.in-memory"}[name]
	f.write(name+".yaml", fmt.Appendf(nil, "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: %s}\nspec:\n  type: %s\n  version: v1\n  initTimeout: %dms\n%s",
		name, typ, 5000+f.n, items))
}

// change does one random thing to the folder and says what. Components called
// mem, sql and wasm exist throughout.
func (f *folder) change() string {
	name := []string{"mem", "sql", "wasm"}[f.rng.IntN(3)]
	switch f.rng.IntN(8) {
	case 0:
		f.write(name+".yaml", []byte("kind: [\n"))
		return "break " + name
	case 1:
		f.write(name+".yaml", fmt.Appendf(nil, "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: %s}\nspec: {type: state.nothing%d, version: v1}\n", name, f.n))
		f.n++
		return "unknown type for " + name
	case 2:
		f.n++
		f.write("wasm.module", f.modules[f.n%2])
		return "swap the module"
	case 3:
		_ = os.Remove(filepath.Join(f.dir, "temp.yaml"))
		return "delete temp"
	case 4:
		f.component("temp")
		return "create temp"
	default:
		f.component(name)
		return "edit " + name
	}
}

type chaosInput struct {
	key   string
	write bool
	value int
}

// chaosModel is one register for each key; 0 is missing.
func chaosModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[string][]porcupine.Operation{}
			for _, op := range history {
				k := op.Input.(chaosInput).key
				byKey[k] = append(byKey[k], op)
			}
			var parts [][]porcupine.Operation
			for _, ops := range byKey {
				parts = append(parts, ops)
			}
			return parts
		},
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			if in := input.(chaosInput); in.write {
				return true, in.value
			}
			return output.(int) == state.(int), state
		},
	}
}

// client reads and writes over one way in.
type client interface {
	get(store, key string) (int, error)
	set(store, key string, value int) error
}

type goClient struct{ rt *runtime.Runtime }

func (c goClient) get(store, key string) (int, error) {
	st, err := c.rt.Store(store)
	if err != nil {
		return 0, err
	}
	var resp abi.GetResponse
	err = st.Get(context.Background(), &abi.GetRequest{Key: []byte(key)}, &resp)
	if errors.Is(err, abi.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(resp.Value))
}

func (c goClient) set(store, key string, value int) error {
	st, err := c.rt.Store(store)
	if err != nil {
		return err
	}
	return st.Set(context.Background(), &abi.SetRequest{Key: []byte(key), Value: strconv.AppendInt(nil, int64(value), 10)}, &abi.SetResponse{})
}

type httpClient struct {
	base string
	http *http.Client
}

func (c httpClient) get(store, key string) (int, error) {
	resp, err := c.http.Get(c.base + "/v1.0/state/" + store + "/" + key)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode == 204:
		return 0, nil
	case resp.StatusCode != 200:
		return 0, fmt.Errorf("%s: %s", resp.Status, body)
	}
	return strconv.Atoi(string(body))
}

func (c httpClient) set(store, key string, value int) error {
	resp, err := c.http.Post(c.base+"/v1.0/state/"+store, "application/json", strings.NewReader(fmt.Sprintf(`[{"key":%q,"value":%d}]`, key, value)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 204 {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return nil
}

// TestChaos edits, breaks, repairs, deletes, creates and swaps at random while
// clients work: no operation on a component that exists throughout fails, and
// every read is explained by the writes.
func TestChaos(t *testing.T) {
	ops, reloads := chaosSize(t)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("WASMSTATE_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("WASMSTATE_SEED=%d", seed)
	others, space := goleak.IgnoreCurrent(), addressSpace(t)
	wasm, err := os.ReadFile("../guests/memory-c/memory-c.wasm")
	require.NoError(t, err)
	f := &folder{t: t, dir: t.TempDir(), db: filepath.Join(t.TempDir(), "s.db"), rng: rand.New(rand.NewPCG(seed, 1))}
	f.modules[0] = wasm
	f.modules[1] = append(bytes.Clone(wasm), 0, 2, 1, 'x') // an empty custom section called x: other bytes, same behaviour
	f.write("wasm.module", wasm)
	for _, name := range []string{"mem", "sql", "wasm"} {
		f.component(name)
	}
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{f.dir}, HTTPAddr: "127.0.0.1:0", CacheDir: t.TempDir()}, runtime.WithStates(builtin.States()...))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	require.NoError(t, rt.Wait(ctx))

	transport := &http.Transport{MaxIdleConnsPerHost: chaosClients}
	clients := []client{goClient{rt}, httpClient{"http://" + rt.HTTPAddr(), &http.Client{Transport: transport}}}
	var left, next atomic.Int64
	left.Store(int64(ops))
	var mu sync.Mutex
	var history []porcupine.Operation
	var failures []string
	var wg sync.WaitGroup
	stopped := make(chan struct{})
	for c := range chaosClients {
		rng := rand.New(rand.NewPCG(seed, uint64(c)+100))
		wg.Go(func() {
			var mine []porcupine.Operation
			defer func() {
				mu.Lock()
				history = append(history, mine...)
				mu.Unlock()
			}()
			for i := 0; ; i++ {
				if left.Add(-1) < 0 {
					select {
					case <-stopped:
						return
					default: // the edits are not over: go on, a little slower
						goruntime.Gosched()
					}
				}
				store := []string{"mem", "sql", "wasm"}[rng.IntN(3)]
				in := chaosInput{key: fmt.Sprintf("%s-%d", store, rng.IntN(chaosKeys)), write: rng.IntN(4) == 0}
				cl := clients[rng.IntN(len(clients))]
				var err error
				var out int
				from := time.Now().UnixNano()
				if in.write {
					in.value = int(next.Add(1))
					err = cl.set(store, in.key, in.value)
				} else {
					out, err = cl.get(store, in.key)
				}
				if err != nil {
					mu.Lock()
					failures = append(failures, fmt.Sprintf("%+v: %v", in, err))
					mu.Unlock()
					return
				}
				mine = append(mine, porcupine.Operation{ClientId: c, Input: in, Output: out, Call: from, Return: time.Now().UnixNano()})
			}
		})
	}
	done2 := 0
	for ; done2 < reloads; done2++ {
		what := f.change()
		// Reload waits until the change has been taken in; the watcher sees it too.
		if _, err := rt.Reload(ctx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for _, name := range []string{"mem", "sql", "wasm"} {
		f.component(name)
	}
	_, err = rt.Reload(ctx)
	require.NoError(t, err)
	close(stopped)
	wg.Wait()
	var generations, wasmOpened int64
	for _, st := range rt.Status() {
		generations += st.Generation
		if st.Name == "wasm" {
			wasmOpened = st.Generation
		}
		if slices.Contains([]string{"mem", "sql", "wasm"}, st.Name) {
			require.EqualValues(t, "ready", st.State, "%s: %s", st.Name, st.Reason)
		}
	}
	transport.CloseIdleConnections()
	cancel()
	require.NoError(t, <-done)
	require.Empty(t, failures)
	require.GreaterOrEqual(t, len(history), ops)
	result := porcupine.CheckOperationsTimeout(chaosModel(), history, 5*time.Minute)
	require.Equal(t, porcupine.Ok, result, "a read is not explained by the writes")
	t.Logf("%d operations, %d changes, %d generations, no failure", len(history), done2, generations)
	goleak.VerifyNone(t, others)
	require.Empty(t, openFiles(t, f.dir, f.db), "descriptors are left")
	if n := wasmOpened; n > 100 { // or else what is leaked is not told from what the heap takes
		require.Less(t, addressSpace(t)-space, n*(64<<20)/2, "linear memory of %d stores is left mapped", n)
	}
}

// openFiles lists the descriptors of this process whose path begins with one
// of prefixes.
func openFiles(t *testing.T, prefixes ...string) (open []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, os.ErrNotExist) {
		t.Log("descriptors are not checked: there is no /proc")
		return nil
	}
	require.NoError(t, err)
	for _, e := range entries {
		path, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue // the one that lists the folder
		}
		for _, p := range prefixes {
			if strings.HasPrefix(path, p) {
				open = append(open, path)
			}
		}
	}
	return open
}

// addressSpace is what the process has mapped, in bytes; each linear memory
// reserves its cap. 0 where it cannot be told.
func addressSpace(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	require.NoError(t, err)
	var pages int64
	_, err = fmt.Sscan(string(text), &pages)
	require.NoError(t, err)
	return pages * int64(os.Getpagesize())
}
