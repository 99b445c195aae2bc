package abi

import "strings"

// Features is the set of optional behaviours that a store offers.
type Features uint32

// The features, by the names that the metadata API, module manifests and
// storetest use.
const (
	FeatureETag             Features = 1 << iota // ETAG: etags on get, compared on set and delete, first-write
	FeatureTransactional                         // TRANSACTIONAL: Transactor
	FeatureTTL                                   // TTL: expiry per key
	FeatureQuery                                 // QUERY_API: reserved, no interface in version 1
	FeatureKeys                                  // KEYS: Lister
	FeatureDeleteWithPrefix                      // DELETE_WITH_PREFIX: PrefixDeleter
	FeatureBulk                                  // BULK: BulkGetter and BulkWriter, one round trip each
	FeatureWatch                                 // WATCH: reserved, no interface in version 1
	FeaturePartitionKey                          // PARTITION_KEY: honours request metadata partitionKey
	FeatureExport                                // EXPORT: Exporter and Importer
	FeatureContentType                           // CONTENT_TYPE: keeps the content type of a value

	featureEnd
)

// featureNames are the names of the features in bit order.
var featureNames = [...]string{
	"ETAG", "TRANSACTIONAL", "TTL", "QUERY_API", "KEYS", "DELETE_WITH_PREFIX", "BULK", "WATCH", "PARTITION_KEY", "EXPORT", "CONTENT_TYPE",
}

// Has reports whether every feature of want is in f.
func (f Features) Has(want Features) bool { return f&want == want }

// Names lists the names of the features in f in bit order; nil for none.
func (f Features) Names() []string {
	var names []string
	for i, n := range featureNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// String is the names joined by commas.
func (f Features) String() string { return strings.Join(f.Names(), ",") }

// AllFeatures is the set of every feature this version knows.
const AllFeatures = featureEnd - 1

// ParseFeature returns the feature called name, upper case as in Names.
func ParseFeature(name string) (Features, bool) {
	for i, n := range featureNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}
