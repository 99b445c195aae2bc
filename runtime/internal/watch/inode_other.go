//go:build !unix

package watch

import "io/fs"

// identity cannot be told on this system.
func identity(fs.FileInfo) (dev, inode uint64) { return 0, 0 }
