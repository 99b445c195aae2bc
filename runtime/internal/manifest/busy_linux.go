package manifest

import (
	"errors"
	"os"
	"syscall"
)

const fSetLease = 1024 // F_SETLEASE, absent from package syscall

// openForWriting reports whether some process has f, opened for reading, open
// for writing. The kernel grants a read lease only if none has; the lease is
// given back at once. known is false where leases are not available: another
// owner's file, some network file systems.
func openForWriting(f *os.File) (busy, known bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false, false
	}
	err = raw.Control(func(fd uintptr) {
		_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, fSetLease, syscall.F_RDLCK)
		switch {
		case errno == 0:
			known = true
			_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, fSetLease, syscall.F_UNLCK)
		case errors.Is(errno, syscall.EAGAIN):
			busy, known = true, true
		}
	})
	return busy, known && err == nil
}
