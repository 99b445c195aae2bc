package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// server is a redis-server that the test started on a free port of 127.0.0.1.
type server struct {
	t    *testing.T
	path string
	dir  string
	port string
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when everything it printed was read
}

func redis(t *testing.T, args ...string) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("WASMSTATE_REQUIRE") != "" {
			t.Fatalf("redis-server is needed: %v", err)
		}
		t.Skip("there is no redis-server in PATH")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	s := &server{t: t, path: path, dir: t.TempDir(), port: port, args: args}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) addr() string { return "127.0.0.1:" + s.port }

// start returns when the server accepts connections. The data of an earlier
// start is kept.
func (s *server) start() {
	s.t.Helper()
	args := append([]string{"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "yes"}, s.args...)
	s.cmd = exec.Command(s.path, args...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.cmd.Start())
	ready := make(chan bool)
	s.done = make(chan struct{})
	go func() { // ends with the server's output; stop waits for it
		defer close(s.done)
		lines := bufio.NewScanner(out)
		up := false
		for lines.Scan() {
			if !up && strings.Contains(lines.Text(), "Ready to accept connections") {
				up = true
				ready <- true
			}
		}
		if !up {
			ready <- false
		}
	}()
	require.True(s.t, <-ready, "redis-server did not start; is port %s taken?", s.port)
}

func (s *server) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.done
	_ = s.cmd.Wait()
	s.cmd = nil
}

// do runs a command and returns its answer as text.
func (s *server) do(command ...string) string {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr())
	require.NoError(s.t, err)
	defer c.Close()
	_, err = c.Write(parts(nil, command...))
	require.NoError(s.t, err)
	r, err := readReply(bufio.NewReader(c), 0)
	require.NoError(s.t, err)
	return text(&r)
}

func text(r *reply) string {
	switch {
	case r.kind == ':':
		return strconv.FormatInt(r.n, 10)
	case r.kind == '*':
		all := make([]string, len(r.items))
		for i := range r.items {
			all[i] = text(&r.items[i])
		}
		return strings.Join(all, " ")
	}
	return string(r.text)
}

// TestServerIsOurs makes sure that what answers is the process that was started.
func TestServerIsOurs(t *testing.T) {
	s := redis(t)
	require.Contains(t, s.do("INFO", "server"), fmt.Sprintf("process_id:%d\r\n", s.cmd.Process.Pid))
}
