package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/runtime"
)

// The size of the test of aborted requests; WASMSTATE_ABORTED=REQUESTS,COMPONENTS
// makes it larger (the full size is 100000,40).
const (
	abortedRequests   = 600
	abortedComponents = 8
	abortedLargest    = 4<<20 - 100 // bytes of a value, with the limit of bodies in mind
)

func abortedSize(t *testing.T) (requests, components int) {
	text := os.Getenv("WASMSTATE_ABORTED")
	if text == "" {
		return abortedRequests, abortedComponents
	}
	_, err := fmt.Sscanf(text, "%d,%d", &requests, &components)
	require.NoErrorf(t, err, "WASMSTATE_ABORTED=%q is not REQUESTS,COMPONENTS", text)
	return requests, components
}

// abort posts a value and resets the connection: in the middle of the body, or
// when all is sent, at once or a little later.
func abort(t *testing.T, rng *rand.Rand, addr, component string, size int) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Errorf("dial: %v", err)
		return
	}
	tcp := conn.(*net.TCPConn)
	body := bytes.Join([][]byte{[]byte(`[{"key":"big","value":"`), bytes.Repeat([]byte("x"), size), []byte(`"}]`)}, nil)
	text := fmt.Appendf(nil, "POST /v1.0/state/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", component, addr, len(body))
	text = append(text, body...)
	if rng.IntN(8) == 0 {
		text = text[:1+rng.IntN(len(text))]
	}
	_, _ = conn.Write(text) // the server may have closed it
	for range rng.IntN(64) {
		goruntime.Gosched()
	}
	_ = tcp.SetLinger(0) // Close resets the connection
	_ = conn.Close()
}

// Clients that disconnect in the middle of a write harm nobody: every component
// holds what it held, and takes values of every size.
func TestAbortedRequestsHarmNothing(t *testing.T) {
	requests, components := abortedSize(t)
	dir := t.TempDir()
	guests := []string{"memory-c", "memory-rust", "memory-as", "memory-go"}
	for _, g := range guests {
		wasm, err := os.ReadFile(filepath.Join("..", "guests", g, g+".wasm"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, g+".wasm"), wasm, 0o600))
	}
	var names []string
	for i := range components {
		g := guests[i%len(guests)]
		name := fmt.Sprintf("%s-%d", g, i)
		names = append(names, name)
		doc := componentDoc(name, "state."+g)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(doc), 0o600))
	}
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}, HTTPAddr: "127.0.0.1:0"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	require.NoError(t, rt.Wait(ctx))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport}
	base := "http://" + rt.HTTPAddr() + "/v1.0/state/"
	post := func(name, key, value string) {
		resp, err := c.Post(base+name, "application/json", strings.NewReader(`[{"key":"`+key+`","value":"`+value+`"}]`))
		require.NoError(t, err)
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		require.Equalf(t, http.StatusNoContent, resp.StatusCode, "%s of %s: %s", key, name, text)
	}
	for _, name := range names {
		for i := range 20 {
			post(name, "key-"+strconv.Itoa(i), "value-"+strconv.Itoa(i))
		}
	}

	var n atomic.Int64
	var wg sync.WaitGroup
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for w := range 8 {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		wg.Go(func() {
			for {
				i := int(n.Add(1)) - 1
				if i >= requests {
					return
				}
				// The largest grows from one byte to the limit, so that shared
				// buffers grow all the time; most values are far smaller.
				most := 1 << (22 * i / requests)
				size := 1 + rng.IntN(most)
				if rng.IntN(16) != 0 {
					size = 1 + rng.IntN(min(most, 40<<10))
				}
				abort(t, rng, rt.HTTPAddr(), names[i%len(names)], min(size, abortedLargest))
			}
		})
	}
	wg.Wait()

	for _, name := range names {
		for i := range 20 {
			resp, err := c.Get(base + name + "/key-" + strconv.Itoa(i))
			require.NoError(t, err)
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			_ = resp.Body.Close()
			require.Equal(t, http.StatusOK, resp.StatusCode, "%s of %s: %s", strconv.Itoa(i), name, text)
			require.Equal(t, `"value-`+strconv.Itoa(i)+`"`, string(text))
		}
		resp, err := c.Get(base + name + "/big")
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Empty(t, strings.Trim(string(text), `"x`), name)
		post(name, "big", strings.Repeat("y", abortedLargest))
	}
}
