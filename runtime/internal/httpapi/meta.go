package httpapi

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// health answers /v1.0/healthz and /v1.0/healthz/outbound. The API token is
// not asked for, so that a load balancer can look.
func (s *server) health(w http.ResponseWriter, r *http.Request, rest string) {
	if rest != "" && rest != "/" && rest != "/outbound" && rest != "/outbound/" {
		noRoute(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAllowed(w, r, "GET")
		return
	}
	if id := r.URL.Query().Get("appid"); id != "" && id != s.cfg.AppID {
		apiError{http.StatusInternalServerError, "ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match", nil}.write(w)
		return
	}
	outbound := strings.HasPrefix(rest, "/outbound")
	var down []string
	if !s.cfg.Ready() {
		down = []string{"server"}
	} else if !outbound {
		for _, st := range s.stores.NotReady() {
			down = append(down, st.Name)
		}
	}
	switch {
	case len(down) == 0:
		w.WriteHeader(http.StatusNoContent)
	case outbound:
		apiError{http.StatusInternalServerError, "ERR_OUTBOUND_HEALTH_NOT_READY", "dapr outbound is not ready", nil}.write(w)
	default:
		apiError{http.StatusInternalServerError, "ERR_HEALTH_NOT_READY", "dapr is not ready: [" + strings.Join(down, " ") + "]", nil}.write(w)
	}
}

// componentInfo has Dapr's members, and state, reason and source of ours.
type componentInfo struct {
	Name         string          `json:"name"`
	Type         string          `json:"type"`
	Version      string          `json:"version"`
	Capabilities []string        `json:"capabilities"`
	State        component.State `json:"state"`
	Reason       string          `json:"reason,omitempty"`
	Generation   int64           `json:"generation"`
	Actor        bool            `json:"actorStateStore,omitempty"`
}

// maxAttributes and maxAttribute bound what clients can put into the metadata.
const (
	maxAttributes = 256
	maxAttribute  = 4 << 10
)

func (s *server) metadata(w http.ResponseWriter, r *http.Request, rest string) {
	name, err := url.PathUnescape(rest)
	switch {
	case err != nil:
		noRoute(w, r)
	case name == "" && r.Method == http.MethodGet:
		s.getMetadata(w)
	case name == "":
		notAllowed(w, r, "GET")
	case r.Method == http.MethodPut:
		s.putMetadata(w, r, name)
	default:
		notAllowed(w, r, "PUT")
	}
}

func (s *server) putMetadata(w http.ResponseWriter, r *http.Request, name string) {
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAttribute))
	if err != nil || len(name) > maxAttribute {
		apiError{http.StatusRequestEntityTooLarge, "ERR_MALFORMED_REQUEST", "a metadata attribute is at most 4 KiB", nil}.write(w)
		return
	}
	s.mu.Lock()
	_, have := s.extended[name]
	full := !have && len(s.extended) >= maxAttributes
	if !full {
		s.extended[name] = string(value)
	}
	s.mu.Unlock()
	if full {
		apiError{http.StatusInsufficientStorage, "ERR_MALFORMED_REQUEST", "there are 256 metadata attributes already", nil}.write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) getMetadata(w http.ResponseWriter) {
	const actor = abi.FeatureETag | abi.FeatureTransactional
	components := []componentInfo{}
	for _, st := range s.stores.Status() {
		c := componentInfo{st.Name, st.Type, st.Version, st.Capabilities, st.State, st.Reason, st.Generation, st.Actor}
		if st.Features.Has(actor) {
			c.Capabilities = append(c.Capabilities, "ACTOR")
		}
		components = append(components, c)
	}
	s.mu.Lock()
	extended := maps.Clone(s.extended)
	s.mu.Unlock()
	extended["daprRuntimeVersion"] = s.cfg.Version
	out, err := json.Marshal(struct {
		ID              string            `json:"id"`
		RuntimeVersion  string            `json:"runtimeVersion"`
		EnabledFeatures []string          `json:"enabledFeatures"`
		Components      []componentInfo   `json:"components"`
		Extended        map[string]string `json:"extended"`
		ActorRuntime    map[string]any    `json:"actorRuntime"`
	}{s.cfg.AppID, s.cfg.Version, []string{"HotReload"}, components, extended, map[string]any{"runtimeStatus": "DISABLED"}})
	if err != nil {
		apiError{http.StatusInternalServerError, "ERR_METADATA_GET", err.Error(), nil}.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out)
}
