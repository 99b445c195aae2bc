package text

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// Mask stands where a secret was.
	Mask = "[redacted]"
	// MinSecret is the length in bytes of the shortest secret that is looked
	// for: to mask shorter ones would make ordinary text unreadable.
	MinSecret = 4
	// MinPart is the length in bytes of the shortest beginning of a secret that
	// is masked where the text ends.
	MinPart = 8

	maxSecrets     = 1024    // secrets known, so that rotating ones cannot grow the list for ever
	maxSecretBytes = 1 << 20 // of them together, unless one alone is larger
)

// Redactor masks a list of secrets in text. It does not change: [Redactor.With]
// returns another one. Nil knows no secrets. Safe for concurrent use.
type Redactor struct {
	secrets []string // as given, oldest first
	known   map[string]bool
	forms   []form     // sorted by text
	start   [257]int32 // forms that begin with byte b are forms[start[b]:start[b+1]]
}

// NewRedactor returns a redactor that knows secrets. Those shorter than
// [MinSecret] are left out; if none remains, it is nil.
func NewRedactor(secrets ...string) *Redactor {
	var r *Redactor
	return r.With(secrets...)
}

// With returns a redactor that knows secrets as well: r itself if all are known
// already. Of more than 1,024 secrets, or 1 MiB of them, the oldest are
// forgotten.
func (r *Redactor) With(secrets ...string) *Redactor {
	var all []string
	known := map[string]bool{}
	if r != nil {
		all, known = r.secrets, r.known
	}
	fresh := make([]string, 0, len(secrets))
	for _, s := range secrets {
		if len(s) >= MinSecret && !known[s] && !slices.Contains(fresh, s) {
			fresh = append(fresh, strings.Clone(s))
		}
	}
	if len(fresh) == 0 {
		return r
	}
	all = slices.Concat(all, fresh)
	first, size := len(all), 0
	for first > 0 && len(all)-first < maxSecrets && (first == len(all) || size+len(all[first-1]) <= maxSecretBytes) {
		first--
		size += len(all[first])
	}
	out := &Redactor{secrets: all[first:], known: map[string]bool{}}
	for _, s := range out.secrets {
		out.known[s] = true
		out.forms = appendForms(out.forms, s)
	}
	slices.SortFunc(out.forms, func(a, b form) int { return cmp.Compare(a.text, b.text) })
	out.forms = slices.CompactFunc(out.forms, func(a, b form) bool { return a.text == b.text })
	for b, i := 0, 0; b < 256; b++ {
		for i < len(out.forms) && out.forms[i].text[0] == byte(b) {
			i++
		}
		out.start[b+1] = int32(i)
	}
	return out
}

// Redact replaces every secret in text by [Mask]. text must be as it was
// written: nothing escaped, trimmed or split before. What counts as a secret is
//
//   - a value that was given, with and without white space around it;
//   - each of its lines of [MinSecret] bytes or more, without white space
//     around them;
//   - all of these escaped as in JSON or in a URL; and the value in base64 of
//     both alphabets, wherever it lies in what was encoded, and in hexadecimal;
//   - the beginning of any of these, of [MinPart] bytes or more, at the end of
//     text, which may have been cut there.
//
// Matches that overlap become one mask, so that none leaves the rest of
// another. Without a match, text itself is returned and nothing is allocated.
func (r *Redactor) Redact(text string) string {
	spans := r.find(text, true)
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out strings.Builder
	done := 0
	for i := 0; i < len(spans); {
		s := spans[i]
		for i++; i < len(spans) && spans[i].from < s.to; i++ {
			s.to = max(s.to, spans[i].to)
		}
		out.WriteString(text[done:s.from])
		out.WriteString(Mask)
		done = s.to
	}
	out.WriteString(text[done:])
	return out.String()
}

// Clean is what text of a guest goes through on its way to people: secrets are
// masked, then it is made harmless and cut to limit bytes as [Clean] does.
func (r *Redactor) Clean(text string, limit int) string { return Clean(r.Redact(text), limit) }

// Holds reports whether there is a whole secret in text, in any of the ways that
// Redact knows.
func (r *Redactor) Holds(text string) bool { return len(r.find(text, false)) > 0 }

// EndsInside reports whether text, of which the rest comes later, ends within a
// secret: its last bytes, of [MinSecret] or more, begin one that is not escaped.
func (r *Redactor) EndsInside(text string) bool {
	if r == nil {
		return false
	}
	for i := range max(0, len(text)-MinSecret+1) {
		for _, f := range r.formsFrom(text[i:]) {
			if !strings.HasPrefix(f.text, text[i:]) {
				break
			}
			if len(f.text) > len(text)-i {
				return true
			}
		}
	}
	return false
}

// span is a part of a text that is masked.
type span struct{ from, to int }

// find returns where secrets are in text, or only begin if its end may be a cut.
func (r *Redactor) find(text string, cut bool) (spans []span) {
	if r == nil || len(text) < MinSecret {
		return nil
	}
	spans = r.findIn(spans, text, plain, cut)
	if strings.IndexByte(text, '\\') >= 0 {
		spans = r.findIn(spans, text, escaped, cut)
	}
	if strings.IndexByte(text, '%') >= 0 || strings.IndexByte(text, '+') >= 0 {
		spans = r.findIn(spans, text, percent, cut)
	}
	return spans
}

// findIn appends where forms are in text, written in a way.
func (r *Redactor) findIn(spans []span, text string, w writing, cut bool) []span {
	for i := range len(text) {
		if w == plain {
			spans = r.findAt(spans, text, i, text[i:min(i+MinSecret, len(text))], w, cut)
			continue
		}
		key, n := w.beginning(text[i:])
		if n == 0 {
			continue // half an escape is left
		}
		if w == percent && text[i] == '+' {
			spans = r.findAt(spans, text, i, " ", w, cut)
		}
		spans = r.findAt(spans, text, i, string(key[:n]), w, cut)
	}
	return spans
}

// findAt appends the longest match at text[i:] of forms that begin with key.
func (r *Redactor) findAt(spans []span, text string, i int, key string, w writing, cut bool) []span {
	end := 0
	for _, f := range r.formsFrom(key) {
		if !strings.HasPrefix(f.text, key) {
			break
		}
		end = max(end, f.matchAt(text, i, w, cut))
	}
	if end > 0 {
		spans = append(spans, span{i, end})
	}
	return spans
}

// formsFrom returns the forms with the first byte of key that do not sort before
// key. Those that begin with key come first: many secrets may share a beginning,
// such as the lines of a file, and each place of a text looks at its own only.
func (r *Redactor) formsFrom(key string) []form {
	forms := r.forms[r.start[key[0]]:r.start[int(key[0])+1]]
	low, high := 0, len(forms)
	for low < high {
		if mid := int(uint(low+high) / 2); forms[mid].text < key {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return forms[low:]
}
