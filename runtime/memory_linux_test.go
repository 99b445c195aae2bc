package runtime_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	builtin "github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

// childEnv makes the test binary a server instead; its value is the folder.
const childEnv = "WASMSTATE_MEMORY_CHILD"

// TestMemoryChild is the process that TestPeakMemory measures.
func TestMemoryChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("for TestPeakMemory")
	}
	rt, err := runtime.New(runtime.Config{
		ComponentsPaths: []string{dir}, HTTPAddr: "127.0.0.1:0",
		Limits: runtime.Limits{InFlightBytes: 64 << 20, QueueTime: 500 * time.Millisecond, PaceGrace: time.Second, PaceRate: 32 << 10},
	}, runtime.WithStates(builtin.States()...))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if rt.Wait(ctx) == nil {
			fmt.Println("listening", rt.HTTPAddr())
		}
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent goes
		cancel()
	}()
	require.NoError(t, rt.Run(ctx))
}

// TestPeakMemory sends what multiplies and what stands still, and looks at the
// largest resident size of the process while a good store serves every request.
func TestPeakMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process and takes seconds")
	}
	const ceiling = 400 << 10 // KiB
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mem.yaml"),
		[]byte("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: mem}\nspec: {type: state.in-memory, version: v1}\n"), 0o600))
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestMemoryChild$")
	child.Env = append(os.Environ(), childEnv+"="+dir)
	stdin, err := child.StdinPipe()
	require.NoError(t, err)
	stdout, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	defer func() { _ = stdin.Close(); _ = child.Wait() }()
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan())
	addr, ok := strings.CutPrefix(lines.Text(), "listening ")
	require.True(t, ok, lines.Text())
	url := "http://" + addr + "/v1.0/state/mem"
	post := func(url, body string) int {
		resp, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			return 0 // a body that is refused before its end
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	require.Equal(t, 204, post(url, `[{"key":"a","value":"`+strings.Repeat("x", 1_000_000)+`"}]`))

	bodies := map[string]string{
		"":             "[" + strings.Repeat("{},", 1_300_000) + "{}]",
		"/":            strings.Repeat("[", 4_000_000),
		"/transaction": `{"operations":[` + strings.Repeat(`{"operation":"upsert","request":{"key":"t"}},`, 80_000) + `{}]}`,
		"?x":           `[{"key":"m","metadata":{` + strings.Repeat(`"a":"",`, 100) + manyMembers(100_000) + `"z":""}}]`,
		"/bulk":        `{"keys":["a"` + strings.Repeat(`,"a"`, 4_000) + `]}`,
	}
	var senders sync.WaitGroup
	for path, body := range bodies {
		for range 8 {
			senders.Go(func() { post(url+path, body) })
		}
	}
	var idle []net.Conn
	for i := range 60 {
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer c.Close()
		if i%2 == 0 { // a reader that does not read
			_ = c.(*net.TCPConn).SetReadBuffer(4096)
			fmt.Fprintf(c, "GET /v1.0/state/mem/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
		} else { // a writer that does not finish
			idle = append(idle, c)
			fmt.Fprintf(c, "POST /v1.0/state/mem HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n[")
		}
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	good := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		require.Equal(t, 204, post(url, `[{"key":"good","value":1}]`))
		good++
	}
	t.Logf("%d good requests, peak %d KiB", good, peak(t, child.Process.Pid))
	for _, c := range idle { // the server lets go of the writers
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_, err := io.Copy(io.Discard, c)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "a connection that stands still is kept")
	}
	require.Less(t, peak(t, child.Process.Pid), ceiling)
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"member%d":"",`, i)
	}
	return b.String()
}

// peak is the largest resident size of a process so far in KiB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			require.NoError(t, err)
			return n
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
