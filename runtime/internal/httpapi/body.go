package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// item is an element of a save request and the request of a transaction's
// operation, as JSON has it.
type item struct {
	Key         *string         `json:"key"`
	Value       json.RawMessage `json:"value"` // kept byte for byte
	ETag        *string         `json:"etag"`
	Metadata    members         `json:"metadata"`
	ContentType string          `json:"contentType"`
	Options     struct {
		Concurrency string `json:"concurrency"`
		Consistency string `json:"consistency"`
	} `json:"options"`
}

func (it *item) set(st *component.Store, q *query, req *abi.SetRequest) error {
	words := stateapi.Item{
		Key: it.Key, Value: it.Value, ETag: it.ETag, ContentType: it.ContentType, Metadata: it.Metadata,
		Concurrency: it.Options.Concurrency, Consistency: it.Options.Consistency,
	}
	return words.Set(st, q.metadata, req)
}

// members is an object of texts. Of a larger one than anybody needs not all is
// read into memory: mostMembers bounds it before the server's own, lower limit
// is looked at.
type members map[string]string

const mostMembers = 1000

// UnmarshalJSON implements json.Unmarshaler.
func (m *members) UnmarshalJSON(b []byte) error {
	commas := 0
	for _, c := range b {
		if c == ',' {
			commas++
		}
	}
	// Every member but the first has a comma before it; commas in texts count too,
	// which a text of metadata is not full of.
	if commas >= mostMembers {
		return errTooManyMembers
	}
	var plain map[string]string
	if err := json.Unmarshal(b, &plain); err != nil {
		return err
	}
	*m = plain
	return nil
}

var errTooManyMembers = errors.New("the metadata of an item has too many members")

// reading is a request body that is decoded part by part, so that a bad part
// ends it before the rest costs anything.
type reading struct {
	s      *server
	dec    *json.Decoder
	charge *stateapi.Charge
	body   *counted
	base   int64 // charged before the first item
}

// counted is a body that counts what was read of it.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// itemCost is what an item takes in memory besides its bytes.
const itemCost = 400

// open charges a request's body and begins to read it. A body of unknown length
// is charged as it comes.
func (s *server) open(w http.ResponseWriter, r *http.Request, charge *stateapi.Charge) (*reading, *stateapi.Error) {
	limit := s.api.Limits().Body
	if r.ContentLength > limit {
		return nil, stateapi.BodyTooLarge(limit)
	}
	base := max(r.ContentLength, 0)
	if e := charge.Grow(r.Context(), base); e != nil {
		return nil, e
	}
	body := &counted{r: http.MaxBytesReader(w, io.NopCloser(s.paced(w, r)), limit)}
	return &reading{s: s, dec: json.NewDecoder(body), charge: charge, body: body, base: base}, nil
}

// next reads one more part into v; items is how many there are with it.
func (b *reading) next(r *http.Request, v any, items int) *stateapi.Error {
	if err := b.dec.Decode(v); err != nil {
		return b.s.bodyError(err)
	}
	return b.charge.Grow(r.Context(), max(b.base, b.body.n)+int64(items)*itemCost)
}

// token reads a delimiter and refuses any other.
func (b *reading) token(want json.Delim, what string) *stateapi.Error {
	t, err := b.dec.Token()
	if err != nil {
		return b.s.bodyError(err)
	}
	if t != want {
		return stateapi.Malformed(fmt.Errorf("the body must be %s (at byte %d)", what, b.dec.InputOffset()))
	}
	return nil
}

// end refuses what follows the document.
func (b *reading) end() *stateapi.Error {
	if _, err := b.dec.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = fmt.Errorf("the body is not valid JSON: something follows the document at byte %d", b.dec.InputOffset())
			return stateapi.Malformed(err)
		}
		return b.s.bodyError(err)
	}
	return nil
}

// items decodes the body of a save.
func (s *server) items(w http.ResponseWriter, r *http.Request, st *component.Store, q *query, charge *stateapi.Charge) ([]abi.Op, *stateapi.Error) {
	b, e := s.open(w, r, charge)
	if e == nil {
		e = b.token('[', "an array of items")
	}
	if e != nil {
		return nil, e
	}
	ops := make([]abi.Op, 0, 1)
	for b.dec.More() {
		if e := s.api.CheckItems(len(ops) + 1); e != nil {
			return nil, e
		}
		var it item
		if e := b.next(r, &it, len(ops)+1); e != nil {
			return nil, at(e, len(ops), false)
		}
		var op abi.Op
		if err := s.fill(&it, st, q, &op.SetRequest); err != nil {
			return nil, at(stateapi.Malformed(err), len(ops), b.dec.More())
		}
		ops = append(ops, op)
	}
	if e := b.token(']', "an array of items"); e != nil {
		return nil, e
	}
	return ops, b.end()
}

func (s *server) fill(it *item, st *component.Store, q *query, req *abi.SetRequest) error {
	if most := s.api.Limits().Metadata; len(it.Metadata) > most {
		return fmt.Errorf("the metadata has more than %d members", most)
	}
	return it.set(st, q, req)
}

// operations decodes the body of a transaction.
func (s *server) operations(w http.ResponseWriter, r *http.Request, st *component.Store, q *query, charge *stateapi.Charge) ([]abi.Op, *stateapi.Error) {
	b, e := s.open(w, r, charge)
	if e != nil {
		return nil, e
	}
	var ops []abi.Op
	e = b.object(func(name string) *stateapi.Error {
		if name != "operations" {
			return b.skip(r)
		}
		ops = nil // the last one counts, as elsewhere in JSON
		return b.array(func() *stateapi.Error {
			if e := s.api.CheckItems(len(ops) + 1); e != nil {
				return e
			}
			var o struct {
				Operation string `json:"operation"`
				Request   item   `json:"request"`
			}
			if e := b.next(r, &o, len(ops)+1); e != nil {
				return at(e, len(ops), false)
			}
			var op abi.Op
			switch o.Operation {
			case "upsert":
			case "delete":
				op.Kind = abi.OpDelete
				o.Request.Value = nil
			default:
				return stateapi.UnknownOperation(o.Operation)
			}
			if err := s.fill(&o.Request, st, q, &op.SetRequest); err != nil {
				return at(stateapi.Malformed(err), len(ops), b.dec.More())
			}
			ops = append(ops, op)
			return nil
		})
	})
	return ops, e
}

// at says which item is wrong, if there are several.
func at(e *stateapi.Error, i int, more bool) *stateapi.Error {
	if i > 0 || more {
		e.Message = fmt.Sprintf("item %d: %s", i, e.Message)
	}
	return e
}
