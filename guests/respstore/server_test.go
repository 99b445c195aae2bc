package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/internal/testing/testserver"
)

// server is a redis-server that can be asked.
type server struct {
	*testserver.Server
	t *testing.T
}

func redis(t *testing.T, args ...string) *server {
	t.Helper()
	return &server{testserver.Start(t, testserver.Redis(args...)), t}
}

// do runs a command and returns its answer as text.
func (s *server) do(command ...string) string {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Addr())
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
	require.Contains(t, s.do("INFO", "server"), fmt.Sprintf("process_id:%d\r\n", s.PID()))
}
