//go:build wasip1 && !tinygo

package tcp

import (
	"context"
	"net"
	"time"
)

var _ net.Conn = (*Conn)(nil)

// DialContext connects without TLS, for client libraries that let their user
// dial. The network is not looked at. Of ctx only the deadline counts: nothing
// else runs while the host connects.
func DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	var opts Options
	if d, ok := ctx.Deadline(); ok {
		if opts.Timeout = time.Until(d); opts.Timeout <= 0 {
			return nil, context.DeadlineExceeded
		}
	}
	c, err := Dial(addr, opts)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// LocalAddr is unknown to the guest: its text is "guest".
func (c *Conn) LocalAddr() net.Addr { return endpoint("guest") }

// RemoteAddr is the address that was dialled, as it was given.
func (c *Conn) RemoteAddr() net.Addr { return endpoint(c.addr) }

type endpoint string

func (endpoint) Network() string  { return "tcp" }
func (e endpoint) String() string { return string(e) }
