package wasmbin

import (
	"fmt"
	"unicode/utf8"
)

// reader reads a part of a file. The first error sticks: later reads return
// zero values and the position stays.
type reader struct {
	b     []byte // the whole file up to the end of the part
	pos   int
	where string // the part, for messages
	err   *Error
}

// sub is a reader of the next n bytes, which r skips.
func (r *reader) sub(n int, where string) reader {
	s := reader{b: r.b[:r.pos+n], pos: r.pos, where: where}
	r.pos += n
	return s
}

func (r *reader) left() int { return len(r.b) - r.pos }

func (r *reader) fail(at int, format string, args ...any) {
	r.refuse(Malformed, at, fmt.Sprintf(format, args...))
}

func (r *reader) refuse(reason Reason, at int, msg string) {
	if r.err == nil {
		r.err = &Error{Reason: reason, Offset: at, Where: r.where, Msg: msg}
	}
}

func (r *reader) unsupported(at int, feature string) {
	r.refuse(Unsupported, at, "it uses "+feature+", which this runtime does not offer")
}

func (r *reader) truncated() {
	r.fail(len(r.b), "it ends too early")
}

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.pos >= len(r.b) {
		r.truncated()
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

func (r *reader) skip(n int) {
	if r.err != nil {
		return
	}
	if n < 0 || n > r.left() {
		r.truncated()
		return
	}
	r.pos += n
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	if r.err == nil && r.pos < len(r.b) && r.b[r.pos] < 0x80 { // nearly all
		r.pos++
		return uint32(r.b[r.pos-1])
	}
	at := r.pos
	var v uint32
	for shift := 0; ; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		if shift == 28 && c > 0x0f {
			r.pos = at
			r.fail(at, "a number is longer than 32 bits")
			return 0
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

// signed reads a signed LEB128 number of at most the given number of bits: 32,
// 33 or 64.
func (r *reader) signed(bits int) int64 {
	at := r.pos
	var v int64
	for shift := 0; ; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		v |= int64(c&0x7f) << shift
		if rest := bits - shift; rest < 7 {
			// The last byte: what is beyond the bits must repeat the sign.
			ext := int8(c<<1) >> rest // sign, seen from the highest bit that counts
			if c >= 0x80 || (ext != 0 && ext != -1) {
				r.fail(at, "a number is longer than %d bits", bits)
				return 0
			}
		}
		if c < 0x80 {
			if shift+7 < 64 && c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

// count reads the length of a vector whose items take at least one byte each.
func (r *reader) count(what string) int {
	at := r.pos
	n := r.u32()
	if r.err == nil && int64(n) > int64(r.left()) {
		r.fail(at, "%d %s do not fit into the %d bytes that are left", n, what, r.left())
		return 0
	}
	return int(n)
}

// name reads a name of at most limit bytes.
func (r *reader) name(lim *Limits) string {
	at := r.pos
	n := r.count("bytes of a name")
	if r.err != nil {
		return ""
	}
	if int64(n) > lim.NameSize {
		r.err = exceeded(at, r.where, "nameSize", "bytes in a name", uint64(n), lim.NameSize)
		return ""
	}
	s := r.b[r.pos : r.pos+n]
	r.pos += n
	if !utf8.Valid(s) {
		r.fail(at, "a name is not valid UTF-8")
		return ""
	}
	return string(s)
}

// end fails if something is left.
func (r *reader) end() {
	if r.err == nil && r.left() > 0 {
		r.fail(r.pos, "%d bytes are left over at its end", r.left())
	}
}

// appendU32 appends v as unsigned LEB128.
func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// appendS64 appends v as signed LEB128.
func appendS64(b []byte, v int64) []byte {
	for v >= 64 || v < -64 {
		b = append(b, byte(v&0x7f)|0x80)
		v >>= 7
	}
	return append(b, byte(v&0x7f))
}

// appendName appends a name with its length.
func appendName(b []byte, s string) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}

// appendSection appends a section.
func appendSection(b []byte, id byte, body []byte) []byte {
	return append(appendU32(append(b, id), uint32(len(body))), body...)
}
