//go:build !tinygo && !wasip1

package tcp_test

import (
	"bufio"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// shouter answers lines in upper case until it is told to quit.
func shouter(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan() && lines.Text() != "quit"; {
					_, _ = c.Write([]byte(strings.ToUpper(lines.Text()) + "\r\n"))
				}
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		group.Wait()
	})
	return l.Addr().String()
}

// TestStandardGo compiles a client of the standard library into a module.
func TestStandardGo(t *testing.T) {
	if testing.Short() || guestbuild.Race {
		t.Skip("takes some seconds")
	}
	addr := shouter(t)
	m, err := sandbox.New(sandbox.Options{CompileTimeout: 10 * time.Minute}) // under the race detector
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	s, err := m.Open(t.Context(), guestbuild.Go(t, "sdk/go/tcp/testdata/lines"), sandbox.Config{
		Component: "lines",
		Host:      hostfuncs.Config{TCP: []string{addr}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "lines"}))

	for _, step := range []struct {
		key, want string
		code      abi.Code
	}{
		{"connect 127.0.0.1:1", "", abi.CodePermission},
		{"connect " + addr, "", abi.CodeOK},
		{"address", addr, abi.CodeOK},
		{"hello", "HELLO", abi.CodeOK},
		{"hang", "", abi.CodeTimeout},
		{"usable after a timeout", "USABLE AFTER A TIMEOUT", abi.CodeOK},
		{"quit", "", abi.CodeInternal}, // textproto returns io.EOF
		{"close", "", abi.CodeOK},
		{"hello", "", abi.CodeClosed},
		{"connect " + addr, "", abi.CodeOK},
		{"hello", "HELLO", abi.CodeOK},
	} {
		var resp abi.GetResponse
		err := s.Get(t.Context(), &abi.GetRequest{Key: []byte(step.key)}, &resp)
		require.Equal(t, step.code, abi.CodeOf(err), "%s: %v", step.key, err)
		require.Equal(t, step.want, string(resp.Value), step.key)
	}
}
