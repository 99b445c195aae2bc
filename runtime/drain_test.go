package runtime_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	builtin "github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

// poster posts on one connection until an answer says that it closes. It
// returns the error of a request that was cut.
func poster(addr string, answered *atomic.Int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	body := `[{"key":"a","value":1}]`
	for {
		req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/v1.0/state/mem", strings.NewReader(body))
		if err != nil {
			return err
		}
		if err := req.Write(c); err != nil {
			return err
		}
		resp, err := http.ReadResponse(in, req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if answered.Add(1); resp.StatusCode != http.StatusNoContent || resp.Close {
			return nil
		}
	}
}

// TestNoRequestIsCutAtAStop: clients that post without pause hear with an
// answer that their connection ends; while draining the server is not ready and
// serves.
func TestNoRequestIsCutAtAStop(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mem.yaml"),
		[]byte("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: mem}\nspec: {type: state.in-memory, version: v1}\n"), 0o600))
	for range 5 {
		rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}, HTTPAddr: "127.0.0.1:0", DrainDelay: 100 * time.Millisecond},
			runtime.WithStates(builtin.States()...))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- rt.Run(ctx) }()
		require.NoError(t, rt.Wait(t.Context()))
		addr := rt.HTTPAddr()
		var answered atomic.Int64
		var cut sync.Map
		var clients sync.WaitGroup
		for i := range 50 {
			clients.Go(func() {
				if err := poster(addr, &answered); err != nil {
					cut.Store(i, err)
				}
			})
		}
		require.Eventually(t, func() bool { return answered.Load() > 500 }, time.Minute, time.Millisecond)
		cancel()
		require.Eventually(t, func() bool {
			resp, err := http.Get("http://" + addr + "/v1.0/healthz/outbound")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			return resp.StatusCode == http.StatusInternalServerError
		}, time.Minute, time.Millisecond, "not ready while it drains")
		clients.Wait()
		require.NoError(t, <-done)
		cut.Range(func(i, err any) bool { t.Errorf("client %v was cut: %v", i, err); return true })
	}
}
