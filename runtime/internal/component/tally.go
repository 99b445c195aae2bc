package component

import (
	"fmt"
	"hash/maphash"

	"github.com/wasmstate/wasmstate/abi"
)

const (
	// mostStateBytes bounds a hand-over from a store that does not know the
	// size of its state.
	mostStateBytes = 4 << 30
	// itemBytes is what an item counts besides its fields, so that the number
	// of empty items has a bound too.
	itemBytes = 16
)

// tally adds up what an old store exports. An export comes from a module that
// may be hostile: it must end, and bring no more than the store can hold.
type tally struct {
	items, bytes, most int64
	seed               maphash.Seed
	seen               map[uint64]struct{} // hashes of keys: 64 bits do not meet by accident
}

func newTally(from abi.Store) *tally {
	t := &tally{most: mostStateBytes, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
	if s, ok := from.(abi.Sizer); ok {
		if n := s.StateBytes(); n > 0 {
			t.most = n
		}
	}
	return t
}

// add counts a page before any of it is imported. Every field of every item
// counts, also when items share memory.
func (t *tally) add(page []abi.Item) error {
	asked := 0 // key and value bytes, as ExportRequest.MaxBytes counts them
	for i := range page {
		it := &page[i]
		if asked > handOverBatch {
			return abi.NewError(abi.CodeInternal, fmt.Sprintf("the old store exports larger pages than the %d bytes that it is asked for", handOverBatch))
		}
		asked += len(it.Key) + len(it.Value)
		t.items++
		t.bytes += int64(len(it.Key)+len(it.Value)+len(it.ETag)+len(it.ContentType)) + itemBytes
		if t.bytes > t.most {
			return abi.NewError(abi.CodeInternal, fmt.Sprintf("the old store exports more than the %d bytes that it can hold", t.most))
		}
		h := maphash.Bytes(t.seed, it.Key)
		if _, twice := t.seen[h]; twice {
			return abi.NewError(abi.CodeInternal, "the old store exports a key twice")
		}
		t.seen[h] = struct{}{}
	}
	return nil
}
