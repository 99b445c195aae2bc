package httpapi

import (
	"net/http"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
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

func (s *server) get(w http.ResponseWriter, r *http.Request, st *component.Store, key string) *stateapi.Error {
	c := s.take()
	defer s.give(c)
	c.key = append(c.key[:0], key...)
	c.req.Key = c.key
	stored := false
	if r.URL.RawQuery != "" {
		q, err := s.query(r)
		if err == nil {
			c.req.Consistency, err = stateapi.ParseConsistency(q.consistency)
		}
		if err != nil {
			return stateapi.Malformed(err)
		}
		c.req.Metadata, stored = stateapi.Pairs(nil, q.metadata), q.contentType == "stored"
	}
	charge := s.api.Budget.Charge()
	defer charge.Release()
	found, e := s.api.Get(r.Context(), st, &c.req, &c.resp, &charge)
	if e != nil {
		return e
	}
	if !found {
		w.WriteHeader(http.StatusNoContent)
		return nil
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
		h["Metadata.ttlexpiretime"] = []string{stateapi.ExpireTime(c.resp.ExpiresAt)}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(c.resp.Value))}
	s.answer(w, c.resp.Value)
	return nil
}

// validHeader reports whether b can be a header value as it is.
func validHeader(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func (s *server) save(w http.ResponseWriter, r *http.Request, st *component.Store, _ string) *stateapi.Error {
	q, err := s.query(r)
	if err != nil {
		return stateapi.Malformed(err)
	}
	charge := s.api.Budget.Charge()
	defer charge.Release()
	ops, e := s.items(w, r, st, &q, &charge)
	if e != nil {
		return e
	}
	etag, e := s.api.Save(r.Context(), st, ops)
	if e != nil {
		return e
	}
	if len(etag) > 0 && validHeader(etag) {
		w.Header()["Etag"] = []string{string(etag)}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) delete(w http.ResponseWriter, r *http.Request, st *component.Store, key string) *stateapi.Error {
	q, err := s.query(r)
	if err != nil {
		return stateapi.Malformed(err)
	}
	etag := r.Header.Get("If-Match")
	if n := len(etag); n >= 2 && etag[0] == '"' && etag[n-1] == '"' {
		etag = etag[1 : n-1]
	}
	set := abi.SetRequest{Key: []byte(key), ETag: []byte(etag), Metadata: stateapi.Pairs(nil, q.metadata)}
	if err := stateapi.Concurrency(st, q.concurrency, &set); err != nil {
		return stateapi.Malformed(err)
	}
	if set.Consistency, err = stateapi.ParseConsistency(q.consistency); err != nil {
		return stateapi.Malformed(err)
	}
	op := abi.Op{Kind: abi.OpDelete, SetRequest: set}
	req := op.Delete()
	if e := s.api.Delete(r.Context(), st, &req); e != nil {
		return e
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) transact(w http.ResponseWriter, r *http.Request, st *component.Store, _ string) *stateapi.Error {
	q, err := s.query(r)
	if err != nil {
		return stateapi.Malformed(err)
	}
	charge := s.api.Budget.Charge()
	defer charge.Release()
	ops, e := s.operations(w, r, st, &q, &charge)
	if e == nil {
		e = s.api.Transact(r.Context(), st, ops)
	}
	if e != nil {
		return e
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
