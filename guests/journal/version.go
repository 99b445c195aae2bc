package main

import (
	"bytes"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
)

// version is one write of a key. The zero value stands for a key that was
// never written.
type version struct {
	seq                uint64 // 1 is the first
	deleted            bool   // the write was a delete
	expires            int64  // Unix milliseconds; 0 = never
	written            int64  // Unix milliseconds
	contentType, value []byte
}

// exists reports whether the version is the value of its key at a time.
func (v *version) exists(now int64) bool {
	return v.seq > 0 && !v.deleted && (v.expires == 0 || v.expires > now)
}

func (v *version) etag() []byte { return strconv.AppendUint(nil, v.seq, 10) }

// encode writes a line of text for people and programs, the content type and
// the value.
func (v *version) encode() []byte {
	kind := " set "
	if v.deleted {
		kind = " delete "
	}
	b := make([]byte, 0, 64+len(v.contentType)+len(v.value))
	b = strconv.AppendUint(b, v.seq, 10)
	b = append(b, kind...)
	b = strconv.AppendInt(b, v.expires, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, v.written, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(v.contentType)), 10)
	b = append(b, '\n')
	b = append(b, v.contentType...)
	return append(b, v.value...)
}

var errCorrupt = abi.NewError(abi.CodeCorrupt, "the bucket holds something that this store did not write")

// decode reads what encode wrote; the slices of the result share b.
func decode(b []byte) (v version, err error) {
	line, rest, _ := bytes.Cut(b, []byte{'\n'})
	var field [5][]byte
	for i := range field {
		field[i], line, _ = bytes.Cut(line, []byte{' '})
	}
	numbers := [4]int64{}
	for i, f := range [][]byte{field[0], field[2], field[3], field[4]} {
		if numbers[i], err = strconv.ParseInt(string(f), 10, 64); err != nil || numbers[i] < 0 {
			return version{}, errCorrupt
		}
	}
	n := numbers[3]
	if kind := string(field[1]); kind != "set" && kind != "delete" || len(line) > 0 || n > int64(len(rest)) {
		return version{}, errCorrupt
	}
	return version{
		seq: uint64(numbers[0]), deleted: string(field[1]) == "delete", expires: numbers[1], written: numbers[2],
		contentType: rest[:n:n], value: rest[n:],
	}, nil
}

// The keys in the bucket. The number has a fixed width, so that the keys of
// one history are in order and "a" is not mistaken for "a/1".

func headKey(key []byte) []byte { return append([]byte("head/"), key...) }

func liveKey(key []byte) []byte { return append([]byte(livePrefix), key...) }

func historyKey(key []byte, seq uint64) []byte {
	const digits = "00000000000000000000"
	n := strconv.FormatUint(seq, 10)
	b := make([]byte, 0, len("history/")+len(key)+1+len(digits))
	b = append(append(append(b, "history/"...), key...), '/')
	return append(append(b, digits[len(n):]...), n...)
}

const livePrefix = "live/"
