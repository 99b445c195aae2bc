package hostfuncs

import (
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"
)

// Level is the severity of a guest's log line.
type Level uint32

// The levels.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// maxLine is the longest log line that is kept, in bytes.
const maxLine = 1 << 10

// logFunctions: log(level, ptr, len) writes a line; enabled(level) -> i32 tells
// whether it is worth making one.
func logFunctions() []function {
	return []function{
		{"log", []api.ValueType{i32, i32, i32}, nil, func(s *State, mem api.Memory, st []uint64) {
			level := min(Level(uint32(st[0])), LevelError)
			if !s.host.logs(level) {
				return // nothing is copied
			}
			n := min(uint64(uint32(st[2])), maxLine+1)
			if b, ok := view(mem, st[1], n); ok {
				s.host.line(level, b)
			}
		}},
		{"enabled", []api.ValueType{i32}, []api.ValueType{i32}, func(s *State, _ api.Memory, st []uint64) {
			on := s.host.logs(min(Level(uint32(st[0])), LevelError))
			st[0] = 0
			if on {
				st[0] = 1
			}
		}},
	}
}

func (h *Host) logs(level Level) bool {
	return h.cfg.Log != nil && (h.cfg.LogEnabled == nil || h.cfg.LogEnabled(level))
}

// line logs one line of a guest, or counts it as dropped if there were too many.
func (h *Host) line(level Level, b []byte) {
	dropped, ok := h.bucket.take(time.Now())
	if !ok {
		return
	}
	if dropped > 0 {
		h.cfg.Log(LevelWarn, "the guest logs too much: "+itoa(dropped)+" lines were dropped")
	}
	h.cfg.Log(level, h.secrets.redact(sanitise(b, maxLine)))
}

// Dropped is the number of log lines that were dropped because there were too
// many.
func (h *Host) Dropped() int64 {
	h.bucket.mu.Lock()
	defer h.bucket.mu.Unlock()
	return h.bucket.total
}

// bucket is a token bucket: rate tokens a second, ten times as many at once.
type bucket struct {
	mu      sync.Mutex
	rate    float64
	tokens  float64
	last    time.Time
	dropped int64 // since the last line that was kept
	total   int64
}

func (b *bucket) init(rate int) { b.rate, b.tokens = float64(rate), float64(rate)*10 }

// take takes a token; dropped is how many found none before.
func (b *bucket) take(now time.Time) (dropped int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.last.IsZero() {
		b.tokens = min(b.rate*10, b.tokens+now.Sub(b.last).Seconds()*b.rate)
	}
	b.last = now
	if b.tokens < 1 {
		b.dropped++
		b.total++
		return 0, false
	}
	b.tokens--
	dropped, b.dropped = b.dropped, 0
	return dropped, true
}

// sanitise makes guest text safe to show: valid UTF-8 without control or
// direction characters, at most limit bytes.
func sanitise(b []byte, limit int) string {
	cut := len(b) > limit
	if cut {
		b = b[:limit]
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		switch {
		case r == '\t' || r == '\n':
			out.WriteByte(' ')
		case r == utf8.RuneError && n == 1, unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			out.WriteByte('?')
		default:
			out.WriteRune(r)
		}
	}
	if cut {
		out.WriteString("…")
	}
	return out.String()
}

func itoa(n int64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}

// redactor knows the secrets that guests have read.
type redactor struct {
	mu     sync.RWMutex
	values []string
}

// minSecret is the shortest secret that is redacted: a shorter one would tear
// up ordinary words.
const minSecret = 4

func newRedactor() *redactor { return &redactor{} }

func (r *redactor) add(value string) {
	if len(value) < minSecret {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.values {
		if v == value {
			return
		}
	}
	r.values = append(r.values, value)
}

func (r *redactor) redact(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, v := range r.values {
		text = strings.ReplaceAll(text, v, "***")
	}
	return text
}
