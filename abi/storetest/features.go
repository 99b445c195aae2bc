package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
)

// featureRules hold what a store declares against what it does.
func featureRules() []Rule {
	return []Rule{
		{ID: "features.known", Doc: "only features of this version are declared, and they are constant", run: featuresKnown},
		{ID: "features.implemented", Doc: "a declared feature has its operations", run: featuresImplemented},
		{ID: "features.etag", Doc: "without ETAG no etag is returned and etags and first-write are refused", Lacks: abi.FeatureETag, run: withoutETag},
		{ID: "features.ttl", Doc: "without TTL a time to live is refused", Lacks: abi.FeatureTTL, run: withoutTTL},
		{ID: "features.content-type", Doc: "without CONTENT_TYPE a content type is not kept", Lacks: abi.FeatureContentType, run: withoutContentType},
		{ID: "features.transactional", Doc: "without TRANSACTIONAL a transaction is refused", Lacks: abi.FeatureTransactional, run: withoutTransactional},
		{ID: "features.bulk", Doc: "without BULK bulk operations are refused", Lacks: abi.FeatureBulk, run: withoutBulk},
		{ID: "features.keys", Doc: "without KEYS a listing is refused", Lacks: abi.FeatureKeys, run: withoutKeys},
		{ID: "features.delete-with-prefix", Doc: "without DELETE_WITH_PREFIX it is refused", Lacks: abi.FeatureDeleteWithPrefix, run: withoutDeleteWithPrefix},
		{ID: "features.export", Doc: "without EXPORT export and import are refused", Lacks: abi.FeatureExport, run: withoutExport},
	}
}

func featuresKnown(_ context.Context, e *env) error {
	f := e.store.Features()
	if unknown := f &^ abi.AllFeatures; unknown != 0 {
		return fmt.Errorf("unknown feature bits %#x", uint32(unknown))
	}
	if reserved := f & (abi.FeatureQuery | abi.FeatureWatch); reserved != 0 {
		return fmt.Errorf("%v is reserved in version 1", reserved)
	}
	if f != e.features {
		return fmt.Errorf("features changed from %v to %v", e.features, f)
	}
	return nil
}

func featuresImplemented(_ context.Context, e *env) error {
	var errs []error
	need := func(f abi.Features, name string, ok bool) {
		if e.features.Has(f) && !ok {
			errs = append(errs, fmt.Errorf("declares %v and does not implement abi.%s", f, name))
		}
	}
	_, ok := e.store.(abi.Transactor)
	need(abi.FeatureTransactional, "Transactor", ok)
	_, ok = e.store.(abi.BulkGetter)
	need(abi.FeatureBulk, "BulkGetter", ok)
	_, ok = e.store.(abi.BulkWriter)
	need(abi.FeatureBulk, "BulkWriter", ok)
	_, ok = e.store.(abi.Lister)
	need(abi.FeatureKeys, "Lister", ok)
	_, ok = e.store.(abi.PrefixDeleter)
	need(abi.FeatureDeleteWithPrefix, "PrefixDeleter", ok)
	_, ok = e.store.(abi.Exporter)
	need(abi.FeatureExport, "Exporter", ok)
	_, ok = e.store.(abi.Importer)
	need(abi.FeatureExport, "Importer", ok)
	return errors.Join(errs...)
}

// refused fails unless err is CodeUnsupported.
func refused(what string, err error) error {
	return code(what+" without declaring it", err, abi.CodeUnsupported)
}

func withoutETag(ctx context.Context, e *env) error {
	etag, err := e.set(ctx, "k", "old")
	if err != nil {
		return err
	}
	resp, err := e.get(ctx, "k")
	if err != nil {
		return err
	}
	if len(etag) > 0 || len(resp.ETag) > 0 {
		return errors.New("returns etags and does not declare ETAG")
	}
	_, cas := e.write(ctx, &abi.SetRequest{Key: e.key("k"), Value: []byte("new"), ETag: []byte("1")})
	_, create := e.write(ctx, &abi.SetRequest{Key: e.key("fresh"), FirstWrite: true})
	return first(
		refused("set with an etag", cas), refused("first-write", create), refused("delete with an etag", e.delete(ctx, "k", []byte("1"))),
		e.holds(ctx, "k", "old"), e.missing(ctx, "fresh"))
}

func withoutTTL(ctx context.Context, e *env) error {
	_, err := e.write(ctx, &abi.SetRequest{Key: e.key("k"), TTL: abi.MaxTTL})
	return first(refused("set with a TTL", err), e.missing(ctx, "k"))
}

func withoutContentType(ctx context.Context, e *env) error {
	if _, err := e.write(ctx, &abi.SetRequest{Key: e.key("k"), Value: []byte("v"), ContentType: []byte("text/plain")}); err != nil {
		return err
	}
	resp, err := e.get(ctx, "k")
	if err == nil && len(resp.ContentType) > 0 {
		err = fmt.Errorf("returns content type %q and does not declare CONTENT_TYPE", resp.ContentType)
	}
	return err
}

func withoutTransactional(ctx context.Context, e *env) error {
	tx, ok := e.store.(abi.Transactor)
	if !ok {
		return nil
	}
	err := tx.Transact(ctx, []abi.Op{{SetRequest: abi.SetRequest{Key: e.key("k"), Value: []byte("v")}}})
	return first(refused("transact", err), e.missing(ctx, "k"))
}

func withoutBulk(ctx context.Context, e *env) error {
	if _, err := e.set(ctx, "k", "v"); err != nil {
		return err
	}
	if b, ok := e.store.(abi.BulkGetter); ok {
		err := b.BulkGet(ctx, []abi.GetRequest{{Key: e.key("k")}}, make([]abi.GetResult, 1))
		if err := refused("bulk get", err); err != nil {
			return err
		}
	}
	if b, ok := e.store.(abi.BulkWriter); ok {
		err := b.BulkWrite(ctx, []abi.Op{{SetRequest: abi.SetRequest{Key: e.key("new")}}}, make([]abi.WriteResult, 1))
		return first(refused("bulk write", err), e.missing(ctx, "new"))
	}
	return nil
}

func withoutKeys(ctx context.Context, e *env) error {
	l, ok := e.store.(abi.Lister)
	if !ok {
		return nil
	}
	return refused("keys", l.Keys(ctx, &abi.KeysRequest{Prefix: e.key(""), Limit: 1}, &abi.KeysResponse{}))
}

func withoutDeleteWithPrefix(ctx context.Context, e *env) error {
	d, ok := e.store.(abi.PrefixDeleter)
	if !ok {
		return nil
	}
	if _, err := e.set(ctx, "k", "v"); err != nil {
		return err
	}
	_, err := d.DeleteWithPrefix(ctx, e.key(""))
	return first(refused("delete with prefix", err), e.holds(ctx, "k", "v"))
}

func withoutExport(ctx context.Context, e *env) error {
	if x, ok := e.store.(abi.Exporter); ok {
		if err := refused("export", x.Export(ctx, &abi.ExportRequest{MaxBytes: 1}, &abi.ExportResponse{})); err != nil {
			return err
		}
	}
	if x, ok := e.store.(abi.Importer); ok {
		err := x.Import(ctx, []abi.Item{{Key: e.key("k"), Value: []byte("v")}})
		return first(refused("import", err), e.missing(ctx, "k"))
	}
	return nil
}
