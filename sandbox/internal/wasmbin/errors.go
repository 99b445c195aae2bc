package wasmbin

import (
	"fmt"
	"strconv"
)

// Reason says why a module was refused.
type Reason uint8

// The reasons.
const (
	NotWasm     Reason = iota + 1 // it is another kind of file
	Component                     // it is a component, not a core module
	Malformed                     // it is damaged or not valid
	Unsupported                   // it uses a feature that is not offered
	Exceeded                      // it is larger than a limit allows
	Forbidden                     // it imports or exports what no guest may
)

// Error is the refusal of a module.
type Error struct {
	Reason Reason
	Offset int    // in the file, in bytes; -1 = not at one place
	Where  string // the part of the module, such as `function 3 "get"`; may be empty
	Msg    string
}

func (e *Error) Error() string {
	s := e.Msg
	if e.Where != "" {
		s = e.Where + ": " + s
	}
	if e.Offset >= 0 {
		s += " (at byte " + strconv.Itoa(e.Offset) + ")"
	}
	return s
}

// exceeded is the refusal of value, which is a number of things called what.
func exceeded(offset int, where string, limit Limit, what string, value uint64, maximum int64) *Error {
	return &Error{Reason: Exceeded, Offset: offset, Where: where,
		Msg: fmt.Sprintf("%d %s, more than the %d that the limit %s allows", value, what, maximum, limit)}
}

// quote makes a name from a module fit for a message.
func quote(name string) string {
	const most = 64
	cut := ""
	if len(name) > most {
		name, cut = name[:most], "…"
	}
	return strconv.Quote(name) + cut
}
