package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
)

// casRules put many callers on one key.
func casRules() []Rule {
	const need = abi.FeatureETag
	return []Rule{
		{ID: "etag.one-winner", Doc: "of N concurrent writers with one etag exactly one wins, all others get a mismatch", Needs: need, run: etagOneWinner},
		{ID: "etag.one-deleter", Doc: "of N concurrent deletes with one etag exactly one wins", Needs: need, run: etagOneDeleter},
		{ID: "first-write.one-winner", Doc: "of N concurrent creates exactly one wins", Needs: need, run: firstWriteOneWinner},
		{ID: "etag.no-lost-update", Doc: "N callers that count with etags lose no update", Needs: need, run: etagNoLostUpdate},
	}
}

func etagOneWinner(ctx context.Context, e *env) error {
	etag, err := e.set(ctx, "k", "start")
	if err != nil {
		return err
	}
	for range e.pick(20, 5) {
		n := e.pick(32, 8)
		etags := make([][]byte, n)
		errs := parallel(n, func(i int) (err error) {
			etags[i], err = e.cas(ctx, "k", strconv.Itoa(i), etag)
			return err
		})
		winner, err := oneWinner(errs)
		if err != nil {
			return err
		}
		if err := e.holds(ctx, "k", strconv.Itoa(winner)); err != nil {
			return fmt.Errorf("after writer %d won: %w", winner, err)
		}
		etag = etags[winner]
	}
	return nil
}

func etagOneDeleter(ctx context.Context, e *env) error {
	for range e.pick(10, 3) {
		etag, err := e.set(ctx, "k", "v")
		if err != nil {
			return err
		}
		if _, err := oneWinner(parallel(e.pick(32, 8), func(int) error { return e.delete(ctx, "k", etag) })); err != nil {
			return err
		}
		if err := e.missing(ctx, "k"); err != nil {
			return err
		}
	}
	return nil
}

func firstWriteOneWinner(ctx context.Context, e *env) error {
	for range e.pick(20, 5) {
		errs := parallel(e.pick(32, 8), func(i int) error {
			_, err := e.create(ctx, "k", strconv.Itoa(i))
			return err
		})
		winner, err := oneWinner(errs)
		if err != nil {
			return err
		}
		if err := first(e.holds(ctx, "k", strconv.Itoa(winner)), e.delete(ctx, "k", nil)); err != nil {
			return err
		}
	}
	return nil
}

func etagNoLostUpdate(ctx context.Context, e *env) error {
	if _, err := e.set(ctx, "k", "0"); err != nil {
		return err
	}
	callers, each := e.pick(8, 4), e.pick(20, 10)
	errs := parallel(callers, func(int) error {
		for range each {
			for {
				resp, err := e.get(ctx, "k")
				if err != nil {
					return err
				}
				n, err := strconv.Atoi(string(resp.Value))
				if err != nil {
					return err
				}
				runtime.Gosched() // let others in between, also on a fast store
				_, err = e.cas(ctx, "k", strconv.Itoa(n+1), resp.ETag)
				if err == nil {
					break
				}
				if err := mismatch("set", err); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return first(errors.Join(errs...), e.holds(ctx, "k", strconv.Itoa(callers*each)))
}

func typeRules() []Rule {
	const need = abi.FeatureContentType
	return []Rule{
		{ID: "content-type.kept", Doc: "the content type of a value comes back", Needs: need, run: contentTypeKept},
		{ID: "content-type.replaced", Doc: "a set without content type removes it, as does a new one", Needs: need, run: contentTypeReplaced},
	}
}

// typed sets key with a content type and fails unless get returns it.
func (e *env) typed(ctx context.Context, key, ctype string) error {
	if _, err := e.write(ctx, &abi.SetRequest{Key: e.key(key), Value: []byte("v"), ContentType: []byte(ctype)}); err != nil {
		return err
	}
	resp, err := e.get(ctx, key)
	if err == nil && string(resp.ContentType) != ctype {
		err = fmt.Errorf("content type %q came back as %q", ctype, resp.ContentType)
	}
	return err
}

func contentTypeKept(ctx context.Context, e *env) error {
	return first(e.typed(ctx, "a", "application/json"), e.typed(ctx, "b", `text/plain; charset="utf-8"`), e.typed(ctx, "c", "application/x-größe"))
}

func contentTypeReplaced(ctx context.Context, e *env) error {
	if err := first(e.typed(ctx, "k", "application/json"), e.typed(ctx, "k", "text/plain"), e.typed(ctx, "k", ""),
		e.typed(ctx, "k", "text/csv"), e.delete(ctx, "k", nil)); err != nil {
		return err
	}
	return e.typed(ctx, "k", "")
}
