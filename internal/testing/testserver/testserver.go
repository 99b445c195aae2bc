// Package testserver starts real servers for tests: on a free port of 127.0.0.1,
// as a process of the test's own that ends with it.
package testserver

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Spec says how a server is started.
type Spec struct {
	Command string // looked for in PATH
	// Args are those of the command for a port and a folder that is the test's own.
	Args  func(port, dir string) []string
	Ready string // part of the line that it prints when it accepts connections
}

// Redis is redis-server with a log of its writes, so that they outlive a
// restart.
func Redis(args ...string) Spec {
	return Spec{
		Command: "redis-server", Ready: "Ready to accept connections",
		Args: func(port, dir string) []string {
			return append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes"}, args...)
		},
	}
}

// Server is a server that the test started.
type Server struct {
	t    testing.TB
	spec Spec
	path string
	dir  string
	port string
	cmd  *exec.Cmd
	done chan struct{} // closed when everything it printed was read
}

// Start starts a server and stops it at the end of the test. Without the
// command the test is skipped, or fails if WASMSTATE_REQUIRE is set.
func Start(t testing.TB, spec Spec) *Server {
	t.Helper()
	path, err := exec.LookPath(spec.Command)
	if err != nil {
		if os.Getenv("WASMSTATE_REQUIRE") != "" {
			t.Fatalf("%s is needed: %v", spec.Command, err)
		}
		t.Skipf("there is no %s in PATH", spec.Command)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	s := &Server{t: t, spec: spec, path: path, dir: t.TempDir(), port: port}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Addr is where it listens.
func (s *Server) Addr() string { return "127.0.0.1:" + s.port }

// PID is its process id: what answers at Addr can be asked whether it is this
// one.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Start returns when the server accepts connections. What an earlier start left
// in its folder is kept.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.path, s.spec.Args(s.port, s.dir)...)
	endWithParent(s.cmd)
	out, err := s.cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.cmd.Start())
	ready := make(chan bool, 1)
	s.done = make(chan struct{})
	go func() { // ends with the server's output; Stop waits for it
		defer close(s.done)
		lines := bufio.NewScanner(out)
		up := false
		for lines.Scan() {
			if !up && strings.Contains(lines.Text(), s.spec.Ready) {
				up = true
				ready <- true
			}
		}
		if !up {
			ready <- false
		}
	}()
	require.True(s.t, <-ready, "%s did not start; is port %s taken?", s.spec.Command, s.port)
}

// Stop asks the server to end and waits for it. Idempotent.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.done
	_ = s.cmd.Wait()
	s.cmd = nil
}
