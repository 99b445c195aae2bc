package stateapi

import (
	"maps"
	"net/http"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// Metadata is the document of the metadata API. No list in it is nil.
type Metadata struct {
	ID              string            `json:"id"`
	RuntimeVersion  string            `json:"runtimeVersion"`
	EnabledFeatures []string          `json:"enabledFeatures"`
	Components      []Component       `json:"components"`
	Extended        map[string]string `json:"extended"`
	ActorRuntime    map[string]any    `json:"actorRuntime"`
}

// Component has Dapr's members, and state, reason and generation of ours.
type Component struct {
	Name         string       `json:"name"`
	Type         string       `json:"type"`
	Version      string       `json:"version"`
	Capabilities []string     `json:"capabilities"`
	State        handle.State `json:"state"`
	Reason       string       `json:"reason,omitempty"`
	Generation   int64        `json:"generation"`
	Actor        bool         `json:"actorStateStore,omitempty"`
}

// MaxAttribute is the size of an attribute's name and of its value in bytes;
// maxAttributes is how many clients can put into the metadata.
const (
	MaxAttribute  = 4 << 10
	maxAttributes = 256
)

// Metadata is the document as it is now.
func (a *API) Metadata() Metadata {
	const actor = abi.FeatureETag | abi.FeatureTransactional
	components := []Component{}
	for _, st := range a.stores.Status() {
		c := Component{st.Name, st.Type, st.Version, append([]string{}, st.Features.Names()...), st.State, st.Reason, st.Generation, st.ActorStateStore}
		if st.Features.Has(actor) {
			c.Capabilities = append(c.Capabilities, "ACTOR")
		}
		components = append(components, c)
	}
	a.mu.Lock()
	extended := maps.Clone(a.extended)
	a.mu.Unlock()
	extended["daprRuntimeVersion"] = a.cfg.Version
	return Metadata{
		ID: a.cfg.AppID, RuntimeVersion: a.cfg.Version, EnabledFeatures: []string{"HotReload"}, Components: components,
		Extended: extended, ActorRuntime: map[string]any{"runtimeStatus": "DISABLED"},
	}
}

// SetMetadata sets an attribute of the document. It lives as long as the
// process.
func (a *API) SetMetadata(name, value string) *Error {
	if len(name) > MaxAttribute || len(value) > MaxAttribute {
		return tooLarge("a metadata attribute is at most 4 KiB")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, have := a.extended[name]; !have && len(a.extended) >= maxAttributes {
		return &Error{Status: http.StatusInsufficientStorage, Code: "ERR_MALFORMED_REQUEST", Message: "there are 256 metadata attributes already"}
	}
	a.extended[name] = value
	return nil
}
