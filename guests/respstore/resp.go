package main

import (
	"bufio"
	"io"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
)

// The wire protocol of Redis, version 2. What the server sends is not trusted.

const (
	maxBulk  = 64 << 20 // bytes of a string
	maxItems = 1 << 16
	maxDepth = 4
)

// reply is one answer of the server.
type reply struct {
	kind  byte // + - : $ *
	text  []byte
	n     int64
	null  bool
	items []reply
}

// failed reports whether the reply is an error that begins with a word.
func (r *reply) failed(word string) bool {
	return r.kind == '-' && len(r.text) >= len(word) && string(r.text[:len(word)]) == word
}

// command appends the head of a command of n parts, which part adds.
func command(b []byte, n int) []byte { return size(b, '*', n) }

func part[T string | []byte](b []byte, p T) []byte {
	b = size(b, '$', len(p))
	b = append(b, p...)
	return append(b, '\r', '\n')
}

func size(b []byte, mark byte, n int) []byte {
	b = strconv.AppendInt(append(b, mark), int64(n), 10)
	return append(b, '\r', '\n')
}

// parts appends a whole command of texts.
func parts(b []byte, all ...string) []byte {
	b = command(b, len(all))
	for _, p := range all {
		b = part(b, p)
	}
	return b
}

var errProtocol = abi.NewError(abi.CodeUnavailable, "the server does not speak the protocol of Redis")

// readReply reads one answer. After an error the connection is of no use.
func readReply(in *bufio.Reader, depth int) (r reply, err error) {
	line, err := in.ReadSlice('\n') // as long as the buffer at most
	if err != nil {
		if err == bufio.ErrBufferFull { //nolint:errorlint // returned bare
			err = errProtocol
		}
		return r, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return r, errProtocol
	}
	r.kind = line[0]
	line = line[1 : len(line)-2]
	switch r.kind {
	case '+', '-':
		r.text = append(r.text, line...)
		return r, nil
	case ':', '$', '*':
	default:
		return r, errProtocol
	}
	if r.n, err = strconv.ParseInt(string(line), 10, 64); err != nil {
		return r, errProtocol
	}
	switch {
	case r.kind == ':':
		return r, nil
	case r.n == -1:
		r.null = true
		return r, nil
	case r.kind == '$' && r.n >= 0 && r.n <= maxBulk:
		r.text, err = readText(in, int(r.n))
		return r, err
	case r.kind == '*' && r.n >= 0 && r.n <= maxItems && depth < maxDepth:
		for range r.n {
			item, err := readReply(in, depth+1)
			if err != nil {
				return r, err
			}
			r.items = append(r.items, item)
		}
		return r, nil
	}
	return r, errProtocol
}

// readText reads n bytes and the end of the line. It takes memory as the bytes
// come, not as they are announced.
func readText(in *bufio.Reader, n int) ([]byte, error) {
	const step = 1 << 20
	b := make([]byte, 0, min(n, step)+2)
	for n += 2; len(b) < n; {
		at := len(b)
		if want := min(n, at+step); cap(b) < want {
			b = append(make([]byte, 0, min(n, max(want, 2*cap(b)))), b...)
		}
		b = b[:min(n, cap(b), at+step)]
		if _, err := io.ReadFull(in, b[at:]); err != nil {
			return nil, err
		}
	}
	if string(b[n-2:]) != "\r\n" {
		return nil, errProtocol
	}
	return b[:n-2], nil
}

// failure is the error that an error reply stands for.
func failure(r *reply) error {
	code := abi.CodeInternal
	for _, f := range []struct {
		word string
		code abi.Code
	}{
		{"NOAUTH", abi.CodePermission}, {"WRONGPASS", abi.CodePermission}, {"NOPERM", abi.CodePermission},
		{"ERR invalid password", abi.CodePermission}, {"ERR AUTH", abi.CodePermission}, {"ERR Client sent AUTH", abi.CodePermission},
		{"LOADING", abi.CodeUnavailable}, {"MASTERDOWN", abi.CodeUnavailable}, {"CLUSTERDOWN", abi.CodeUnavailable},
		{"TRYAGAIN", abi.CodeUnavailable}, {"READONLY", abi.CodeUnavailable}, {"MISCONF", abi.CodeUnavailable},
		{"BUSY", abi.CodeUnavailable}, {"NOREPLICAS", abi.CodeUnavailable}, {"ERR max number of clients", abi.CodeUnavailable},
		{"OOM", abi.CodeQuota}, {"WRONGTYPE", abi.CodeCorrupt}, {"NOSCRIPT", abi.CodeUnavailable},
		{"MOVED", abi.CodeUnsupported}, {"ASK", abi.CodeUnsupported}, {"CROSSSLOT", abi.CodeUnsupported},
	} {
		if r.failed(f.word) {
			code = f.code
			break
		}
	}
	return abi.NewError(code, "the server answered: "+string(r.text[:min(len(r.text), 200)]))
}
