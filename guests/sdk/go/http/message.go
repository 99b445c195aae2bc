package http

import (
	"io"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// Request is what [Do] sends. Only URL is required.
type Request struct {
	Method string // empty = GET
	URL    string // absolute, http or https, without user and password
	// Header are the headers but the content type and those that belong to the
	// connection, such as Host and Content-Length.
	Header      []abi.Pair
	ContentType string
	Body        []byte    // at most 8 MiB; kept by nobody
	Stream      io.Reader // the body if it is not nil, sent as it is read; Body is then ignored
	// Timeout is for the whole exchange, the body of the response included; 0 =
	// as long as the operation and the host allow.
	Timeout     time.Duration
	NoRedirects bool // a redirect is the response
}

// Response is the head of a response and its body.
type Response struct {
	Status      int // such as 200
	ContentType string
	Header      []abi.Pair // names in lower case, one pair per value
	// Body is never nil. Read returns io.EOF at its end and an error with
	// abi.CodeTooLarge beyond the host's limit of 8 MiB. Close it when it is
	// not read to the end and the operation goes on: an instance has at most 16
	// exchanges open.
	Body io.ReadCloser
}

// Get returns the first header with the name, which is in lower case, or "".
func (r *Response) Get(name string) string {
	for _, p := range r.Header {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}
