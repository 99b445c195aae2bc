//go:build tinygo || wasip1

package http

import (
	"io"
	"unsafe"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/guests/sdk/go/internal/module"
)

//go:wasmimport wasmstate_http start
func hostStart(req unsafe.Pointer, n uint32) uint64

//go:wasmimport wasmstate_http write
func hostWrite(handle uint32, data unsafe.Pointer, n uint32) uint64

//go:wasmimport wasmstate_http response
func hostResponse(handle uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_http read
func hostRead(handle uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_http close
func hostClose(handle uint32) uint64

// Flags of a request, at offset 4 of its record.
const (
	flagStream      = 1 << 2
	flagNoRedirects = 1 << 3
)

// Do sends a request and waits for the head of its response. Every status is a
// response, not an error. Errors have the codes Timeout, Unavailable (the
// server cannot be reached or broke off), Permission (not granted), Quota (too
// many exchanges) or InvalidArgument.
func Do(req *Request) (*Response, error) {
	handle, err := start(req)
	if err != nil {
		return nil, err
	}
	b := &body{handle: handle}
	if req.Stream != nil {
		if err := send(handle, req.Stream); err != nil {
			_ = b.Close()
			return nil, err
		}
	}
	resp, err := response(handle)
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	resp.Body = b
	return resp, nil
}

func start(req *Request) (uint32, error) {
	r := abi.SetRequest{
		Key: []byte(req.URL), ETag: []byte(req.Method), ContentType: []byte(req.ContentType), Metadata: req.Header,
	}
	flags := byte(0)
	if req.Stream != nil {
		flags |= flagStream
	} else {
		r.Value = req.Body
	}
	if req.NoRedirects {
		flags |= flagNoRedirects
	}
	var e abi.Encoder
	e.Set(&r, req.Timeout) // counts
	if e.Size() > abi.MaxBuffer {
		return 0, failure("request", abi.CodeTooLarge)
	}
	b := make([]byte, e.Size())
	e = abi.Encoder{Buf: b}
	e.Set(&r, req.Timeout)
	b[4] = flags
	code, handle := abi.Unpack(hostStart(unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))))
	if code != abi.CodeOK {
		return 0, failure("request", code)
	}
	return handle, nil
}

// send copies a stream to the body of the request.
func send(handle uint32, from io.Reader) error {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		for part := b[:n]; len(part) > 0; {
			code, taken := abi.Unpack(hostWrite(handle, unsafe.Pointer(unsafe.SliceData(part)), uint32(len(part))))
			if code != abi.CodeOK || taken == 0 {
				return failure("body", code)
			}
			part = part[min(int(taken), len(part)):]
		}
		if err == io.EOF { //nolint:errorlint // readers return it bare
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func response(handle uint32) (*Response, error) {
	for b := make([]byte, 4<<10); ; {
		code, n := abi.Unpack(hostResponse(handle, unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))))
		if code != abi.CodeOK {
			return nil, failure("response", code)
		}
		if uint64(n) > uint64(len(b)) {
			b = make([]byte, n)
			continue
		}
		v, ok := abi.ParseResponse(b[:n])
		if !ok {
			return nil, failure("response", abi.CodeInternal)
		}
		r := &Response{Status: int(v.Code), ContentType: string(module.At(b, v.ContentType))}
		for raw := module.At(b, v.Message); len(raw) > 0; {
			name, value, rest, ok := abi.NextPair(raw)
			if !ok {
				return nil, failure("headers", abi.CodeInternal)
			}
			r.Header = append(r.Header, abi.Pair{Name: string(name), Value: string(value)})
			raw = rest
		}
		return r, nil
	}
}

// body reads from an exchange.
type body struct {
	handle uint32 // 0 = closed
	end    bool
}

func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.handle == 0:
		return 0, abi.ErrClosed
	case b.end:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	code, n := abi.Unpack(hostRead(b.handle, unsafe.Pointer(unsafe.SliceData(p)), uint32(len(p))))
	switch {
	case code != abi.CodeOK:
		return 0, failure("body", code)
	case n == 0:
		b.end = true
		return 0, io.EOF
	}
	return int(n), nil
}

func (b *body) Close() error {
	if b.handle != 0 {
		hostClose(b.handle)
		b.handle = 0
	}
	return nil
}

// failure is the error of a code of the host.
func failure(what string, code abi.Code) error {
	return abi.NewError(code, "http: "+what+": "+code.String())
}
