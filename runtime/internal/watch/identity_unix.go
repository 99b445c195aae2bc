//go:build unix

package watch

import (
	"io/fs"
	"syscall"
)

// identity returns the numbers of the device that a file is on and of the file
// there.
func identity(info fs.FileInfo) (device, file uint64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return uint64(st.Dev), st.Ino //nolint:unconvert // Dev is signed on some systems
}
