package hostfuncs

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

func TestLog(t *testing.T) {
	g := newGuest(t, Config{LogEnabled: func(l Level) bool { return l >= LevelInfo }, LogRate: 1000, Redact: []string{"hunter22"}})
	log := func(level uint64, text string) {
		at, n := g.text(text)
		g.call("wasmstate_log.log", level, at, n)
	}
	log(0, "not wanted")
	log(1, "plain\n")
	log(2, "two\nlines\x1b[31m\xff\u202e")
	log(99, "password=hunter22!")
	log(3, strings.Repeat("x", 5000))
	log(3, strings.Repeat("\x01", 5000))
	log(3, strings.Repeat("ä", 1022/2)+"äääää")
	require.Equal(t, []string{"plain", `two\nlines\x1b[31m` + "\ufffd" + `\u202e`, "password=[redacted]!"}, g.lines.all[:3])
	require.Equal(t, []Level{LevelInfo, LevelWarn, LevelError}, g.lines.kept[:3])
	for _, l := range g.lines.all[3:] {
		require.LessOrEqual(t, len(l), maxLine)
		require.True(t, utf8.ValidString(l))
		require.True(t, strings.HasSuffix(l, "…"))
	}
	g.call("wasmstate_log.log", 1, guestMemory-1, 2)
	g.call("wasmstate_log.log", 1, math.MaxUint32, math.MaxUint32)
	require.Len(t, g.lines.all, 6)
	require.Zero(t, g.call("wasmstate_log.enabled", 0))
	require.EqualValues(t, 1, g.call("wasmstate_log.enabled", 7))
}

func TestLogFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, Config{LogRate: 10})
		at, n := g.text("again")
		for range 1000 {
			g.call("wasmstate_log.log", 1, at, n)
		}
		require.Len(t, g.lines.all, 10)
		require.EqualValues(t, 990, g.host.LogDropped())
		time.Sleep(time.Second) // synctest: no time passes outside
		g.call("wasmstate_log.log", 1, at, n)
		require.Equal(t, []string{"990 log lines of the guest were dropped, over 10 per second", "again"}, g.lines.all[10:])
	})
}

// TestSecretAtTheCut has a secret where a line is cut: no part of it remains.
func TestSecretAtTheCut(t *testing.T) {
	secret := strings.Repeat("s3cr3t", 20)
	g := newGuest(t, Config{Secrets: func(_ context.Context, name string) (string, error) {
		if name != "token" {
			return "", abi.ErrPermission
		}
		return secret, nil
	}})
	code, value := g.get("wasmstate_secret.get", "token")
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, secret, value)
	code, _ = g.get("wasmstate_secret.get", "other")
	require.Equal(t, abi.CodePermission, code)
	for pad := maxLine - len(secret) - 5; pad < maxLine+5; pad += 10 {
		at, n := g.text(strings.Repeat(".", pad) + secret)
		g.call("wasmstate_log.log", 1, at, n)
	}
	require.NotContains(t, g.lines.text(), "s3c")
	require.Equal(t, "a [redacted] b", g.host.Redact("a "+secret+" b"))
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, Config{ClockResolution: 10 * time.Millisecond})
		start, mono := g.call("wasmstate_clock.now"), g.call("wasmstate_clock.monotonic")
		require.Zero(t, start%1e7)
		require.NotZero(t, mono)
		time.Sleep(25 * time.Millisecond) // synctest
		require.EqualValues(t, start+2e7, g.call("wasmstate_clock.now"))
		require.EqualValues(t, mono+2e7, g.call("wasmstate_clock.monotonic"))
	})
}

func TestRandom(t *testing.T) {
	seed := int64(7)
	draw := func(cfg Config) (a, b string) {
		g := newGuest(t, cfg)
		other := instanceOf(t, g.host)
		for _, x := range []*testGuest{g, other} {
			code, _ := x.coded("wasmstate_random.fill", 64, 32)
			require.Equal(t, abi.CodeOK, code)
		}
		return string(g.mem(64, 32)), string(other.mem(64, 32))
	}
	a, b := draw(Config{Seed: &seed})
	c, d := draw(Config{Seed: &seed})
	require.Equal(t, []string{a, b}, []string{c, d})
	require.NotEqual(t, a, b, "two instances draw the same")
	e, f := draw(Config{})
	require.NotEqual(t, e, f)
	g := newGuest(t, Config{MaxBytes: 100})
	code, _ := g.coded("wasmstate_random.fill", guestMemory-10, 11)
	require.Equal(t, abi.CodeInvalidArgument, code)
	code, _ = g.coded("wasmstate_random.fill", 0, 101)
	require.Equal(t, abi.CodeQuota, code)
}

func TestConfig(t *testing.T) {
	g := newGuest(t, Config{Config: map[string]string{"region": "north", "empty": ""}})
	code, value := g.get("wasmstate_config.get", "region")
	require.Equal(t, abi.CodeOK, code)
	require.Equal(t, "north", value)
	code, value = g.get("wasmstate_config.get", "empty")
	require.Equal(t, abi.CodeOK, code)
	require.Empty(t, value)
	code, _ = g.get("wasmstate_config.get", "Region")
	require.Equal(t, abi.CodeNotFound, code)
	at, n := g.text("region")
	code, size := g.coded("wasmstate_config.get", at, n, outAt, 4)
	require.Equal(t, abi.CodeOK, code)
	require.EqualValues(t, 5, size, "the full length")
	require.Equal(t, []byte("nort"), g.mem(outAt, 4), "from the call before: nothing was written")
	clear(g.mem(outAt, 8))
	_, _ = g.coded("wasmstate_config.get", at, n, outAt, 4)
	require.Equal(t, make([]byte, 8), g.mem(outAt, 8))
}

type fakeMetrics struct{ got map[string]float64 }

func (m *fakeMetrics) Count(component, name string, by float64) bool {
	if m.got == nil {
		m.got = map[string]float64{}
	}
	m.got[component+"/"+name] += by
	return true
}

func (m *fakeMetrics) Observe(component, name string, v float64) bool {
	return m.Count(component, name, v)
}

func TestMetrics(t *testing.T) {
	m := &fakeMetrics{}
	g := newGuest(t, Config{Metrics: m})
	add := func(name string, n uint64) abi.Code {
		g.next = 8
		at, l := g.text(name)
		code, _ := g.coded("wasmstate_metric.add", at, l, n)
		return code
	}
	observe := func(name string, v float64) abi.Code {
		at, l := g.text(name)
		code, _ := g.coded("wasmstate_metric.observe", at, l, math.Float64bits(v))
		return code
	}
	require.Equal(t, abi.CodeOK, add("hits", 2))
	require.Equal(t, abi.CodeOK, add("hits", 3))
	require.Equal(t, abi.CodeOK, observe("size_bytes", 1.5))
	require.Equal(t, map[string]float64{"test/hits": 5, "test/size_bytes": 1.5}, m.got)
	require.Equal(t, abi.CodeInvalidArgument, observe("hits", 1))
	require.Equal(t, abi.CodeInvalidArgument, observe("x", math.NaN()))
	require.Equal(t, abi.CodeInvalidArgument, observe("x", math.Inf(1)))
	for _, bad := range []string{"", "1x", "A", "a-b", "a\n", "ä", strings.Repeat("a", 65)} {
		require.Equal(t, abi.CodeInvalidArgument, add(bad, 1), bad)
	}
	for i := range maxMetrics {
		add("name_"+strings.Repeat("x", i%50)+string(rune('a'+i%26)), 1)
	}
	require.Equal(t, abi.CodeQuota, add("one_too_many", 1))
	require.Equal(t, abi.CodeOK, add("hits", 1))
}

func TestCallLimit(t *testing.T) {
	g := newGuest(t, Config{MaxCalls: 10, Config: map[string]string{"a": "b"}})
	for range 10 {
		code, _ := g.get("wasmstate_config.get", "a")
		require.Equal(t, abi.CodeOK, code)
	}
	code, _ := g.get("wasmstate_config.get", "a")
	require.Equal(t, abi.CodeQuota, code)
	var limit *LimitError
	require.PanicsWithError(t, (&LimitError{}).Error(), func() { g.call("wasmstate_clock.now") })
	require.ErrorAs(t, error(&LimitError{}), &limit)
	before := g.state.Fuel
	g.begin(context.Background(), zeroTime)
	g.call("wasmstate_clock.now")
	require.EqualValues(t, priceTiny, g.state.Fuel-before)
}

// pointerPairs is where the functions that return a code have an address and a
// length after it.
func pointerPairs(f *function) []int {
	switch f.module + "." + f.name {
	case "wasmstate_config.get", "wasmstate_secret.get":
		return []int{0, 2}
	case "wasmstate_random.fill", "wasmstate_metric.add", "wasmstate_metric.observe", "wasmstate_kv.bucket", "wasmstate_kv.result",
		"wasmstate_http.start", "wasmstate_tcp.connect":
		return []int{0}
	case "wasmstate_http.write", "wasmstate_http.response", "wasmstate_http.read", "wasmstate_tcp.read", "wasmstate_tcp.write":
		return []int{1}
	case "wasmstate_kv.features", "wasmstate_http.close", "wasmstate_tcp.close":
		return nil
	}
	return []int{1, 3} // the operations of kv
}

// TestPointers calls every function with pointers at the edges of the memory
// and of what 32 bits hold: a range that leaves the memory is refused, whichever
// parameter it is, and nothing is written beside the memory.
func TestPointers(t *testing.T) {
	edges := []uint64{0, 1, guestMemory - 1, guestMemory, guestMemory + 1, math.MaxInt32, math.MaxUint32, math.MaxUint32 - 7}
	g := newGuest(t, Config{
		MaxCalls: math.MaxInt64, MaxBytes: math.MaxInt64, LogRate: 1, Config: map[string]string{}, Metrics: &fakeMetrics{},
		Secrets: func(context.Context, string) (string, error) { return "", abi.ErrNotFound },
		KV:      map[string]KV{"data": newFakeKV()}, HTTP: []string{"https://example.com"}, TCP: []string{"example.com:1"},
	})
	whole := bytes.Repeat([]byte{0xaa}, guestMemory+4096)
	clear(whole[:guestMemory])
	g.module.mem.b = whole[:guestMemory] // an append to a piece of it would go on behind
	refused := 0
	for _, f := range functions() {
		if f.name == "proc_exit" || f.name == "abort" {
			continue
		}
		n := len(f.params)
		total := 1
		for range min(n, 5) {
			total *= len(edges)
		}
		for c := 0; c < total; c += 1 + total/4000 {
			args := make([]uint64, n)
			for i, x := 0, c; i < n; i++ {
				args[i] = edges[x%len(edges)]
				x /= len(edges)
			}
			result := g.call(f.module+"."+f.name, args...)
			if f.coded == nil {
				continue
			}
			code, _ := abi.Unpack(result)
			require.True(t, code.Valid(), "%s.%s(%x) = %x", f.module, f.name, args, result)
			for _, i := range pointerPairs(&f) {
				if args[i+1] > 0 && args[i]+args[i+1] > guestMemory {
					require.NotEqual(t, abi.CodeOK, code, "%s.%s(%x)", f.module, f.name, args)
					refused++
				}
			}
		}
	}
	require.Greater(t, refused, 10_000)
	require.Equal(t, bytes.Repeat([]byte{0xaa}, 4096), whole[guestMemory:])
	g.begin(context.Background(), zeroTime)
}

func utf16Text(g *testGuest, units ...uint16) uint64 {
	b := binary.LittleEndian.AppendUint32(nil, uint32(2*len(units)))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	at, _ := g.put(b)
	return at + 4
}

func TestAbort(t *testing.T) {
	g := newGuest(t, Config{})
	msg := utf16Text(g, 'b', 'a', 'd', '\n', 0xd800)
	file := utf16Text(g, 'a', '.', 't', 's')
	require.PanicsWithError(t, `the guest aborted: bad\n`+"\ufffd"+` (a.ts:3:4)`, func() { g.call("env.abort", msg, file, 3, 4) })
	for _, p := range []uint64{0, 3, guestMemory, math.MaxUint32} {
		require.Panics(t, func() { g.call("env.abort", p, p, 0, 0) })
	}
}
