package sandbox

import (
	"net/netip"
	"time"
)

// Meter says how a guest is kept from running for ever.
type Meter string

// The meters. MeterFuel is what production wants; the others exist to compare
// and to debug. Empty means fuel.
const (
	MeterFuel   Meter = "fuel"   // the module is rewritten to count
	MeterWazero Meter = "wazero" // wazero's own check: slow, and blind to recursion without loops
	MeterNone   Meter = "none"   // nothing: an endless loop freezes the process. For development only
)

// Settings bounds what one component's guest may use. It is written in a
// component file as the metadata item "sandbox", a YAML map or the JSON text of
// one, by the names given here. The zero value of a field is its default, and
// the zero Settings is ready. A value: slices and maps in it are shared and must
// not be changed.
//
// In files sizes are numbers of bytes or text with a unit ("32MiB", "512KiB",
// "1GB"), durations are Go durations ("500ms") or numbers of seconds.
type Settings struct {
	// Memory (memory) caps the linear memory of one instance in bytes, from 64 KiB
	// to 4 GiB; 0 = the manifest's wish up to 64 MiB, else 64 MiB. All instances
	// together get a quarter of the budget of the process, or Memory times Instances
	// if that is more.
	Memory int64
	// MemoryRetire retires an instance after an operation that leaves its memory
	// larger than this many bytes; at most Memory; 0 = never.
	MemoryRetire int64
	// Timeout bounds one operation, the wait for an instance not included, on top
	// of the caller's context; 0 = 5 s.
	Timeout time.Duration
	// MaxWait bounds the wait for a free instance; 0 = as long as the caller's context.
	MaxWait time.Duration
	// Instances is the largest number of instances, 1 to 1024; 0 = the manifest's
	// wish up to 8, else 8. Always 1 in mode single.
	Instances int
	// IdleAfter is how long an unused instance beyond the first lives; 0 = 1 min,
	// < 0 = for ever.
	IdleAfter time.Duration
	// MaxOps retires an instance after so many operations; 0 = never.
	MaxOps int64
	// Concurrency overrides the module's mode: single, pool or sharded; empty =
	// the manifest's.
	Concurrency string
	// Meter selects how computing is bounded; empty = fuel.
	Meter Meter

	// HTTP are the requests allowed: scheme://host[:port][/path-prefix],
	// optionally preceded by methods ("GET,HEAD https://api.example.com/v1/").
	// A host may begin with "*.". Empty = the http capability is not granted.
	HTTP []string
	// TCP are the endpoints allowed: host:port. Empty = not granted.
	TCP []string
	// Networks are address ranges that HTTP and TCP may reach although they are
	// loopback, private or otherwise special.
	Networks []netip.Prefix
	// Config grants the config capability with these values.
	Config map[string]string
	// Metrics grants the metric capability.
	Metrics bool

	// LogLevel is the least severe level that is kept: debug, info, warn, error or none.
	LogLevel string
	// LogRate is the number of log lines per second that are kept.
	LogRate int
	// ClockResolution rounds the guest's clock down.
	ClockResolution time.Duration
	// RandomSeed makes the guest's random numbers repeatable; for tests only.
	RandomSeed *int64
	// Debug keeps line numbers in stack traces and switches fuel off.
	Debug bool

	// MaxHostCalls and MaxHostBytes bound the host calls of one operation.
	MaxHostCalls int64
	MaxHostBytes int64

	// Limits override structural limits of the module by name, such as
	// {fileSize: 32MiB, functions: 100000}. The names are checked by whoever
	// applies them; sandbox.New lists them if one is wrong.
	Limits map[string]int64
}
