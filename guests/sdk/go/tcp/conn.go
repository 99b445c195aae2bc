//go:build tinygo || wasip1

package tcp

import (
	"io"
	"time"
	"unsafe"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/guests/sdk/go/internal/module"
)

//go:wasmimport wasmstate_tcp connect
func hostConnect(addr unsafe.Pointer, n, flags, timeout uint32) uint64

//go:wasmimport wasmstate_tcp read
func hostRead(handle uint32, out unsafe.Pointer, max, timeout uint32) uint64

//go:wasmimport wasmstate_tcp write
func hostWrite(handle uint32, data unsafe.Pointer, n, timeout uint32) uint64

//go:wasmimport wasmstate_tcp close
func hostClose(handle uint32) uint64

// Conn is a connection.
type Conn struct {
	addr          string
	handle        uint32 // 0 = closed
	reads, writes time.Time
}

// Dial connects to host:port. timeout is rounded up to milliseconds; 0 is the
// rest of the operation.
func Dial(addr string, opts Options) (*Conn, error) {
	var flags uint32
	if opts.TLS {
		flags = 1
	}
	code, handle := abi.Unpack(hostConnect(unsafe.Pointer(unsafe.StringData(addr)), uint32(len(addr)), flags, millis(opts.Timeout)))
	if code != abi.CodeOK {
		return nil, failure("connect to "+addr, code)
	}
	return &Conn{addr: addr, handle: handle}, nil
}

// Read reads at least one byte; io.EOF is the end of the stream. After a
// timeout the connection can be used on.
func (c *Conn) Read(b []byte) (int, error) {
	timeout, ok := left(c.reads)
	switch {
	case c.handle == 0:
		return 0, abi.ErrClosed
	case len(b) == 0:
		return 0, nil
	case !ok:
		return 0, failure("read from "+c.addr, abi.CodeTimeout)
	}
	code, n := abi.Unpack(hostRead(c.handle, unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)), timeout))
	switch {
	case code != abi.CodeOK:
		return 0, failure("read from "+c.addr, code)
	case n == 0:
		return 0, io.EOF
	}
	return int(n), nil
}

// Write writes all of b. After an error the connection is broken.
func (c *Conn) Write(b []byte) (int, error) {
	timeout, ok := left(c.writes)
	switch {
	case c.handle == 0:
		return 0, abi.ErrClosed
	case !ok:
		return 0, failure("write to "+c.addr, abi.CodeTimeout)
	}
	code, n := abi.Unpack(hostWrite(c.handle, unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)), timeout))
	if code != abi.CodeOK {
		return int(n), failure("write to "+c.addr, code)
	}
	return int(n), nil
}

// Close ends the connection. Idempotent.
func (c *Conn) Close() error {
	if c.handle != 0 {
		hostClose(c.handle)
		c.handle = 0
	}
	return nil
}

// SetDeadline sets both deadlines; zero is the end of the operation.
func (c *Conn) SetDeadline(t time.Time) error {
	c.reads, c.writes = t, t
	return nil
}

// SetReadDeadline sets when reading gives up.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.reads = t
	return nil
}

// SetWriteDeadline sets when writing gives up.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.writes = t
	return nil
}

// left is the number of milliseconds until t, 0 for no limit; false if t has
// passed.
func left(t time.Time) (uint32, bool) {
	if t.IsZero() {
		return 0, true
	}
	d := time.Duration(t.UnixNano() - module.Now())
	return millis(d), d > 0
}

// millis rounds up, because 0 means no limit.
func millis(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d+time.Millisecond-1)/time.Millisecond, 1<<32-1))
}

// failure is the error of a code of the host. It is an *abi.Error, so that it
// can be returned from an operation as it is.
func failure(what string, code abi.Code) error {
	e := abi.NewError(code, what+": "+code.String())
	if code == abi.CodeTimeout {
		return &timeoutError{e}
	}
	return e
}
