package manifest

import (
	"encoding/json"
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/wasmstate/wasmstate/abi"
)

// YAMLToJSON converts one YAML document, such as a module's manifest written by
// a person, to JSON. JSON is YAML, so that it may be either. At most
// abi.MaxManifestSize bytes are read.
func YAMLToJSON(text []byte) ([]byte, error) {
	if len(text) > abi.MaxManifestSize {
		return nil, fmt.Errorf("it is larger than %d bytes", abi.MaxManifestSize)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("it is not valid YAML: %w", err)
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, errors.New("it is not a map of fields")
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("it cannot be written as JSON: %w", err)
	}
	return out, nil
}
