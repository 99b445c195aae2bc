package hostfuncs

import (
	"time"

	"github.com/tetratelabs/wazero/api"
)

// clockNow is now() -> Unix nanoseconds.
func clockNow(s *State, _ api.Memory, p []uint64) { p[0] = s.host.now() }

// clockMonotonic is monotonic() -> nanoseconds since the host was made.
func clockMonotonic(s *State, _ api.Memory, p []uint64) { p[0] = s.host.monotonic() }

func (h *Host) now() uint64 {
	n := time.Now().UnixNano()
	return uint64(n - n%int64(h.cfg.ClockResolution))
}

// monotonic starts one resolution after zero, which some guests take for unset.
func (h *Host) monotonic() uint64 {
	n := time.Since(h.start) + h.cfg.ClockResolution
	return uint64(n - n%h.cfg.ClockResolution)
}
