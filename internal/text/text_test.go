package text

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestNearest(t *testing.T) {
	known := []string{"connectionString", "maxConns", "timeout", "host"}
	for name, want := range map[string]string{
		"conectionString": "connectionString", "MAXCONN": "maxConns", "tiemout": "timeout", "hots": "host",
		"x": "", "": "", "banana": "", "Host": "host", strings.Repeat("x", 1000): "",
	} {
		require.Equal(t, want, Nearest(name, known), name)
	}
	require.Empty(t, Nearest[string]("x", nil))
	type mode string
	require.Equal(t, mode("single"), Nearest("singel", []mode{"pooled", "single"}))
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain":                 "plain",
		"ünïcödé":               "ünïcödé",
		"two\nlines\x1b[31m":    `two\nlines\x1b[31m`,
		"\xff\x00":              "\ufffd" + `\x00`,
		"\u202e\u2066\u200f":    `\u202e\u2066\u200f`,
		"\u2028\u2029\ufeff":    `\u2028\u2029\ufeff`,
		"\u0085\u061c\u200b":    `\u0085\u061c\u200b`,
		"\U000e0041":            `\U000e0041`,
		"می\u200cخواهم":         "می\u200cخواهم", // a joiner that words need
		strings.Repeat("x", 21): strings.Repeat("x", 17) + "…",
		strings.Repeat("ä", 11): strings.Repeat("ä", 8) + "…",
	} {
		require.Equal(t, want, Clean(in, 20), "%q", in)
	}
	require.Equal(t, "", Clean("abc", 2))
	require.Equal(t, "…", Clean("abcd", 3))
}

func TestClip(t *testing.T) {
	require.Empty(t, Clip("", 0))
	require.Equal(t, "…", Clip("a", 0))
	require.Equal(t, "abc", Clip("abc", 3))
	require.Equal(t, "abc…", Clip([]byte("abcd"), 3))
}

func FuzzClean(f *testing.F) {
	f.Add("plain", 5)
	f.Add("\x1b[2J\r\n\x00\xff\u202e", 20)
	f.Add("ünïcödé", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 1000)
		out := Clean(s, limit)
		require.LessOrEqual(t, len(out), limit)
		require.True(t, utf8.ValidString(out))
		for _, r := range out {
			require.False(t, hidden(r), "%q", r)
		}
		require.Equal(t, out, Clean(out, limit), "once is enough")
	})
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "1024": 1024, "64KiB": 64 << 10, "32 MiB": 32 << 20, "1GB": 1e9, "4Mi": 4 << 20, "2k": 2000, "1gib": 1 << 30,
		"7b": 7, "7 B": 7, "1TiB": 1 << 40, "9223372036854775807": math.MaxInt64,
	} {
		n, ok := ParseSize(in)
		require.True(t, ok, in)
		require.Equal(t, want, n, in)
	}
	for _, in := range []string{
		"", " ", "-1", "+1", "1.5MiB", "MiB", "1i", "1iB", "1x", "1KMB", "1 K B", "1KiBB", "9223372036854775808", "8388608TiB", "0x10", "1_000", "1" + strings.Repeat(" ", 100),
	} {
		_, ok := ParseSize(in)
		require.False(t, ok, in)
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1025: "1025 B", 64 << 10: "64 KiB", 3 << 19: "1536 KiB", 1 << 20: "1 MiB", 12<<20 + 1<<19: "12.5 MiB",
		12<<20 + 1: "12 MiB", 4 << 30: "4 GiB", 5000 << 20: "5000 MiB", -1: "-1 B", math.MaxInt64: "8589934592 GiB",
	} {
		require.Equal(t, want, FormatSize(n))
	}
	for _, n := range []int64{0, 1, 1 << 10, 1 << 20, 64 << 20, 4 << 30} {
		back, ok := ParseSize(FormatSize(n))
		require.True(t, ok)
		require.Equal(t, n, back)
	}
}
