package component

import (
	"github.com/wasmstate/wasmstate/abi"
)

// checkDeclared fails if a store declares a feature and lacks its interface,
// as a wrapper does that embeds [abi.Store] and passes Features on.
func checkDeclared(store abi.Store) error {
	has := store.Features()
	for _, f := range []struct {
		feature abi.Features
		method  string
		ok      func() bool
	}{
		{abi.FeatureTransactional, "Transact (abi.Transactor)", is[abi.Transactor](store)},
		{abi.FeatureKeys, "Keys (abi.Lister)", is[abi.Lister](store)},
		{abi.FeatureDeleteWithPrefix, "DeleteWithPrefix (abi.PrefixDeleter)", is[abi.PrefixDeleter](store)},
		{abi.FeatureBulk, "BulkGet (abi.BulkGetter)", is[abi.BulkGetter](store)},
		{abi.FeatureBulk, "BulkWrite (abi.BulkWriter)", is[abi.BulkWriter](store)},
		{abi.FeatureExport, "Export (abi.Exporter)", is[abi.Exporter](store)},
		{abi.FeatureExport, "Import (abi.Importer)", is[abi.Importer](store)},
	} {
		if has.Has(f.feature) && !f.ok() {
			return abi.NewError(abi.CodeInternal, "the store declares the feature "+f.feature.String()+" and has no method "+f.method+
				": a wrapper must pass on what it declares, or not declare it")
		}
	}
	return nil
}

func is[T any](store abi.Store) func() bool {
	return func() bool { _, ok := store.(T); return ok }
}
