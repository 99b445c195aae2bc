//go:build tinygo || wasip1

package module

import "unsafe"

//go:wasmimport wasmstate_log log
func hostLog(level uint32, text unsafe.Pointer, n uint32)

//go:wasmimport wasmstate_log enabled
func hostLogEnabled(level uint32) uint32

//go:wasmimport wasmstate_clock now
func hostNow() int64

//go:wasmimport wasmstate_random fill
func hostRandom(p unsafe.Pointer, n uint32) uint64

// Now is the wall clock in Unix nanoseconds.
func Now() int64 { return hostNow() }

// Log writes one line to the log of the runtime.
func Log(level uint32, line string) {
	hostLog(level, unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
}

// LogEnabled reports whether lines of a level are kept.
func LogEnabled(level uint32) bool { return hostLogEnabled(level) != 0 }

// Random fills b; false if the host has no random bytes.
func Random(b []byte) bool {
	return hostRandom(unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)))>>32 == 0
}
