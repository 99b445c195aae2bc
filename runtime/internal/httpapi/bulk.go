package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

type bulkItem struct {
	Key      string            `json:"key"`
	Data     json.RawMessage   `json:"data,omitempty"`
	ETag     string            `json:"etag,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// bulkGet answers one item per requested key, in order. The parallelism member
// is accepted and not needed: a store that can reads all in one round trip.
func (s *server) bulkGet(w http.ResponseWriter, r *http.Request, st *component.Store) {
	var body struct {
		Keys     []string          `json:"keys"`
		Metadata map[string]string `json:"metadata"`
	}
	if err := s.decode(w, r, &body); err != nil {
		malformed(w, err)
		return
	}
	q := parseQuery(r.URL.RawQuery)
	reqs, results := make([]abi.GetRequest, len(body.Keys)), make([]abi.GetResult, len(body.Keys))
	meta := q.pairs(body.Metadata)
	for i, key := range body.Keys {
		reqs[i] = abi.GetRequest{Key: []byte(key), Metadata: meta}
	}
	if err := st.BulkGet(r.Context(), reqs, results); err != nil {
		opError(w, st.Name(), failure{"ERR_STATE_BULK_GET", "failed to read keys from state store " + st.Name()}, err)
		return
	}
	items := make([]bulkItem, len(results))
	for i := range results {
		items[i] = newBulkItem(body.Keys[i], &results[i])
	}
	out, err := json.Marshal(items)
	if err != nil {
		opError(w, st.Name(), failure{"ERR_STATE_BULK_GET", "failed to encode the answer"}, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(out))}
	_, _ = w.Write(out)
}

func newBulkItem(key string, res *abi.GetResult) bulkItem {
	item := bulkItem{Key: key}
	switch {
	case errors.Is(res.Err, abi.ErrNotFound):
		return item
	case res.Err != nil:
		item.Error = res.Err.Error()
		return item
	}
	item.ETag = string(res.ETag)
	item.Data = res.Value
	meta := map[string]string{}
	if !json.Valid(res.Value) {
		item.Data, _ = json.Marshal(res.Value) // a []byte becomes base64
		meta["encoding"] = "base64"
	}
	if res.ExpiresAt != 0 {
		meta["ttlExpireTime"] = expireTime(res.ExpiresAt)
	}
	if len(meta) > 0 {
		item.Metadata = meta
	}
	return item
}

func (s *server) transact(w http.ResponseWriter, r *http.Request, st *component.Store) {
	var body struct {
		Operations []struct {
			Operation string   `json:"operation"`
			Request   saveItem `json:"request"`
		} `json:"operations"`
		Metadata map[string]string `json:"metadata"`
	}
	if err := s.decode(w, r, &body); err != nil {
		malformed(w, err)
		return
	}
	q := parseQuery(r.URL.RawQuery)
	ops := make([]abi.Op, len(body.Operations))
	for i := range body.Operations {
		o := &body.Operations[i]
		switch o.Operation {
		case "upsert":
		case "delete":
			ops[i].Kind = abi.OpDelete
			o.Request.Value = nil
		default:
			apiError{http.StatusBadRequest, "ERR_NOT_SUPPORTED_STATE_OPERATION", fmt.Sprintf("operation type %s not supported", o.Operation), nil}.write(w)
			return
		}
		if err := o.Request.set(st, &q, &ops[i].SetRequest); err != nil {
			malformed(w, itemError(i, len(ops), err))
			return
		}
	}
	if err := st.Transact(r.Context(), ops); err != nil {
		opError(w, st.Name(), failure{"ERR_STATE_TRANSACTION", "error while executing state transaction"}, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
