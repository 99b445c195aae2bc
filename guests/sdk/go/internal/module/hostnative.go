//go:build !tinygo && !wasip1

package module

import (
	"crypto/rand"
	"os"
	"time"
)

// Outside of a module the host functions are those of the machine.

// Now is the wall clock in Unix nanoseconds.
func Now() int64 { return time.Now().UnixNano() }

// Log writes one line to standard error.
func Log(_ uint32, line string) { _, _ = os.Stderr.WriteString(line + "\n") }

// LogEnabled reports whether lines of a level are kept.
func LogEnabled(uint32) bool { return true }

// Random fills b; false if the machine has no random bytes.
func Random(b []byte) bool {
	_, err := rand.Read(b)
	return err == nil
}
