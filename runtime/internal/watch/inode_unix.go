//go:build unix

package watch

import (
	"io/fs"
	"syscall"
)

// identity tells files apart that have one name one after the other; dev is the
// file system that they are on.
func identity(info fs.FileInfo) (dev, inode uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), uint64(st.Ino) //nolint:unconvert // their types differ between systems
	}
	return 0, 0
}
