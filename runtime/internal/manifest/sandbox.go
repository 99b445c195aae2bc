package manifest

import (
	"net/netip"
	"time"
)

// Meter is how a guest's computing is bounded.
type Meter string

// The meters. MeterDefault leaves the choice to the runtime (fuel).
const (
	MeterDefault Meter = ""
	MeterFuel    Meter = "fuel"
	MeterWazero  Meter = "wazero"
	MeterNone    Meter = "none"
)

// Sandbox is the metadata item "sandbox" of a wasm store: what the operator
// lets the guest use. It is written as a YAML map, or as the JSON text of one.
// Zero values mean the runtime's default. Names match without regard to case;
// unknown names are errors.
//
// Sizes are numbers of bytes or text with a unit ("32MiB", "512KiB", "1GB").
// Durations are Go durations ("500ms") or numbers of seconds.
type Sandbox struct {
	// Memory caps the linear memory of one instance in bytes, from 64 KiB to 4 GiB.
	Memory int64
	// MemoryRetire retires an instance after an operation that leaves its memory
	// larger than this many bytes; at most Memory.
	MemoryRetire int64
	// Timeout bounds one operation, the wait for an instance not included.
	Timeout time.Duration
	// MaxWait bounds the wait for a free instance.
	MaxWait time.Duration
	// Instances is the largest number of instances, 1 to 1024.
	Instances int
	// IdleAfter is how long an unused instance lives.
	IdleAfter time.Duration
	// MaxOps retires an instance after so many operations.
	MaxOps int64
	// Concurrency overrides the module's mode: single, pool or sharded.
	Concurrency string
	// Meter selects how computing is bounded.
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
	// KV binds labels to state components of this runtime. Empty = not granted.
	KV map[string]string
	// Secrets binds names that the guest asks for to secrets in the component's
	// secret store (auth.secretStore). Empty = not granted.
	Secrets map[string]SecretRef
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
	// applies them.
	Limits map[string]int64

	// Pos is where the item stands.
	Pos Pos
}
