package text

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n"

func TestRedact(t *testing.T) {
	for _, tc := range []struct {
		text    string
		secrets []string
		want    string
	}{
		{"log in as abcdefgh", []string{"abcd", "abcdefgh"}, "log in as [redacted]"},
		{"nothing is secret", []string{"", "", "x"}, "nothing is secret"},
		{"hunter2 hunter2", []string{"hunter2"}, "[redacted] [redacted]"},
		{"hunter2hunter2", []string{"hunter2"}, "[redacted][redacted]"},
		{"fine", nil, "fine"},
		{"1abcdefghij2", []string{"abcdef", "defghij"}, "1[redacted]2"},                    // they overlap
		{"ababab.", []string{"abab"}, "[redacted]."},                                       // with itself
		{"password=hunter2", []string{"hunter2\n"}, "password=[redacted]"},                 // trimmed
		{"a\nb pass-word c", []string{"user-name\r\n pass-word\r\n"}, "a\nb [redacted] c"}, // a line
		{"key: " + pem, []string{pem}, "key: [redacted]"},
		{"abc", []string{"abc"}, "abc"},
		{"it ends: 01234567", []string{"0123456789abcdef"}, "it ends: [redacted]"}, // cut
		{"it ends: 0123456", []string{"0123456789abcdef"}, "it ends: 0123456"},
		{"01234567 goes on", []string{"0123456789abcdef"}, "01234567 goes on"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("joe:hunter2")), []string{"hunter2"}, "Basic am9lOm[redacted]"},
	} {
		require.Equal(t, tc.want, NewRedactor(tc.secrets...).Redact(tc.text), tc.text)
	}
	r := NewRedactor("hunter22")
	require.Same(t, r, r.With("hunter22", "x"))
	require.Nil(t, NewRedactor("x"))
	require.True(t, r.Holds("a hunter22"))
	require.True(t, r.EndsInside("a hunt"))
	require.False(t, r.EndsInside("a hun"))
	require.False(t, r.EndsInside("a hunter22"))
	require.False(t, r.Holds("a hunter"))
	require.False(t, NewRedactor("postgres://joe:hunter2@db").Holds("postgres"), "a name is not cut")
	require.Equal(t, "a [redacted] b", r.With("other").Redact("a hunter22 b"))
}

// TestCleanInOrder has secrets that would be broken by escaping or cutting first.
func TestCleanInOrder(t *testing.T) {
	r := NewRedactor("line one\nline two\x00", strings.Repeat("s3cr3t", 50))
	require.Equal(t, "a [redacted] b", r.Clean("a line one\nline two\x00 b", 100))
	require.NotContains(t, r.Clean("........"+strings.Repeat("s3cr3t", 50), 20), "s3c")
	require.Equal(t, `plain\n`, r.Clean("plain\n", 20))
	var none *Redactor
	require.Equal(t, `plain\n`, none.Clean("plain\n", 20))
}

// writings are ways in which a value gets into a text, other than as it is.
func writings(secret, before, after string) []string {
	wrapped := []byte(before + secret + after)
	out := []string{
		url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString(wrapped), fmt.Sprintf("%X", wrapped), strconv.Quote(secret), strconv.QuoteToASCII(secret),
		base64.StdEncoding.EncodeToString(wrapped), base64.RawURLEncoding.EncodeToString(wrapped),
		url.QueryEscape(base64.StdEncoding.EncodeToString(wrapped)),
		strings.ToLower(url.QueryEscape(secret)),
	}
	if utf8.ValidString(secret) {
		b, _ := json.Marshal(secret)
		out = append(out, string(b), strings.ReplaceAll(string(b), "/", `\/`))
	}
	return out
}

func TestRedactWritings(t *testing.T) {
	for _, secret := range []string{"hunter2-hunter2", "p@ss/w\"ord <&> ä+1", "new\nline", "\x01\x02\xff\xfe\xfd", "a b c d", `back\slash`} {
		r := NewRedactor(secret)
		for _, before := range []string{"", "x", "xy", "xyz"} {
			for _, w := range writings(secret, before, "") {
				if w == secret || w == strings.ToLower(w) && secret != strings.ToLower(secret) {
					continue
				}
				require.True(t, r.Holds("text "+w+" end"), "%q as %q", secret, w)
			}
		}
	}
}

func TestRedactForgetsTheOldest(t *testing.T) {
	r := NewRedactor("the-first-one")
	for i := range maxSecrets {
		r = r.With(fmt.Sprintf("secret-%d-", i))
	}
	require.Len(t, r.secrets, maxSecrets)
	require.False(t, r.Holds("the-first-one"))
	require.True(t, r.Holds("secret-0-"))
	r = r.With(strings.Repeat("x", maxSecretBytes+1))
	require.Len(t, r.secrets, 1, "one that is larger than all may be is known all the same")
}

func TestRedactAllocatesNothingForNothing(t *testing.T) {
	r := NewRedactor("hunter2-hunter2", pem, "correct horse")
	line := strings.Repeat("GET /orders/17 took 3 ms; 50 % of it in the store, a+b\n", 10)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		if r.Holds(line) {
			panic("no secret is in it")
		}
	}))
}

// TestRedactLooksAtFew has a secret of many lines that begin alike, and a text
// that is full of their first byte: work must not be lines times bytes.
func TestRedactLooksAtFew(t *testing.T) {
	var lines strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&lines, "export VARIABLE_%d=%d\n", i, i)
	}
	r := NewRedactor(lines.String())
	for _, key := range []string{"eeee", "e", "ex"} {
		seen := 0
		for _, f := range r.formsFrom(key) {
			if !strings.HasPrefix(f.text, key) {
				break
			}
			seen++
		}
		require.Equal(t, key == "e" || key == "ex", seen > 0)
	}
	for _, text := range []string{strings.Repeat("e", 1<<20), strings.Repeat("e", 1<<20) + "\\"} {
		require.False(t, r.Holds(text))
	}
	require.Equal(t, "a [redacted] b", r.Redact("a export VARIABLE_19999=19999 b"))
}

// FuzzRedact proves that no secret survives, however it is written.
func FuzzRedact(f *testing.F) {
	f.Add("dial user:", "hunter2-hunter2", "abcd", "@host")
	f.Add("", pem, "-----END", "\n")
	f.Add("%2", "a%41b", "\\u00", "\\")
	f.Add("aaaa", "aaaaab", "aab", "b")
	f.Fuzz(func(t *testing.T, before, one, two, after string) {
		r := NewRedactor(one, two)
		check := func(text, secret string) {
			if len(secret) < MinSecret {
				return
			}
			for _, rest := range strings.Split(r.Redact(text), Mask) {
				require.NotContains(t, rest, secret)
			}
		}
		for _, s := range []string{one, two} {
			text := before + s + two + after + one
			check(text, one)
			check(text, two)
			check(text, strings.TrimSpace(one))
			for line := range strings.SplitSeq(s, "\n") {
				check(before+strings.TrimSpace(line)+after, strings.TrimSpace(line))
			}
			if len(strings.TrimSpace(s)) < MinSecret {
				continue
			}
			for i, w := range writings(s, before, after) {
				if i == 9 {
					break // lower case is another text, and JSON may not hold it
				}
				require.True(t, r.Holds(w), "%q as %q", s, w)
			}
			if cut := len(s) / 2; cut >= MinPart {
				for _, rest := range strings.Split(r.Redact(before+s[:cut]), Mask) {
					require.NotContains(t, rest, s[:cut])
				}
			}
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	r := NewRedactor("hunter2-hunter2", pem, "correct horse")
	line := strings.Repeat("GET /orders/17 took 3 ms; in the store, all of it\n", 20)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		r.Redact(line)
	}
}
