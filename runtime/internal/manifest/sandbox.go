package manifest

import "github.com/wasmstate/wasmstate/sandbox"

// Sandbox is the metadata item "sandbox" of a wasm store: what the operator
// lets the guest use. Names match without regard to case; unknown names are
// errors.
type Sandbox struct {
	sandbox.Settings

	// KV binds labels to state components of this runtime. Empty = not granted.
	KV map[string]string
	// Secrets binds names that the guest asks for to secrets in the component's
	// secret store (auth.secretStore). Empty = not granted.
	Secrets map[string]SecretRef

	// Pos is where the item stands.
	Pos Pos
}
