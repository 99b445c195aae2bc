package runtime

import "github.com/wasmstate/wasmstate/runtime/internal/manifest"

// ManifestJSON converts a module's manifest from YAML, as people write it, to
// the JSON that PackModule takes. JSON passes through.
func ManifestJSON(text []byte) ([]byte, error) { return manifest.YAMLToJSON(text) }
