package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// health answers /v1.0/healthz (liveness), /v1.0/healthz/outbound and
// /v1.0/healthz/stores/{name} (readiness). The API token is not asked for, so
// that a load balancer can look.
func (s *server) health(w http.ResponseWriter, r *http.Request, rest string) {
	rest = strings.Trim(rest, "/")
	name, store := strings.CutPrefix(rest, "stores/")
	if rest != "" && rest != "outbound" && !store {
		noRoute(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAllowed(w, r, "GET")
		return
	}
	var e *stateapi.Error
	if r.URL.RawQuery != "" {
		e = s.api.CheckAppID(r.URL.Query().Get("appid"))
	}
	switch {
	case e != nil:
	case store:
		if name, err := url.PathUnescape(name); err == nil {
			e = s.api.StoreReady(r.Context(), name)
		}
	case rest == "":
		e = s.api.Live()
	default:
		e = s.api.ReadyToServe()
	}
	if e != nil {
		write(w, e)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// metadata answers /v1.0/metadata and /v1.0/metadata/{attribute}.
func (s *server) metadata(w http.ResponseWriter, r *http.Request, rest string) {
	name, err := url.PathUnescape(rest)
	switch {
	case err != nil:
		noRoute(w, r)
	case name == "" && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.api.Metadata())
	case name == "":
		notAllowed(w, r, "GET")
	case r.Method == http.MethodPut:
		value, err := io.ReadAll(io.LimitReader(s.paced(w, r), stateapi.MaxAttribute+1))
		e := s.bodyError(err)
		if err == nil {
			e = s.api.SetMetadata(name, string(value))
		}
		if e != nil {
			write(w, e)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		notAllowed(w, r, "PUT")
	}
}
