package stateapi

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// Item is one write as a client words it, whatever the protocol.
type Item struct {
	Key         *string // nil = not given
	Value       []byte  // as it is to be stored; empty = the JSON null
	ETag        *string // nil or empty = none
	ContentType string
	Metadata    map[string]string
	Concurrency string // first-write, last-write or empty
	Consistency string // eventual, strong or empty
}

// Set turns an item into a request to a store; meta is the metadata of the whole
// request, which overrides the item's.
func (it *Item) Set(st *component.Store, meta map[string]string, req *abi.SetRequest) error {
	if it.Key == nil {
		return errors.New(`"key" is a required field`)
	}
	req.Key = []byte(*it.Key)
	if req.Value = it.Value; len(req.Value) == 0 {
		req.Value = []byte("null")
	}
	if it.ETag != nil {
		req.ETag = []byte(*it.ETag)
	}
	contentType, ttl := it.ContentType, it.Metadata["ttlInSeconds"]
	if v := it.Metadata["contentType"]; v != "" {
		contentType = v
	}
	if v, ok := meta["contentType"]; ok {
		contentType = v
	}
	if v, ok := meta["ttlInSeconds"]; ok {
		ttl = v
	}
	req.ContentType = []byte(contentType)
	var err error
	if req.TTL, err = ParseTTL(ttl); err != nil {
		return err
	}
	req.Metadata = Pairs(it.Metadata, meta)
	if req.Consistency, err = ParseConsistency(it.Consistency); err != nil {
		return err
	}
	return Concurrency(st, it.Concurrency, req)
}

// Pairs merges the metadata of an item and of its request, which comes first;
// what the API itself reads is left out. Sorted by name.
func Pairs(item, request map[string]string) []abi.Pair {
	if len(item)+len(request) == 0 {
		return nil
	}
	var pairs []abi.Pair
	add := func(name, value string) {
		if name != "ttlInSeconds" && name != "contentType" {
			pairs = append(pairs, abi.Pair{Name: name, Value: value})
		}
	}
	for name, value := range item {
		if _, over := request[name]; !over {
			add(name, value)
		}
	}
	for name, value := range request {
		add(name, value)
	}
	abi.SortPairs(pairs)
	return pairs
}

// Concurrency puts the concurrency option of a client, "first-write",
// "last-write" or "", into req. With last-write and the component's switch
// etagOnLastWrite: ignore, the etag is dropped. Any other word is an invalid
// argument.
func Concurrency(st *component.Store, word string, req *abi.SetRequest) error {
	switch word {
	case "":
	case "first-write":
		req.FirstWrite = true
	case "last-write":
		if st.IgnoresLastETag() {
			req.ETag = nil
		}
	default:
		return invalid("unrecognized concurrency model %q; use first-write or last-write", clip(word))
	}
	return nil
}

// ParseConsistency reads the consistency option of a client: "eventual",
// "strong" or "". Any other word is an invalid argument.
func ParseConsistency(word string) (abi.Consistency, error) {
	switch word {
	case "":
		return abi.ConsistencyDefault, nil
	case "eventual":
		return abi.ConsistencyEventual, nil
	case "strong":
		return abi.ConsistencyStrong, nil
	}
	return 0, invalid("unrecognized consistency model %q; use eventual or strong", clip(word))
}

// ParseTTL reads the request metadata ttlInSeconds: a positive number of
// seconds up to 2^31-1 is a time to live; "" and -1 mean none. Everything else
// is an invalid argument, before a store is touched.
func ParseTTL(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return 0, invalid("ttlInSeconds: %q is not a whole number of seconds", clip(text))
	case n == -1:
		return 0, nil
	case n <= 0 || n > int64(abi.MaxTTL/time.Second):
		return 0, invalid("ttlInSeconds: %d is out of range; use 1 to %d, or -1 for no expiry", n, int64(abi.MaxTTL/time.Second))
	}
	return time.Duration(n) * time.Second, nil
}

// ExpireTime is a time in Unix milliseconds as ttlExpireTime shows it.
func ExpireTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

func invalid(format string, args ...any) error {
	return abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf(format, args...))
}

// clip shortens what an error repeats of a request.
func clip(s string) string { return text.Clip(s, 40) }
