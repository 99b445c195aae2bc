package text

import (
	"strconv"
	"unicode/utf8"
)

const dots = "…"

// Clean makes text fit for logs, terminals and errors: valid UTF-8 of at most
// limit bytes in which nothing is hidden. Control characters, line separators,
// and marks that are not seen or change the direction of text are written as in
// a Go string (\n, \x1b, \u202e); bytes that are not UTF-8 become U+FFFD. Text
// that is longer ends in "…", within limit; a limit below 3 leaves no room for
// it. Work is bounded by limit, not by the length of text. It allocates only if
// it changes something.
func Clean(text string, limit int) string {
	plain := len(text) <= limit
	for i := 0; plain && i < len(text); i++ {
		plain = text[i] >= ' ' && text[i] < 0x7f
	}
	if plain {
		return text
	}
	var b []byte
	cut := 0 // the last place where the dots would fit
	for len(text) > 0 && len(b) <= limit {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			b = utf8.AppendRune(b, utf8.RuneError)
		case hidden(r):
			q := strconv.QuoteRuneToASCII(r)
			b = append(b, q[1:len(q)-1]...)
		default:
			b = append(b, text[:n]...)
		}
		text = text[n:]
		if len(b) <= limit-len(dots) {
			cut = len(b)
		}
	}
	switch {
	case len(b) <= limit && len(text) == 0:
		return string(b)
	case limit < len(dots):
		return ""
	}
	return string(append(b[:cut], dots...))
}

// Clip is the first limit bytes of text, and "…" if there are more: for what an
// error repeats of somebody's input. Unlike [Clean] it looks at no character.
func Clip[T string | []byte](text T, limit int) string {
	if len(text) <= limit {
		return string(text)
	}
	return string(text[:limit]) + dots
}

// hidden reports whether a rune must not reach a terminal as it is.
func hidden(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0: // controls
	case r == 0x2028, r == 0x2029: // line and paragraph separator
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // direction
	case r == 0x00ad, r == 0x180e, r == 0x200b, r >= 0x2060 && r <= 0x2064, r >= 0x206a && r <= 0x206f, r == 0xfeff: // not seen
	case r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe007f: // annotations and tags
	default:
		return false
	}
	return true
}
