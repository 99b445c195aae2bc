package metrics

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/sandbox"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	m := New()
	rec := m.Recorder("orders", "state.x")
	rec.Op(context.Background(), handle.Get, abi.CodeNotFound, time.Microsecond)
	rec.Op(context.Background(), handle.Get, abi.Code(999), time.Microsecond)
	m.Initialized("orders", "state.x")
	m.InitFailed("orders", "state.x", "creation")
	m.StateChanged("orders", "state.x", handle.StateDegraded)
	require.True(t, m.Count("orders", `evil"} 1`, 2))
	stop := m.Watch("orders", func() sandbox.Stats {
		return sandbox.Stats{Instances: 3, Retired: map[string]int64{"trap": 1}, Ops: []sandbox.OpStats{{Op: "ws_get", Calls: 7}}}
	})
	stop2 := m.Watch("orders", func() sandbox.Stats {
		return sandbox.Stats{Instances: 2, Retired: map[string]int64{"trap": 1}, Ops: []sandbox.OpStats{{Op: "ws_get", Calls: 1}}}
	})
	text := scrape(t, m)
	for _, want := range []string{
		`wasmstate_operations_total{code="not found",component="orders",operation="get"} 1`,
		`wasmstate_operations_total{code="internal error",component="orders",operation="get"} 1`,
		`wasmstate_operation_seconds_count{component="orders",operation="get"} 2`,
		`wasmstate_component_init_total{component="orders",type="state.x"} 1`,
		`wasmstate_component_init_fail_total{component="orders",reason="creation",type="state.x"} 1`,
		`wasmstate_component_state{component="orders",state="degraded"} 1`,
		`wasmstate_component_state{component="orders",state="ready"} 0`,
		`wasmstate_guest_instances{component="orders"} 5`,
		`wasmstate_guest_instances_retired_total{cause="trap",component="orders"} 2`,
		`wasmstate_guest_calls_total{component="orders",export="ws_get"} 8`,
		`wasmstate_guest_custom_total{component="orders",name="evil\"} 1"} 2`,
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, `operation="set"`, "not used yet")
	stop()
	stop2()
	m.Removed("orders")
	rec.Op(context.Background(), handle.Set, abi.CodeOK, time.Microsecond) // a request that was still running
	require.NotContains(t, scrape(t, m), `component="orders"`)
}

func TestCustomSeriesAreBounded(t *testing.T) {
	m := New()
	for i := range maxSeries {
		require.True(t, m.Count("a", string(rune('0'+i)), 1))
	}
	require.False(t, m.Count("a", "one more", 1))
	require.True(t, m.Observe("b", "one more", 1))
	require.Contains(t, scrape(t, m), `wasmstate_guest_custom_observed_count{component="b",name="one more"} 1`)
}

func TestRecorderDoesNotAllocate(t *testing.T) {
	rec := New().Recorder("a", "t")
	rec.Op(context.Background(), handle.Get, abi.CodeOK, time.Millisecond)
	require.Zero(t, testing.AllocsPerRun(100, func() { rec.Op(context.Background(), handle.Get, abi.CodeOK, time.Millisecond) }))
}

// TestCountersNeverFall has what a guest can try, also by a version in which a
// name is of another kind.
func TestCountersNeverFall(t *testing.T) {
	m := New()
	require.True(t, m.Count("c", "hits", 5))
	require.False(t, m.Observe("c", "hits", -1e6))
	for _, by := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.False(t, m.Count("c", "hits", by))
	}
	require.True(t, m.Count("c", "hits", math.MaxFloat64))
	require.False(t, m.Count("c", "hits", math.MaxFloat64), "it would be infinite")
	require.True(t, m.Count("c", "other", 5))
	require.Contains(t, scrape(t, m), `wasmstate_guest_custom_total{component="c",name="other"} 5`)
	require.Contains(t, scrape(t, m), `wasmstate_guest_custom_total{component="c",name="hits"} 1.7976931348623157e+308`)
	require.True(t, m.Observe("c", "size", -2))
	require.False(t, m.Count("c", "size", 7))
	require.False(t, m.Observe("c", "size", math.NaN()))
	require.Contains(t, scrape(t, m), `wasmstate_guest_custom_observed_sum{component="c",name="size"} -2`)
}

// TestIdleComponentsCostLittle has a thousand components, of which one is used
// by many at once.
func TestIdleComponentsCostLittle(t *testing.T) {
	m := New()
	m.SetBuild("v1.2.3", "abc")
	for i := range 1000 {
		name := fmt.Sprintf("component-%04d", i)
		m.Recorder(name, "state.in-memory")
		m.Initialized(name, "state.in-memory")
		m.StateChanged(name, "", handle.StateReady)
	}
	text := scrape(t, m)
	require.Less(t, len(text), 1<<20)
	require.NotContains(t, text, "wasmstate_operation")

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			rec := m.Recorder("component-0007", "state.in-memory") // as a new version has
			for range 100 {
				rec.Op(context.Background(), handle.Get, abi.CodeOK, 3*time.Millisecond)
			}
		})
	}
	wg.Wait()
	text = scrape(t, m)
	require.Contains(t, text, `wasmstate_operations_total{code="ok",component="component-0007",operation="get"} 800`)
	require.Contains(t, text, `wasmstate_operation_seconds_bucket{component="component-0007",operation="get",le="0.001"} 0`)
	require.Contains(t, text, `wasmstate_operation_seconds_bucket{component="component-0007",operation="get",le="0.005"} 800`)
	require.Less(t, len(text), 1<<20)
}

func TestFiles(t *testing.T) {
	m := New()
	m.SetBuild("v1.2.3", "abc")
	m.FilesRead(2, time.UnixMilli(1500))
	text := scrape(t, m)
	require.Contains(t, text, "wasmstate_component_files_problems 2\n")
	require.Contains(t, text, "wasmstate_last_reload_successful 0\n")
	require.Contains(t, text, "wasmstate_last_reload_timestamp_seconds 1.5\n")
	require.Regexp(t, `wasmstate_build_info\{goversion="[^"]+",revision="abc",version="v1.2.3"\} 1\n`, text)
	m.FilesRead(0, time.UnixMilli(2500))
	require.Contains(t, scrape(t, m), "wasmstate_last_reload_successful 1\n")
}

func BenchmarkRecorder(b *testing.B) {
	rec := New().Recorder("a", "t")
	b.ReportAllocs()
	for b.Loop() {
		rec.Op(context.Background(), handle.Get, abi.CodeOK, time.Millisecond)
	}
}
