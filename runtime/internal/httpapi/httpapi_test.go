package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// plain is a store that offers nothing optional.
type plain struct{ abi.Store }

func (plain) Features() abi.Features { return 0 }

// serve returns the API over the in-memory store "mem", the featureless store
// "plain" and the store "down", which does not come up.
func serve(t *testing.T, cfg Config, limits ...stateapi.Limits) http.Handler {
	t.Helper()
	set := component.New(component.Config{AppID: "app"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	t.Cleanup(func() {
		require.NoError(t, set.Close(context.Background()))
		cancel()
		require.NoError(t, <-done)
	})
	apply := func(name string, create func() (abi.Store, error)) {
		set.Apply(component.Spec{Name: name, Type: "state." + name, Version: "v1", Digest: "1", KeyPrefix: "none",
			Create: func(context.Context) (abi.Store, error) { return create() }})
	}
	apply("mem", func() (abi.Store, error) { return memstore.New(), nil })
	apply("plain", func() (abi.Store, error) { return plain{memstore.New()}, nil })
	apply("down", func() (abi.Store, error) { return nil, errors.New("no route to host") })
	_, err := set.Wait(context.Background())
	require.NoError(t, err)
	return New(stateapi.New(set, stateapi.Config{AppID: "app", Version: "1.2.3", Limits: append(limits, stateapi.Limits{})[0]}), cfg)
}

func do(h http.Handler, method, target, body string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

// TestAnswers is the table of Dapr's answers: status and body for each
// request, one after the other on the same stores.
func TestAnswers(t *testing.T) {
	h := serve(t, Config{}, stateapi.Limits{Body: 1 << 10})
	const stale = `[{"key":"a","value":2,"etag":"stale"}]`
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string // part of the body
	}{
		{"GET", "/v1.0/state/mem/a", "", 204, ""},
		{"POST", "/v1.0/state/mem", `[{"key":"a","value":{"n": 9007199254740993, "f":3.14159265358979}}]`, 204, ""},
		{"GET", "/v1.0/state/mem/a", "", 200, `{"n": 9007199254740993, "f":3.14159265358979}`},
		{"PUT", "/v1.0/state/mem", stale, 409, `"errorCode":"ERR_STATE_SAVE","message":"failed saving state in state store mem: etag mismatch"`},
		{"POST", "/v1.0/state/mem", `[{"key":"a","value":1,"options":{"concurrency":"first-write"}}]`, 409, "ERR_STATE_SAVE"},
		{"POST", "/v1.0/state/mem", `[{"key":"b","value":1},{"key":"a","value":1,"etag":"stale"}]`, 409, `key \"a\"`},
		{"GET", "/v1.0/state/mem/b", "", 200, "1"},
		{"POST", "/v1.0/state/mem", `[{"key":"c"}]`, 204, ""},
		{"GET", "/v1.0/state/mem/c", "", 200, "null"},
		{"POST", "/v1.0/state/mem", `[]`, 204, ""},
		{"DELETE", "/v1.0/state/mem/c", "", 204, ""},
		{"DELETE", "/v1.0/state/mem/c", "", 204, ""},
		{"POST", "/v1.0/state/mem", `[{"value":1}]`, 400, `\"key\" is a required field`},
		{"POST", "/v1.0/state/mem", `[{"key":"","value":1}]`, 400, "must not be empty"},
		{"POST", "/v1.0/state/mem", `[{"key":"a||b","value":1}]`, 400, `DAPR_STATE_ILLEGAL_KEY`},
		{"GET", "/v1.0/state/mem/a||b", "", 400, `input key/keyPrefix 'a||b' can't contain '||'`},
		{"POST", "/v1.0/state/mem", `[{"key":"a","value":1,"etag":1}]`, 400, `etag`},
		{"POST", "/v1.0/state/mem", `{"key":"a"}`, 400, "ERR_MALFORMED_REQUEST"},
		{"POST", "/v1.0/state/mem", `[{"key":"a","value":1}] garbage`, 400, "byte"},
		{"POST", "/v1.0/state/mem", ``, 400, "ERR_MALFORMED_REQUEST"},
		{"POST", "/v1.0/state/mem", `[{"key":"a","value":"` + strings.Repeat("x", 2000) + `"}]`, 413, "1024"},
		{"POST", "/v1.0/state/mem", `[{"key":"a","value":1,"metadata":{"ttlInSeconds":"0"}}]`, 400, "ttlInSeconds"},
		{"POST", "/v1.0/state/mem", `[{"key":"a","value":1,"metadata":{"ttlInSeconds":"foo"}}]`, 400, "foo"},
		{"POST", "/v1.0/state/mem?metadata.ttlInSeconds=-2", `[{"key":"a","value":1}]`, 400, "-2"},
		{"POST", "/v1.0/state/mem", `[{"key":"a","value":1,"options":{"concurrency":"x"}}]`, 400, "concurrency"},
		{"GET", "/v1.0/state/mem/a?consistency=x", "", 400, "consistency"},
		{"GET", "/v1.0/state/mem/", "", 405, "POST, PUT"},
		{"PATCH", "/v1.0/state/mem/a", "", 405, "GET, DELETE"},
		{"GET", "/v1.0/nothing", "", 404, "ERR_NOT_FOUND"},
		{"GET", "/v1.0/state/men/a", "", 400, `"errorCode":"ERR_STATE_STORE_NOT_FOUND"`},
		{"GET", "/v1.0/state/down/a", "", 503, "no route to host"},
		{"POST", "/v1.0/state/plain", `[{"key":"a","value":1,"etag":"x"}]`, 400, "does not support ETAG"},
		{"POST", "/v1.0/state/plain", `[{"key":"a","value":1,"metadata":{"ttlInSeconds":"9"}}]`, 400, "does not support TTL"},
		{"POST", "/v1.0/state/plain/transaction", `{"operations":[]}`, 500, `state store plain doesn't support transactions`},
		{"POST", "/v1.0/state/mem/transaction", `{"operations":[{"operation":"upsert","request":{"key":"t","value":1}},{"operation":"delete","request":{"key":"b"}}]}`, 204, ""},
		{"GET", "/v1.0/state/mem/t", "", 200, "1"},
		{"GET", "/v1.0/state/mem/b", "", 204, ""},
		{"POST", "/v1.0/state/mem/transaction", `{"operations":[{"operation":"upsert","request":{"key":"u","value":1}},{"operation":"upsert","request":{"key":"t","value":2,"etag":"stale"}}]}`, 409, "ERR_STATE_TRANSACTION"},
		{"GET", "/v1.0/state/mem/u", "", 204, ""},
		{"POST", "/v1.0/state/mem/transaction", `{"operations":[{"operation":"merge","request":{"key":"u"}}]}`, 400, "ERR_NOT_SUPPORTED_STATE_OPERATION"},
		{"POST", "/v1.0/state/mem/bulk", `{"keys":["t","none","t"]}`, 200, `"key":"none"}`},
		{"POST", "/v1.0/state/mem/bulk", `{"keys":[]}`, 200, `[]`},
		{"POST", "/v1.0/state/mem", `[{"key":"a/b c+d","value":1}]`, 204, ""},
		{"GET", "/v1.0/state/mem/a%2Fb%20c+d", "", 200, "1"},
		{"GET", "/v1.0/state/mem/a/b%20c+d", "", 200, "1"},
		{"GET", "/v1.0/healthz", "", 204, ""},
		{"GET", "/v1.0/healthz/", "", 204, ""},
		{"POST", "/v1.0/healthz", "", 405, "GET"},
		{"GET", "/v1.0/healthz/outbound", "", 500, "dapr outbound is not ready: down is failed"},
		{"GET", "/v1.0/healthz/stores/mem", "", 204, ""},
		{"GET", "/v1.0/healthz/stores/down", "", 500, "store down is failed: no route to host"},
		{"GET", "/v1.0/healthz/stores/mme", "", 404, "state store mme is not found"},
		{"GET", "/v1.0/healthz/nothing", "", 404, "ERR_NOT_FOUND"},
		{"GET", "/v1.0/healthz/outbound?appid=other", "", 500, "app-id"},
		{"PUT", "/v1.0/metadata/color", "blue", 204, ""},
		{"GET", "/v1.0/metadata", "", 200, `"extended":{"color":"blue","daprRuntimeVersion":"1.2.3"}`},
		{"GET", "/v1.0/metadata", "", 200, `"state":"failed","reason":"no route to host"`},
	} {
		resp := do(h, c.method, c.target, c.body)
		body := bodyOf(t, resp)
		require.Equal(t, c.status, resp.StatusCode, "%s %s %s: %s", c.method, c.target, c.body, body)
		require.Contains(t, body, c.want, "%s %s", c.method, c.target)
		if resp.StatusCode == 204 {
			require.Empty(t, body)
		}
		if resp.StatusCode == 405 {
			require.Equal(t, c.want, resp.Header.Get("Allow"))
		}
	}
}

func TestETags(t *testing.T) {
	h := serve(t, Config{})
	etag := do(h, "POST", "/v1.0/state/mem", `[{"key":"a","value":1}]`).Header.Get("ETag")
	require.NotEmpty(t, etag)
	resp := do(h, "GET", "/v1.0/state/mem/a", "")
	require.Equal(t, etag, resp.Header.Get("ETag"))
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	require.Equal(t, 409, do(h, "DELETE", "/v1.0/state/mem/a", "", "If-Match", "stale").StatusCode)
	require.Equal(t, 204, do(h, "DELETE", "/v1.0/state/mem/a", "", "If-Match", `"`+etag+`"`).StatusCode, "quoted")
	require.Equal(t, 409, do(h, "DELETE", "/v1.0/state/mem/a", "", "If-Match", etag).StatusCode, "missing")
}

func TestTTLAndContentType(t *testing.T) {
	h := serve(t, Config{})
	do(h, "POST", "/v1.0/state/mem?metadata.ttlInSeconds=100", `[{"key":"a","value":1,"metadata":{"ttlInSeconds":"5","contentType":"text/html"}}]`)
	resp := do(h, "GET", "/v1.0/state/mem/a?contentType=stored", "")
	require.Equal(t, "text/html", resp.Header.Get("Content-Type"))
	require.Equal(t, "sandbox", resp.Header.Get("Content-Security-Policy"))
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, resp.Header.Get("metadata.ttlExpireTime"))
	require.Contains(t, bodyOf(t, do(h, "POST", "/v1.0/state/mem/bulk", `{"keys":["a"]}`)), `"ttlExpireTime":"`)
	do(h, "POST", "/v1.0/state/mem", `[{"key":"a","value":1}]`)
	require.Empty(t, do(h, "GET", "/v1.0/state/mem/a", "").Header.Get("metadata.ttlExpireTime"), "a set without one removes it")
}

func TestToken(t *testing.T) {
	h := serve(t, Config{Guard: stateapi.Guard{Token: "secret"}})
	require.Equal(t, 401, do(h, "GET", "/v1.0/state/mem/a", "").StatusCode)
	require.Equal(t, 401, do(h, "GET", "/v1.0/metadata", "", "dapr-api-token", "Secret").StatusCode)
	require.Equal(t, 204, do(h, "GET", "/v1.0/state/mem/a", "", "dapr-api-token", "secret").StatusCode)
	require.Equal(t, 204, do(h, "GET", "/v1.0/healthz", "").StatusCode, "health is open")
}

func TestNotConfigured(t *testing.T) {
	h := New(stateapi.New(component.New(component.Config{}), stateapi.Config{AppID: "app", Ready: func() bool { return false }}), Config{})
	resp := do(h, "GET", "/v1.0/state/s/k", "")
	require.Equal(t, 500, resp.StatusCode)
	require.JSONEq(t, `{"errorCode":"ERR_STATE_STORE_NOT_CONFIGURED","message":"state store s is not configured",
		"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"DAPR_STATE_NOT_CONFIGURED","domain":"dapr.io","metadata":{"appID":"app"}}]}`, bodyOf(t, resp))
	require.Equal(t, 500, do(h, "GET", "/v1.0/healthz/outbound", "").StatusCode)
}

// TestBulkIsByteForByte: what is stored as JSON comes back as it is, not
// compacted and not escaped; what is not is base64.
func TestBulkIsByteForByte(t *testing.T) {
	h := serve(t, Config{})
	const value = `{ "html": "<b>&amp;</b>",  "n": 9007199254740993 }`
	require.Equal(t, 204, do(h, "POST", "/v1.0/state/mem", `[{"key":"a","value":`+value+`}]`).StatusCode)
	require.Contains(t, bodyOf(t, do(h, "POST", "/v1.0/state/mem/bulk", `{"keys":["a"]}`)), `"key":"a","data":`+value+`,"etag":"`)
	var b strings.Builder
	buf := bufio.NewWriter(&b)
	var res abi.GetResult
	res.Value = []byte{0xff, 0x00}
	writeItem(buf, "k", &res)
	res.Err = errors.New("disk \"C\"")
	writeItem(buf, "k", &res)
	require.NoError(t, buf.Flush())
	require.Equal(t, `{"key":"k","data":"/wA=","metadata":{"encoding":"base64"}}{"key":"k","error":"disk \"C\""}`, b.String())
}

func FuzzSave(f *testing.F) {
	f.Add(`[{"key":"a","value":{"n":1},"etag":"x","metadata":{"ttlInSeconds":"1"}}]`, "metadata.ttlInSeconds=1&consistency=strong")
	set := component.New(component.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = set.Run(ctx) }()
	f.Cleanup(func() { _ = set.Close(context.Background()); cancel() })
	set.Apply(component.Spec{Name: "s", Type: "state.s", Digest: "1", Create: func(context.Context) (abi.Store, error) { return memstore.New(), nil }})
	_, _ = set.Wait(context.Background())
	h := New(stateapi.New(set, stateapi.Config{Limits: stateapi.Limits{Items: 100, BulkKeys: 100}}), Config{})
	f.Fuzz(func(t *testing.T, body, query string) {
		for _, path := range []string{"/v1.0/state/s/bulk", "/v1.0/state/s/transaction"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r.URL.RawQuery = query
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		r := httptest.NewRequest("POST", "/v1.0/state/s", strings.NewReader(body))
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var items []json.RawMessage
		if json.Unmarshal([]byte(body), &items) != nil {
			require.GreaterOrEqual(t, w.Code, 400, "%q is no array of items", body)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	set := component.New(component.Config{AppID: "app"})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = set.Run(ctx) }()
	b.Cleanup(func() { _ = set.Close(context.Background()); cancel() })
	set.Apply(component.Spec{Name: "mem", Type: "state.mem", Digest: "1", Create: func(context.Context) (abi.Store, error) { return memstore.New(), nil }})
	_, _ = set.Wait(context.Background())
	h := New(stateapi.New(set, stateapi.Config{}), Config{})
	do(h, "POST", "/v1.0/state/mem", `[{"key":"k1","value":"`+strings.Repeat("x", 126)+`"}]`)
	r := httptest.NewRequest("GET", "/v1.0/state/mem/k1", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(discard{http.Header{}}, r)
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
