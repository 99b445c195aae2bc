package hostfuncs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// Flags of an HTTP request record.
const (
	flagStream   = 1 << 2 // the body follows by write
	flagNoFollow = 1 << 3 // redirects are responses
)

const (
	maxURL          = 8 << 10
	maxRedirects    = 3
	maxResponseHead = 64 << 10
)

// web is what the instances of a component share: the rules and connections.
type web struct {
	host      *Host
	rules     []HTTPRule
	transport *http.Transport
}

func newWeb(h *Host, rules []HTTPRule) *web {
	return &web{host: h, rules: rules, transport: &http.Transport{
		Proxy:                  nil, // the environment is the operator's, not the guest's
		DialContext:            h.dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: h.cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // bytes are the guest's, and bombs stay packed
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        64,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxResponseHead,
	}}
}

// allowed returns an error unless a rule covers the request. It writes the host
// of u in its canonical form, so that what was judged is what is asked for.
func (w *web) allowed(method string, u *url.URL) error {
	host, port := canonicalHost(u.Hostname()), u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	if u.User == nil && u.Opaque == "" && plainHost(host) && plainQuery(u.RawQuery) {
		for i := range w.rules {
			if w.rules[i].allows(method, u, host, port) {
				u.Host = hostPort(u.Scheme, host, port)
				return nil
			}
		}
	}
	w.host.logHost("the guest was kept from " + w.host.Clean(method+" "+u.Scheme+"://"+u.Host, 300) + ", which its sandbox does not grant; add it to http to allow it")
	return abi.NewError(abi.CodePermission, "the request is not granted")
}

// exchange is one request and its response.
type exchange struct {
	web    *web
	req    *http.Request
	cancel context.CancelFunc
	follow bool

	body *io.PipeWriter // of a streamed request, until its end
	done chan struct{}  // closed when the goroutine of a streamed request ended; nil = none

	sent  bool
	resp  *http.Response // set with err when sent, and done if any, are
	err   error
	reply reply
	moved int64 // bytes of the response's body
}

// httpStart is start(req, req_len).
func httpStart(s *State, m api.Memory, p []uint64) uint64 {
	rec, valid := view(m, p[0], p[1])
	if !valid {
		return fail(abi.CodeInvalidArgument)
	}
	if !s.move(len(rec)) {
		return fail(abi.CodeQuota)
	}
	x, err := s.newExchange(rec)
	if err != nil {
		return failWith(err)
	}
	return s.exchanges.add(x, s.host.cfg.MaxHandles)
}

func (s *State) newExchange(rec []byte) (*exchange, error) {
	v, valid := abi.ParseRequest(rec, 0)
	switch {
	case !valid || len(v.Key) > maxURL:
		return nil, errBadRecord
	case v.Flags&must&^(flagStream|flagNoFollow) != 0:
		return nil, errBadFlags
	case v.Flags&flagStream != 0 && len(v.Value) > 0:
		return nil, errBadRecord
	case int64(len(v.Value)) > s.host.cfg.HTTPBody:
		return nil, abi.NewError(abi.CodeTooLarge, "the body is too large, stream it")
	}
	if held := s.heldBodies(); held+int64(len(v.Value)) > max(abi.MaxBuffer, s.host.cfg.HTTPBody) {
		return nil, abi.NewError(abi.CodeQuota, "the bodies of the open requests are too large together, stream them")
	}
	method := "GET"
	if len(v.ETag) > maxMethod {
		return nil, abi.NewError(abi.CodeInvalidArgument, "the method is not one that guests may use")
	}
	if len(v.ETag) > 0 {
		method = string(v.ETag)
	}
	if !slices.Contains(guestMethods(), method) {
		return nil, abi.NewError(abi.CodeInvalidArgument, "the method is not one that guests may use")
	}
	u, err := url.Parse(string(v.Key))
	if err != nil || u.Host == "" {
		return nil, errBadRecord
	}
	w := s.host.web
	if err := w.allowed(method, u); err != nil {
		return nil, err
	}
	header, err := requestHeader(v.ContentType, v.Metadata)
	if err != nil {
		return nil, err
	}
	x := &exchange{web: w, follow: v.Flags&(flagNoFollow|flagStream) == 0}
	limit := s.host.cfg.HTTPTime
	if v.Deadline > 0 && v.Deadline < uint64(limit/time.Millisecond) {
		limit = time.Duration(v.Deadline) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(s.op, limit)
	u.Fragment, u.RawFragment = "", ""
	// The parsed address is what was judged, so it is what is used.
	req := &http.Request{Method: method, URL: u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if len(v.Value) > 0 {
		body := bytes.Clone(v.Value) // the transport may read it after the guest went on
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
	}
	x.req, x.cancel = req.WithContext(ctx), cancel
	if v.Flags&flagStream != 0 {
		x.stream(ctx)
	}
	return x, nil
}

// heldBodies is what the bodies of the instance's open exchanges take.
func (s *State) heldBodies() int64 {
	n := int64(0)
	for _, x := range s.exchanges.open {
		n += max(0, x.req.ContentLength)
	}
	return n
}

// stream starts the request with a body that is still to come. close ends the
// goroutine and waits for it.
func (x *exchange) stream(ctx context.Context) {
	r, w := io.Pipe()
	x.body, x.done, x.sent = w, make(chan struct{}), true
	x.req.Body = r
	x.req.ContentLength = -1
	stop := context.AfterFunc(ctx, func() { _ = r.CloseWithError(ctx.Err()) })
	go func() {
		defer close(x.done)
		x.send()
		stop()
		_ = r.CloseWithError(io.ErrClosedPipe) // nobody reads any more
	}()
}

// send does the exchange up to the head of the response.
func (x *exchange) send() {
	client := http.Client{Transport: x.web.transport, CheckRedirect: x.redirect}
	x.resp, x.err = client.Do(x.req)   //nolint:bodyclose // the handle closes it
	if x.err != nil && x.resp != nil { // a redirect that was refused
		_ = x.resp.Body.Close()
		x.resp = nil
	}
}

// redirect judges the next hop. via are the requests made so far.
func (x *exchange) redirect(next *http.Request, via []*http.Request) error {
	if !x.follow {
		return http.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		return abi.NewError(abi.CodeUnavailable, "too many redirects")
	}
	if err := x.web.allowed(next.Method, next.URL); err != nil {
		return err
	}
	for _, before := range via {
		if !sameOrigin(before.URL, next.URL) { // at this hop or an earlier one
			keepHarmless(next.Header)
			break
		}
	}
	return nil
}

// hostPort is the host of a URL; the port of the scheme is left out.
func hostPort(scheme, host, port string) string {
	switch {
	case port != defaultPort(scheme):
		return net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}

func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return defaultPort(u.Scheme)
	}
	return a.Scheme == b.Scheme && canonicalHost(a.Hostname()) == canonicalHost(b.Hostname()) && port(a) == port(b)
}

// head sends what is not yet sent and waits for the head of the response.
func (x *exchange) head() error {
	switch {
	case !x.sent:
		x.sent = true
		x.send()
		x.reply.http(x.resp)
	case x.done != nil:
		_ = x.body.Close()
		<-x.done // ends with the context
		x.done = nil
		x.reply.http(x.resp)
	}
	return x.err
}

// code is the code of an error of the exchange.
func (x *exchange) code(err error) abi.Code {
	var e *abi.Error
	var n net.Error
	switch {
	case errors.As(err, &e):
		return codeOf(err)
	case x.req.Context().Err() != nil:
		return codeOf(x.req.Context().Err())
	case errors.As(err, &n) && n.Timeout():
		return abi.CodeTimeout
	}
	return abi.CodeUnavailable
}

func (x *exchange) close() {
	x.cancel()
	if x.done != nil {
		<-x.done
	}
	if x.resp != nil {
		_ = x.resp.Body.Close()
	}
}

// httpWrite is write(handle, data, data_len).
func httpWrite(s *State, m api.Memory, p []uint64) uint64 {
	x, open := s.exchanges.get(p[0])
	data, valid := view(m, p[1], p[2])
	if !open || !valid || x.body == nil {
		return fail(abi.CodeInvalidArgument)
	}
	if !s.move(len(data)) {
		return fail(abi.CodeQuota)
	}
	n, err := x.body.Write(data) // returns when the bytes were copied or the exchange ended
	if err != nil {
		if cause := x.req.Context().Err(); cause != nil {
			err = cause
		}
		return pack(x.code(err), n)
	}
	return success(uint64(n))
}

// httpResponse is response(handle, out, out_cap).
func httpResponse(s *State, m api.Memory, p []uint64) uint64 {
	x, open := s.exchanges.get(p[0])
	out, valid := view(m, p[1], p[2])
	if !open || !valid {
		return fail(abi.CodeInvalidArgument)
	}
	if err := x.head(); err != nil {
		return fail(x.code(err))
	}
	return s.deliver(&x.reply, out, uint32(p[1]))
}

// httpRead is read(handle, out, out_cap).
func httpRead(s *State, m api.Memory, p []uint64) uint64 {
	x, open := s.exchanges.get(p[0])
	out, valid := view(m, p[1], p[2])
	if !open || !valid || x.resp == nil || x.done != nil {
		return fail(abi.CodeInvalidArgument)
	}
	limit := s.host.cfg.HTTPBody
	out = out[:min(int64(len(out)), limit-x.moved+1)] // one more tells whether it is too long
	if len(out) == 0 {
		return success(0)
	}
	if s.room() == 0 {
		return fail(abi.CodeQuota)
	}
	out = out[:min(int64(len(out)), s.room())]
	n, err := readSome(x.resp.Body, out)
	x.moved += int64(n)
	s.spend(uint64(n))
	switch {
	case x.moved > limit:
		return fail(abi.CodeTooLarge)
	case n > 0 || errors.Is(err, io.EOF): // an error comes again
		return success(uint64(n))
	}
	return fail(x.code(err))
}

// readSome reads at least one byte unless there is an error.
func readSome(r io.Reader, out []byte) (int, error) {
	for {
		n, err := r.Read(out)
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// httpClose is close(handle).
func httpClose(s *State, _ api.Memory, p []uint64) uint64 { return s.exchanges.close(p[0]) }
