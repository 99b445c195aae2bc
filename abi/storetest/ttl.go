package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// shortTTL is the shortest time to live that a store must offer.
const shortTTL = time.Second

func ttlRules() []Rule {
	const need = abi.FeatureTTL
	return []Rule{
		{ID: "ttl.reported", Doc: "get returns when the key expires", Needs: need, run: ttlReported},
		{ID: "ttl.removed", Doc: "a set without TTL removes an earlier expiry", Needs: need, run: ttlRemoved},
		{ID: "ttl.max", Doc: "the longest TTL, 2^31-1 seconds, is accepted", Needs: need, run: ttlMax},
		{ID: "ttl.expires", Doc: "an expired key is not found", Needs: need, run: ttlExpires, slow: true},
		{ID: "ttl.replaced", Doc: "each set replaces the expiry, and an expired key can be set again", Needs: need, run: ttlReplaced, slow: true},
		{ID: "ttl.kept", Doc: "a refused write does not change the expiry", Needs: need | abi.FeatureETag, run: ttlKept},
		{ID: "ttl.etag", Doc: "an expired key is missing for etags and first-write", Needs: need | abi.FeatureETag, run: ttlETag, slow: true},
	}
}

// ttlOtherRules are about expiry in the optional operations.
func ttlOtherRules() []Rule {
	const need = abi.FeatureTTL
	return []Rule{
		{ID: "ttl.transact", Doc: "transactions set expiries, and an expired key is missing inside", Needs: need | abi.FeatureTransactional, run: ttlTransact, slow: true},
		{ID: "ttl.bulk", Doc: "bulk writes set expiries, and bulk get misses expired keys", Needs: need | abi.FeatureBulk, run: ttlBulk, slow: true},
		{ID: "ttl.keys", Doc: "expired keys are not listed", Needs: need | abi.FeatureKeys, run: ttlKeys, slow: true},
		{ID: "ttl.prefix-delete", Doc: "delete with prefix does not count expired keys", Needs: need | abi.FeatureDeleteWithPrefix, run: ttlPrefixDelete, slow: true},
		{ID: "ttl.export", Doc: "expired items are neither exported nor imported", Needs: need | abi.FeatureExport, run: ttlExport, slow: true},
	}
}

// expiring sets a key with a TTL.
func (e *env) expiring(ctx context.Context, key string, ttl time.Duration) ([]byte, error) {
	return e.write(ctx, &abi.SetRequest{Key: e.key(key), Value: []byte("v"), TTL: ttl})
}

// expired waits until the keys that were set with shortTTL before this call
// have expired.
func expired(ctx context.Context) error {
	return until(ctx, time.Now().Add(shortTTL+20*time.Millisecond))
}

// expiry fails unless key expires ttl after a moment between from and now; 0 =
// never. Stores that count whole seconds may round.
func (e *env) expiry(ctx context.Context, key string, from time.Time, ttl time.Duration) error {
	resp, err := e.get(ctx, key)
	if err != nil {
		return err
	}
	if ttl == 0 {
		if resp.ExpiresAt != 0 {
			err = fmt.Errorf("%q expires at %d, want never", key, resp.ExpiresAt)
		}
		return err
	}
	const slack = 1000 // milliseconds
	low, high := from.Add(ttl).UnixMilli()-slack, time.Now().Add(ttl).UnixMilli()+slack
	if resp.ExpiresAt < low || resp.ExpiresAt > high {
		err = fmt.Errorf("%q expires at %d ms, want between %d and %d", key, resp.ExpiresAt, low, high)
	}
	return err
}

func ttlReported(ctx context.Context, e *env) error {
	if _, err := e.set(ctx, "never", "v"); err != nil {
		return err
	}
	from := time.Now()
	if _, err := e.expiring(ctx, "hour", time.Hour); err != nil {
		return err
	}
	return first(e.expiry(ctx, "hour", from, time.Hour), e.expiry(ctx, "never", from, 0))
}

func ttlRemoved(ctx context.Context, e *env) error {
	from := time.Now()
	if _, err := e.expiring(ctx, "k", time.Hour); err != nil {
		return err
	}
	if err := e.expiry(ctx, "k", from, time.Hour); err != nil {
		return err
	}
	_, err := e.set(ctx, "k", "v")
	return first(err, e.expiry(ctx, "k", from, 0))
}

func ttlMax(ctx context.Context, e *env) error {
	from := time.Now()
	_, err := e.expiring(ctx, "k", abi.MaxTTL)
	return first(err, e.holds(ctx, "k", "v"), e.expiry(ctx, "k", from, abi.MaxTTL))
}

func ttlExpires(ctx context.Context, e *env) error {
	if _, err := e.expiring(ctx, "short", shortTTL); err != nil {
		return err
	}
	if _, err := e.expiring(ctx, "long", time.Hour); err != nil {
		return err
	}
	if err := expired(ctx); err != nil {
		return err
	}
	return first(e.missing(ctx, "short"), e.holds(ctx, "long", "v"), e.delete(ctx, "short", nil))
}

func ttlReplaced(ctx context.Context, e *env) error {
	for _, k := range []string{"longer", "never", "shorter", "again"} {
		ttl := shortTTL
		if k == "shorter" {
			ttl = time.Hour
		}
		if _, err := e.expiring(ctx, k, ttl); err != nil {
			return err
		}
	}
	if _, err := e.expiring(ctx, "longer", time.Hour); err != nil {
		return err
	}
	if _, err := e.set(ctx, "never", "v"); err != nil {
		return err
	}
	if _, err := e.expiring(ctx, "shorter", shortTTL); err != nil {
		return err
	}
	if err := first(expired(ctx), e.holds(ctx, "longer", "v"), e.holds(ctx, "never", "v"), e.missing(ctx, "shorter"), e.missing(ctx, "again")); err != nil {
		return err
	}
	_, err := e.set(ctx, "again", "back")
	return first(err, e.holds(ctx, "again", "back"))
}

func ttlKept(ctx context.Context, e *env) error {
	from := time.Now()
	old, err := e.expiring(ctx, "k", time.Hour)
	if err != nil {
		return err
	}
	if _, err := e.expiring(ctx, "k", time.Hour); err != nil {
		return err
	}
	_, err = e.cas(ctx, "k", "x", old)
	return first(mismatch("set with an old etag", err), e.expiry(ctx, "k", from, time.Hour))
}

func ttlETag(ctx context.Context, e *env) error {
	etag, err := e.expiring(ctx, "cas", shortTTL)
	if err != nil {
		return err
	}
	etag2, err := e.expiring(ctx, "delete", shortTTL)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, k := range []string{"create", "create"} {
		etag, err := e.expiring(ctx, k, shortTTL)
		if err := first(err, fresh(seen, etag)); err != nil {
			return err
		}
	}
	if err := expired(ctx); err != nil {
		return err
	}
	_, set := e.cas(ctx, "cas", "x", etag)
	if err := first(mismatch("set with the etag of an expired key", set), e.missing(ctx, "cas"),
		mismatch("delete with the etag of an expired key", e.delete(ctx, "delete", etag2))); err != nil {
		return err
	}
	again, err := e.create(ctx, "create", "new")
	return first(err, fresh(seen, again), e.holds(ctx, "create", "new"))
}

func ttlTransact(ctx context.Context, e *env) error {
	from := time.Now()
	short, long := e.opSet("short", "v", nil), e.opSet("long", "v", nil)
	short.TTL, long.TTL = shortTTL, time.Hour
	if err := e.transact(ctx, short, long, e.opSet("never", "v", nil)); err != nil {
		return err
	}
	if err := first(e.expiry(ctx, "long", from, time.Hour), e.expiry(ctx, "never", from, 0), expired(ctx), e.missing(ctx, "short")); err != nil {
		return err
	}
	if !e.features.Has(abi.FeatureETag) {
		return nil
	}
	return first(e.transact(ctx, e.opCreate("short", "new")), e.holds(ctx, "short", "new"), e.expiry(ctx, "short", from, 0))
}

func ttlBulk(ctx context.Context, e *env) error {
	from := time.Now()
	short, long := e.opSet("short", "v", nil), e.opSet("long", "v", nil)
	short.TTL, long.TTL = shortTTL, time.Hour
	if err := written(e.bulkWrite(ctx, short, long)); err != nil {
		return err
	}
	if err := first(e.expiry(ctx, "long", from, time.Hour), expired(ctx), e.missing(ctx, "short")); err != nil {
		return err
	}
	results, err := e.bulkGet(ctx, "short", "long")
	if err != nil {
		return err
	}
	if results[1].ExpiresAt == 0 {
		return fmt.Errorf("bulk get does not return the expiry")
	}
	return first(code("bulk get of an expired key", results[0].Err, abi.CodeNotFound), results[1].Err)
}

func ttlKeys(ctx context.Context, e *env) error {
	for _, k := range []string{"a", "c", "e"} {
		if _, err := e.expiring(ctx, k, shortTTL); err != nil {
			return err
		}
	}
	return first(e.setAll(ctx, "b", "d"), expired(ctx), e.lists(ctx, "", 10, "b", "d"), e.lists(ctx, "", 1, "b", "d"))
}

func ttlPrefixDelete(ctx context.Context, e *env) error {
	if _, err := e.expiring(ctx, "p1", shortTTL); err != nil {
		return err
	}
	return first(e.setAll(ctx, "p2", "q"), expired(ctx), e.prefixDelete(ctx, "p", 1), e.missing(ctx, "p1"), e.missing(ctx, "p2"), e.holds(ctx, "q", "v"))
}

func ttlExport(ctx context.Context, e *env) error {
	from, err := e.alone(ctx)
	if err != nil {
		return err
	}
	if _, err := from.expiring(ctx, "short", shortTTL); err != nil {
		return err
	}
	if _, err := from.set(ctx, "never", "v"); err != nil {
		return err
	}
	if err := expired(ctx); err != nil {
		return err
	}
	items, _, err := from.export(ctx, 1<<20)
	if err != nil {
		return err
	}
	if len(items) != 1 || string(items[0].Key) != string(e.key("never")) {
		return fmt.Errorf("exported %d items, want the one that does not expire", len(items))
	}
	past := abi.Item{Key: e.key("past"), Value: []byte("v"), ETag: []byte("e1"), ExpiresAt: time.Now().Add(-time.Minute).UnixMilli()}
	future := abi.Item{Key: e.key("future"), Value: []byte("v"), ETag: []byte("e2"), ExpiresAt: time.Now().Add(time.Hour).UnixMilli()}
	if err := from.importAll(ctx, past, future); err != nil {
		return err
	}
	return first(from.missing(ctx, "past"), from.holds(ctx, "future", "v"))
}
