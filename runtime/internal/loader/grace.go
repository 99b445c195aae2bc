package loader

import (
	"fmt"
	"time"
)

// DefaultGrace is how long a document must be missing before its component goes.
const DefaultGrace = 3 * time.Second

// graces remembers since when things that were there are missing: files are
// deleted and written again by editors, deploy tools and version control, and
// what they hold must not go meanwhile.
//
//	there ── missing ──> leaving ── still missing after the grace ──> gone
//	  ^                     │
//	  └───── there again ───┘
type graces struct {
	grace   time.Duration // < 0 = none
	missing map[string]time.Time
	asked   map[string]bool // in this reading
	next    time.Time       // when the first of them is over; zero = none is missing
}

// begin starts a reading.
func (g *graces) begin() {
	g.asked, g.next = map[string]bool{}, time.Time{}
}

// end forgets what was not missing in this reading.
func (g *graces) end() {
	for name := range g.missing {
		if !g.asked[name] {
			delete(g.missing, name)
		}
	}
}

// leaving reports whether what is missing stays for now, and until when.
func (g *graces) leaving(name string) (until time.Time, stays bool) {
	if g.grace < 0 {
		return time.Time{}, false
	}
	since, ok := g.missing[name]
	if !ok {
		since = time.Now()
		if g.missing == nil {
			g.missing = map[string]time.Time{}
		}
		g.missing[name] = since
	}
	g.asked[name] = true
	until = since.Add(g.grace)
	if !time.Now().Before(until) {
		return time.Time{}, false
	}
	if g.next.IsZero() || until.Before(g.next) {
		g.next = until
	}
	return until, true
}

// LeavingError says of a component that serves that its document is gone and
// how long it stays.
type LeavingError struct {
	File  string
	Until time.Time
}

// Error tells the time that is left at the moment.
func (e *LeavingError) Error() string {
	return fmt.Sprintf("its document is gone from %s: leaving in %.1fs unless it comes back", e.File, max(0, time.Until(e.Until).Seconds()))
}
