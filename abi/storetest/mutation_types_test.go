package storetest_test

import (
	"bytes"
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
)

func keysMutants() []mutant {
	type (
		list   = abi.KeysRequest
		listed = abi.KeysResponse
	)
	on := func(change func(f *faulty, c ctx, r *list, w *listed) error) func(*faulty) {
		return func(f *faulty) {
			f.keys = func(c ctx, r *list, w *listed) error { return change(f, c, r, w) }
		}
	}
	// like takes % for any text, as a careless SQL statement does.
	like := func(p []byte) []byte { p, _, _ = bytes.Cut(p, []byte("%")); return p }
	return []mutant{
		{"not sorted", "keys.ordered", on(func(f *faulty, c ctx, r *list, w *listed) error {
			err := f.full.Keys(c, r, w)
			for i := range w.Keys {
				w.Keys[0], w.Keys[i] = w.Keys[i], w.Keys[0]
			}
			return err
		})},
		{"prefix is a pattern", "keys.prefix", on(func(f *faulty, c ctx, r *list, w *listed) error {
			return f.full.Keys(c, &list{Prefix: like(r.Prefix), Cursor: r.Cursor, Limit: r.Limit}, w)
		})},
		{"one key too many", "keys.pages", on(func(f *faulty, c ctx, r *list, w *listed) error {
			return f.full.Keys(c, &list{Prefix: r.Prefix, Cursor: r.Cursor, Limit: r.Limit + 1}, w)
		})},
		{"cursor is lost at the end", "keys.pages", on(func(f *faulty, c ctx, r *list, w *listed) error {
			err := f.full.Keys(c, r, w)
			if len(w.Keys) == 1 {
				w.Cursor = nil
			}
			return err
		})},
		{"old listing", "keys.current", func(f *faulty) {
			var cache *listed
			f.keys = func(c ctx, r *list, w *listed) error {
				if cache == nil {
					cache = &listed{}
					f.full.Keys(c, r, cache)
				}
				w.Keys, w.Cursor = append(w.Keys[:0], cache.Keys...), nil
				return nil
			}
		}},
		{"cursor is a position", "keys.stable", on(func(f *faulty, c ctx, r *list, w *listed) error {
			skip, _ := strconv.Atoi(string(r.Cursor))
			if err := f.full.Keys(c, &list{Prefix: r.Prefix, Limit: 1 << 20}, w); err != nil {
				return err
			}
			all := w.Keys
			w.Keys, w.Cursor = nil, nil
			for ; skip < len(all) && len(w.Keys) < r.Limit; skip++ {
				w.Keys = append(w.Keys, all[skip])
			}
			if skip < len(all) {
				w.Cursor = strconv.AppendInt(nil, int64(skip), 10)
			}
			return nil
		})},
		{"no empty prefix", "keys.all", on(func(f *faulty, c ctx, r *list, w *listed) error {
			if len(r.Prefix) == 0 {
				return nil
			}
			return f.full.Keys(c, r, w)
		})},
		{"keys are shared", "keys.bytes", func(f *faulty) {
			var cache listed
			f.keys = func(c ctx, r *list, w *listed) error {
				if cache.Keys == nil {
					f.full.Keys(c, r, &cache)
				}
				w.Keys, w.Cursor = cache.Keys, cache.Cursor
				return nil
			}
		}},
		{"does not count", "prefix-delete.removes", func(f *faulty) {
			f.prefix = func(c ctx, p []byte) (int64, error) { _, err := f.full.DeleteWithPrefix(c, p); return 0, err }
		}},
		{"deletes by pattern", "prefix-delete.exact", func(f *faulty) {
			f.prefix = func(c ctx, p []byte) (int64, error) { return f.full.DeleteWithPrefix(c, like(p)) }
		}},
	}
}

func otherMutants() []mutant {
	return []mutant{
		{"export forgets etags", "export.round-trip export.etags", func(f *faulty) {
			f.export = func(c ctx, r *abi.ExportRequest, w *abi.ExportResponse) error {
				err := f.full.Export(c, r, w)
				for i := range w.Items {
					w.Items[i].ETag = []byte("x")
				}
				return err
			}
		}},
		{"export in one page", "export.pages", func(f *faulty) {
			f.export = func(c ctx, r *abi.ExportRequest, w *abi.ExportResponse) error {
				return f.full.Export(c, &abi.ExportRequest{Cursor: r.Cursor, MaxBytes: 1 << 30}, w)
			}
		}},
		{"export repeats", "export.empty", func(f *faulty) {
			f.export = func(c ctx, r *abi.ExportRequest, w *abi.ExportResponse) error {
				w.Cursor = []byte("again")
				return nil
			}
		}},
		{"import keeps what is there", "export.replaces", func(f *faulty) {
			f.imports = func(c ctx, items []abi.Item) error {
				for _, it := range items {
					if !f.has(c, it.Key) {
						if err := f.full.Import(c, []abi.Item{it}); err != nil {
							return err
						}
					}
				}
				return nil
			}
		}},
		{"ping after close", "ping", func(f *faulty) { f.ping = func(ctx) error { return nil } }},
		{"close once", "close.twice", func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error {
				if closed.Swap(true) {
					return abi.ErrClosed
				}
				return f.full.Close()
			}
		}},
		{"closed is an internal error", "close.refuses close.traffic", func(f *faulty) {
			f.get = func(c ctx, r *get, w *got) error {
				err := f.full.Get(c, r, w)
				if abi.CodeOf(err) == abi.CodeClosed {
					err = abi.ErrInternal
				}
				return err
			}
		}},
		{"leaves a goroutine", "close.goroutines", func(f *faulty) { go func() { select {} }() }},
	}
}

func ttlMutants() []mutant {
	onSet := func(change func(f *faulty, c ctx, r *set)) func(*faulty) {
		return func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				changed := *r
				change(f, c, &changed)
				return f.full.Set(c, &changed, w)
			}
		}
	}
	// remaining is the TTL that a key has left.
	remaining := func(f *faulty, c ctx, key []byte) time.Duration {
		var old got
		if f.full.Get(c, &get{Key: key}, &old) != nil || old.ExpiresAt == 0 {
			return 0
		}
		return time.Until(time.UnixMilli(old.ExpiresAt))
	}
	return []mutant{
		{"expiry is not told", "ttl.reported", func(f *faulty) {
			f.get = func(c ctx, r *get, w *got) error {
				err := f.full.Get(c, r, w)
				w.ExpiresAt = 0
				return err
			}
		}},
		{"expiry stays", "ttl.removed ttl.replaced", onSet(func(f *faulty, c ctx, r *set) {
			if left := remaining(f, c, r.Key); left > 0 {
				r.TTL = left
			}
		})},
		{"TTL in 32 bit milliseconds", "ttl.max", onSet(func(_ *faulty, _ ctx, r *set) {
			if r.TTL > 0 {
				r.TTL = time.Duration(int32(r.TTL.Milliseconds())) * time.Millisecond
			}
		})},
		{"TTL is ignored", "ttl.expires ttl.reported", onSet(func(_ *faulty, _ ctx, r *set) { r.TTL = 0 })},
		{"refused writes count for the expiry", "ttl.kept", func(f *faulty) {
			f.set = func(c ctx, r *set, w *setDone) error {
				err := f.full.Set(c, r, w)
				if err != nil {
					f.full.Import(c, []abi.Item{{Key: r.Key, Value: []byte("v"), ETag: []byte("e")}})
				}
				return err
			}
		}},
		{"only get looks at the expiry", "ttl.etag ttl.transact ttl.bulk ttl.keys ttl.prefix-delete ttl.export", func(f *faulty) {
			expiry := map[string]int64{}
			note := func(r *set) {
				f.mu.Lock()
				defer f.mu.Unlock()
				delete(expiry, string(r.Key))
				if r.TTL > 0 {
					expiry[string(r.Key)] = time.Now().Add(r.TTL).UnixMilli()
				}
				r.TTL = 0
			}
			f.set = func(c ctx, r *set, w *setDone) error {
				changed := *r
				note(&changed)
				return f.full.Set(c, &changed, w)
			}
			ops := func(in []abi.Op) (out []abi.Op) {
				for _, op := range in {
					note(&op.SetRequest)
					out = append(out, op)
				}
				return out
			}
			f.transact = func(c ctx, in []abi.Op) error { return f.full.Transact(c, ops(in)) }
			f.bulkSet = func(c ctx, in []abi.Op, w []abi.WriteResult) error { return f.full.BulkWrite(c, ops(in), w) }
			f.get = func(c ctx, r *get, w *got) error {
				err := f.full.Get(c, r, w)
				f.mu.Lock()
				defer f.mu.Unlock()
				if w.ExpiresAt = expiry[string(r.Key)]; w.ExpiresAt != 0 && w.ExpiresAt <= time.Now().UnixMilli() {
					return abi.ErrNotFound
				}
				return err
			}
		}},
	}
}

// bare implements nothing but abi.Store.
type bare struct{ abi.Store }

// limited declares a limit that it does not keep.
type limited struct{ *faulty }

func (limited) MaxTransactionOps() int { return 2 }

// TestMutantTypes has the faults that need a type of their own.
func TestMutantTypes(t *testing.T) {
	good := func() abi.Store { return newFaulty(t, func(*faulty) {}) }
	wantFailures(t, func() abi.Store { return bare{good()} }, storetest.Options{Only: []string{"features.implemented"}})
	wantFailures(t, func() abi.Store { return limited{good().(*faulty)} }, storetest.Options{Only: []string{"transact.limit"}})
	wantFailures(t, good, storetest.Options{
		Only:   []string{"reopen"},
		Reopen: func(context.Context) (abi.Store, error) { return good(), nil },
	})
}

// TestGoodStores proves that the suite accepts what is right.
func TestGoodStores(t *testing.T) {
	// plain honours a set of features, which it declares.
	for name, keep := range map[string]abi.Features{"everything": abi.AllFeatures, "nothing": 0, "only etags": abi.FeatureETag} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := func(context.Context) (abi.Store, error) { return newFaulty(t, func(f *faulty) { f.honest(keep) }), nil }
			report, err := storetest.Check(t.Context(), open, storetest.Options{Small: true, Skip: map[string]string{"close.goroutines": "other tests run"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Failed() {
				t.Errorf("%s: %s", r.ID, r.Err)
			}
			if len(report.Results) != len(storetest.Rules()) {
				t.Errorf("%d results for %d rules", len(report.Results), len(storetest.Rules()))
			}
		})
	}
}

// honest refuses every feature but keep and does not declare it.
func (f *faulty) honest(keep abi.Features) {
	keep &= f.full.Features()
	f.features = func() abi.Features { return keep }
	refuse := func(feature abi.Features, is bool) error {
		if is && !keep.Has(feature) {
			return abi.ErrUnsupported
		}
		return nil
	}
	f.set = func(c ctx, r *set, w *setDone) error {
		changed := *r
		if refuse(abi.FeatureETag, len(r.ETag) > 0 || r.FirstWrite) != nil || refuse(abi.FeatureTTL, r.TTL > 0) != nil {
			return abi.ErrUnsupported
		}
		if !keep.Has(abi.FeatureContentType) {
			changed.ContentType = nil
		}
		err := f.full.Set(c, &changed, w)
		if !keep.Has(abi.FeatureETag) {
			w.ETag = nil
		}
		return err
	}
	f.get = func(c ctx, r *get, w *got) error {
		err := f.full.Get(c, r, w)
		if !keep.Has(abi.FeatureETag) {
			w.ETag = nil
		}
		return err
	}
	f.del = func(c ctx, r *abi.DeleteRequest) error {
		if err := refuse(abi.FeatureETag, len(r.ETag) > 0); err != nil {
			return err
		}
		return f.full.Delete(c, r)
	}
	if !keep.Has(abi.FeatureTransactional) {
		f.transact = func(ctx, []abi.Op) error { return abi.ErrUnsupported }
	}
	if !keep.Has(abi.FeatureBulk) {
		f.bulkGet = func(ctx, []get, []abi.GetResult) error { return abi.ErrUnsupported }
		f.bulkSet = func(ctx, []abi.Op, []abi.WriteResult) error { return abi.ErrUnsupported }
	}
	if !keep.Has(abi.FeatureKeys) {
		f.keys = func(ctx, *abi.KeysRequest, *abi.KeysResponse) error { return abi.ErrUnsupported }
	}
	if !keep.Has(abi.FeatureDeleteWithPrefix) {
		f.prefix = func(ctx, []byte) (int64, error) { return 0, abi.ErrUnsupported }
	}
	if !keep.Has(abi.FeatureExport) {
		f.export = func(ctx, *abi.ExportRequest, *abi.ExportResponse) error { return abi.ErrUnsupported }
		f.imports = func(ctx, []abi.Item) error { return abi.ErrUnsupported }
	}
}
