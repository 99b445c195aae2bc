package hostfuncs

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// canonicalPath is the path of u decoded, if every server takes it for that
// path, whichever way it decodes, cleans and splits it. Everything else cannot
// be judged and is refused: a list of bad spellings would never be complete.
//
//   - After one decoding no "%" may be left, so that a second one finds nothing;
//     a path with a real percent sign is refused with the rest.
//   - Decoding must not make a slash, nor anything that ends or cuts a path: ? # ; \
//   - It is UTF-8 in its shortest form, without characters that are not seen and
//     without those that a normalisation of Unicode turns into the ones above.
//   - No segment is empty, except a last one, or made of dots and spaces.
func canonicalPath(u *url.URL) (string, bool) {
	escaped := u.EscapedPath() // what is sent
	path, err := url.PathUnescape(escaped)
	if err != nil || strings.Count(path, "/") != strings.Count(escaped, "/") || !utf8.ValidString(path) || !plainPath(path) {
		return "", false
	}
	return path, true
}

// plainPath judges a path that is decoded.
func plainPath(path string) bool {
	for _, r := range path {
		if strings.ContainsRune("%?#;\\", r) || lookalike(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return false
		}
	}
	below, rooted := strings.CutPrefix(path, "/")
	if !rooted && path != "" {
		return false
	}
	for below != "" { // an empty last segment is fine
		segment, rest, _ := strings.Cut(below, "/")
		if strings.TrimFunc(segment, func(r rune) bool { return r == '.' || unicode.IsSpace(r) }) == "" {
			return false
		}
		below = rest
	}
	return true
}

// lookalike reports whether Unicode's compatibility form of r (NFKC), or a
// server that works in an older character set, makes a dot, a slash or another
// of the characters above of it, or a text with one.
func lookalike(r rune) bool {
	switch {
	case r == 0xa5, r == 0x37e, r >= 0x2024 && r <= 0x2026, r == 0x2044, r >= 0x2047 && r <= 0x2049, r == 0x20a9,
		r >= 0x2100 && r <= 0x2101, r >= 0x2105 && r <= 0x2106, r == 0x2215, r >= 0x2488 && r <= 0x249b, r == 0x29f5,
		r == 0x29f8, r == 0x33c2, r == 0x33c7, r == 0x33d8, r == 0xfe14, r == 0xfe16, r == 0xfe19, r == 0xfe30,
		r == 0xfe52, r == 0xfe54, r == 0xfe56, r == 0xfe5f, r == 0xfe68, r == 0xfe6a, r == 0xff03, r == 0xff05,
		r >= 0xff0e && r <= 0xff0f, r == 0xff1b, r == 0xff1f, r == 0xff3c, r == 0x1f100:
		return true
	}
	return false
}
