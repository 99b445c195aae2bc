package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// saveItem is an element of a save request and the request of a transaction's
// operation.
type saveItem struct {
	Key         *string           `json:"key"`
	Value       json.RawMessage   `json:"value"` // kept byte for byte
	ETag        *string           `json:"etag"`
	Metadata    map[string]string `json:"metadata"`
	ContentType string            `json:"contentType"`
	Options     struct {
		Concurrency string `json:"concurrency"`
		Consistency string `json:"consistency"`
	} `json:"options"`
}

// set fills req; the query's metadata override the item's.
func (it *saveItem) set(st *component.Store, q *query, req *abi.SetRequest) error {
	if it.Key == nil {
		return errors.New(`"key" is a required field`)
	}
	req.Key = []byte(*it.Key)
	req.Value = it.Value
	if len(req.Value) == 0 {
		req.Value = []byte("null")
	}
	if it.ETag != nil {
		req.ETag = []byte(*it.ETag)
	}
	contentType := it.ContentType
	ttl := it.Metadata["ttlInSeconds"]
	if v := it.Metadata["contentType"]; v != "" {
		contentType = v
	}
	if v, ok := q.metadata["contentType"]; ok {
		contentType = v
	}
	if v, ok := q.metadata["ttlInSeconds"]; ok {
		ttl = v
	}
	req.ContentType = []byte(contentType)
	var err error
	if req.TTL, err = component.ParseTTL(ttl); err != nil {
		return err
	}
	req.Metadata = q.pairs(it.Metadata)
	if req.Consistency, err = component.ParseConsistency(it.Options.Consistency); err != nil {
		return err
	}
	return st.ApplyConcurrency(it.Options.Concurrency, req)
}

// pairs merges item and query metadata; what the server itself reads is left
// out.
func (q *query) pairs(item map[string]string) []abi.Pair {
	if len(item)+len(q.metadata) == 0 {
		return nil
	}
	var pairs []abi.Pair
	add := func(name, value string) {
		if name != "ttlInSeconds" && name != "contentType" {
			pairs = append(pairs, abi.Pair{Name: name, Value: value})
		}
	}
	for name, value := range item {
		if _, over := q.metadata[name]; !over {
			add(name, value)
		}
	}
	for name, value := range q.metadata {
		add(name, value)
	}
	abi.SortPairs(pairs)
	return pairs
}

// promised is the largest body that memory is taken for before it arrives.
const promised = 64 << 10

// decode reads a JSON body up to the limit. Members that are not known are
// ignored, as in Dapr; what follows the document is not.
func (s *server) decode(w http.ResponseWriter, r *http.Request, into any) error {
	body := http.MaxBytesReader(w, r.Body, s.cfg.MaxBody)
	var data []byte
	var err error
	if r.ContentLength > 0 && r.ContentLength <= min(s.cfg.MaxBody, promised) {
		data = make([]byte, r.ContentLength)
		_, err = io.ReadFull(body, data)
	} else {
		data, err = io.ReadAll(body)
	}
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return describe(err)
	}
	return nil
}

// describe says where a JSON document is wrong.
func describe(err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not valid JSON: %w at byte %d", syntax, syntax.Offset)
	case errors.As(err, &typ):
		where := "the body"
		if typ.Field != "" {
			where = fmt.Sprintf("%q", typ.Field)
		}
		return fmt.Errorf("%s must not be a JSON %s (at byte %d)", where, typ.Value, typ.Offset)
	}
	return fmt.Errorf("the body cannot be read: %w", err)
}

func itemError(i, n int, err error) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("item %d: %w", i, err)
}

// unescape decodes a part of a query string; what is not escaped well is taken
// as it is.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
