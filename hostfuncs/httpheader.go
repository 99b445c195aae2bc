package hostfuncs

import (
	"net/http"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

const (
	maxHeaders     = 64
	maxHeaderBytes = 16 << 10
)

var errBadHeader = abi.NewError(abi.CodeInvalidArgument, "a header is not one that guests may set")

// requestHeader builds the headers of a request. What frames the message, names
// the host or speaks to the next hop is the transport's, never the guest's.
func requestHeader(contentType, pairs []byte) (http.Header, error) {
	h := http.Header{}
	if len(contentType) > 0 {
		if len(contentType) > maxContentType {
			return nil, errContentType
		}
		if !validValue(contentType) {
			return nil, errBadHeader
		}
		h.Set("Content-Type", string(contentType))
	}
	count, size := 0, len(contentType)
	for len(pairs) > 0 {
		name, value, rest, valid := abi.NextPair(pairs)
		pairs = rest
		count++
		size += len(name) + len(value)
		if !valid {
			return nil, errBadRecord
		}
		if count > maxHeaders || size > maxHeaderBytes {
			return nil, abi.NewError(abi.CodeTooLarge, "there are too many headers")
		}
		key := strings.ToLower(string(name))
		if !validName(key) || !validValue(value) || reserved(key) || key == "content-type" && len(contentType) > 0 {
			return nil, errBadHeader
		}
		h.Add(key, string(value))
	}
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "wasmstate")
	}
	return h, nil
}

// reserved reports whether guests must not set the header, in lower case: it
// frames the message, speaks to the next hop, or asks for another method, path
// or host than the ones that were judged. Many servers do not tell "_" from "-".
func reserved(name string) bool {
	name = strings.ReplaceAll(name, "_", "-")
	switch name {
	case "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect", "http2-settings",
		"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url", "x-forwarded-host", "forwarded":
		return true
	}
	return strings.HasPrefix(name, "proxy-")
}

// validName accepts a token of RFC 9110.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

// validValue accepts a field value of RFC 9110: no controls, above all no line
// breaks.
func validValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// keepHarmless drops whatever could be a credential: every header that is not
// known not to be one, since there is no list of all names for keys.
func keepHarmless(h http.Header) {
	for name := range h {
		switch name {
		case "Accept", "Accept-Language", "Content-Type", "Range", "User-Agent":
		default:
			delete(h, name)
		}
	}
}

// http fills the reply with the head of a response; nil leaves it empty.
func (r *reply) http(resp *http.Response) {
	if resp == nil {
		return
	}
	r.present = true
	r.head.code = uint32(resp.StatusCode)
	r.head.ctype = []byte(resp.Header.Get("Content-Type"))
	names := make([]string, 0, len(resp.Header))
	size := 0
	for name, values := range resp.Header {
		names = append(names, name)
		for _, v := range values {
			size += 8 + len(name) + len(v)
		}
	}
	slices.Sort(names)
	pairs := make([]byte, 0, size)
	for _, name := range names {
		lower := strings.ToLower(name)
		for _, value := range resp.Header[name] {
			pairs = le.AppendUint32(pairs, uint32(len(lower)))
			pairs = le.AppendUint32(pairs, uint32(len(value)))
			pairs = append(append(pairs, lower...), value...)
		}
	}
	r.head.message = pairs
}
