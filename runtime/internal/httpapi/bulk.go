package httpapi

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// bulkGet answers one item per requested key, in order. The parallelism member
// is accepted and not needed: a store that can reads all in one round trip.
func (s *server) bulkGet(w http.ResponseWriter, r *http.Request, st *component.Store, _ string) *stateapi.Error {
	q, err := s.query(r)
	if err != nil {
		return stateapi.Malformed(err)
	}
	charge := s.api.Budget.Charge()
	defer charge.Release()
	b, e := s.open(w, r, &charge)
	if e != nil {
		return e
	}
	var keys []string
	var meta members
	e = b.object(func(name string) *stateapi.Error {
		switch name {
		case "metadata":
			return b.next(r, &meta, len(keys))
		case "keys":
			keys = nil
			return b.array(func() *stateapi.Error {
				var key string
				if e := b.next(r, &key, len(keys)+1); e != nil {
					return e
				}
				keys = append(keys, key)
				return s.api.CheckKeys(len(keys))
			})
		}
		return b.skip(r)
	})
	if e != nil {
		return e
	}
	out, e := s.api.BulkGet(r.Context(), st, keys, stateapi.Pairs(meta, q.metadata), &charge)
	if e != nil {
		return e
	}
	w.Header().Set("Content-Type", "application/json")
	s.writeBulk(w, keys, out)
	return nil
}

// writeBulk writes the items as they are held, each value once and byte for
// byte, through a small buffer.
func (s *server) writeBulk(w http.ResponseWriter, keys []string, out *stateapi.Bulk) {
	buf := bufio.NewWriterSize(s.slow(w), 16<<10)
	buf.WriteByte('[')
	for i, key := range keys {
		if i > 0 {
			buf.WriteByte(',')
		}
		writeItem(buf, key, &out.Results[out.Index[i]])
	}
	buf.WriteByte(']')
	_ = buf.Flush() // the error of any write; then the client has gone
}

// writeItem writes {"key", "data", "etag", "metadata", "error"}.
func writeItem(w *bufio.Writer, key string, res *abi.GetResult) {
	w.WriteString(`{"key":`)
	writeText(w, key)
	switch {
	case errors.Is(res.Err, abi.ErrNotFound):
	case res.Err != nil:
		w.WriteString(`,"error":`)
		writeText(w, res.Err.Error())
	default:
		w.WriteString(`,"data":`)
		meta := map[string]string{}
		if json.Valid(res.Value) {
			w.Write(res.Value)
		} else {
			meta["encoding"] = "base64"
			w.WriteByte('"')
			enc := base64.NewEncoder(base64.StdEncoding, w)
			_, _ = enc.Write(res.Value)
			_ = enc.Close()
			w.WriteByte('"')
		}
		if len(res.ETag) > 0 {
			w.WriteString(`,"etag":`)
			writeText(w, string(res.ETag))
		}
		if res.ExpiresAt != 0 {
			meta["ttlExpireTime"] = stateapi.ExpireTime(res.ExpiresAt)
		}
		if len(meta) > 0 {
			text, _ := json.Marshal(meta)
			w.WriteString(`,"metadata":`)
			w.Write(text)
		}
	}
	w.WriteByte('}')
}

// writeText writes a JSON text; the bytes of a key that are not UTF-8 become
// U+FFFD, as encoding/json does.
func writeText(w *bufio.Writer, text string) {
	enc, _ := json.Marshal(text) // a string always has a form
	w.Write(enc)
}
