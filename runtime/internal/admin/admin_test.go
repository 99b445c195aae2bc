package admin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/admin"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// fake is a runtime whose answers the tests choose.
type fake struct {
	ready     bool
	reloadErr error
	rollback  map[string]error
	reloads   int
	rolled    []string
	known     []string // losses that were acknowledged
}

func (f *fake) Status() []handle.Status {
	return []handle.Status{{Name: "orders", Type: "state.in-memory"}}
}
func (f *fake) Problems() []string { return []string{"orders.yaml:3: what is wrong"} }
func (f *fake) Ready() bool        { return f.ready }

func (f *fake) Reload(context.Context) ([]string, error) {
	f.reloads++
	return nil, f.reloadErr
}

func (f *fake) Rollback(name string) error {
	f.rolled = append(f.rolled, name)
	return f.rollback[name]
}

func (f *fake) Acknowledge(name string) error {
	f.known = append(f.known, name)
	return f.rollback[name]
}

func ask(t *testing.T, rt *fake, token, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	req.Host = "127.0.0.1:3502"
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	admin.New(rt, admin.Config{Guard: stateapi.Guard{Token: token, Loopback: true, Always: true}, AppID: "app", Version: "v9"}).ServeHTTP(w, req)
	return w
}

// TestWhoMayAsk: a page in a browser on this machine, and a name that was bound
// to a loopback address, are refused before anything happens.
func TestWhoMayAsk(t *testing.T) {
	const reload = "/v1.0/admin/reload"
	for _, tc := range []struct {
		name   string
		token  string
		header []string
		want   int
	}{
		{"plain", "", nil, 200},
		{"localhost", "", []string{"Host", "localhost:3502"}, 200},
		{"IPv6", "", []string{"Host", "[::1]:3502"}, 200},
		{"without port", "", []string{"Host", "127.0.0.1"}, 200},
		{"another loopback address", "", []string{"Host", "127.9.9.9"}, 200},
		{"rebound name", "", []string{"Host", "evil.example:3502"}, 403},
		{"name that begins well", "", []string{"Host", "127.0.0.1.evil.example"}, 403},
		{"name that ends well", "", []string{"Host", "evil-localhost"}, 403},
		{"no host", "", []string{"Host", ""}, 403},
		{"unspecified address", "", []string{"Host", "0.0.0.0:3502"}, 403},
		{"page of another site", "", []string{"Origin", "https://evil.example"}, 403},
		{"sandboxed page", "", []string{"Origin", "null"}, 403},
		{"malformed origin", "", []string{"Origin", "://"}, 403},
		{"page of this machine", "", []string{"Origin", "http://localhost:8080"}, 200},
		{"cross-site without origin", "", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"no token", "secret", nil, 401},
		{"wrong token", "secret", []string{"dapr-api-token", "secreT"}, 401},
		{"empty token", "secret", []string{"dapr-api-token", ""}, 401},
		{"token", "secret", []string{"dapr-api-token", "secret"}, 200},
		{"token of a page", "secret", []string{"dapr-api-token", "secret", "Origin", "https://evil.example"}, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rt := &fake{ready: true}
			w := ask(t, rt, tc.token, http.MethodPost, reload, tc.header...)
			require.Equal(t, tc.want, w.Code, w.Body)
			require.Equal(t, tc.want == http.StatusOK, rt.reloads == 1)
			require.NotContains(t, w.Body.String(), "secret")
		})
	}
}

func TestRoutes(t *testing.T) {
	rt := &fake{ready: true, rollback: map[string]error{
		"absent": &handle.NotFoundError{Name: "absent"},
		"first":  abi.NewError(abi.CodeInvalidArgument, "there is no version before"),
		"broken": errors.New("disk on fire"),
	}}
	for _, tc := range []struct {
		method, path string
		want         int
		body         string
	}{
		{"GET", "/v1.0/admin/components", 200, `"problems":["orders.yaml:3: what is wrong"]`},
		{"GET", "/v1.0/admin/components", 200, `"name":"orders"`},
		{"GET", "/v1.0/admin/healthz", 204, ""},
		{"POST", "/v1.0/admin/reload", 200, `{"problems":[]}`},
		{"GET", "/v1.0/admin/reload", 405, ""},
		{"POST", "/v1.0/admin/components/orders/rollback", 202, ""},
		{"POST", "/v1.0/admin/components/absent/rollback", 404, "ERR_COMPONENT_NOT_FOUND"},
		{"POST", "/v1.0/admin/components/first/rollback", 409, "there is no version before"},
		{"POST", "/v1.0/admin/components/broken/rollback", 500, "disk on fire"},
		{"GET", "/v1.0/admin/components/orders/rollback", 405, ""},
		{"POST", "/v1.0/admin/components/orders/acknowledge", 202, ""},
		{"POST", "/v1.0/admin/components/absent/acknowledge", 404, "ERR_COMPONENT_NOT_FOUND"},
		{"POST", "/v1.0/admin/components/first/acknowledge", 409, "ERR_ACKNOWLEDGE"},
		{"GET", "/v1.0/state/orders/a", 404, ""},
	} {
		w := ask(t, rt, "", tc.method, tc.path)
		require.Equal(t, tc.want, w.Code, "%s %s: %s", tc.method, tc.path, w.Body)
		require.Contains(t, w.Body.String(), tc.body)
	}
	require.Equal(t, []string{"orders", "absent", "first", "broken"}, rt.rolled)
	require.Equal(t, []string{"orders", "absent", "first"}, rt.known)

	rt.ready, rt.reloadErr = false, errors.New("the server is stopping")
	require.Equal(t, 503, ask(t, rt, "", "GET", "/v1.0/admin/healthz").Code)
	require.Equal(t, 503, ask(t, rt, "", "POST", "/v1.0/admin/reload").Code)
}
