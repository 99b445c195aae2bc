package hostfuncs

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/wasmstate/wasmstate/abi"
)

// A stored key names the component and the label by length, so that no choice
// of names makes two of them meet, and then the guest's key:
//
//	guest/6:orders/4:data/the key
//
// In all three, every "|" is followed by ".", because "||" separates the
// prefixes of the runtime and is refused in keys. The code is prefix-free by
// character: it keeps order, and a key begins with a prefix if and only if
// their codes do.
const keyRoot = "guest/"

func keyPrefix(component, label string) []byte {
	b := append([]byte(keyRoot), strconv.Itoa(len(component))...)
	b = escapeKey(append(b, ':'), []byte(component))
	b = strconv.AppendInt(append(b, '/'), int64(len(label)), 10)
	b = escapeKey(append(b, ':'), []byte(label))
	return append(b, '/')
}

func escapeKey(dst, key []byte) []byte {
	for {
		i := bytes.IndexByte(key, '|')
		if i < 0 {
			return append(dst, key...)
		}
		dst = append(append(dst, key[:i]...), '|', '.')
		key = key[i+1:]
	}
}

// unescapeKey undoes escapeKey in place.
func unescapeKey(key []byte) []byte {
	if bytes.IndexByte(key, '|') < 0 {
		return key
	}
	out := key[:0]
	for i := 0; i < len(key); i++ {
		out = append(out, key[i])
		if key[i] == '|' {
			i++
		}
	}
	return out
}

// checkKey returns what is wrong with a guest's key. A prefix may be empty.
func checkKey(key []byte, prefix bool) error {
	switch {
	case len(key) == 0 && !prefix:
		return abi.NewError(abi.CodeInvalidArgument, "the key is empty")
	case len(key) > maxKVKey:
		return abi.NewError(abi.CodeTooLarge, "the key is longer than "+strconv.Itoa(maxKVKey)+" bytes")
	case !utf8.Valid(key):
		return abi.NewError(abi.CodeInvalidArgument, "the key is not UTF-8")
	}
	return nil
}

// appendKey appends the stored form of a guest's key to dst.
func (b *bucket) appendKey(dst, key []byte) []byte {
	return escapeKey(append(dst, b.prefix...), key)
}

// guestKey is the guest's form of a stored key, in place; false if the key is
// not one of the bucket's.
func (b *bucket) guestKey(stored []byte) ([]byte, bool) {
	key, found := bytes.CutPrefix(stored, b.prefix)
	if !found || len(key) == 0 {
		return nil, false
	}
	return unescapeKey(key), true
}
