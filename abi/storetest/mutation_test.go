package storetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
)

type (
	ctx     = context.Context
	get     = abi.GetRequest
	got     = abi.GetResponse
	set     = abi.SetRequest
	setDone = abi.SetResponse
)

// mutant is a store with one fault and the rules that must find it.
type mutant struct {
	name  string
	finds string // rule ids
	spoil func(f *faulty)
}

func hide(f abi.Features) func(*faulty) {
	return func(s *faulty) { s.features = func() abi.Features { return s.full.Features() &^ f } }
}

func mutants() []mutant {
	return slices.Concat(featureMutants(), crudMutants(), etagMutants(), transactMutants(), bulkMutants(), keysMutants(), otherMutants(), ttlMutants())
}

func featureMutants() []mutant {
	return []mutant{
		{"unknown feature", "features.known", func(f *faulty) { f.features = func() abi.Features { return f.full.Features() | 1<<30 } }},
		{"reserved feature", "features.known", func(f *faulty) { f.features = func() abi.Features { return f.full.Features() | abi.FeatureQuery } }},
		{"etags not declared", "features.etag", hide(abi.FeatureETag)},
		{"TTL not declared", "features.ttl", hide(abi.FeatureTTL)},
		{"content types not declared", "features.content-type", hide(abi.FeatureContentType)},
		{"transactions not declared", "features.transactional", hide(abi.FeatureTransactional)},
		{"bulk not declared", "features.bulk", hide(abi.FeatureBulk)},
		{"keys not declared", "features.keys", hide(abi.FeatureKeys)},
		{"delete with prefix not declared", "features.delete-with-prefix", hide(abi.FeatureDeleteWithPrefix)},
		{"export not declared", "features.export", hide(abi.FeatureExport)},
	}
}

func crudMutants() []mutant {
	return []mutant{
		{"missing is empty", "get.missing delete.removes", func(f *faulty) {
			f.get = func(c ctx, r *get, w *got) error { f.full.Get(c, r, w); return nil }
		}},
		{"get appends", "get.buffers", func(f *faulty) {
			f.get = func(c ctx, r *get, w *got) error {
				before := bytes.Clone(w.Value)
				err := f.full.Get(c, r, w)
				w.Value = append(before, w.Value...)
				return err
			}
		}},
		{"first value stays", "set.overwrite", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				if len(r.ETag) == 0 && !r.FirstWrite && f.has(c, r.Key) {
					return nil
				}
				return f.full.Set(c, r, w)
			}
		}},
		{"empty is missing", "set.empty", func(f *faulty) {
			f.get = func(c ctx, r *get, w *got) error {
				if err := f.full.Get(c, r, w); err != nil || len(w.Value) == 0 {
					return abi.ErrNotFound
				}
				return nil
			}
		}},
		{"values are trimmed", "set.bytes transact.values bulk.write", func(f *faulty) { f.values(bytes.TrimSpace) }},
		{"values are made UTF-8", "set.bytes set.large", func(f *faulty) {
			f.values(func(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("?")) })
		}},
		{"values are C strings", "set.bytes", func(f *faulty) {
			f.values(func(b []byte) []byte { b, _, _ = bytes.Cut(b, []byte{0}); return b })
		}},
		{"values are JSON", "set.bytes", func(f *faulty) {
			f.values(func(b []byte) []byte {
				var v any
				if json.Unmarshal(b, &v) != nil {
					return b
				}
				b, _ = json.Marshal(v)
				return b
			})
		}},
		{"values are cut", "set.large", func(f *faulty) { f.values(func(b []byte) []byte { return b[:min(len(b), 64<<10)] }) }},
		{"keys are lower case", "set.keys", func(f *faulty) { f.keyed(bytes.ToLower) }},
		{"keys are trimmed", "set.keys", func(f *faulty) { f.keyed(bytes.TrimSpace) }},
		{"keys are C strings", "set.keys", func(f *faulty) { f.keyed(func(b []byte) []byte { b, _, _ = bytes.Cut(b, []byte{0}); return b }) }},
		{"keeps the request", "bytes.request", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.kept[string(r.Key)] = r.Value
				return f.full.Set(c, r, w)
			}
			f.get = func(c ctx, r *get, w *got) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				err := f.full.Get(c, r, w)
				w.Value = append(w.Value[:0], f.kept[string(r.Key)]...)
				return err
			}
		}},
		{"gives its memory away", "bytes.response", func(f *faulty) {
			f.get = func(c ctx, r *get, w *got) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				if v, ok := f.kept[string(r.Key)]; ok {
					w.Value = v
					return nil
				}
				err := f.full.Get(c, r, w)
				f.kept[string(r.Key)] = w.Value
				return err
			}
		}},
		{"delete does nothing", "delete.removes", func(f *faulty) { f.del = func(ctx, *abi.DeleteRequest) error { return nil } }},
		{"delete of a missing key fails", "delete.idempotent", func(f *faulty) {
			f.del = func(c ctx, r *abi.DeleteRequest) error {
				if !f.has(c, r.Key) {
					return abi.ErrNotFound
				}
				return f.full.Delete(c, r)
			}
		}},
		{"ignores contexts", "context.ended transact.context bulk.context prefix-delete.context", func(f *faulty) {
			bg := context.Background()
			f.get = func(_ ctx, r *get, w *got) error { return f.full.Get(bg, r, w) }
			f.set = func(_ ctx, r *set, w *setDone) error { return f.full.Set(bg, r, w) }
			f.transact = func(_ ctx, ops []abi.Op) error { return f.full.Transact(bg, ops) }
			f.bulkSet = func(_ ctx, ops []abi.Op, w []abi.WriteResult) error { return f.full.BulkWrite(bg, ops, w) }
			f.prefix = func(_ ctx, p []byte) (int64, error) { return f.full.DeleteWithPrefix(bg, p) }
		}},
		{"writes in two steps", "concurrent.whole", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				half := *r
				half.Value = r.Value[:len(r.Value)/2]
				if err := f.full.Set(c, &half, w); err != nil {
					return err
				}
				yield()
				return f.full.Set(c, r, w)
			}
		}},
		{"one buffer for all callers", "concurrent.keys", func(f *faulty) {
			var shared []byte
			f.set = func(c ctx, r *set, w *setDone) error {
				f.mu.Lock()
				shared = bytes.Clone(r.Value)
				f.mu.Unlock()
				yield()
				f.mu.Lock()
				defer f.mu.Unlock()
				mixed := *r
				mixed.Value = shared
				return f.full.Set(c, &mixed, w)
			}
		}},
		{"panics", "get.missing", func(f *faulty) { f.get = func(ctx, *get, *got) error { panic("broken") } }},
		{"panics under load", "concurrent.whole", func(f *faulty) { f.set = func(ctx, *set, *setDone) error { panic("broken") } }},
		{"hangs", "get.missing", func(f *faulty) { f.get = func(ctx, *get, *got) error { select {} } }},
	}
}

func etagMutants() []mutant {
	onSet := func(change func(f *faulty, c ctx, r *set)) func(*faulty) {
		return func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				changed := *r
				change(f, c, &changed)
				return f.full.Set(c, &changed, w)
			}
		}
	}
	return []mutant{
		{"set returns another etag", "etag.returned etag.match", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				err := f.full.Set(c, r, w)
				w.ETag = append(w.ETag, 'x')
				return err
			}
		}},
		{"no new etag for the same value", "etag.changes", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				var old got
				if f.full.Get(c, &get{Key: r.Key}, &old) == nil && bytes.Equal(old.Value, r.Value) && len(r.ETag) == 0 {
					w.ETag = append(w.ETag[:0], old.ETag...)
					return nil
				}
				return f.full.Set(c, r, w)
			}
		}},
		{"etags count from 1", "etag.not-repeated export.etags", (*faulty).versions},
		{"etags never match", "etag.match", onSet(func(_ *faulty, _ ctx, r *set) {
			if len(r.ETag) > 0 {
				r.ETag = []byte("no")
			}
		})},
		{"etags are ignored", "etag.stale etag.missing-key etag.foreign etag.one-winner etag.no-lost-update first-write.etag",
			onSet(func(_ *faulty, _ ctx, r *set) { r.ETag = nil })},
		{"an etag creates", "etag.missing-key", onSet(func(f *faulty, c ctx, r *set) {
			if !f.has(c, r.Key) {
				r.ETag = nil
			}
		})},
		{"foreign etags are internal errors", "etag.foreign", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				if len(r.ETag) > 0 && !bytes.Contains(r.ETag, []byte("-")) {
					return errors.New("strconv: invalid syntax")
				}
				return f.full.Set(c, r, w)
			}
		}},
		{"set appends its etag", "etag.bytes", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				before := bytes.Clone(w.ETag)
				err := f.full.Set(c, r, w)
				w.ETag = append(before, w.ETag...)
				return err
			}
		}},
		{"first-write overwrites", "first-write.creates first-write.one-winner", onSet(func(_ *faulty, _ ctx, r *set) { r.FirstWrite = false })},
		{"first-write ignores its etag", "first-write.etag", onSet(func(_ *faulty, _ ctx, r *set) {
			if r.FirstWrite {
				r.ETag = nil
			}
		})},
		{"first-write seals", "last-write.normal", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				if r.FirstWrite {
					f.kept[string(r.Key)] = nil
				} else if _, sealed := f.kept[string(r.Key)]; sealed && len(r.ETag) == 0 {
					return abi.ErrInternal
				}
				return f.full.Set(c, r, w)
			}
		}},
		{"delete ignores its etag", "delete.etag etag.one-deleter", func(f *faulty) {
			f.del = func(c ctx, r *abi.DeleteRequest) error { return f.full.Delete(c, &abi.DeleteRequest{Key: r.Key}) }
		}},
		{"checks, then acts", "etag.one-winner etag.one-deleter first-write.one-winner etag.no-lost-update transact.one-winner transact.sees-itself", (*faulty).racy},
		{"content types are cut", "content-type.kept", onSet(func(_ *faulty, _ ctx, r *set) { r.ContentType, _, _ = bytes.Cut(r.ContentType, []byte(";")) })},
		{"content types stay", "content-type.replaced", onSet(func(f *faulty, c ctx, r *set) {
			var old got
			if len(r.ContentType) == 0 && f.full.Get(c, &get{Key: r.Key}, &old) == nil {
				r.ContentType = old.ContentType
			}
		})},
	}
}

func transactMutants() []mutant {
	return []mutant{
		{"no empty transaction", "transact.empty", func(f *faulty) {
			f.transact = func(c ctx, ops []abi.Op) error {
				if len(ops) == 0 {
					return abi.ErrInvalidArgument
				}
				return f.full.Transact(c, ops)
			}
		}},
		{"backwards", "transact.ordered", func(f *faulty) {
			f.transact = func(c ctx, ops []abi.Op) error {
				ops = slices.Clone(ops)
				slices.Reverse(ops)
				return f.full.Transact(c, ops)
			}
		}},
		{"one by one", "transact.atomic transact.conflict", func(f *faulty) { f.transact = f.oneByOne }},
		{"blames nobody", "transact.conflict", func(f *faulty) {
			f.transact = func(c ctx, ops []abi.Op) error {
				if f.full.Transact(c, ops) != nil {
					return abi.ErrETagMismatch
				}
				return nil
			}
		}},
		{"blames the first", "transact.conflict transact.sees-itself", func(f *faulty) {
			f.transact = func(c ctx, ops []abi.Op) error {
				if f.full.Transact(c, ops) != nil {
					return &abi.OpError{Err: abi.ErrETagMismatch}
				}
				return nil
			}
		}},
		{"no etags in transactions", "transact.etags", func(f *faulty) {
			f.transact = func(c ctx, ops []abi.Op) error {
				for i := range ops {
					if len(ops[i].ETag) > 0 {
						return &abi.OpError{Index: i, Err: abi.ErrETagMismatch}
					}
				}
				return f.full.Transact(c, ops)
			}
		}},
	}
}

func bulkMutants() []mutant {
	return []mutant{
		{"no empty bulk", "bulk.empty", func(f *faulty) {
			f.bulkGet = func(c ctx, r []get, w []abi.GetResult) error {
				if len(r) == 0 {
					return abi.ErrInvalidArgument
				}
				return f.full.BulkGet(c, r, w)
			}
		}},
		{"duplicates are missing", "bulk.get", func(f *faulty) {
			f.bulkGet = func(c ctx, r []get, w []abi.GetResult) error {
				err := f.full.BulkGet(c, r, w)
				seen := map[string]bool{}
				for i := range r {
					if seen[string(r[i].Key)] {
						w[i].Err = abi.ErrNotFound
					}
					seen[string(r[i].Key)] = true
				}
				return err
			}
		}},
		{"bulk backwards", "bulk.write", func(f *faulty) {
			f.bulkSet = func(c ctx, ops []abi.Op, w []abi.WriteResult) error {
				ops = slices.Clone(ops)
				slices.Reverse(ops)
				defer slices.Reverse(w)
				return f.full.BulkWrite(c, ops, w)
			}
		}},
		{"bulk keeps the request", "bulk.bytes", func(f *faulty) {
			f.bulkSet = func(c ctx, ops []abi.Op, w []abi.WriteResult) error {
				for i := range ops {
					f.kept[string(ops[i].Key)] = ops[i].Value
				}
				return f.full.BulkWrite(c, ops, w)
			}
			f.get = func(c ctx, r *get, w *got) error {
				err := f.full.Get(c, r, w)
				w.Value = append(w.Value[:0], f.kept[string(r.Key)]...)
				return err
			}
		}},
		{"bulk is a transaction", "bulk.conflict", func(f *faulty) {
			f.bulkSet = func(c ctx, ops []abi.Op, w []abi.WriteResult) error {
				clear(w)
				return f.full.Transact(c, ops)
			}
		}},
		{"bulk returns no etags", "bulk.etags", func(f *faulty) {
			f.bulkSet = func(c ctx, ops []abi.Op, w []abi.WriteResult) error {
				err := f.full.BulkWrite(c, ops, w)
				for i := range w {
					w[i].ETag = nil
				}
				return err
			}
		}},
	}
}

// TestMutants proves that the suite finds every fault, and that every rule
// finds one.
func TestMutants(t *testing.T) {
	found := map[string]bool{}
	for _, m := range mutants() {
		rules := strings.Fields(m.finds)
		for _, id := range rules {
			found[id] = true
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			opts := storetest.Options{Only: rules}
			if m.name == "hangs" {
				opts.Timeout = 10 * time.Millisecond
			}
			wantFailures(t, func() abi.Store { return newFaulty(t, m.spoil) }, opts)
		})
	}
	for _, id := range []string{"features.implemented", "transact.limit", "reopen"} { // see TestMutantTypes
		found[id] = true
	}
	for _, r := range storetest.Rules() {
		if !found[r.ID] {
			t.Errorf("no fault proves the rule %s", r.ID)
		}
		delete(found, r.ID)
	}
	for id := range found {
		t.Errorf("no such rule: %s", id)
	}
}

// wantFailures fails unless every rule in opts.Only fails.
func wantFailures(t *testing.T, open func() abi.Store, opts storetest.Options) {
	t.Helper()
	report, err := storetest.Check(context.Background(), func(context.Context) (abi.Store, error) { return open(), nil }, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		switch {
		case r.Skipped != "":
			t.Errorf("%s was skipped: %s", r.ID, r.Skipped)
		case r.Err == "":
			t.Errorf("%s did not find the fault", r.ID)
		default:
			t.Logf("%s: %s", r.ID, strings.SplitN(r.Err, "\n", 2)[0])
		}
	}
	if len(report.Results) != len(opts.Only) {
		t.Errorf("%d rules of %v ran", len(report.Results), opts.Only)
	}
}
