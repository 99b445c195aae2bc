package hostfuncs

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	redacted = "[redacted]"
	// minSecret is the shortest value that is looked for: shorter ones would
	// make ordinary text unreadable, and are not secret anyway.
	minSecret = 4
	maxKnown  = 1024 // values kept, so that rotating secrets cannot grow the list for ever
)

// redactor replaces known secrets in text. Safe for concurrent use.
type redactor struct {
	mu       sync.Mutex // guards known and serialises changes
	known    []string   // oldest first
	replacer atomic.Pointer[strings.Replacer]
}

func (r *redactor) add(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := false
	for _, v := range values {
		if len(v) >= minSecret && !slices.Contains(r.known, v) {
			r.known, changed = append(r.known, v), true
		}
	}
	if !changed {
		return
	}
	if n := len(r.known) - maxKnown; n > 0 {
		r.known = slices.Delete(r.known, 0, n)
	}
	longest := slices.Clone(r.known)
	slices.SortStableFunc(longest, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(longest))
	for _, v := range longest {
		pairs = append(pairs, v, redacted)
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

func (r *redactor) replace(text string) string {
	if rep := r.replacer.Load(); rep != nil {
		return rep.Replace(text)
	}
	return text
}
