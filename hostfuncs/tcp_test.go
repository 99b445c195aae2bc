package hostfuncs

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

// listen serves every connection with talk.
func listen(t testing.TB, talk func(c net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer c.Close()
				talk(c)
			}()
		}
	}()
	return l.Addr().String()
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

func (g *testGuest) connect(addr string, flags uint64) (abi.Code, uint64) {
	at, n := g.text(addr)
	g.next = 8
	code, h := g.coded("wasmstate_tcp.connect", at, n, flags, 0)
	return code, uint64(h)
}

func (g *testGuest) tcpWrite(h uint64, text string, timeout uint64) (abi.Code, uint32) {
	at, n := g.text(text)
	g.next = 8
	return g.coded("wasmstate_tcp.write", h, at, n, timeout)
}

func (g *testGuest) tcpRead(h, timeout uint64) (abi.Code, string) {
	code, n := g.coded("wasmstate_tcp.read", h, outAt, 1000, timeout)
	return code, string(g.mem(outAt, n))
}

func TestTCP(t *testing.T) {
	addr := listen(t, echo)
	g := newGuest(t, Config{TCP: []string{addr}, Networks: loopback(), MaxHandles: 2})
	code, h := g.connect(addr, 0)
	require.Equal(t, abi.CodeOK, code)
	code, n := g.tcpWrite(h, "hello", 0)
	require.Equal(t, abi.CodeOK, code)
	require.EqualValues(t, 5, n)
	code, text := g.tcpRead(h, 0)
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, "hello", text)

	// nothing comes: the call ends, the connection does not
	code, _ = g.tcpRead(h, 20)
	require.Equal(t, abi.CodeTimeout, code)
	g.begin(context.Background(), time.Now().Add(20*time.Millisecond))
	code, _ = g.tcpRead(h, 0)
	require.Equal(t, abi.CodeTimeout, code)

	g.begin(context.Background(), zeroTime)
	code, h2 := g.connect(addr, 0)
	require.Equal(t, abi.CodeOK, code)
	require.NotEqual(t, h, h2)
	g.begin(context.Background(), zeroTime) // it lives on
	code, _ = g.tcpWrite(h2, "again", 1000)
	require.Equal(t, abi.CodeOK, code)
	code, text = g.tcpRead(h2, 1000)
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, "again", text)
	code, _ = g.connect(addr, 0)
	require.Equal(t, abi.CodeQuota, code)
	closed, _ := g.coded("wasmstate_tcp.close", h2)
	require.Equal(t, abi.CodeOK, closed)
	for _, f := range []string{"read", "write"} {
		code, _ = g.coded("wasmstate_tcp."+f, h2, outAt, 10, 0)
		require.Equal(t, abi.CodeInvalidArgument, code)
	}
	closed, _ = g.coded("wasmstate_tcp.close", h2)
	require.Equal(t, abi.CodeInvalidArgument, closed)
	other := instanceOf(t, g.host)
	code, _ = other.tcpRead(h, 0)
	require.Equal(t, abi.CodeInvalidArgument, code, "handles belong to an instance")

	for addr, want := range map[string]abi.Code{
		"127.0.0.1:1": abi.CodePermission, "localhost:" + addr[10:]: abi.CodePermission, "evil.test:80": abi.CodePermission, "*.test:1": abi.CodeInvalidArgument,
		"": abi.CodeInvalidArgument, "x": abi.CodeInvalidArgument, addr + " ": abi.CodeOK, strings.Repeat("x", 301): abi.CodeInvalidArgument,
	} {
		code, _ := g.connect(addr, 0)
		require.Equal(t, want, code, addr)
	}
	code, _ = g.connect(addr, 2)
	require.Equal(t, abi.CodeUnsupported, code)
	require.NoError(t, g.state.Close())
	require.NoError(t, g.state.Close())
}

func TestTCPEnds(t *testing.T) {
	addr := listen(t, func(c net.Conn) { fmt.Fprint(c, "bye") })
	g := newGuest(t, Config{TCP: []string{addr, "127.0.0.1:9"}, Networks: loopback()})
	_, h := g.connect(addr, 0)
	code, text := g.tcpRead(h, 0)
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, "bye", text)
	code, text = g.tcpRead(h, 0)
	require.Equal(t, abi.CodeOK, code)
	require.Empty(t, text)
	code, _ = g.connect("127.0.0.1:9", 0)
	require.Equal(t, abi.CodeUnavailable, code, "nobody listens")
}

// TestTCPGivenUp cancels the caller during a call: the connection is in an
// unknown place and goes, its handle stays until it is closed.
func TestTCPGivenUp(t *testing.T) {
	addr := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	g := newGuest(t, Config{TCP: []string{addr}, Networks: loopback()})
	_, h := g.connect(addr, 0)
	ctx, cancel := context.WithCancel(context.Background())
	g.begin(ctx, time.Now().Add(time.Hour))
	timer := time.AfterFunc(20*time.Millisecond, cancel)
	defer timer.Stop()
	code, _ := g.tcpRead(h, 0)
	require.Equal(t, abi.CodeCancelled, code)
	g.begin(context.Background(), zeroTime)
	for range 2 {
		code, _ = g.tcpWrite(h, "x", 0)
		require.Equal(t, abi.CodeClosed, code)
	}
	code, _ = g.coded("wasmstate_tcp.close", h)
	require.Equal(t, abi.CodeOK, code)
}

// TestTCPWriteTimeout has a server that reads nothing.
func TestTCPWriteTimeout(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	addr := listen(t, func(net.Conn) { <-stop })
	g := newGuest(t, Config{TCP: []string{addr}, Networks: loopback(), MaxBytes: 1 << 40})
	_, h := g.connect(addr, 0)
	code := abi.CodeOK
	for code == abi.CodeOK {
		code, _ = g.coded("wasmstate_tcp.write", h, 0, guestMemory, 50)
	}
	require.Equal(t, abi.CodeTimeout, code)
	code, _ = g.tcpWrite(h, "x", 0)
	require.Equal(t, abi.CodeClosed, code)
}

func TestTCPIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, Config{TCP: []string{"example.com:1"}, TCPIdle: time.Minute})
		client, server := net.Pipe()
		h := uint32(g.addConn(client))
		go func() { _, _ = io.Copy(io.Discard, server) }() // ends with the connection
		time.Sleep(59 * time.Second)
		code, _ := g.tcpWrite(uint64(h), "x", 0)
		require.Equal(t, abi.CodeOK, code)
		time.Sleep(59 * time.Second)
		code, _ = g.tcpWrite(uint64(h), "x", 0)
		require.Equal(t, abi.CodeOK, code)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		code, _ = g.tcpWrite(uint64(h), "x", 0)
		require.Equal(t, abi.CodeClosed, code)
	})
}

// addConn gives the guest a connection that was made elsewhere.
func (g *testGuest) addConn(c net.Conn) uint64 {
	k := &conn{Conn: c, time: g.host.cfg.TCPIdle}
	k.idle = time.AfterFunc(k.time, k.shut)
	return g.state.conns.add(k, g.host.cfg.MaxHandles)
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it hears of our refusals
	s.StartTLS()
	defer s.Close()
	l := s.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(l)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	dns := &fakeDNS{answer: func(string, int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} }}
	g := newGuest(t, Config{TCP: []string{"example.com:" + port, "wrong.test:" + port}, Networks: loopback(), RootCAs: roots, Resolver: dns.resolver()})
	code, h := g.connect("example.com:"+port, flagTLS)
	require.Equal(t, abi.CodeOK, code)
	code, _ = g.tcpWrite(h, "GET / HTTP/1.0\r\n\r\n", 0)
	require.Equal(t, abi.CodeOK, code)
	code, text := g.tcpRead(h, 0)
	require.Equal(t, abi.CodeOK, code)
	require.Contains(t, text, "404")
	code, _ = g.connect("wrong.test:"+port, flagTLS)
	require.Equal(t, abi.CodeUnavailable, code, "the name in the certificate is another")
	strict := newGuest(t, Config{TCP: []string{"example.com:" + port}, Networks: loopback(), Resolver: dns.resolver()})
	code, _ = strict.connect("example.com:"+port, flagTLS)
	require.Equal(t, abi.CodeUnavailable, code, "nobody vouches for the certificate")
}

// TestHandleLeaks ends 100,000 instances in the middle of everything.
func TestHandleLeaks(t *testing.T) {
	addr := listen(t, echo)
	g := newGuest(t, Config{HTTP: []string{"http://" + addr}, TCP: []string{addr}, Networks: loopback(), KV: map[string]KV{"data": newFakeKV()}})
	n := 100_000
	if testing.Short() || raceEnabled { // a minute under the race detector
		n = 1000
	}
	for i := range n {
		o := &testGuest{tb: t, host: g.host, state: g.host.NewState(), module: g.module, calls: g.calls, next: 8, lines: g.lines}
		o.ctx = &stateContext{Context: context.Background(), s: o.state}
		o.state.Begin(context.Background(), time.Time{})
		code, _ := o.httpStart(request{url: "http://" + addr, flags: uint32(i%2) * flagStream})
		require.Equal(t, abi.CodeOK, code)
		if i%200 == 0 {
			code, _ = o.connect(addr, 0)
			require.Equal(t, abi.CodeOK, code)
		} else {
			client, _ := net.Pipe()
			require.NotZero(t, o.addConn(client))
		}
		func() {
			defer func() { require.NotNil(t, recover()) }()
			o.call("env.abort", 0, 0, 0, 0)
		}()
		o.state.End()
		require.NoError(t, o.state.Close())
		require.Empty(t, o.state.exchanges.open)
		require.Empty(t, o.state.conns.open)
	}
}
