//go:build !tinygo && !wasip1

package tcp_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/guests/sdk/go/tcp"
)

// TestErrors covers the codes of the native side; guests/respstore proves the
// other one.
func TestErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c, err := tcp.Dial(l.Addr().String(), tcp.Options{Timeout: time.Minute})
	require.NoError(t, err)
	peer, err := l.Accept()
	require.NoError(t, err)

	require.NoError(t, c.SetReadDeadline(time.Unix(1, 0)))
	_, err = c.Read(make([]byte, 1))
	require.Equal(t, abi.CodeTimeout, abi.CodeOf(err))
	var timeout net.Error
	require.True(t, errors.As(err, &timeout) && timeout.Timeout())

	require.NoError(t, c.SetReadDeadline(time.Time{}))
	_, err = c.Write([]byte("ping"))
	require.NoError(t, err)
	b := make([]byte, 4)
	_, err = io.ReadFull(peer, b)
	require.NoError(t, err)
	require.Equal(t, "ping", string(b))
	require.NoError(t, peer.Close())
	_, err = c.Read(b)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, c.Close())
	_, err = c.Read(b)
	require.Equal(t, abi.CodeClosed, abi.CodeOf(err))

	require.NoError(t, l.Close())
	_, err = tcp.Dial(l.Addr().String(), tcp.Options{})
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err))
}
