package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// object reads the whole body as an object; member reads the value of each of
// its members.
func (b *reading) object(member func(name string) *stateapi.Error) *stateapi.Error {
	if e := b.token('{', "an object"); e != nil {
		return e
	}
	for b.dec.More() {
		t, err := b.dec.Token()
		if err != nil {
			return b.s.bodyError(err)
		}
		name, _ := t.(string)
		if e := member(name); e != nil {
			return e
		}
	}
	if e := b.token('}', "an object"); e != nil {
		return e
	}
	return b.end()
}

// array reads an array, or null; element reads each of its elements.
func (b *reading) array(element func() *stateapi.Error) *stateapi.Error {
	t, err := b.dec.Token()
	switch {
	case err != nil:
		return b.s.bodyError(err)
	case t == nil:
		return nil
	case t != json.Delim('['):
		return stateapi.Malformed(fmt.Errorf("an array is missing at byte %d", b.dec.InputOffset()))
	}
	for b.dec.More() {
		if e := element(); e != nil {
			return e
		}
	}
	return b.token(']', "an array")
}

// skip passes over a value that nobody reads.
func (b *reading) skip(r *http.Request) *stateapi.Error {
	var ignored json.RawMessage
	return b.next(r, &ignored, 0)
}

// bodyError says what is wrong with a body, and where. nil for nil.
func (s *server) bodyError(err error) *stateapi.Error {
	var large *http.MaxBytesError
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return stateapi.BodyTooLarge(large.Limit)
	case errors.Is(err, errTooSlow), errors.Is(err, os.ErrDeadlineExceeded):
		return &stateapi.Error{Status: http.StatusRequestTimeout, Code: "ERR_MALFORMED_REQUEST", Message: fmt.Sprintf(
			"the body comes too slowly: less than %d bytes per second", s.cfg.Pace.Rate)}
	case errors.As(err, &syntax):
		err = fmt.Errorf("the body is not valid JSON: %w at byte %d", syntax, syntax.Offset)
	case errors.As(err, &typ):
		where := "the body"
		if typ.Field != "" {
			where = fmt.Sprintf("%q", typ.Field)
		}
		err = fmt.Errorf("%s must not be a JSON %s (at byte %d)", where, typ.Value, typ.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the body is not valid JSON: it ends too early")
	default:
		err = fmt.Errorf("the body cannot be read: %w", err)
	}
	return stateapi.Malformed(err)
}
