package hostfuncs

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

const (
	flagTLS     = 1 << 0
	maxEndpoint = 300 // bytes of host:port
)

// conn is one connection. It outlives operations and closes itself when unused.
type conn struct {
	net.Conn
	idle *time.Timer
	time time.Duration // without use until the end
	gone atomic.Bool   // closed by the host; the handle is still the guest's
}

// shut closes the connection and keeps the handle. Safe to call concurrently.
func (c *conn) shut() {
	if !c.gone.Swap(true) {
		_ = c.Conn.Close()
	}
}

func (c *conn) close() {
	c.idle.Stop()
	c.shut()
}

// tcpConnect is connect(addr, addr_len, flags, timeout_ms).
func tcpConnect(s *State, m api.Memory, p []uint64) uint64 {
	addr, valid := view(m, p[0], p[1])
	if !valid || len(addr) > maxEndpoint {
		return fail(abi.CodeInvalidArgument)
	}
	if uint32(p[2])&^flagTLS != 0 {
		return fail(abi.CodeUnsupported)
	}
	to, err := s.host.tcpTarget(string(addr))
	if err != nil {
		return failWith(err)
	}
	if len(s.conns.open) >= s.host.cfg.MaxHandles { // before the server sees anything
		return fail(abi.CodeQuota)
	}
	ctx, cancel := s.within(p[3])
	defer cancel()
	raw, err := s.host.dialer.DialContext(ctx, "tcp", net.JoinHostPort(to.Host, to.Port))
	if err == nil && p[2]&flagTLS != 0 {
		raw, err = s.host.handshake(ctx, raw, to.Host)
	}
	if err != nil {
		return fail(netCode(ctx, err))
	}
	c := &conn{Conn: raw, time: s.host.cfg.TCPIdle}
	c.idle = time.AfterFunc(c.time, c.shut)
	return s.conns.add(c, s.host.cfg.MaxHandles)
}

// tcpTarget is what the guest's host:port stands for, if it is granted. No
// name is resolved before that, since lookups carry data out, too.
func (h *Host) tcpTarget(addr string) (TCPRule, error) {
	to, err := ParseTCPRule(addr)
	if err != nil || to.Host[0] == '*' {
		return to, abi.NewError(abi.CodeInvalidArgument, "the address is not host:port")
	}
	for _, r := range h.tcp {
		if r.Port == to.Port && matchHost(r.Host, to.Host) {
			return to, nil
		}
	}
	h.logHost("the guest was kept from " + h.Clean(net.JoinHostPort(to.Host, to.Port), maxEndpoint) + ", which its sandbox does not grant; add it to tcp to allow it")
	return to, abi.NewError(abi.CodePermission, "the endpoint is not granted")
}

func (h *Host) handshake(ctx context.Context, raw net.Conn, host string) (net.Conn, error) {
	c := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: h.cfg.RootCAs, MinVersion: tls.VersionTLS12})
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// within is the operation's context, shortened to a number of milliseconds; 0
// does not shorten it.
func (s *State) within(millis uint64) (context.Context, context.CancelFunc) {
	if millis = uint64(uint32(millis)); millis == 0 {
		return context.WithCancel(s.op)
	}
	return context.WithTimeout(s.op, time.Duration(millis)*time.Millisecond)
}

// netCode is the code of a network error.
func netCode(ctx context.Context, err error) abi.Code {
	var e *abi.Error
	switch {
	case errors.As(err, &e):
		return codeOf(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return abi.CodeTimeout
	case ctx.Err() != nil:
		return codeOf(ctx.Err())
	case errors.Is(err, net.ErrClosed):
		return abi.CodeClosed
	}
	return abi.CodeUnavailable
}

// use prepares a connection for one call. The deadline ends the call and leaves
// the connection alone; the end of the operation closes it, because its stream
// is then in an unknown place. done must be called after.
func (s *State) use(c *conn, millis uint64) (done func()) {
	deadline, limited := s.op.Deadline()
	if millis = uint64(uint32(millis)); millis != 0 {
		if d := time.Now().Add(time.Duration(millis) * time.Millisecond); !limited || d.Before(deadline) {
			deadline = d
		}
	}
	_ = c.SetDeadline(deadline) // zero = none
	c.idle.Stop()
	stop := context.AfterFunc(s.op, c.shut)
	return func() {
		stop()
		c.idle.Reset(c.time)
	}
}

// tcpRead is read(handle, out, out_cap, timeout_ms).
func tcpRead(s *State, m api.Memory, p []uint64) uint64 {
	c, open := s.conns.get(p[0])
	out, valid := view(m, p[1], p[2])
	switch {
	case !open || !valid:
		return fail(abi.CodeInvalidArgument)
	case c.gone.Load():
		return fail(abi.CodeClosed)
	case len(out) == 0:
		return success(0)
	case s.room() == 0:
		return fail(abi.CodeQuota)
	}
	out = out[:min(int64(len(out)), s.room())]
	done := s.use(c, p[3])
	n, err := readSome(c, out)
	done()
	s.spend(uint64(n))
	switch {
	case n > 0:
		return success(uint64(n))
	case errors.Is(err, io.EOF):
		return success(0)
	}
	return s.broken(c, err, 0)
}

// tcpWrite is write(handle, data, data_len, timeout_ms).
func tcpWrite(s *State, m api.Memory, p []uint64) uint64 {
	c, open := s.conns.get(p[0])
	data, valid := view(m, p[1], p[2])
	switch {
	case !open || !valid:
		return fail(abi.CodeInvalidArgument)
	case c.gone.Load():
		return fail(abi.CodeClosed)
	case !s.move(len(data)):
		return fail(abi.CodeQuota)
	case len(data) == 0:
		return success(0)
	}
	done := s.use(c, p[3])
	n, err := c.Write(data)
	done()
	if err != nil {
		result := s.broken(c, err, n)
		c.shut()
		return result
	}
	return success(uint64(n))
}

// broken is the result of a failed call. A timeout leaves a connection usable
// for reading, unless the operation is over.
func (s *State) broken(c *conn, err error, n int) uint64 {
	code := netCode(s.op, err)
	if code != abi.CodeTimeout {
		c.shut()
	}
	return pack(code, n)
}

// tcpClose is close(handle).
func tcpClose(s *State, _ api.Memory, p []uint64) uint64 { return s.conns.close(p[0]) }
