package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// TestMain lets the test binary be the command, so that tests can start it as
// a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("WASMSTATE_TEST_COMMAND") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running `wasmstate run`.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *buffer
	http string // base URL of the state API
	adm  string // host:port of the admin API
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs the command on free ports and waits until it is ready.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, log: &buffer{}}
	args = append([]string{"run", "--http-port", "0", "--metrics-port", "0", "--admin-port", "0", "--cache-dir", t.TempDir()}, args...)
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), "WASMSTATE_TEST_COMMAND=1", "DAPR_API_TOKEN=")
	p.cmd.Stderr = p.log
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _, _ = p.cmd.Process.Wait() })
	ready := regexp.MustCompile(`INFO\tready\t.*"http": "([^"]*)".*"admin": "([^"]*)"`)
	require.Eventually(t, func() bool {
		if m := ready.FindStringSubmatch(p.log.String()); m != nil {
			p.http, p.adm = "http://"+m[1], m[2]
		}
		return p.http != ""
	}, 30*time.Second, 5*time.Millisecond, "not ready:\n%s", p.log)
	return p
}

// stop ends the process as an operator does.
func (p *process) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, p.cmd.Wait(), "exit code after SIGTERM:\n%s", p.log)
	require.Regexp(p.t, `(?s)INFO\tstopping.*INFO\tstopped`, p.log.String())
}

// TestSecondSignal ends a server that waits for a request without an end.
func TestSecondSignal(t *testing.T) {
	p := start(t, "--components-path", write(t, t.TempDir(), "mem.yaml", doc("mem", "state.in-memory")))
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.http, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1.0/state/mem HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	answer := make([]byte, len("HTTP/1.1 100"))
	_, err = io.ReadFull(conn, answer)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100", string(answer), "the request is being read")

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "stopping") }, 10*time.Second, 5*time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	again := time.NewTicker(5 * time.Millisecond) // the handler goes soon after the message
	defer again.Stop()
	for err = nil; err == nil; {
		select {
		case err = <-ended:
			require.ErrorContains(t, err, "signal: terminated", "%s", p.log)
		case <-again.C:
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		}
	}
	require.NotContains(t, p.log.String(), "stopped")
}

func (p *process) do(method, path, body string, header ...string) (int, string, http.Header) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, p.http+path, strings.NewReader(body))
	require.NoError(p.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return resp.StatusCode, string(b), resp.Header
}

// command runs a command in this process.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// write puts files into a folder; names and contents in turn.
func write(t *testing.T, dir string, files ...string) string {
	t.Helper()
	for i := 0; i+1 < len(files); i += 2 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644))
	}
	return dir
}

// doc is a component file.
func doc(name, typ string, items ...string) string {
	text := "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: " + name + "}\nspec:\n  type: " + typ + "\n  version: v1\n"
	if len(items) > 0 {
		text += "  metadata:\n"
	}
	for i := 0; i+1 < len(items); i += 2 {
		text += fmt.Sprintf("  - {name: %s, value: %s}\n", items[i], items[i+1])
	}
	return text
}

// TestQuickstart is the README's first command and its curl lines, on both stores.
func TestQuickstart(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../examples/quickstart/components")))
	yaml, err := os.ReadFile(filepath.Join(dir, "statestore.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(yaml), "statestore.db")
	write(t, dir, "statestore.yaml", strings.ReplaceAll(string(yaml), "statestore.db", filepath.Join(t.TempDir(), "statestore.db")))
	p := start(t, "--components-path", dir)
	for _, store := range []string{"statestore", "notes"} {
		path := "/v1.0/state/" + store
		status, _, _ := p.do("POST", path, `[{"key":"a","value":{"n":1}}]`)
		require.Equal(t, 204, status)
		status, body, header := p.do("GET", path+"/a", "")
		require.Equal(t, 200, status)
		require.Equal(t, `{"n":1}`, body)
		require.NotEmpty(t, header.Get("ETag"))
		status, body, _ = p.do("POST", path, `[{"key":"a","value":2,"etag":"stale"}]`)
		require.Equal(t, 409, status, body)
		status, _, _ = p.do("POST", path, fmt.Sprintf(`[{"key":"a","value":3,"etag":%q}]`, header.Get("ETag")))
		require.Equal(t, 204, status)
		status, _, _ = p.do("DELETE", path+"/a", "")
		require.Equal(t, 204, status)
		status, _, _ = p.do("GET", path+"/a", "")
		require.Equal(t, 204, status)
	}
	code, out, errs := command(t, "status", "--admin-address", p.adm)
	require.Zero(t, code, errs)
	require.Regexp(t, `notes +ready +state\.wasm`, out)
	p.stop()
	require.NotContains(t, p.log.String(), "ERROR")
}

// TestReload changes files under a running server.
func TestReload(t *testing.T) {
	dir := write(t, t.TempDir(), "mem.yaml", doc("mem", "state.in-memory"))
	p := start(t, "--components-path", dir)
	p.do("POST", "/v1.0/state/mem", `[{"key":"a","value":1}]`)
	state := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			_, out, _ := command(t, "status", "--admin-address", p.adm)
			return regexp.MustCompile(want).MatchString(out)
		}, 10*time.Second, 5*time.Millisecond)
	}
	write(t, dir, "mem.yaml", doc("mem", "state.in-memori"))
	state(`mem +degraded .*did you mean state\.in-memory`)
	write(t, dir, "mem.yaml", "a: [")
	state(`mem +degraded .*mem\.yaml:\d`)
	_, body, _ := p.do("GET", "/v1.0/state/mem/a", "")
	require.Equal(t, "1", body, "the old version serves")
	code, _, _ := command(t, "status", "--admin-address", p.adm)
	require.Equal(t, exitFailed, code)

	write(t, dir, "mem.yaml", doc("mem", "state.in-memory", "keyPrefix", "other"), "new.yml", doc("new", "state.in-memory"))
	state(`mem +ready +state\.in-memory +v1 +\w+ +2`)
	state(`new +ready`)
	require.NoError(t, os.Remove(filepath.Join(dir, "new.yml")))
	require.Eventually(t, func() bool { s, _, _ := p.do("GET", "/v1.0/state/new/a", ""); return s == 400 }, 10*time.Second, 5*time.Millisecond)

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "reloaded on SIGHUP") }, 10*time.Second, 5*time.Millisecond)
	p.stop()
}

// TestRunRefuses tries what operators get wrong: one clear line, exit code 1.
func TestRunRefuses(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	good := doc("mem", "state.in-memory")
	for name, c := range map[string]struct {
		files []string
		args  []string
		path  string // instead of the folder
		code  int
		want  []string
	}{
		"missing folder":    {path: "no/such/folder", code: 1, want: []string{"no/such/folder"}},
		"no path":           {path: "-", code: 2, want: []string{"--components-path is missing"}},
		"port in use":       {files: []string{"a.yaml", good}, args: []string{"--http-port", port}, code: 1, want: []string{"the port is in use"}},
		"bad port":          {files: []string{"a.yaml", good}, args: []string{"--http-port", "70000"}, code: 2, want: []string{"70000 is not a port"}},
		"bad log level":     {files: []string{"a.yaml", good}, args: []string{"--log-level", "loud"}, code: 2, want: []string{"loud"}},
		"unknown flag":      {files: []string{"a.yaml", good}, args: []string{"--colour"}, code: 2, want: []string{"--colour"}},
		"unknown type":      {files: []string{"a.yaml", doc("a", "state.sqlit")}, code: 1, want: []string{"a.yaml:3", "did you mean state.sqlite"}},
		"every failure":     {files: []string{"a.yaml", doc("a", "state.x1"), "b.yaml", doc("b", "state.x2"), "c.yaml", "a: ["}, code: 1, want: []string{"a.yaml:3", "b.yaml:3", "c.yaml:"}},
		"misspelt metadata": {files: []string{"a.yaml", doc("a", "state.sqlite", "conectionString", "x.db")}, code: 1, want: []string{"a.yaml:8", "connectionString"}},
		"not wasm":          {files: []string{"m.wasm", "hello", "a.yaml", good}, code: 1, want: []string{"m.wasm", "not a WebAssembly"}},
		"truncated wasm":    {files: []string{"a.yaml", doc("a", "state.wasm", "url", "file://m.bin"), "m.bin", "\x00asm\x01\x00"}, code: 1, want: []string{"a.yaml:3", "m.bin"}},
		"component binary":  {files: []string{"m.wasm", "\x00asm\x0d\x00\x01\x00"}, code: 1, want: []string{"m.wasm", "component"}},
		"empty module":      {files: []string{"a.yaml", doc("a", "state.wasm", "url", "file://m.bin"), "m.bin", "\x00asm\x01\x00\x00\x00"}, code: 1, want: []string{"a.yaml:3", "manifest"}},
		"missing module":    {files: []string{"a.yaml", doc("a", "state.wasm", "url", "file://none.wasm")}, code: 1, want: []string{"a.yaml:3", "none.wasm"}},
		"remote module":     {files: []string{"a.yaml", doc("a", "state.wasm", "url", "https://example.com/m.wasm", "digest", "sha256:"+strings.Repeat("0", 64))}, code: 1, want: []string{"a.yaml:3", "files only"}},
		"duplicate":         {files: []string{"a.yaml", good, "b.yaml", good}, code: 1, want: []string{"a.yaml", "b.yaml"}},
		"secret store":      {files: []string{"a.yaml", strings.Replace(good, "  version: v1\n", "  version: v1\n  metadata:\n  - name: keyPrefix\n    secretKeyRef: {name: x}\n", 1)}, code: 1, want: []string{"a.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, t.TempDir(), c.files...)
			args := []string{"run", "--http-port", "-1", "--metrics-port", "-1", "--admin-port", "-1", "--cache-dir", "", "--log-level", "error"}
			switch c.path {
			case "":
				args = append(args, "--components-path", dir)
			case "-":
			default:
				args = append(args, "--components-path", c.path)
			}
			code, _, stderr := command(t, append(args, c.args...)...)
			require.Equal(t, c.code, code, stderr)
			for _, want := range c.want {
				require.Contains(t, stderr, want)
			}
			require.NotContains(t, stderr, "panic")
		})
	}
}

// TestMetricsOfFiles reads what the metrics say of files with an error.
func TestMetricsOfFiles(t *testing.T) {
	dir := write(t, t.TempDir(), "mem.yaml", doc("mem", "state.in-memory"), "broken.yaml", "a: [")
	p := start(t, "--components-path", dir, "--keep-going")
	addr := regexp.MustCompile(`"metrics": "([^"]*)"`).FindStringSubmatch(p.log.String())
	require.NotNil(t, addr)
	has := func(want ...string) bool {
		resp, err := http.Get("http://" + addr[1] + "/metrics")
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				return false
			}
		}
		return true
	}
	require.True(t, has("wasmstate_component_files_problems 1\n", "wasmstate_last_reload_successful 0\n", "wasmstate_build_info{"))
	require.NoError(t, os.Remove(filepath.Join(dir, "broken.yaml")))
	require.Eventually(t, func() bool {
		return has("wasmstate_component_files_problems 0\n", "wasmstate_last_reload_successful 1\n")
	}, 10*time.Second, 5*time.Millisecond)
	p.stop()
}

// TestKeepGoing starts with what is good and says what is not.
func TestKeepGoing(t *testing.T) {
	dir := write(t, t.TempDir(), "good.yaml", doc("good", "state.in-memory"), "bad.yaml", doc("bad", "state.none"), "broken.yaml", "a: [")
	p := start(t, "--components-path", dir, "--keep-going")
	status, _, _ := p.do("GET", "/v1.0/state/good/a", "")
	require.Equal(t, 204, status)
	status, body, _ := p.do("GET", "/v1.0/state/bad/a", "")
	require.Equal(t, 503, status)
	require.Contains(t, body, "state.none")
	status, body, _ = p.do("GET", "/v1.0/healthz/outbound", "")
	require.Equal(t, 500, status)
	require.Contains(t, body, "bad")
	p.stop()
}

func TestEmptyFolderAndPathsOfFiles(t *testing.T) {
	p := start(t, "--components-path", t.TempDir())
	status, body, _ := p.do("GET", "/v1.0/state/s/a", "")
	require.Equal(t, 500, status)
	require.Contains(t, body, "not configured")
	p.stop()
	dir := write(t, t.TempDir(), "good.yaml", doc("good", "state.in-memory"), "bad.yaml", doc("bad", "state.none"))
	p = start(t, "--components-path", filepath.Join(dir, "good.yaml"))
	p.stop()
}

// TestIgnoreErrors starts although the component fails.
func TestIgnoreErrors(t *testing.T) {
	text := strings.Replace(doc("bad", "state.none"), "spec:\n", "spec:\n  ignoreErrors: true\n", 1)
	p := start(t, "--components-path", write(t, t.TempDir(), "bad.yaml", text))
	status, _, _ := p.do("GET", "/v1.0/healthz", "")
	require.Equal(t, 204, status)
	p.stop()
}

// TestSecrets reads a property from a secret store, and follows its file.
func TestSecrets(t *testing.T) {
	db := t.TempDir()
	dir := write(t, t.TempDir(),
		"vault.yaml", doc("vault", "secretstores.local.file", "secretsFile", "secrets.json"),
		"secrets.json", fmt.Sprintf(`{"db": %q}`, filepath.Join(db, "one.db")),
		"s.yaml", doc("s", "state.sqlite")+"  metadata:\n  - name: connectionString\n    secretKeyRef: {name: db}\nauth: {secretStore: vault}\n")
	p := start(t, "--components-path", dir)
	p.do("POST", "/v1.0/state/s", `[{"key":"a","value":1}]`)
	require.FileExists(t, filepath.Join(db, "one.db"))
	write(t, dir, "secrets.json", fmt.Sprintf(`{"db": %q}`, filepath.Join(db, "two.db")))
	require.Eventually(t, func() bool { s, _, _ := p.do("GET", "/v1.0/state/s/a", ""); return s == 204 }, 10*time.Second, 5*time.Millisecond)
	require.FileExists(t, filepath.Join(db, "two.db"))
	p.stop()
	require.NotContains(t, p.log.String(), "one.db", "a secret is not logged")
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{"127.0.0.1": true, "127.0.0.2": true, "::1": true, "localhost": true, "": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "example.com": false} {
		require.Equal(t, want, loopback(host), host)
	}
}

// TestOpenToEveryone warns of an address that others reach, and has units in the log.
func TestOpenToEveryone(t *testing.T) {
	p := start(t, "--components-path", t.TempDir(), "--listen-address", "0.0.0.0")
	require.Regexp(t, `WARN.*DAPR_API_TOKEN.*"0\.0\.0\.0"`, p.log.String())
	p.stop()
	var out bytes.Buffer
	log, err := newLogger(&out, "info", "json")
	require.NoError(t, err)
	log.Info("x", zap.Duration("took", 1500*time.Millisecond))
	require.Contains(t, out.String(), `"took":"1.5s"`)
}

func TestPlural(t *testing.T) {
	require.Equal(t, "0 problems", plural(0, "problem"))
	require.Equal(t, "1 problem", plural(1, "problem"))
	require.Equal(t, "2 problems", plural(2, "problem"))
}
