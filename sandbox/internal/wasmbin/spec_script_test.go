package wasmbin_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"
)

// script is a test script of the specification in the JSON form of wast2json.
type script struct {
	Commands []command `json:"commands"`
}

type command struct {
	Type       string  `json:"type"`
	Line       int     `json:"line"`
	Name       string  `json:"name"`
	Filename   string  `json:"filename"`
	As         string  `json:"as"`
	ModuleType string  `json:"module_type"`
	Text       string  `json:"text"`
	Action     action  `json:"action"`
	Expected   []value `json:"expected"`
}

type action struct {
	Type   string  `json:"type"`
	Module string  `json:"module"`
	Field  string  `json:"field"`
	Args   []value `json:"args"`
}

type value struct {
	Type  string          `json:"type"`
	Lane  string          `json:"lane_type"`
	Value json.RawMessage `json:"value"`
}

func parseScript(t *testing.T, b []byte) *script {
	t.Helper()
	s := new(script)
	require.NoError(t, json.Unmarshal(b, s))
	return s
}

// lane is one number of a value: its width in bits, its bits, and for a not-a-number
// pattern which kind of it.
type lane struct {
	width int
	bits  uint64
	float bool
	nan   string // "canonical", "arithmetic", or ""
	any   bool   // any reference will do
}

// lanes splits a value into its numbers.
func (v *value) lanes(t *testing.T) []lane {
	t.Helper()
	if v.Type != "v128" {
		if len(v.Value) == 0 {
			return []lane{{width: 64, any: true}}
		}
		var s string
		require.NoError(t, json.Unmarshal(v.Value, &s))
		return []lane{number(t, v.Type, s)}
	}
	var parts []string
	require.NoError(t, json.Unmarshal(v.Value, &parts))
	all := make([]lane, len(parts))
	for i, s := range parts {
		all[i] = number(t, v.Lane, s)
	}
	return all
}

func number(t *testing.T, kind, s string) lane {
	t.Helper()
	l := lane{float: kind[0] == 'f' && kind != "funcref"}
	switch kind {
	case "i8":
		l.width = 8
	case "i16":
		l.width = 16
	case "i32", "f32":
		l.width = 32
	default:
		l.width = 64
	}
	var err error
	switch {
	case s == "null":
	case strings.HasPrefix(s, "nan:"):
		l.nan = s[4:]
	case s[0] == '-':
		var n int64
		n, err = strconv.ParseInt(s, 10, 64)
		l.bits = uint64(n) & (math.MaxUint64 >> (64 - l.width))
	default:
		l.bits, err = strconv.ParseUint(s, 10, 64)
	}
	require.NoError(t, err)
	if kind == "externref" && s != "null" {
		l.bits++ // the host's reference 0 is null
	}
	return l
}

// words are the values as wazero takes them: two words for a vector, one for
// anything else.
func words(t *testing.T, values []value) []uint64 {
	t.Helper()
	var out []uint64
	for i := range values {
		ls := values[i].lanes(t)
		var pair [2]uint64
		n := 1
		if values[i].Type == "v128" {
			n = 2
		}
		shift := 0
		for _, l := range ls {
			pair[shift/64] |= l.bits << (shift % 64)
			shift += l.width
		}
		out = append(out, pair[:n]...)
	}
	return out
}

// matches reports whether got is what was expected.
func matches(t *testing.T, got []uint64, want []value, types []api.ValueType) bool {
	t.Helper()
	if len(want) != len(types) {
		return false
	}
	pos := 0
	for i := range want {
		shift := 0
		for _, l := range want[i].lanes(t) {
			if pos+shift/64 >= len(got) {
				return false
			}
			bits := got[pos+shift/64] >> (shift % 64) & (math.MaxUint64 >> (64 - l.width))
			if !l.is(bits) {
				return false
			}
			shift += l.width
		}
		pos++
		if want[i].Type == "v128" {
			pos++
		}
	}
	return pos == len(got)
}

func (l lane) is(bits uint64) bool {
	switch {
	case l.any:
		return true
	case l.nan != "":
		sign, quiet, exponent := uint64(1)<<31, uint64(1)<<22, uint64(0x7f800000)
		if l.width == 64 {
			sign, quiet, exponent = 1<<63, 1<<51, 0x7ff0000000000000
		}
		if l.nan == "canonical" {
			return bits&^sign == exponent|quiet
		}
		return bits&exponent == exponent && bits&quiet != 0
	case l.float && isNaN(l.bits, l.width):
		return isNaN(bits, l.width)
	default:
		return bits == l.bits
	}
}

func isNaN(bits uint64, width int) bool {
	if width == 32 {
		f := math.Float32frombits(uint32(bits))
		return f != f
	}
	return math.IsNaN(math.Float64frombits(bits))
}
