package hostfuncs

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/internal/text"
)

const (
	maxLine    = 1 << 10 // bytes of a log line
	maxLogText = 4 << 10 // bytes of guest text that are looked at for one; a secret that goes on after them is masked
)

// logLine is log(level, text, text_len).
func logLine(s *State, m api.Memory, p []uint64) {
	level := min(Level(uint32(p[0])), LevelError)
	h := s.host
	if !h.logWanted(level) {
		return
	}
	text, valid := view(m, p[1], p[2])
	if !valid {
		return
	}
	text = text[:min(len(text), maxLogText)]
	if !s.move(len(text)) {
		return
	}
	h.logText(level, text)
}

// logEnabled is enabled(level).
func logEnabled(s *State, _ api.Memory, p []uint64) {
	if s.host.logWanted(min(Level(uint32(p[0])), LevelError)) {
		p[0] = 1
		return
	}
	p[0] = 0
}

func (h *Host) logWanted(level Level) bool {
	return h.cfg.Log != nil && (h.cfg.LogEnabled == nil || h.cfg.LogEnabled(level))
}

// logText logs one line of guest text if the budget allows. Secrets are masked
// before anything is trimmed or cut, so that no half of one remains.
func (h *Host) logText(level Level, line []byte) {
	dropped, allowed := h.log.take(time.Now(), float64(h.cfg.LogRate))
	if !allowed {
		return
	}
	if dropped > 0 {
		h.cfg.Log(LevelWarn, strconv.FormatUint(dropped, 10)+" log lines of the guest were dropped, over "+strconv.Itoa(h.cfg.LogRate)+" per second")
	}
	h.cfg.Log(level, text.Clean(strings.TrimRight(h.Redact(string(line)), "\r\n"), maxLine))
}

// logHost logs what the host wants the operator to know, within the budget.
func (h *Host) logHost(text string) {
	if h.logWanted(LevelWarn) {
		h.logText(LevelWarn, []byte(text))
	}
}

// logBudget is a token bucket: rate lines per second, and as many at once.
type logBudget struct {
	mu      sync.Mutex // guards the fields below
	tokens  float64
	last    time.Time
	dropped uint64 // since the last line that was kept

	total atomic.Uint64 // dropped ever
}

// take reports whether a line may be logged now and how many were dropped
// since the last one.
func (b *logBudget) take(now time.Time, rate float64) (dropped uint64, allowed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last.IsZero() {
		b.tokens = rate
	} else if d := now.Sub(b.last); d > 0 {
		b.tokens = min(rate, b.tokens+d.Seconds()*rate)
	}
	b.last = now
	if b.tokens < 1 {
		b.dropped++
		b.total.Add(1)
		return 0, false
	}
	b.tokens--
	dropped, b.dropped = b.dropped, 0
	return dropped, true
}
