//go:build !tinygo && !wasip1

package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"

	"github.com/wasmstate/wasmstate/abi"
)

var _ net.Conn = (*Conn)(nil)

// Conn is a connection.
type Conn struct{ net.Conn }

// Dial connects to host:port.
func Dial(addr string, opts Options) (*Conn, error) {
	d := net.Dialer{Timeout: opts.Timeout}
	var raw net.Conn
	var err error
	if opts.TLS {
		raw, err = (&tls.Dialer{NetDialer: &d, Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext(context.Background(), "tcp", addr)
	} else {
		raw, err = d.DialContext(context.Background(), "tcp", addr)
	}
	if err != nil {
		return nil, failure(err)
	}
	return &Conn{raw}, nil
}

// DialContext connects without TLS, for client libraries that let their user
// dial.
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// Read reads at least one byte; io.EOF is the end of the stream.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, failure(err)
}

// Write writes all of b. After an error the connection is broken.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, failure(err)
}

// failure gives an error the code that the host would.
func failure(err error) error {
	var timeout net.Error
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return &timeoutError{abi.WrapError(abi.CodeTimeout, "", err)}
	case errors.Is(err, net.ErrClosed):
		return abi.WrapError(abi.CodeClosed, "", err)
	}
	return abi.WrapError(abi.CodeUnavailable, "", err)
}
