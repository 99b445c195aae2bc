package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
)

func etagRules() []Rule {
	const need = abi.FeatureETag
	return []Rule{
		{ID: "etag.returned", Doc: "set returns the etag that get returns", Needs: need, run: etagReturned},
		{ID: "etag.changes", Doc: "every write gives a new etag, even with the same value", Needs: need, run: etagChanges},
		{ID: "etag.not-repeated", Doc: "a key that was deleted and created again does not repeat an etag", Needs: need, run: etagNotRepeated},
		{ID: "etag.match", Doc: "a write with the current etag succeeds", Needs: need, run: etagMatch},
		{ID: "etag.stale", Doc: "a write with an old etag is a mismatch and changes nothing", Needs: need, run: etagStale},
		{ID: "etag.missing-key", Doc: "a write with an etag on a missing key is a mismatch and creates nothing", Needs: need, run: etagMissingKey},
		{ID: "etag.foreign", Doc: "an etag that the store never gave is a mismatch or invalid", Needs: need, run: etagForeign},
		{ID: "etag.bytes", Doc: "an etag given or returned is not kept by reference", Needs: need, run: etagBytes},
		{ID: "first-write.creates", Doc: "first-write without etag creates only", Needs: need, run: firstWriteCreates},
		{ID: "first-write.etag", Doc: "first-write with an etag compares the etag", Needs: need, run: firstWriteETag},
		{ID: "last-write.normal", Doc: "a write without etag succeeds after any other", Needs: need, run: lastWriteNormal},
		{ID: "delete.etag", Doc: "delete compares its etag; a missing key is a mismatch", Needs: need, run: deleteETag},
	}
}

// cas writes with an etag.
func (e *env) cas(ctx context.Context, key, value string, etag []byte) ([]byte, error) {
	return e.write(ctx, &abi.SetRequest{Key: e.key(key), Value: []byte(value), ETag: etag})
}

// create writes with first-write and without etag.
func (e *env) create(ctx context.Context, key, value string) ([]byte, error) {
	return e.write(ctx, &abi.SetRequest{Key: e.key(key), Value: []byte(value), FirstWrite: true})
}

func etagReturned(ctx context.Context, e *env) error {
	for _, v := range []string{"a", "b", ""} {
		etag, err := e.set(ctx, "k", v)
		if err != nil {
			return err
		}
		resp, err := e.get(ctx, "k")
		if err != nil {
			return err
		}
		if len(etag) == 0 || string(etag) != string(resp.ETag) {
			return fmt.Errorf("set returned etag %q, get %q", etag, resp.ETag)
		}
	}
	return nil
}

func etagChanges(ctx context.Context, e *env) error {
	seen := map[string]bool{}
	for range 20 {
		etag, err := e.set(ctx, "k", "same")
		if err != nil {
			return err
		}
		if err := fresh(seen, etag); err != nil {
			return err
		}
	}
	return nil
}

func etagNotRepeated(ctx context.Context, e *env) error {
	seen := map[string]bool{}
	for range 5 {
		for _, v := range []string{"a", "b"} {
			etag, err := e.set(ctx, "k", v)
			if err != nil {
				return err
			}
			if err := fresh(seen, etag); err != nil {
				return fmt.Errorf("after delete and create: %w", err)
			}
		}
		if err := e.delete(ctx, "k", nil); err != nil {
			return err
		}
	}
	return nil
}

func etagMatch(ctx context.Context, e *env) error {
	etag, err := e.set(ctx, "k", "0")
	for i := 0; err == nil && i < 5; i++ {
		if etag, err = e.cas(ctx, "k", fmt.Sprint(i), etag); err == nil {
			err = e.holds(ctx, "k", fmt.Sprint(i))
		}
	}
	return err
}

func etagStale(ctx context.Context, e *env) error {
	old, err := e.set(ctx, "k", "1")
	if err != nil {
		return err
	}
	current, err := e.set(ctx, "k", "2")
	if err != nil {
		return err
	}
	_, err = e.cas(ctx, "k", "3", old)
	if err := first(mismatch("set with an old etag", err), e.holds(ctx, "k", "2")); err != nil {
		return err
	}
	resp, err := e.get(ctx, "k")
	if err == nil && string(resp.ETag) != string(current) {
		err = fmt.Errorf("a refused write changed the etag from %q to %q", current, resp.ETag)
	}
	return err
}

func etagMissingKey(ctx context.Context, e *env) error {
	etag, err := e.set(ctx, "k", "1")
	if err != nil {
		return err
	}
	_, never := e.cas(ctx, "never", "x", etag)
	if err := e.delete(ctx, "k", nil); err != nil {
		return err
	}
	_, gone := e.cas(ctx, "k", "x", etag)
	return first(mismatch("set with an etag on a key never set", never), mismatch("set with an etag on a deleted key", gone),
		e.missing(ctx, "never"), e.missing(ctx, "k"))
}

func etagForeign(ctx context.Context, e *env) error {
	if _, err := e.set(ctx, "k", "1"); err != nil {
		return err
	}
	for _, etag := range []string{"0", "-1", "18446744073709551616", "not an etag", "\x00", "\"quoted\"", "é", "%", "99999999-0000-0000-0000-000000000000"} {
		_, set := e.cas(ctx, "k", "2", []byte(etag))
		for what, err := range map[string]error{"set": set, "delete": e.delete(ctx, "k", []byte(etag))} {
			if err := code(fmt.Sprintf("%s with etag %q", what, etag), err, abi.CodeETagMismatch, abi.CodeETagInvalid); err != nil {
				return err
			}
		}
	}
	return e.holds(ctx, "k", "1")
}

func etagBytes(ctx context.Context, e *env) error {
	etag, err := e.set(ctx, "k", "1")
	if err != nil {
		return err
	}
	var resp abi.SetResponse
	resp.ETag = append(make([]byte, 0, 256), "left from before"...)
	if err := e.store.Set(ctx, &abi.SetRequest{Key: e.key("k"), Value: []byte("2"), ETag: etag}, &resp); err != nil {
		return err
	}
	etag2 := string(resp.ETag)
	scribble(etag, resp.ETag)
	_, err = e.cas(ctx, "k", "3", []byte(etag2))
	return err
}

func firstWriteCreates(ctx context.Context, e *env) error {
	etag, err := e.create(ctx, "k", "1")
	if err != nil {
		return err
	}
	if len(etag) == 0 {
		return errors.New("no etag returned")
	}
	_, again := e.create(ctx, "k", "2")
	if err := first(mismatch("a second create", again), e.holds(ctx, "k", "1")); err != nil {
		return err
	}
	if _, err := e.set(ctx, "normal", "1"); err != nil {
		return err
	}
	_, other := e.create(ctx, "normal", "2")
	if err := first(mismatch("create of a key that a normal write made", other), e.holds(ctx, "normal", "1"), e.delete(ctx, "k", nil)); err != nil {
		return err
	}
	_, err = e.create(ctx, "k", "3")
	return first(err, e.holds(ctx, "k", "3"))
}

func firstWriteETag(ctx context.Context, e *env) error {
	old, err := e.set(ctx, "k", "1")
	if err != nil {
		return err
	}
	req := &abi.SetRequest{Key: e.key("k"), Value: []byte("2"), ETag: old, FirstWrite: true}
	if _, err := e.write(ctx, req); err != nil {
		return err
	}
	_, stale := e.write(ctx, req)
	req.Key = e.key("never")
	_, never := e.write(ctx, req)
	return first(mismatch("first-write with an old etag", stale), mismatch("first-write with an etag on a missing key", never), e.missing(ctx, "never"))
}

func lastWriteNormal(ctx context.Context, e *env) error {
	etag, err := e.create(ctx, "k", "1")
	if err != nil {
		return err
	}
	if _, err := e.set(ctx, "k", "2"); err != nil {
		return fmt.Errorf("after a first-write: %w", err)
	}
	_, err = e.cas(ctx, "k", "3", etag)
	return first(mismatch("set with the etag of the first write", err), e.holds(ctx, "k", "2"))
}

func deleteETag(ctx context.Context, e *env) error {
	old, err := e.set(ctx, "k", "1")
	if err != nil {
		return err
	}
	current, err := e.set(ctx, "k", "2")
	if err != nil {
		return err
	}
	return first(mismatch("delete with an old etag", e.delete(ctx, "k", old)), e.holds(ctx, "k", "2"),
		e.delete(ctx, "k", current), e.missing(ctx, "k"), mismatch("delete with an etag of a missing key", e.delete(ctx, "k", current)))
}
