package sdk

import (
	"time"

	"github.com/wasmstate/wasmstate/guests/sdk/go/internal/module"
)

// Level is the severity of a log line.
type Level uint32

// The levels of [Log].
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Now is the wall clock, with the resolution that the host grants (1 ms unless
// configured otherwise), in UTC.
func Now() time.Time { return time.Unix(0, module.Now()).UTC() }

// NowMillis is the wall clock in Unix milliseconds, the unit of expiries.
func NowMillis() int64 { return module.Now() / 1e6 }

// Log writes one line to the log of the runtime, beside the name of the
// component. Lines are cut at 1 KiB and limited in rate.
func Log(level Level, line string) { module.Log(uint32(level), line) }

// LogEnabled reports whether lines of the level are kept, so that a store can
// save the work of writing them.
func LogEnabled(level Level) bool { return module.LogEnabled(uint32(level)) }

// Random fills b with cryptographically secure bytes. It panics if the host
// has none, which ends the instance.
func Random(b []byte) {
	if !module.Random(b) {
		panic("the host has no random bytes")
	}
}

// RandomUint64 is a random number, such as the base of etags.
func RandomUint64() uint64 {
	var b [8]byte
	Random(b[:])
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}
