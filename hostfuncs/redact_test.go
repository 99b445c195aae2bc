package hostfuncs

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

// secretValues are secrets that a text is likely to hold in another shape than
// they are read in.
func secretValues() map[string]string {
	return map[string]string{
		"pem":  "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n",
		"long": strings.Repeat("0123456789abcdef", 300),
		"mid":  strings.Repeat("K3y", 250),
		"nl":   "hunter2-hunter2\n",
	}
}

// parts are pieces of the secrets of which none may be seen.
var parts = []string{"hunter2", "01234567", "89abcdef", "K3yK3y", "MIIEvQ", "BKcwgg", "AASC", "cKj"}

// secretive is a guest that has read all secrets.
func secretive(t *testing.T) *testGuest {
	vals := secretValues()
	g := newGuest(t, Config{
		LogRate: 10_000, Metrics: &countingMetrics{},
		Secrets: func(_ context.Context, n string) (string, error) { return vals[n], nil },
	})
	for n := range vals {
		g.get("wasmstate_secret.get", n)
		g.next = 64
	}
	return g
}

type countingMetrics struct{ names []string }

func (m *countingMetrics) Count(_, name string, _ float64) bool {
	m.names = append(m.names, name)
	return true
}
func (m *countingMetrics) Observe(_, name string, _ float64) bool { return m.Count("", name, 0) }

func (g *testGuest) hidesAll(what string) {
	g.tb.Helper()
	for _, p := range parts {
		require.NotContains(g.tb, g.lines.text(), p, what)
	}
	require.Contains(g.tb, g.lines.text(), "[redacted]", what)
	g.lines.all = nil
}

// TestSecretsInLogs has every secret at every kind of place in lines of both kinds.
func TestSecretsInLogs(t *testing.T) {
	g := secretive(t)
	for name, secret := range secretValues() {
		for what, text := range map[string]string{
			"alone": secret, "at the end": "password=" + secret, "within": "a " + secret + " b",
			"at the cut of a line":            strings.Repeat(".", maxLine-20) + secret,
			"at the cut of what is looked at": strings.Repeat(".", maxLogText-20) + secret,
			"base64":                          base64.StdEncoding.EncodeToString([]byte(secret)),
			"basic auth":                      base64.StdEncoding.EncodeToString([]byte("me:" + secret)),
		} {
			what = name + " " + what
			for _, call := range []string{"log", "write"} {
				g.next = 64
				if call == "log" {
					at, n := g.text(text)
					g.call("wasmstate_log.log", 1, at, n)
				} else {
					require.Equal(t, errnoSuccess, g.write(1, text))
					g.begin(context.Background(), zeroTime)
					g.write(1, "\n") // the end of a line of which a part was dropped
				}
				if strings.Contains(what, "at the cut") {
					g.lines.all = append(g.lines.all, "[redacted]") // it may be beyond the cut
				}
				g.hidesAll(call + " " + what)
			}
		}
	}
}

// TestSecretAfterAGap writes a secret in pieces of which some are not looked at.
func TestSecretAfterAGap(t *testing.T) {
	g := secretive(t)
	long := secretValues()["long"]
	// The first half is beyond what is looked at, the second comes with the
	// next write.
	require.Equal(t, errnoSuccess, g.write(1, strings.Repeat("\n", maxPrint)+long[:2000]))
	require.Equal(t, errnoSuccess, g.write(1, long[2000:]+"\n"))
	require.NotContains(t, g.lines.text(), "01234567")
	require.Equal(t, errnoSuccess, g.write(1, "the next line\n"))
	require.Contains(t, g.lines.text(), "the next line")
}

// TestSecretInTwoOperations: the guest's buffer was flushed within a secret, and
// the rest of it comes with a later operation.
func TestSecretInTwoOperations(t *testing.T) {
	for _, first := range []int{4, 9, 700} {
		g := secretive(t)
		long := secretValues()["long"]
		require.Equal(t, errnoSuccess, g.write(1, "it is "+long[:first]))
		g.begin(context.Background(), zeroTime)
		require.Equal(t, errnoSuccess, g.write(1, long[first:first+300]))
		g.begin(context.Background(), zeroTime)
		require.Equal(t, errnoSuccess, g.write(1, long[first+300:]+"\nthe next line\n"))
		g.begin(context.Background(), zeroTime)
		require.NotContains(t, g.lines.text(), "89abcdef")
		require.Contains(t, g.lines.text(), "the next line")
	}
}

func TestSecretInAbort(t *testing.T) {
	abort := func(text string) (said string) {
		g := secretive(t)
		units := utf16.Encode([]rune(text))
		b := le.AppendUint32(nil, uint32(2*len(units)))
		for _, u := range units {
			b = le.AppendUint16(b, u)
		}
		at, _ := g.put(b)
		defer func() { said = recover().(error).Error() }()
		g.call("env.abort", at+4, 0, 0, 0)
		return ""
	}
	for name, secret := range secretValues() {
		for _, text := range []string{secret, "it is " + secret, strings.Repeat("😀", 2<<10-5) + secret} {
			said := abort(text)
			for _, p := range parts {
				require.NotContains(t, said, p, name)
			}
			require.LessOrEqual(t, len(said), 400)
		}
	}
}

// TestSecretAsAMetric: everybody may read the names of metrics.
func TestSecretAsAMetric(t *testing.T) {
	m := &countingMetrics{}
	g := newGuest(t, Config{Metrics: m, Redact: []string{"hunter2_hunter2"}})
	for name, want := range map[string]abi.Code{
		"hunter2_hunter2": abi.CodeInvalidArgument, "a_hunter2_hunter2_b": abi.CodeInvalidArgument, "hunter2_": abi.CodeOK, "requests": abi.CodeOK,
	} {
		at, n := g.text(name)
		code, _ := g.coded("wasmstate_metric.add", at, n, 1)
		require.Equal(t, want, code, name)
	}
	require.ElementsMatch(t, []string{"hunter2_", "requests"}, m.names)
}

// TestSecretInARefusedAddress: the log tells what a guest was kept from.
func TestSecretInARefusedAddress(t *testing.T) {
	g := newGuest(t, Config{HTTP: []string{"https://api.example.com"}, TCP: []string{"db.example.com:5432"}, Redact: []string{"hunter2-hunter2"}})
	_, err := g.host.tcpTarget("hunter2-hunter2.evil.example:443")
	require.Error(t, err)
	require.Contains(t, g.lines.text(), "[redacted].evil.example:443")
	require.NotContains(t, g.lines.text(), "hunter2")
}
