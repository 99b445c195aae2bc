package bench

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestReload counts the requests that fail while a component file changes under
// load: 16 connections read one store over HTTP; after a third of the requests
// the file changes, after two thirds it is put back. Every server is a process.
//
//	go test -run TestReload -v .                          wasmstate
//	DAPRD=path/to/daprd go test -run TestReload -v .      daprd beside it
//	RELOAD_REQUESTS=100000 …                              requests per event (default 20000)
//
// It fails if a request to wasmstate fails. daprd is only counted.
func TestReload(t *testing.T) {
	requests := int64(20_000)
	if s := os.Getenv("RELOAD_REQUESTS"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			t.Fatalf("RELOAD_REQUESTS=%s: want a number of requests", s)
		}
		requests = n
	}
	binary := filepath.Join(t.TempDir(), "wasmstate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/wasmstate")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	type system struct {
		name   string
		stores []string
		start  func(t *testing.T, dir, port string) *exec.Cmd
	}
	systems := []system{{"wasmstate", []string{"state.in-memory", "state.sqlite", "wasm"}, func(t *testing.T, dir, port string) *exec.Cmd {
		t.Helper()
		return exec.Command(binary, "run", "--components-path", dir, "--http-port", port, "--metrics-port", "0", "--admin-port", "0", "--cache-dir", t.TempDir())
	}}}
	if daprd := os.Getenv("DAPRD"); daprd != "" {
		systems = append(systems, system{"daprd", []string{"state.in-memory", "state.sqlite"}, func(t *testing.T, dir, port string) *exec.Cmd {
			t.Helper()
			return exec.Command(daprd, "--app-id", "bench", "--resources-path", dir, "--dapr-http-port", port,
				"--dapr-grpc-port", freePort(t), "--dapr-internal-grpc-port", freePort(t), "--metrics-port", freePort(t), "--dapr-listen-addresses", "127.0.0.1", "--enable-metrics=false")
		}})
	}
	for _, sys := range systems {
		for _, store := range sys.stores {
			for _, e := range reloadEvents {
				t.Run(sys.name+"/"+strings.TrimPrefix(store, "state.")+"/"+e.name, func(t *testing.T) {
					failed, slowest, alive := reload(t, store, e, requests, sys.start)
					t.Logf("%d of %d requests failed, the slowest took %v, the process lives: %v", failed, requests, slowest.Round(time.Millisecond), alive)
					if sys.name == "wasmstate" && (failed > 0 || !alive) {
						t.Errorf("%s: a change was noticed", sys.name)
					}
				})
			}
		}
	}
}

// reloadEvent changes the file of a component that serves.
type reloadEvent struct {
	name   string
	change func(file string, good []byte) error
}

var reloadEvents = []reloadEvent{
	{"metadata", func(file string, good []byte) error { // one more property that changes nothing
		return replace(file, bytes.Replace(good, []byte("  metadata:\n"), []byte("  metadata:\n  - {name: keyPrefix, value: appid}\n"), 1))
	}},
	{"broken-yaml", func(file string, good []byte) error { return replace(file, append(good, "  - {name: \n"...)) }},
	{"half-written", func(file string, good []byte) error {
		return os.WriteFile(file, good[:len(good)/2], 0o600)
	}},
	{"unknown-type", func(file string, good []byte) error {
		return replace(file, bytes.Replace(good, []byte("type: state."), []byte("type: state.no-such-"), 1))
	}},
	{"duplicate-name", func(file string, good []byte) error { return replace(file+".copy.yaml", good) }},
}

// replace renames a new file over the old one, as careful editors do.
func replace(file string, doc []byte) error {
	if err := os.WriteFile(file+".new", doc, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func reload(t *testing.T, store string, e reloadEvent, requests int64, start func(t *testing.T, dir, port string) *exec.Cmd) (failed int64, slowest time.Duration, alive bool) {
	t.Helper()
	dir := t.TempDir()
	file, good := filepath.Join(dir, "s.yaml"), reloadFile(t, store)
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	var log bytes.Buffer
	cmd := start(t, dir, port)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = append(os.Environ(), "DAPR_API_TOKEN=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}()
	transport := &http.Transport{MaxIdleConnsPerHost: httpConnections}
	defer transport.CloseIdleConnections()
	client, url := &http.Client{Transport: transport, Timeout: 10 * time.Second}, "http://127.0.0.1:"+port+"/v1.0/state/s"
	for deadline := time.Now().Add(30 * time.Second); setOverHTTP(client, url, 1) != nil; {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the server ended: %v\n%s", err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the server does not become ready")
		}
	}
	failed, slowest, err := loadWhile(client, url, requests, map[int64]func() error{
		requests / 3:     func() error { return e.change(file, good) },
		2 * requests / 3: func() error { _ = os.Remove(file + ".copy.yaml"); return replace(file, good) },
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		ended <- err
	default:
		alive = true
	}
	return failed, slowest, alive
}

// loadWhile sends requests from all connections, and does each step when its
// request is next.
func loadWhile(client *http.Client, url string, requests int64, steps map[int64]func() error) (int64, time.Duration, error) {
	var next, failed, slowest atomic.Int64
	var clients sync.WaitGroup
	errs := make(chan error, len(steps))
	for range httpConnections {
		clients.Go(func() {
			for i := next.Add(1); i <= requests; i = next.Add(1) {
				if step := steps[i]; step != nil {
					if err := step(); err != nil {
						errs <- err
					}
				}
				began := time.Now()
				if getOverHTTP(client, url, 1) != nil {
					failed.Add(1)
				}
				took := int64(time.Since(began))
				for old := slowest.Load(); took > old && !slowest.CompareAndSwap(old, took); old = slowest.Load() {
				}
			}
		})
	}
	clients.Wait()
	close(errs)
	return failed.Load(), time.Duration(slowest.Load()), <-errs
}

// reloadFile is the component s with room for one more property.
func reloadFile(t *testing.T, store string) []byte {
	t.Helper()
	doc := string(componentFile(t, store))
	switch store {
	case "state.in-memory":
		doc += "  metadata:\n"
	case "state.sqlite":
		doc += fmt.Sprintf("  metadata:\n  - {name: connectionString, value: %q}\n", filepath.Join(t.TempDir(), "s.db"))
	}
	return []byte(doc)
}

// freePort is a port of 127.0.0.1 that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
