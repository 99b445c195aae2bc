package httpapi

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Pace is how slow a client may be. Whoever sends a body, or takes an answer,
// holds memory of the server meanwhile.
type Pace struct {
	Grace time.Duration // for which nothing need come or go; 0 = 5 s
	Rate  int64         // bytes per second after it; 0 = 1024
}

func (p Pace) withDefaults() Pace {
	if p.Grace <= 0 {
		p.Grace = 5 * time.Second
	}
	if p.Rate <= 0 {
		p.Rate = 1 << 10
	}
	return p
}

// least is how many bytes have to come in one stretch of Grace, of any length.
func (p Pace) least() int64 { return int64(float64(p.Rate) * p.Grace.Seconds()) }

var errTooSlow = errors.New("the client is too slow")

// paced is the body of a request that must keep pace: in each stretch of Grace
// Rate x Grace bytes have to come, or the rest of the body.
func (s *server) paced(w http.ResponseWriter, r *http.Request) io.Reader {
	if r.ContentLength >= 0 && r.ContentLength <= small {
		// It comes with the head, or within one stretch.
		if r.ContentLength > 0 && r.ProtoMajor == 1 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.Pace.Grace + small/1024*time.Second))
		}
		return r.Body
	}
	return &pacedBody{body: r.Body, rc: http.NewResponseController(w), pace: s.cfg.Pace}
}

// small is the size of a body or answer that is not worth watching: the
// kernel's buffers hold it.
const small = 4 << 10

type pacedBody struct {
	body  io.Reader
	rc    *http.ResponseController
	pace  Pace
	until time.Time // end of the present stretch
	came  int64     // in it
}

func (b *pacedBody) Read(p []byte) (int, error) {
	now := time.Now()
	if now.After(b.until) {
		if !b.until.IsZero() && b.came < b.pace.least() {
			return 0, errTooSlow
		}
		b.until, b.came = now.Add(b.pace.Grace), 0
		_ = b.rc.SetReadDeadline(b.until.Add(time.Second)) // the reads of a stretch end with it
	}
	n, err := b.body.Read(p)
	b.came += int64(n)
	return n, err
}

// answer writes a value whose headers are set.
func (s *server) answer(w http.ResponseWriter, value []byte) {
	if len(value) <= small {
		_, _ = w.Write(value)
		return
	}
	_, _ = s.slow(w).Write(value)
}

// slow is the answer to a client that must take it at a pace.
func (s *server) slow(w http.ResponseWriter) io.Writer {
	return &pacedAnswer{w: w, rc: http.NewResponseController(w), pace: s.cfg.Pace}
}

type pacedAnswer struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	pace Pace
}

// piece is how much is written under one deadline.
const piece = 32 << 10

// Write implements io.Writer.
func (a *pacedAnswer) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		part := p[:min(len(p), piece)]
		_ = a.rc.SetWriteDeadline(time.Now().Add(a.pace.Grace + time.Duration(int64(len(part))/a.pace.Rate)*time.Second))
		var m int
		m, err = a.w.Write(part)
		n += m
		p = p[m:]
	}
	return n, err
}
