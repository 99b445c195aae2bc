package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// call holds the buffers of one get; calls are pooled.
type call struct {
	key  []byte
	req  abi.GetRequest
	resp abi.GetResponse
}

// keepBuffer is the largest buffer that goes back to the pool.
const keepBuffer = 64 << 10

func (s *server) take() *call {
	if c, ok := s.calls.Get().(*call); ok {
		return c
	}
	return new(call)
}

func (s *server) give(c *call) {
	if cap(c.resp.Value) > keepBuffer {
		c.resp.Value = nil
	}
	c.req = abi.GetRequest{}
	s.calls.Put(c)
}

func (s *server) get(w http.ResponseWriter, r *http.Request, st *component.Store, key string) {
	c := s.take()
	defer s.give(c)
	c.key = append(c.key[:0], key...)
	c.req.Key = c.key
	stored := false
	if r.URL.RawQuery != "" {
		q := parseQuery(r.URL.RawQuery)
		var err error
		if c.req.Consistency, err = component.ParseConsistency(q.consistency); err != nil {
			malformed(w, err)
			return
		}
		c.req.Metadata, stored = q.pairs(nil), q.contentType == "stored"
	}
	err := st.Get(r.Context(), &c.req, &c.resp)
	switch {
	case errors.Is(err, abi.ErrNotFound):
		w.WriteHeader(http.StatusNoContent)
		return
	case err != nil:
		opError(w, st.Name(), failure{"ERR_STATE_GET", "fail to get " + key + " from state store " + st.Name()}, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if stored && len(c.resp.ContentType) > 0 && validHeader(c.resp.ContentType) {
		h.Set("Content-Type", string(c.resp.ContentType))
		// A stored type must not turn the API's origin into a web page's.
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "sandbox")
	}
	if len(c.resp.ETag) > 0 && validHeader(c.resp.ETag) {
		h["Etag"] = []string{string(c.resp.ETag)}
	}
	if c.resp.ExpiresAt != 0 {
		h["Metadata.ttlexpiretime"] = []string{expireTime(c.resp.ExpiresAt)}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(c.resp.Value))}
	_, _ = w.Write(c.resp.Value)
}

func expireTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// validHeader reports whether b can be a header value as it is.
func validHeader(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func (s *server) save(w http.ResponseWriter, r *http.Request, st *component.Store) {
	var items []saveItem
	if err := s.decode(w, r, &items); err != nil {
		malformed(w, err)
		return
	}
	q := parseQuery(r.URL.RawQuery)
	ops := make([]abi.Op, len(items))
	for i := range items {
		if err := items[i].set(st, &q, &ops[i].SetRequest); err != nil {
			malformed(w, itemError(i, len(items), err))
			return
		}
	}
	f := failure{"ERR_STATE_SAVE", "failed saving state in state store " + st.Name()}
	switch len(ops) {
	case 0:
	case 1:
		var resp abi.SetResponse
		if err := st.Set(r.Context(), &ops[0].SetRequest, &resp); err != nil {
			opError(w, st.Name(), f, err)
			return
		}
		if len(resp.ETag) > 0 && validHeader(resp.ETag) {
			w.Header()["Etag"] = []string{string(resp.ETag)}
		}
	default:
		results := make([]abi.WriteResult, len(ops))
		if err := st.BulkWrite(r.Context(), ops, results); err != nil {
			opError(w, st.Name(), f, err)
			return
		}
		if i := worst(results); i >= 0 {
			f.text += " (key " + strconv.Quote(string(ops[i].Key)) + ")"
			opError(w, st.Name(), f, results[i].Err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// worst picks the error that answers for a batch: a mismatch, which the client
// can act on, before an invalid etag before any other; -1 if there is none.
func worst(results []abi.WriteResult) int {
	found, rank := -1, 0
	for i := range results {
		r := 1
		switch abi.CodeOf(results[i].Err) {
		case abi.CodeOK:
			r = 0
		case abi.CodeETagMismatch:
			r = 3
		case abi.CodeETagInvalid:
			r = 2
		}
		if r > rank {
			found, rank = i, r
		}
	}
	return found
}

func (s *server) delete(w http.ResponseWriter, r *http.Request, st *component.Store, key string) {
	q := parseQuery(r.URL.RawQuery)
	etag := r.Header.Get("If-Match")
	if n := len(etag); n >= 2 && etag[0] == '"' && etag[n-1] == '"' {
		etag = etag[1 : n-1]
	}
	set := abi.SetRequest{Key: []byte(key), ETag: []byte(etag), Metadata: q.pairs(nil)}
	if err := st.ApplyConcurrency(q.concurrency, &set); err != nil {
		malformed(w, err)
		return
	}
	var err error
	if set.Consistency, err = component.ParseConsistency(q.consistency); err != nil {
		malformed(w, err)
		return
	}
	op := abi.Op{Kind: abi.OpDelete, SetRequest: set}
	req := op.Delete()
	if err := st.Delete(r.Context(), &req); err != nil {
		opError(w, st.Name(), failure{"ERR_STATE_DELETE", "failed deleting state with key " + key}, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// query is what the API reads of a query string.
type query struct {
	consistency, concurrency, contentType string
	metadata                              map[string]string
}

func parseQuery(raw string) query {
	var q query
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		switch meta, ok := strings.CutPrefix(name, "metadata."); {
		case ok:
			if q.metadata == nil {
				q.metadata = map[string]string{}
			}
			q.metadata[meta] = value
		case name == "consistency":
			q.consistency = value
		case name == "concurrency":
			q.concurrency = value
		case name == "contentType":
			q.contentType = value
		}
	}
	return q
}
