package stateapi

import (
	"context"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// The values of a bulk get are read in parts: the first firstPart keys, then as
// many as make about partBytes by what has been read.
const (
	firstPart = 32
	lastPart  = 1000
	partBytes = 4 << 20
)

// Bulk is the answer of a bulk get. Results holds each key once.
type Bulk struct {
	Index   []int // of the n-th key that was asked for, in Results
	Results []abi.GetResult
}

// BulkGet reads keys, in the order in which they are asked for; a key that is
// asked for twice is read once and answered twice. The values, duplicates
// counted, are bounded by Limits.Answer and charged while they are read. The
// charge is released by the caller.
func (a *API) BulkGet(ctx context.Context, st *component.Store, keys []string, meta []abi.Pair, charge *Charge) (*Bulk, *Error) {
	const code = "ERR_STATE_BULK_GET"
	text := "failed to read keys from state store " + st.Name()
	if e := a.CheckKeys(len(keys)); e != nil {
		return nil, e
	}
	out := &Bulk{Index: make([]int, len(keys))}
	times := make([]int64, 0, len(keys)) // how often each is asked for
	reqs := make([]abi.GetRequest, 0, len(keys))
	place := make(map[string]int, len(keys))
	for i, key := range keys {
		at, have := place[key]
		if !have {
			at = len(reqs)
			place[key] = at
			reqs = append(reqs, abi.GetRequest{Key: []byte(key), Metadata: meta})
			times = append(times, 0)
		}
		out.Index[i] = at
		times[at]++
	}
	out.Results = make([]abi.GetResult, len(reqs))
	var answer, held int64
	base := charge.held
	for from := 0; from < len(reqs); {
		n := firstPart
		if from > 0 {
			n = int(min(max(partBytes/max(held/int64(from), 1), 1), lastPart))
		}
		to := min(from+n, len(reqs))
		if err := st.BulkGet(ctx, reqs[from:to], out.Results[from:to]); err != nil {
			return nil, failed(st.Name(), code, text, err)
		}
		for i := from; i < to; i++ {
			size := int64(len(out.Results[i].Value))
			held += size
			answer += size * times[i]
		}
		if answer > a.cfg.Limits.Answer {
			return nil, tooLarge(fmt.Sprintf("the values of the first %d keys have %d bytes together, more than an answer may have (%d); ask for fewer at a time", to, answer, a.cfg.Limits.Answer))
		}
		if !charge.TryGrow(base + held) {
			return nil, busy() // waiting would hold what has been read
		}
		from = to
	}
	return out, nil
}

// CheckKeys refuses the n-th key of a bulk get beyond the limit.
func (a *API) CheckKeys(n int) *Error {
	if n <= a.cfg.Limits.BulkKeys {
		return nil
	}
	return tooLarge(fmt.Sprintf("the request asks for more than %d keys, the limit of this server; send several requests", a.cfg.Limits.BulkKeys))
}
