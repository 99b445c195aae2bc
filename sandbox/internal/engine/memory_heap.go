//go:build !linux && !darwin

package engine

// Without mappings the memory lives in the Go heap and moves when it grows.

func reserve(uint64) ([]byte, error) { return make([]byte, 0), nil }

// commit returns a slice of at least size bytes with the first old kept and
// the rest zero. It doubles, so that many small growths do not copy each time.
func commit(buf []byte, old, size uint64) ([]byte, error) {
	if size <= uint64(cap(buf)) {
		return buf[:size], nil
	}
	grown := make([]byte, size, max(size, 2*old))
	copy(grown, buf[:old])
	return grown, nil
}

func unreserve([]byte) {}
