package hostfuncs

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

func TestSpecialAddresses(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "192.0.2.1", "198.18.0.1",
		"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "::7f00:1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:1::1", "2001:db8::1",
		"fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "100::1", "3fff::1", "5f00::1", "4000::1",
	} {
		require.NotEmpty(t, special(netip.MustParseAddr(a).Unmap()), a)
	}
	for _, a := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "172.32.0.1", "169.253.0.1", "100.128.0.1", "198.20.0.1", "223.255.255.255",
		"::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::1", "2400:cb00::1",
	} {
		require.Empty(t, special(netip.MustParseAddr(a).Unmap()), a)
	}
}

func TestControl(t *testing.T) {
	g := newGuest(t, Config{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")}})
	for address, allowed := range map[string]bool{
		"10.1.2.3:80": true, "10.2.2.3:80": false, "[::ffff:10.1.2.3]:80": true, "[::ffff:10.2.2.3]:80": false, "[::1]:80": true,
		"127.0.0.1:80": false, "8.8.8.8:80": true, "[fe80::1%lo]:80": false, "nonsense": false, "": false,
	} {
		err := g.host.control(context.Background(), "tcp4", address, nil)
		require.Equal(t, allowed, err == nil, address)
		require.True(t, err == nil || abi.CodeOf(err) == abi.CodePermission)
	}
	require.Error(t, g.host.control(context.Background(), "udp4", "8.8.8.8:53", nil))
	require.Error(t, g.host.control(context.Background(), "unix", "/run/x", nil))
	require.Contains(t, g.lines.text(), `the guest was kept from 127.0.0.1, a loopback address; to allow it, add networks: ["127.0.0.1/32"] to the component's sandbox`)
}

// TestUnreachableGrants are grants that could never be used: the operator
// hears of them at once.
func TestUnreachableGrants(t *testing.T) {
	_, err := New(Config{Component: "orders", HTTP: []string{"http://localhost:8080", "https://[fd00::1]/", "ftp://x"}, TCP: []string{"10.0.0.1:6379", "x"}})
	require.EqualError(t, err, `sandbox of component orders: http: "http://localhost:8080": localhost is a loopback address; add networks: ["127.0.0.1/32"] to the sandbox to allow it
http: "https://[fd00::1]/": fd00::1 is a private address; add networks: ["fd00::1/128"] to the sandbox to allow it
http: "ftp://x": is not an address such as https://api.example.com:8443/v1/
tcp: "10.0.0.1:6379": 10.0.0.1 is a private address; add networks: ["10.0.0.1/32"] to the sandbox to allow it
tcp: "x": is not host:port, such as redis.internal:6379`)
	h, err := New(Config{HTTP: []string{"http://localhost"}, Networks: loopback()})
	require.NoError(t, err)
	require.NoError(t, h.Close())
}

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// TestRebinding resolves to a public address when it is first asked and to
// loopback afterwards, and the other way round. What counts is where the
// connection goes.
func TestRebinding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dns := &fakeDNS{answer: func(name string, n int) []netip.Addr {
		if name == "mixed.test" || n > 0 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("::1")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}}
	g := newGuest(t, Config{
		HTTP: []string{"http://rebind.test:" + port, "http://mixed.test:" + port, "http://*.wild.test:" + port},
		TCP:  []string{"rebind.test:" + port}, Resolver: dns.resolver(),
	})
	for _, host := range []string{"rebind.test", "rebind.test", "mixed.test"} {
		code, _, _ := g.fetch(request{url: "http://" + host + ":" + port + "/"})
		require.Contains(t, []abi.Code{abi.CodePermission, abi.CodeUnavailable}, code, host)
		at, n := g.text(host + ":" + port)
		code, _ = g.coded("wasmstate_tcp.connect", at, n, 0, 0)
		require.Equal(t, abi.CodePermission, code, host)
		g.begin(context.Background(), zeroTime)
	}
	require.Contains(t, g.lines.text(), "kept from 127.0.0.1")
	for _, host := range []string{"2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1.", "127.0.0.1.wild.test.", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]"} {
		_, err := New(Config{HTTP: []string{"http://" + host + ":" + port}, Component: "test"})
		if host == "127.0.0.1.wild.test." { // a name like others
			require.NoError(t, err)
		} else {
			require.Error(t, err, "nobody can be meant by granting %s without networks", host)
		}
		code, _, _ := g.fetch(request{url: "http://" + host + ":" + port + "/"})
		require.Contains(t, []abi.Code{abi.CodePermission, abi.CodeUnavailable, abi.CodeInvalidArgument}, code, host)
		at, n := g.text(host + ":" + port)
		code, _ = g.coded("wasmstate_tcp.connect", at, n, 0, 0)
		require.Contains(t, []abi.Code{abi.CodePermission, abi.CodeInvalidArgument}, code, host)
		g.begin(context.Background(), zeroTime)
	}
	// nothing arrived: the next connection is our own
	own, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer own.Close()
	c, err := l.Accept()
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, own.LocalAddr().String(), c.RemoteAddr().String())
}

// TestNoLookupOfOthers has names that are not granted: they are not even
// looked up, because a lookup carries data to whoever serves the zone.
func TestNoLookupOfOthers(t *testing.T) {
	dns := &fakeDNS{answer: func(string, int) []netip.Addr { return nil }}
	g := newGuest(t, Config{HTTP: []string{"https://api.test"}, TCP: []string{"api.test:1"}, Resolver: dns.resolver()})
	code, _, _ := g.fetch(request{url: "https://secret-data.evil.test/"})
	require.Equal(t, abi.CodePermission, code)
	at, n := g.text("secret-data.evil.test:1")
	code, _ = g.coded("wasmstate_tcp.connect", at, n, 0, 0)
	require.Equal(t, abi.CodePermission, code)
	require.Empty(t, dns.names())
}
