package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
)

func bulkRules() []Rule {
	const need = abi.FeatureBulk
	return []Rule{
		{ID: "bulk.empty", Doc: "a bulk call without items does nothing", Needs: need, run: bulkEmpty},
		{ID: "bulk.get", Doc: "every key of a bulk get has its own result, duplicates too", Needs: need, run: bulkGet},
		{ID: "bulk.write", Doc: "bulk writes keep bytes and follow the given order for one key", Needs: need, run: bulkWrite},
		{ID: "bulk.bytes", Doc: "buffers of bulk calls may be reused after them", Needs: need, run: bulkBytes},
		{ID: "bulk.context", Doc: "a bulk call whose context has ended fails", Needs: need, run: bulkContext},
		{ID: "bulk.conflict", Doc: "a conflict of one item leaves the others alone", Needs: need | abi.FeatureETag, run: bulkConflict},
		{ID: "bulk.etags", Doc: "bulk writes return etags that hold", Needs: need | abi.FeatureETag, run: bulkETags},
	}
}

func (e *env) bulkGet(ctx context.Context, keys ...string) ([]abi.GetResult, error) {
	b, ok := e.store.(abi.BulkGetter)
	if !ok {
		return nil, errors.New("does not implement abi.BulkGetter")
	}
	reqs, results := make([]abi.GetRequest, len(keys)), make([]abi.GetResult, len(keys))
	for i, k := range keys {
		reqs[i].Key = e.key(k)
		results[i].Value = []byte("left from before")
		results[i].Err = errors.New("left from before")
	}
	err := b.BulkGet(ctx, reqs, results)
	for i := range reqs {
		scribble(reqs[i].Key)
	}
	return results, err
}

func (e *env) bulkWrite(ctx context.Context, ops ...abi.Op) ([]abi.WriteResult, error) {
	b, ok := e.store.(abi.BulkWriter)
	if !ok {
		return nil, errors.New("does not implement abi.BulkWriter")
	}
	results := make([]abi.WriteResult, len(ops))
	for i := range results {
		results[i].Err = errors.New("left from before")
	}
	return results, b.BulkWrite(ctx, ops, results)
}

// written fails if the call or an item of it failed.
func written(results []abi.WriteResult, err error) error {
	for i := range results {
		if err == nil && results[i].Err != nil {
			err = fmt.Errorf("item %d: %w", i, results[i].Err)
		}
	}
	return err
}

func bulkEmpty(ctx context.Context, e *env) error {
	_, get := e.bulkGet(ctx)
	_, write := e.bulkWrite(ctx)
	return first(get, write)
}

func bulkGet(ctx context.Context, e *env) error {
	for _, k := range []string{"a", "b", "empty"} {
		v := map[string]string{"a": "1", "b": "2"}[k]
		if _, err := e.set(ctx, k, v); err != nil {
			return err
		}
	}
	keys := []string{"b", "never", "a", "empty", "b", "never", "b"}
	results, err := e.bulkGet(ctx, keys...)
	if err != nil {
		return err
	}
	for i, k := range keys {
		r := &results[i]
		if k == "never" {
			if err := code("bulk get of a missing key", r.Err, abi.CodeNotFound); err != nil {
				return err
			}
			continue
		}
		single, err := e.get(ctx, k)
		if err := first(err, r.Err); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		if string(r.Value) != string(single.Value) || string(r.ETag) != string(single.ETag) || r.ExpiresAt != single.ExpiresAt {
			return fmt.Errorf("item %d, key %q: %s with etag %q, a single get %s with etag %q", i, k, show(r.Value), r.ETag, show(single.Value), single.ETag)
		}
	}
	return nil
}

func bulkWrite(ctx context.Context, e *env) error {
	var ops []abi.Op
	want := corpus()
	for name, v := range want {
		ops = append(ops, e.opSet(name, "to be replaced", nil), e.opSet(name, string(v), nil))
	}
	ops = append(ops, e.opSet("gone", "v", nil), e.opDelete("gone", nil), e.opDelete("never", nil), e.opDelete("back", nil), e.opSet("back", "b", nil))
	if err := written(e.bulkWrite(ctx, ops...)); err != nil {
		return err
	}
	for name, v := range want {
		if err := e.holds(ctx, name, string(v)); err != nil {
			return err
		}
	}
	return first(e.missing(ctx, "gone"), e.missing(ctx, "never"), e.holds(ctx, "back", "b"))
}

func bulkBytes(ctx context.Context, e *env) error {
	ops := []abi.Op{e.opSet("a", "value a", nil), e.opSet("b", "value b", nil)}
	results, err := e.bulkWrite(ctx, ops...)
	if err := written(results, err); err != nil {
		return err
	}
	for i := range ops {
		scribble(ops[i].Key, ops[i].Value, results[i].ETag)
	}
	got, err := e.bulkGet(ctx, "a", "b")
	if err != nil {
		return err
	}
	for i := range got {
		scribble(got[i].Value, got[i].ETag, got[i].ContentType)
	}
	return first(e.holds(ctx, "a", "value a"), e.holds(ctx, "b", "value b"))
}

func bulkContext(ctx context.Context, e *env) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, get := e.bulkGet(ended, "k")
	_, write := e.bulkWrite(ended, e.opSet("k", "v", nil))
	return first(code("bulk get with an ended context", get, abi.CodeCancelled, abi.CodeTimeout),
		code("bulk write with an ended context", write, abi.CodeCancelled, abi.CodeTimeout), e.missing(ctx, "k"))
}

func bulkConflict(ctx context.Context, e *env) error {
	old, err := e.set(ctx, "k", "1")
	if err != nil {
		return err
	}
	current, err := e.set(ctx, "k", "2")
	if err != nil {
		return err
	}
	results, err := e.bulkWrite(ctx, e.opSet("a", "1", nil), e.opSet("k", "x", old), e.opCreate("a", "x"), e.opDelete("k", old),
		e.opSet("never", "x", old), e.opSet("k", "3", current), e.opSet("k", "x", current), e.opCreate("b", "1"))
	if err != nil {
		return err
	}
	for i, good := range []bool{true, false, false, false, false, true, false, true} {
		if good && results[i].Err != nil {
			return fmt.Errorf("item %d: %w", i, results[i].Err)
		}
		if !good {
			if err := mismatch(fmt.Sprintf("item %d", i), results[i].Err); err != nil {
				return err
			}
		}
	}
	return first(e.holds(ctx, "a", "1"), e.holds(ctx, "k", "3"), e.missing(ctx, "never"), e.holds(ctx, "b", "1"))
}

func bulkETags(ctx context.Context, e *env) error {
	results, err := e.bulkWrite(ctx, e.opSet("a", "1", nil), e.opSet("b", "1", nil), e.opSet("a", "2", nil))
	if err := written(results, err); err != nil {
		return err
	}
	seen := map[string]bool{}
	if err := first(fresh(seen, results[0].ETag), fresh(seen, results[2].ETag)); err != nil {
		return err
	}
	_, stale := e.cas(ctx, "a", "x", results[0].ETag)
	_, a := e.cas(ctx, "a", "3", results[2].ETag)
	_, b := e.cas(ctx, "b", "3", results[1].ETag)
	return first(mismatch("set with the etag of a replaced item", stale), a, b)
}
