package text

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// form is a text that gives a secret away.
type form struct {
	text   string
	base64 bool // the bits of its end may reach into the next character
}

// appendForms appends the forms of a secret, each of MinSecret bytes or more.
func appendForms(forms []form, secret string) []form {
	add := func(s string, isBase64 bool) {
		if len(s) >= MinSecret {
			forms = append(forms, form{s, isBase64})
		}
	}
	add(secret, false)
	trimmed := strings.TrimSpace(secret)
	if len(trimmed) < MinSecret {
		return forms
	}
	add(trimmed, false)
	if strings.ContainsAny(trimmed, "\r\n") {
		for line := range strings.FieldsFuncSeq(trimmed, func(r rune) bool { return r == '\r' || r == '\n' }) {
			add(strings.TrimSpace(line), false)
		}
	}
	add(hex.EncodeToString([]byte(trimmed)), false)
	add(strings.ToUpper(hex.EncodeToString([]byte(trimmed))), false)
	// In base64 three bytes make four characters, so that a value looks in
	// three ways. before is how many bytes of others share its first group; the
	// characters that they have a part in, and a last one that is not full, are
	// left out.
	//
	//	bytes       | x . . | . . . |
	//	characters  | x x . . | . . . . |
	for before := range 3 {
		b := append(make([]byte, before), trimmed...)
		from, to := (8*before+5)/6, 8*len(b)/6
		add(base64.RawStdEncoding.EncodeToString(b)[from:to], true)
		add(base64.RawURLEncoding.EncodeToString(b)[from:to], true)
	}
	return forms
}

// matchAt returns where the form that begins at text[i:], written in a way,
// ends; 0 if it is not there. At a cut its beginning is enough.
func (f form) matchAt(text string, i int, w writing, cut bool) int {
	partial := func(matched int) int { // the text is over
		if !cut || matched < MinPart {
			return 0
		}
		return len(text)
	}
	if w == plain {
		n := min(len(f.text), len(text)-i)
		switch {
		case text[i:i+n] != f.text[:n]:
			return 0
		case n < len(f.text):
			return partial(n)
		}
		i += n
	} else {
		for j := 0; j < len(f.text); {
			if i == len(text) {
				return partial(j)
			}
			u := w.unit(text[i:])
			if u.size == 0 {
				return partial(j)
			}
			if n := min(u.n, len(f.text)-j); string(u.bytes[:n]) != f.text[j:j+n] &&
				!(w == percent && text[i] == '+' && f.text[j] == ' ') {
				return 0
			}
			i, j = i+u.size, j+u.n
		}
	}
	if f.base64 {
		if i < len(text) && isBase64(text[i]) {
			i++
		}
		for n := 0; n < 2 && i < len(text) && text[i] == '='; n++ {
			i++
		}
	}
	return i
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

// writing is a way to write bytes in text.
type writing uint8

const (
	plain   writing = iota
	escaped         // with a backslash, as in JSON and in the source of programs
	percent         // as in a URL
)

// unit is one byte or character as it stands for itself or is written in size
// bytes of text. A size of 0 is an escape of which the end is missing.
type unit struct {
	bytes   [utf8.UTFMax]byte
	n, size int
}

func byteUnit(b byte, size int) unit { return unit{bytes: [utf8.UTFMax]byte{b}, n: 1, size: size} }

// unit reads what text begins with. What is no escape stands for itself.
func (w writing) unit(text string) unit {
	switch {
	case w == percent && text[0] == '%':
		if len(text) < 3 {
			return unit{}
		}
		if b, ok := hexDigits(text[1:3]); ok {
			return byteUnit(byte(b), 3)
		}
	case w == escaped && text[0] == '\\':
		return backslash(text)
	}
	return byteUnit(text[0], 1)
}

// beginning returns the first bytes that text stands for, up to n, which is 4 or
// more unless the text ends or goes on with a "+", which may be two things.
func (w writing) beginning(text string) (key [2 * utf8.UTFMax]byte, n int) {
	for i := 0; i < len(text) && n < MinSecret; {
		if w == percent && text[i] == '+' && i > 0 {
			break
		}
		u := w.unit(text[i:])
		if u.size == 0 {
			break
		}
		n += copy(key[n:], u.bytes[:u.n])
		i += u.size
		if w == percent && text[i-u.size] == '+' {
			break
		}
	}
	return key, n
}

func backslash(text string) unit {
	if len(text) < 2 {
		return unit{}
	}
	const names, values = `abfnrtv"'\/`, "\a\b\f\n\r\t\v\"'\\/"
	if i := strings.IndexByte(names, text[1]); i >= 0 {
		return byteUnit(values[i], 2)
	}
	digits := 4
	switch text[1] {
	case 'x':
		digits = 2
	case 'u':
	case 'U':
		digits = 8
	default:
		return byteUnit(text[0], 1)
	}
	r, ok := hexAfter(text, digits)
	switch {
	case len(text) < 2+digits:
		return unit{}
	case !ok:
		return byteUnit(text[0], 1)
	case digits == 2:
		return byteUnit(byte(r), 4)
	}
	size := 2 + digits
	if rest := text[size:]; utf16.IsSurrogate(r) && strings.HasPrefix(rest, `\u`) {
		if low, ok := hexAfter(rest, 4); ok {
			r, size = utf16.DecodeRune(r, low), size+6
		}
	}
	u := unit{size: size}
	u.n = utf8.EncodeRune(u.bytes[:], r)
	return u
}

// hexAfter reads the digits after a backslash and a letter.
func hexAfter(text string, digits int) (rune, bool) {
	if len(text) < 2+digits {
		return 0, false
	}
	return hexDigits(text[2 : 2+digits])
}

// hexDigits is strconv.ParseUint without its error, which would allocate.
func hexDigits(digits string) (v rune, ok bool) {
	for i := range len(digits) {
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
