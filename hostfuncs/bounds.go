package hostfuncs

import (
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
)

// What one item of a guest may have. Those of values and keys are in kv.go.
const (
	maxETag        = 1 << 10
	maxContentType = 256
	maxMethod      = 16 // bytes of the name of an HTTP method
)

var (
	errETag        = abi.NewError(abi.CodeTooLarge, "the etag is longer than "+strconv.Itoa(maxETag)+" bytes")
	errContentType = abi.NewError(abi.CodeTooLarge, "the content type is longer than "+strconv.Itoa(maxContentType)+" bytes")
	errMoved       = abi.NewError(abi.CodeQuota, "the operation has moved as many bytes through host calls as it may (sandbox.maxHostBytes)")
)

// tally adds up what the fields of a record and of its items take. A record may
// point at the same bytes any number of times, so that its own size says
// nothing: whoever copies from it, or holds what it asks for, adds up every
// field of every item first.
//
//	record     | head | item | item | item | one MiB |
//	                |      |      |___________^ ^ ^
//	                |      |____________________| |
//	                |_____________________________|      three MiB
type tally struct {
	left uint64 // of the bound
	sum  uint64 // so far
}

// add counts fields and reports whether they are within the bound.
func (t *tally) add(fields ...[]byte) bool {
	n := uint64(0)
	for _, f := range fields {
		n += uint64(len(f)) // lengths are below 2^32 each and few
	}
	t.sum += n
	if n > t.left {
		t.left = 0
		return false
	}
	t.left -= n
	return true
}

// request counts all that a request points at.
func (t *tally) request(v *abi.RequestView) bool {
	return t.add(v.Key, v.Value, v.ETag, v.ContentType, v.Metadata)
}

// response counts all that the answer to a get holds.
func (t *tally) response(r *abi.GetResponse) bool { return t.add(r.Value, r.ETag, r.ContentType) }

// spend counts n bytes that were moved already, whether or not they were within
// the limit.
func (s *State) spend(n uint64) { s.bytes += int64(min(n, 1<<40)) }

// room is how many bytes the operation may still move.
func (s *State) room() int64 { return max(0, s.host.cfg.MaxBytes-s.bytes) }
