package hostfuncs

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

// request is an HTTP request as a guest writes it.
type request struct {
	method, url, body, ctype string
	headers                  []abi.Pair
	deadline                 time.Duration
	flags                    uint32
}

func (g *testGuest) httpStart(r request) (abi.Code, uint64) {
	e := abi.Encoder{Buf: make([]byte, guestMemory/4)}
	e.Set(&abi.SetRequest{Key: []byte(r.url), ETag: []byte(r.method), Value: []byte(r.body), ContentType: []byte(r.ctype), Metadata: r.headers}, r.deadline)
	require.True(g.tb, e.Fits())
	le.PutUint32(e.Buf[4:], r.flags)
	at, n := g.put(e.Buf[:e.Size()])
	g.next = 8
	code, h := g.coded("wasmstate_http.start", at, n)
	return code, uint64(h)
}

func (g *testGuest) httpResponse(h uint64) (abi.Code, item) {
	code, n := g.coded("wasmstate_http.response", h, outAt, outCap)
	if code != abi.CodeOK {
		return code, item{}
	}
	head, _ := g.response(outAt, n)
	return code, head
}

func (g *testGuest) httpBody(h uint64, chunk uint64) (abi.Code, string) {
	var body strings.Builder
	for {
		code, n := g.coded("wasmstate_http.read", h, outAt, chunk)
		if code != abi.CodeOK || n == 0 {
			return code, body.String()
		}
		body.Write(g.mem(outAt, n))
	}
}

// fetch does a whole exchange.
func (g *testGuest) fetch(r request) (abi.Code, item, string) {
	code, h := g.httpStart(r)
	if code != abi.CodeOK {
		return code, item{}, ""
	}
	code, head := g.httpResponse(h)
	if code != abi.CodeOK {
		return code, head, ""
	}
	code, body := g.httpBody(h, 4096)
	closed, _ := g.coded("wasmstate_http.close", h)
	require.Equal(g.tb, abi.CodeOK, closed)
	return code, head, body
}

// pairs decodes the headers of a response.
func (i item) pairs(t *testing.T) map[string]string {
	got := map[string]string{}
	rest := []byte(i.message)
	for len(rest) > 0 {
		name, value, next, valid := abi.NextPair(rest)
		require.True(t, valid)
		got[string(name)] += string(value) + ";"
		rest = next
	}
	return got
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestHTTP(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		w.Header().Set("Content-Type", "text/x")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s %s %q", r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("X-Mine"), r.UserAgent(), body)
	})
	g := newGuest(t, Config{HTTP: []string{s.URL}, Networks: loopback()})
	code, head, body := g.fetch(request{url: s.URL + "/a?b=c#d"})
	require.Equal(t, abi.CodeOK, code)
	require.EqualValues(t, http.StatusTeapot, head.code)
	require.Equal(t, "text/x", head.ctype)
	require.Equal(t, "a;b;", head.pairs(t)["x-two"])
	require.Equal(t, `GET /a?b=c   wasmstate ""`, body)
	code, _, body = g.fetch(request{method: "PUT", url: s.URL, body: "hello", ctype: "a/b", headers: []abi.Pair{{Name: "X-Mine", Value: "1"}, {Name: "user-agent", Value: "me"}}})
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, `PUT / a/b 1 me "hello"`, body)

	code, h := g.httpStart(request{method: "POST", url: s.URL, flags: flagStream})
	require.Equal(t, abi.CodeOK, code)
	for _, part := range []string{"one ", "", "two ", strings.Repeat("x", 100_000)} {
		at, n := g.text(part)
		code, taken := g.coded("wasmstate_http.write", h, at, n)
		require.Equal(t, abi.CodeOK, code)
		require.EqualValues(t, n, taken)
	}
	code, head = g.httpResponse(h)
	require.Equal(t, abi.CodeOK, code)
	require.EqualValues(t, http.StatusTeapot, head.code)
	code, n := g.coded("wasmstate_http.response", h, outAt, 0)
	require.Equal(t, abi.CodeOK, code, "it can be asked for its length")
	require.NotZero(t, n)
	code, body = g.httpBody(h, 1000)
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, `POST /   wasmstate "one two `+strings.Repeat("x", 100_000)+`"`, body)
	g.begin(context.Background(), zeroTime)
	code, _ = g.coded("wasmstate_http.read", h, outAt, 10)
	require.Equal(t, abi.CodeInvalidArgument, code, "handles end with the operation")
}

// TestHTTPSmuggling has requests that would say something else to the server
// than to the host.
func TestHTTPSmuggling(t *testing.T) {
	g := newGuest(t, Config{HTTP: []string{"http://api.test"}})
	for _, p := range []abi.Pair{
		{Name: "Host", Value: "evil"}, {Name: "hOsT", Value: "evil"}, {Name: "Content-Length", Value: "0"}, {Name: "Transfer-Encoding", Value: "chunked"},
		{Name: "Connection", Value: "X-Mine"}, {Name: "Keep-Alive", Value: "1"}, {Name: "Upgrade", Value: "h2c"}, {Name: "HTTP2-Settings", Value: "x"}, {Name: "TE", Value: "trailers"},
		{Name: "Trailer", Value: "x"}, {Name: "Expect", Value: "100-continue"}, {Name: "Proxy-Authorization", Value: "x"}, {Name: "Proxy-Connection", Value: "x"},
		{Name: "X", Value: "a\r\nHost: evil"}, {Name: "X", Value: "a\nb"}, {Name: "X", Value: "a\rb"}, {Name: "X", Value: "a\x00b"}, {Name: "X", Value: "\x7f"},
		{Name: "X\r\nHost", Value: "a"}, {Name: "X:", Value: "a"}, {Name: "X ", Value: "a"}, {Name: " X", Value: "a"}, {Name: "", Value: "a"}, {Name: "X\t", Value: "a"}, {Name: "Xä", Value: "a"},
	} {
		code, _ := g.httpStart(request{url: "http://api.test/", headers: []abi.Pair{p}})
		require.Equal(t, abi.CodeInvalidArgument, code, "%q", p)
	}
	for _, r := range []request{
		{method: "CONNECT", url: "http://api.test"}, {method: "TRACE", url: "http://api.test"}, {method: "get", url: "http://api.test"},
		{method: "GET / HTTP/1.1\r\nHost: evil\r\n\r\nGET", url: "http://api.test"}, {method: "GET ", url: "http://api.test"},
		{url: "http://api.test/\r\nHost: evil"}, {url: "http://api.test/ HTTP/1.1"}, {url: ""}, {url: "/"}, {url: "api.test"}, {url: "http://"}, {url: "http://api.test:x/"},
		{url: "http://api.test", ctype: "a\r\nb: c"}, {url: "http://api.test", ctype: "a", headers: []abi.Pair{{Name: "content-type", Value: "b"}}},
		{url: "http://api.test/" + strings.Repeat("x", maxURL)}, {url: "http://api.test", body: "x", flags: flagStream},
	} {
		code, _ := g.httpStart(r)
		if r.url == "http://api.test/ HTTP/1.1" {
			continue // a space in a path is escaped
		}
		require.Equal(t, abi.CodeInvalidArgument, code, "%q", r)
	}
	code, _ := g.httpStart(request{url: "http://api.test", flags: 1})
	require.Equal(t, abi.CodeUnsupported, code)
	code, _ = g.httpStart(request{url: "http://api.test", headers: []abi.Pair{{Name: "X", Value: strings.Repeat("x", maxHeaderBytes)}}})
	require.Equal(t, abi.CodeTooLarge, code)
}

// TestHTTPRedirects sends the guest around.
func TestHTTPRedirects(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, fmt.Sprintf("%s %s%s auth=%q key=%q cookie=%q ref=%q accept=%q body=%q", r.Method, r.Host[:1], r.URL.Path,
			r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), r.Header.Get("Cookie"), r.Referer(), r.Header.Get("Accept"), body))
		mu.Unlock()
		if to := r.URL.Query().Get("to"); to != "" {
			code := http.StatusFound
			if r.URL.Path == "/keep" {
				code = http.StatusTemporaryRedirect
			}
			w.Header().Set("Location", to)
			w.WriteHeader(code)
			return
		}
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	dns := &fakeDNS{answer: func(name string, _ int) []netip.Addr {
		if name == "meta.test" {
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}}
	a, b := "http://a.test:"+port, "http://b.test:"+port
	g := newGuest(t, Config{HTTP: []string{a, b, "http://meta.test:" + port}, Networks: loopback(), Resolver: dns.resolver()})
	secret := []abi.Pair{{Name: "Authorization", Value: "A"}, {Name: "X-Api-Key", Value: "K"}, {Name: "Cookie", Value: "c=1"}, {Name: "Accept", Value: "x/y"}}
	take := func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { got = nil }()
		return got
	}
	for _, to := range []string{
		"http://127.0.0.1:" + port + "/", "http://169.254.169.254/", "http://meta.test:" + port + "/", "http://c.test:" + port + "/", "https://b.test:" + port + "/", "http://u:p@b.test:" + port + "/",
		"file:///etc/passwd", "//evil.test/", "http://[::ffff:127.0.0.1]:" + port + "/", "http://b.test:1/", "http://localhost:" + port + "/", "gopher://b.test/",
	} {
		code, _, _ := g.fetch(request{url: a + "/?to=" + to, headers: secret})
		require.Contains(t, []abi.Code{abi.CodePermission, abi.CodeUnavailable}, code, to)
		require.Len(t, take(), 1, to)
	}
	full := `auth="A" key="K" cookie="c=1" ref="" accept="x/y" body=""`
	code, _, _ := g.fetch(request{url: a + "/?to=/next", headers: secret})
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, []string{"GET a/ " + full, "GET a/next " + strings.Replace(full, `ref=""`, `ref="`+a+`/?to=/next"`, 1)}, take())

	bare := `auth="" key="" cookie="" ref="" accept="x/y" body=""`
	code, _, _ = g.fetch(request{url: a + "/?to=" + b + "/x", headers: secret})
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, []string{"GET a/ " + full, "GET b/x " + bare}, take())
	code, _, _ = g.fetch(request{url: a + "/?to=" + b + "/?to=" + a + "/back", headers: secret})
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, []string{"GET a/ " + full, "GET b/ " + bare, "GET a/back " + bare}, take(), "credentials do not come back")

	code, _, _ = g.fetch(request{method: "POST", url: a + "/keep?to=/next", body: "B"})
	require.Equal(t, abi.CodeOK, code)
	require.Contains(t, take()[1], `POST a/next`)
	code, _, _ = g.fetch(request{url: a + "/loop"})
	require.Equal(t, abi.CodeUnavailable, code)
	require.Len(t, take(), 1+maxRedirects)
	code, head, _ := g.fetch(request{url: a + "/?to=" + b, flags: flagNoFollow})
	require.Equal(t, abi.CodeOK, code)
	require.EqualValues(t, http.StatusFound, head.code)
	code, head, _ = g.fetch(request{method: "POST", url: a + "/keep?to=" + b, flags: flagStream})
	require.Equal(t, abi.CodeOK, code)
	require.EqualValues(t, http.StatusTemporaryRedirect, head.code)
}

// TestHTTPBadServers has servers that do not behave: the guest is back in time.
func TestHTTPBadServers(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	raw := func(talk func(c net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		go func() { // ends with the listener
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					talk(c)
				}()
			}
		}()
		return "http://" + l.Addr().String()
	}
	drip := func(c net.Conn, text string) {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}
	const ok200 = "HTTP/1.1 200 OK\r\nContent-Type: x\r\n"
	for name, c := range map[string]struct {
		talk func(c net.Conn)
		head abi.Code
		body abi.Code
	}{
		"never answers":        {func(net.Conn) { <-stop }, abi.CodeTimeout, 0},
		"slow loris":           {func(c net.Conn) { io.WriteString(c, ok200); drip(c, "X: y\r\n") }, abi.CodeTimeout, 0},
		"head never ends":      {func(c net.Conn) { io.WriteString(c, ok200); io.Copy(c, endless("X: yyyyyyyyyyyyyyyyy\r\n")) }, abi.CodeUnavailable, 0},
		"body drips":           {func(c net.Conn) { io.WriteString(c, ok200+"\r\n"); drip(c, "b") }, abi.CodeOK, abi.CodeTimeout},
		"body stops":           {func(c net.Conn) { io.WriteString(c, ok200+"Content-Length: 10\r\n\r\nabc"); <-stop }, abi.CodeOK, abi.CodeTimeout},
		"body breaks off":      {func(c net.Conn) { io.WriteString(c, ok200+"Content-Length: 10\r\n\r\nabc") }, abi.CodeOK, abi.CodeUnavailable},
		"body never ends":      {func(c net.Conn) { io.WriteString(c, ok200+"\r\n"); io.Copy(c, endless("bbbbbbbb")) }, abi.CodeOK, abi.CodeTooLarge},
		"closes":               {func(net.Conn) {}, abi.CodeUnavailable, 0},
		"talks something else": {func(c net.Conn) { io.WriteString(c, "+PONG\r\n"); <-stop }, abi.CodeUnavailable, 0},
		"two lengths":          {func(c net.Conn) { io.WriteString(c, ok200+"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab") }, abi.CodeUnavailable, 0},
		"continues for ever":   {func(c net.Conn) { io.Copy(c, endless("HTTP/1.1 100 Continue\r\n\r\n")) }, abi.CodeUnavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			url := raw(func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, 4096))
				c.talk(conn)
			})
			g := newGuest(t, Config{HTTP: []string{url}, Networks: loopback(), HTTPBody: 1 << 16})
			limit := 200 * time.Millisecond
			if c.head != abi.CodeTimeout && c.body != abi.CodeTimeout {
				limit = time.Minute
			}
			code, h := g.httpStart(request{url: url, deadline: limit})
			require.Equal(t, abi.CodeOK, code)
			code, _ = g.httpResponse(h)
			require.Equal(t, c.head, code)
			if code == abi.CodeOK {
				code, _ = g.httpBody(h, 1000)
				require.Equal(t, c.body, code)
			}
		})
	}
}

type endless string

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }

// TestHTTPGivenUp ends the operation, or its caller, while the server is slow.
func TestHTTPGivenUp(t *testing.T) {
	entered, stop := make(chan struct{}), make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	defer close(stop)
	g := newGuest(t, Config{HTTP: []string{s.URL}, Networks: loopback()})
	ctx, cancel := context.WithCancel(context.Background())
	g.begin(ctx, time.Now().Add(time.Hour))
	go func() { // ends when the request arrived
		<-entered
		cancel()
	}()
	code, _, _ := g.fetch(request{url: s.URL})
	require.Equal(t, abi.CodeCancelled, code)
	code, _ = g.httpStart(request{url: s.URL, flags: flagStream})
	require.Equal(t, abi.CodeOK, code)
	g.begin(context.Background(), time.Now().Add(100*time.Millisecond))
	go func() { <-entered }()
	code, _, _ = g.fetch(request{url: s.URL})
	require.Equal(t, abi.CodeTimeout, code)
	require.Len(t, g.state.exchanges.open, 1)
	require.NoError(t, g.state.Close())
	require.Empty(t, g.state.exchanges.open)
}

// TestHTTPNoProxy sets a proxy in the environment: it is not asked.
func TestHTTPNoProxy(t *testing.T) {
	if os.Getenv("HTTP_PROXY") == "" {
		t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "direct") })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	dns := &fakeDNS{answer: func(string, int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} }}
	g := newGuest(t, Config{HTTP: []string{"http://a.test:" + port}, Networks: loopback(), Resolver: dns.resolver()})
	code, _, body := g.fetch(request{url: "http://a.test:" + port})
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, "direct", body)
	require.Nil(t, g.host.web.transport.Proxy)
}

// TestHTTPLimits has handles and bytes used up.
func TestHTTPLimits(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5000)) })
	g := newGuest(t, Config{HTTP: []string{s.URL}, Networks: loopback(), MaxHandles: 2, MaxBytes: 4000})
	_, h := g.httpStart(request{url: s.URL})
	_, _ = g.httpStart(request{url: s.URL})
	code, _ := g.httpStart(request{url: s.URL})
	require.Equal(t, abi.CodeQuota, code)
	code, _ = g.httpResponse(h)
	require.Equal(t, abi.CodeOK, code)
	code, _ = g.httpBody(h, 1000)
	require.Equal(t, abi.CodeQuota, code)
}

// TestHTTPS speaks HTTP/2 to a server whose certificate the operator vouches
// for, and refuses the others.
func TestHTTPS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Proto, " ", n)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it hears of our refusals
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	g := newGuest(t, Config{HTTP: []string{s.URL}, Networks: loopback(), RootCAs: roots})
	code, _, body := g.fetch(request{url: s.URL})
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, "HTTP/2.0 0", body)
	code, h := g.httpStart(request{method: "POST", url: s.URL, flags: flagStream})
	require.Equal(t, abi.CodeOK, code)
	for range 10 {
		code, _ = g.coded("wasmstate_http.write", h, 0, 100_000)
		require.Equal(t, abi.CodeOK, code)
	}
	code, _ = g.httpResponse(h)
	require.Equal(t, abi.CodeOK, code)
	_, body = g.httpBody(h, 100)
	require.Equal(t, "HTTP/2.0 1000000", body)
	strict := newGuest(t, Config{HTTP: []string{s.URL}, Networks: loopback()})
	code, _, _ = strict.fetch(request{url: s.URL})
	require.Equal(t, abi.CodeUnavailable, code)
}

// TestHTTPEarlyAnswer has a server that answers without reading the body.
func TestHTTPEarlyAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) })
	g := newGuest(t, Config{HTTP: []string{s.URL}, Networks: loopback(), MaxBytes: 1 << 40})
	code, h := g.httpStart(request{method: "PUT", url: s.URL, flags: flagStream})
	require.Equal(t, abi.CodeOK, code)
	for code == abi.CodeOK { // ends when nobody reads any more
		code, _ = g.coded("wasmstate_http.write", h, 0, guestMemory)
	}
	require.Equal(t, abi.CodeUnavailable, code)
	code, head := g.httpResponse(h)
	if code == abi.CodeOK { // the connection may break before
		require.EqualValues(t, http.StatusRequestEntityTooLarge, head.code)
	}
}
