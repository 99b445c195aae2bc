package module

import "github.com/wasmstate/wasmstate/abi"

var (
	errMalformed   = abi.NewError(abi.CodeInvalidArgument, "the request is malformed")
	errFlags       = abi.NewError(abi.CodeUnsupported, "the request has a flag that this module does not know")
	errUnsupported = abi.NewError(abi.CodeUnsupported, "the store does not offer this")
)

// unwrap returns the cause of err. It stands for errors.Is and errors.As,
// whose reflection would be the largest part of a small module.
func unwrap(err error) error {
	if w, ok := err.(interface{ Unwrap() error }); ok {
		return w.Unwrap()
	}
	return nil
}

// codeOf is abi.CodeOf without reflection and without comparing interfaces.
// Nothing cancels the context of a guest.
func codeOf(err error) abi.Code {
	if err == nil {
		return abi.CodeOK
	}
	for e := err; e != nil; e = unwrap(e) {
		if t, ok := e.(interface{ Timeout() bool }); ok && t.Timeout() {
			return abi.CodeTimeout // context.DeadlineExceeded, errors of connections
		}
		if c, ok := e.(*abi.Error); ok { //nolint:errorlint // see unwrap
			if c.Code == abi.CodeOK || !c.Code.Valid() {
				return abi.CodeInternal
			}
			return c.Code
		}
	}
	return abi.CodeInternal
}

func opError(err error) *abi.OpError {
	for e := err; e != nil; e = unwrap(e) {
		if op, ok := e.(*abi.OpError); ok { //nolint:errorlint // see unwrap
			return op
		}
	}
	return nil
}
