//go:build linux || darwin

package engine

import "golang.org/x/sys/unix"

// reserve takes n bytes of address space that cannot be touched yet and cost
// no memory.
func reserve(n uint64) ([]byte, error) {
	return unix.Mmap(-1, 0, int(n), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
}

// commit makes the bytes from old to size usable; they read as zero. The
// address does not change. The pages cost memory when they are first touched.
func commit(buf []byte, old, size uint64) ([]byte, error) {
	return buf, unix.Mprotect(buf[old:size], unix.PROT_READ|unix.PROT_WRITE)
}

// unreserve gives everything back. Touching buf afterwards crashes the process.
func unreserve(buf []byte) {
	// The only error is an argument that is not a mapping, which is a bug here.
	if err := unix.Munmap(buf); err != nil {
		panic("engine: unmap linear memory: " + err.Error())
	}
}
