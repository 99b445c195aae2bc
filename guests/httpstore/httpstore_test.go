package httpstore_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// rest is the service that guests/httpstore/README.md describes.
type rest struct {
	mu     sync.Mutex
	values map[string]resource
	last   int
	token  string
	status int // answered to everything, if not 0
}

type resource struct {
	value      []byte
	etag, kind string
}

func (s *rest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, found := s.values[r.URL.Path]
	matches := func() bool {
		want := r.Header.Get("If-Match")
		return (want == "" || found && want == old.etag) && (r.Header.Get("If-None-Match") != "*" || !found)
	}
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case s.status != 0:
		w.WriteHeader(s.status)
	case s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token:
		w.WriteHeader(http.StatusUnauthorized)
	case !strings.HasPrefix(r.URL.Path, "/v1/") || strings.Contains(r.URL.Path[4:], "/"):
		w.WriteHeader(http.StatusForbidden)
	case !matches():
		w.WriteHeader(http.StatusPreconditionFailed)
	case r.Method == http.MethodPut:
		s.last++
		now := resource{body, fmt.Sprintf(`"v%d"`, s.last), r.Header.Get("Content-Type")}
		s.values[r.URL.Path] = now
		w.Header().Set("ETag", now.etag)
		w.WriteHeader(http.StatusNoContent)
	case !found:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(s.values, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("ETag", old.etag)
		w.Header().Set("Content-Type", old.kind)
		_, _ = w.Write(old.value)
	}
}

func newREST(t *testing.T) (*rest, string) {
	t.Helper()
	s := &rest{values: map[string]resource{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL + "/v1"
}

// openHTTP opens httpstore with the grant for a server on this machine.
func openHTTP(t *testing.T, o *guesttest.Module, url, grant string, properties ...string) (abi.Store, error) {
	t.Helper()
	var cfg sandbox.Config
	cfg.Host.HTTP = []string{"GET,PUT,DELETE " + grant}
	cfg.Host.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.Host.Secrets = func(_ context.Context, name string) (string, error) {
		if name != "service" {
			return "", abi.ErrPermission
		}
		return "opensesame", nil
	}
	return o.TryOpen(t, cfg, append([]string{"url", url}, properties...)...)
}

func TestHTTPStoreSuite(t *testing.T) {
	_, url := newREST(t)
	o := guesttest.Read(t, "httpstore")
	storetest.Run(t, func(t *testing.T) abi.Store {
		s, err := openHTTP(t, o, url, url+"/")
		require.NoError(t, err)
		return s
	}, storetest.Options{Small: true, Shared: true})
}

// TestHTTPStoreKeys: whatever a key is, it is one resource below the url.
func TestHTTPStoreKeys(t *testing.T) {
	server, url := newREST(t)
	s, err := openHTTP(t, guesttest.Read(t, "httpstore"), url, url+"/")
	require.NoError(t, err)
	keys := []string{"..", ".", "../../etc", "a/b", "a%2Fb", "a b?c#d", "ключ", "~2E", `\`, "x\r\nHost: evil", strings.Repeat("k", 1000)}
	for _, key := range keys {
		guesttest.Set(t, s, key, "value of "+key)
	}
	for _, key := range keys {
		require.Equal(t, "value of "+key, string(guesttest.Value(t, s, key, abi.ConsistencyDefault).Value))
	}
	require.Len(t, server.values, len(keys), "two keys are one resource")
}

// TestHTTPStoreErrors: what the service answers becomes the codes of a store.
func TestHTTPStoreErrors(t *testing.T) {
	server, url := newREST(t)
	o := guesttest.Read(t, "httpstore")
	s, err := openHTTP(t, o, url, url+"/")
	require.NoError(t, err)
	get := func(s abi.Store) error {
		return s.Get(t.Context(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{})
	}
	for status, code := range map[int]abi.Code{
		400: abi.CodeInvalidArgument, 401: abi.CodePermission, 403: abi.CodePermission, 404: abi.CodeNotFound, 302: abi.CodeInternal,
		413: abi.CodeTooLarge, 429: abi.CodeRateLimited, 500: abi.CodeUnavailable, 503: abi.CodeUnavailable, 507: abi.CodeQuota, 200: abi.CodeCorrupt,
	} {
		server.status = status
		err := get(s)
		require.Equal(t, code, abi.CodeOf(err), "status %d: %v", status, err)
	}
	server.status = 503
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(s.(abi.Pinger).Ping(t.Context())))
	server.status = 0
	require.NoError(t, s.(abi.Pinger).Ping(t.Context()))
	_, err = openHTTP(t, o, url+"?tenant=a", url+"/")
	require.ErrorContains(t, err, "query")
	server.status = 404
	conditional := &abi.SetRequest{Key: []byte("k"), ETag: []byte("v1")}
	require.ErrorIs(t, s.Set(t.Context(), conditional, &abi.SetResponse{}), abi.ErrETagMismatch, "some services answer so")
	require.ErrorIs(t, s.Delete(t.Context(), &abi.DeleteRequest{Key: []byte("k"), ETag: []byte("v1")}), abi.ErrETagMismatch)
	require.NoError(t, s.Delete(t.Context(), &abi.DeleteRequest{Key: []byte("k")}))
	server.status, server.token = 0, "opensesame"
	require.Equal(t, abi.CodePermission, abi.CodeOf(get(s)))
	s, err = openHTTP(t, o, url, url+"/", "token", "service")
	require.NoError(t, err)
	require.ErrorIs(t, get(s), abi.ErrNotFound, "the token is sent")
	_, err = openHTTP(t, o, url, url+"/", "token", "other")
	require.ErrorContains(t, err, "was not granted")

	s, err = openHTTP(t, o, url, "https://values.example/")
	require.NoError(t, err)
	err = get(s)
	require.Equal(t, abi.CodePermission, abi.CodeOf(err))
	require.ErrorContains(t, err, "sandbox does not allow")
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	s, err = openHTTP(t, o, closed.URL, closed.URL)
	require.NoError(t, err)
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(get(s)))
}
