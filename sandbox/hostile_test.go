package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// hostileTimeout is the time limit of an operation on a guest that must miss
// it. The others have patientTimeout, so that a busy machine does not matter.
const (
	hostileTimeout = 50 * time.Millisecond
	patientTimeout = 20 * time.Second
)

// outcome is what must become of a hostile module.
type outcome struct {
	at       string // the first step that fails: load, init, an operation, or "" for none
	kind     abi.FaultKind
	code     abi.Code // for errors that are no fault; with kind 0
	text     string   // part of the message
	features abi.Features
}

const (
	all     = abi.FeatureETag | abi.FeatureTTL | abi.FeatureContentType
	bulk    = abi.FeatureBulk
	keys    = abi.FeatureKeys
	txn     = abi.FeatureTransactional
	exports = abi.FeatureExport
)

// hostile lists every module of guests/hostile.
var hostile = map[string]outcome{
	"loop":                    {at: "get", kind: abi.FaultDeadline},
	"touch":                   {at: "get", kind: abi.FaultDeadline},
	"loop-work":               {at: "get", kind: abi.FaultDeadline},
	"loop-nested":             {at: "get", kind: abi.FaultDeadline},
	"loop-long-body":          {at: "get", kind: abi.FaultDeadline},
	"recursion-tree":          {at: "get", kind: abi.FaultDeadline},
	"recursion-indirect-tree": {at: "get", kind: abi.FaultDeadline},
	"recursion-tail":          {at: "get", kind: abi.FaultDeadline},
	"recursion-deep":          {at: "get", text: "get"},
	"recursion-large-frames":  {at: "get", text: "get"},
	"recursion-mutual":        {at: "get", text: "get"},
	"fill-all":                {at: "get", kind: abi.FaultDeadline},
	"fill-straight":           {at: "get?", kind: abi.FaultDeadline},
	"copy-all":                {at: "get", kind: abi.FaultDeadline},
	"table-fill":              {at: "get", kind: abi.FaultDeadline},
	"memory-bomb":             {at: "get", kind: abi.FaultMemory, text: "allowed 16 MiB"},
	"memory-bomb-once":        {at: "get", kind: abi.FaultMemory, text: "allowed 16 MiB"},
	"memory-beg":              {at: "get", kind: abi.FaultDeadline},
	"memory-leak":             {at: "get", kind: abi.FaultMemory},
	"memory-minimum":          {at: "load", kind: abi.FaultLoad, text: "memory"},
	"memory-missing":          {at: "load", kind: abi.FaultLoad, text: "memory"},
	"memory-imported":         {at: "load", kind: abi.FaultLoad, text: "memory"},
	"table-bomb":              {at: "get", kind: abi.FaultTrap},
	"table-beg":               {at: "get", kind: abi.FaultDeadline},
	"table-minimum":           {at: "load", kind: abi.FaultLoad, text: "table"},
	"value-pointer":           {at: "get", kind: abi.FaultABI, text: "value"},
	"value-length":            {at: "get", kind: abi.FaultABI, text: "value"},
	"value-wrap":              {at: "get", kind: abi.FaultABI, text: "value"},
	"value-edge":              {at: "get", kind: abi.FaultABI, text: "value"},
	"etag-pointer":            {at: "get", kind: abi.FaultABI, text: "etag"},
	"type-pointer":            {at: "get", kind: abi.FaultABI, text: "content type"},
	"message-pointer":         {at: "get", kind: abi.FaultABI, text: "message"},
	"message-secret":          {at: "init", code: abi.CodeInternal, text: `\x`},
	"message-length":          {at: "get", kind: abi.FaultABI, text: "message"},
	"message-controls":        {at: "get", code: abi.CodeInternal, text: "owned"},
	"expiry-negative":         {at: "get", kind: abi.FaultABI, text: "expiry"},
	"set-etag-pointer":        {at: "set", kind: abi.FaultABI, text: "etag"},
	"status-unknown":          {at: "get", kind: abi.FaultABI, text: "999"},
	"status-huge":             {at: "get", kind: abi.FaultABI, text: "4294967295"},
	"response-short":          {at: "get", kind: abi.FaultABI, text: "record"},
	"response-long":           {at: "get", kind: abi.FaultABI, text: "buffer"},
	"response-size":           {at: "get", kind: abi.FaultABI, text: "record"},
	"response-zero":           {at: "get", kind: abi.FaultABI, text: "record"},
	"items-pointer":           {at: "bulk get", kind: abi.FaultABI, text: "items", features: bulk},
	"items-more":              {at: "bulk get", kind: abi.FaultABI, text: "1000 items", features: bulk},
	"items-fewer":             {at: "bulk get", kind: abi.FaultABI, text: "1 items", features: bulk},
	"items-step-zero":         {at: "bulk get", kind: abi.FaultABI, text: "items", features: bulk},
	"items-step-huge":         {at: "bulk get", kind: abi.FaultABI, text: "items", features: bulk},
	"items-garbage":           {at: "bulk get", kind: abi.FaultABI, text: "item 0", features: bulk},
	"keys-pointer":            {at: "keys", kind: abi.FaultABI, text: "items", features: keys},
	"keys-count":              {at: "keys", kind: abi.FaultABI, text: "items", features: keys},
	"keys-same":               {at: "keys", kind: abi.FaultABI, text: "order", features: keys},
	"cursor-pointer":          {at: "keys", kind: abi.FaultABI, text: "cursor", features: keys},
	"export-copy-bomb":        {at: "export", kind: abi.FaultABI, text: "page", features: exports},
	"transact-index":          {at: "transact", kind: abi.FaultABI, text: "operation", features: txn},
	"open-outside":            {at: "init", kind: abi.FaultABI, text: "ws_open"},
	"open-small":              {at: "init", kind: abi.FaultABI, text: "ws_open"},
	"open-huge":               {at: "init", kind: abi.FaultABI, text: "ws_open"},
	"open-refuses":            {at: "init", code: abi.CodeTooLarge},
	"open-once":               {at: "large set", code: abi.CodeTooLarge},
	"open-shrinks":            {at: "large set", kind: abi.FaultABI, text: "ws_open"},
	"open-zero":               {at: "large set", code: abi.CodeTooLarge},
	"trap-open":               {at: "init", kind: abi.FaultTrap, text: "unreachable"},
	"trap-get":                {at: "get", kind: abi.FaultTrap, text: "unreachable"},
	"trap-set":                {at: "set", kind: abi.FaultTrap},
	"trap-delete":             {at: "delete", kind: abi.FaultTrap},
	"trap-init":               {at: "init", kind: abi.FaultTrap},
	"trap-ping":               {at: "ping", kind: abi.FaultTrap},
	"trap-idle":               {},
	"trap-close":              {},
	"trap-keys":               {at: "keys", kind: abi.FaultTrap, features: keys},
	"trap-transact":           {at: "transact", kind: abi.FaultTrap, features: txn},
	"trap-bulk-get":           {at: "bulk get", kind: abi.FaultTrap, features: bulk},
	"trap-bulk-write":         {at: "bulk write", kind: abi.FaultTrap, features: bulk},
	"trap-export":             {at: "export", kind: abi.FaultTrap, features: exports},
	"trap-import":             {at: "import", kind: abi.FaultTrap, features: exports},
	"trap-start":              {at: "init", kind: abi.FaultTrap},
	"trap-initialize":         {at: "init", kind: abi.FaultTrap},
	"trap-every-second":       {at: "get", kind: abi.FaultTrap},
	"trap-divide":             {at: "get", kind: abi.FaultTrap, text: "divide by zero"},
	"trap-load":               {at: "get", kind: abi.FaultTrap, text: "out of bounds"},
	"trap-store":              {at: "get", kind: abi.FaultTrap, text: "out of bounds"},
	"trap-indirect-null":      {at: "get", kind: abi.FaultTrap},
	"trap-indirect-type":      {at: "get", kind: abi.FaultTrap},
	"trap-names":              {at: "get", kind: abi.FaultTrap, text: `\x1b[31m`},
	"loop-start":              {at: "init", kind: abi.FaultDeadline},
	"loop-initialize":         {at: "init", kind: abi.FaultDeadline},
	"loop-open":               {at: "init", kind: abi.FaultDeadline},
	"loop-init":               {at: "init", kind: abi.FaultDeadline},
	"loop-ping":               {at: "ping", kind: abi.FaultDeadline},
	"loop-idle":               {},
	"loop-close":              {},
	"export-type":             {at: "load", kind: abi.FaultLoad, text: "ws_get is (i32, i32) -> (i32)"},
	"export-missing":          {at: "load", kind: abi.FaultLoad, text: "ws_delete, ws_set"},
	"export-global":           {at: "load", kind: abi.FaultLoad, text: "ws_get"},
	"export-initialize-type":  {at: "load", kind: abi.FaultLoad, text: "_initialize"},
	"import-unknown":          {at: "load", kind: abi.FaultLoad},
	"import-global":           {at: "load", kind: abi.FaultLoad},
	"import-self":             {at: "load", kind: abi.FaultLoad},
	"import-forged":           {at: "load", kind: abi.FaultLoad, text: "wasmstate.meter"},
	"fuel-forged":             {at: "load", kind: abi.FaultLoad, text: "wasmstate.fuel"},
	"fuel-forged-later":       {at: "load", kind: abi.FaultLoad, text: "wasmstate.fuel"},
	"import-type":             {at: "load", kind: abi.FaultLoad, text: "log"},
	"import-refused":          {at: "load", kind: abi.FaultLoad, text: "wasmstate_kv"},
	"kv-bulkget-bomb":         {at: "load", kind: abi.FaultLoad, text: "wasmstate_kv"}, // see TestHostileKV
	"kv-contenttype-bomb":     {at: "load", kind: abi.FaultLoad, text: "wasmstate_kv"},
	"log-flood":               {at: "get"}, // at its deadline or at the limit of host calls
	"log-pointers":            {},
	"log-controls":            {},
	"exit":                    {at: "get", kind: abi.FaultExit},
	"exit-start":              {at: "init", kind: abi.FaultExit},
	"sleep":                   {at: "get?", kind: abi.FaultDeadline},
	"random-flood":            {at: "get"}, // as log-flood
	"name-of-host":            {},
	"data-outside":            {at: "init", kind: abi.FaultTrap},
	"elem-outside":            {at: "init?", kind: abi.FaultTrap}, // wazero lets it pass
	"index-global":            {at: "load", kind: abi.FaultLoad, text: "global"},
	"index-function":          {at: "load", kind: abi.FaultLoad, text: "function"},
	"scribble":                {},
	"scribble-response":       {at: "get", kind: abi.FaultABI},
}

func newModules(t testing.TB) *sandbox.Sandbox {
	t.Helper()
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// bystander keeps a well-behaved store busy until stop, which returns how long
// its operations took.
func bystander(t *testing.T, m *sandbox.Sandbox) (stop func() []time.Duration) {
	t.Helper()
	s, err := m.Open(t.Context(), guestbuild.WithManifest(guestbuild.Hostile(t, "good"), abi.FeatureETag, "pool"), sandbox.Config{Component: "good"})
	require.NoError(t, err)
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "good"}))
	done := make(chan struct{})
	var wg sync.WaitGroup
	var took []time.Duration
	var failed error
	wg.Go(func() {
		var resp abi.GetResponse
		var set abi.SetResponse
		for i := 0; failed == nil; i++ {
			select {
			case <-done:
				return
			default:
			}
			key, value := fmt.Appendf(nil, "key-%d", i%100), fmt.Appendf(nil, "value-%d", i)
			from := time.Now()
			failed = s.Set(context.Background(), &abi.SetRequest{Key: key, Value: value}, &set)
			if failed == nil {
				failed = s.Get(context.Background(), &abi.GetRequest{Key: key}, &resp)
			}
			took = append(took, time.Since(from))
			// Another instance of the pool may hold another value: each has its own.
			if failed == nil && !bytes.HasPrefix(resp.Value, []byte("value-")) {
				failed = fmt.Errorf("got %q", resp.Value)
			}
			goruntime.Gosched()
		}
	})
	return func() []time.Duration {
		close(done)
		wg.Wait()
		require.NoError(t, failed, "the well-behaved store failed")
		require.NoError(t, s.Close())
		return took
	}
}

func TestHostileModules(t *testing.T) {
	found, err := filepath.Glob("../guests/hostile/*.wasm")
	require.NoError(t, err)
	m := newModules(t)
	stop := bystander(t, m)
	level := m.MemoryUsed()
	var over []time.Duration
	for _, path := range found {
		name := strings.TrimSuffix(filepath.Base(path), ".wasm")
		if name == "good" {
			continue
		}
		want, ok := hostile[name]
		if !ok {
			t.Errorf("%s is not in the table", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			wasm := guestbuild.WithManifest(guestbuild.Hostile(t, name), all|want.features, "pool")
			timeout := patientTimeout
			if want.kind == abi.FaultDeadline || strings.HasSuffix(name, "-flood") {
				timeout = hostileTimeout
			}
			step, took, err := attack(t, m, wasm, want.at, timeout)
			check(t, want, step, err)
			if abi.CodeOf(err) == abi.CodeTimeout && step != "init" {
				over = append(over, took-timeout)
				t.Logf("released %v after the deadline", took-timeout)
			}
			goruntime.GC()
		})
	}
	took := stop()
	goruntime.GC()
	require.LessOrEqual(t, m.MemoryUsed(), level, "memory is back at its level")
	report(t, "released after the deadline", over)
	report(t, "set and get of the bystander", took)
}

func check(t *testing.T, want outcome, step string, err error) {
	t.Helper()
	t.Logf("%s: %v", step, err)
	if optional := strings.TrimSuffix(want.at, "?"); optional != want.at {
		if step == "" {
			return
		}
		want.at = optional
	}
	require.Equal(t, want.at, step, "%v", err)
	if want.at == "" {
		return
	}
	var ge *abi.Fault
	if want.kind != 0 {
		require.True(t, errors.As(err, &ge), "%v", err)
		require.Equal(t, want.kind, ge.Kind, "%v", err)
	}
	if want.code != 0 {
		require.False(t, errors.As(err, &ge), "%v", err)
		require.Equal(t, want.code, abi.CodeOf(err), "%v", err)
	}
	require.Contains(t, err.Error(), want.text)
	require.Less(t, len(err.Error()), 4<<10)
	for _, r := range err.Error() {
		require.False(t, r < ' ' || r == 0x7f || r == 0x202e, "%q has control characters", err.Error())
	}
}

// attack opens the module and tries every operation until one fails. It
// returns the step, the error and how long the call that failed took. A caller
// who is never released fails the test by its own time limit.
func attack(t *testing.T, m *sandbox.Sandbox, wasm []byte, at string, timeout time.Duration) (step string, took time.Duration, err error) {
	t.Helper()
	ctx := t.Context()
	s, err := m.Open(ctx, wasm, sandbox.Config{
		Component: "hostile", Settings: sandbox.Settings{Memory: 16 << 20, Timeout: timeout, Instances: 2},
	})
	if err != nil {
		return "load", 0, err
	}
	defer func() { require.NoError(t, s.Close()) }()
	initTimeout := timeout
	if at != "init" {
		initTimeout = patientTimeout
	}
	initCtx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	from := time.Now() // of the last call
	if err := s.Init(initCtx, abi.Metadata{Name: "hostile", Properties: map[string]string{"a": "b"}}); err != nil {
		return "init", time.Since(from), err
	}
	key, value := []byte("key"), []byte("value")
	ops := []abi.Op{{SetRequest: abi.SetRequest{Key: key, Value: value}}, {SetRequest: abi.SetRequest{Key: key, Value: value}}}
	st := s.(interface {
		abi.Transactor
		abi.BulkGetter
		abi.BulkWriter
		abi.Lister
		abi.Pinger
		abi.Exporter
		abi.Importer
	})
	has := s.Features().Has
	steps := []struct {
		name string
		need abi.Features
		run  func() error
	}{
		{"ping", 0, func() error { return st.Ping(ctx) }},
		{"get", 0, func() error {
			n := 0 // enough for ws_idle to run
			for first := time.Now(); time.Since(first) < time.Second && n < 200; n++ {
				from = time.Now()
				if err := s.Get(ctx, &abi.GetRequest{Key: key}, &abi.GetResponse{}); err != nil && !errors.Is(err, abi.ErrNotFound) {
					return err
				}
			}
			return nil
		}},
		{"set", 0, func() error { return s.Set(ctx, &abi.SetRequest{Key: key, Value: value}, &abi.SetResponse{}) }},
		{"delete", 0, func() error { return s.Delete(ctx, &abi.DeleteRequest{Key: key}) }},
		{"bulk get", bulk, func() error {
			return st.BulkGet(ctx, []abi.GetRequest{{Key: key}, {Key: key}}, make([]abi.GetResult, 2))
		}},
		{"bulk write", bulk, func() error { return st.BulkWrite(ctx, ops, make([]abi.WriteResult, 2)) }},
		{"transact", txn, func() error { return st.Transact(ctx, ops) }},
		{"keys", keys, func() error { return st.Keys(ctx, &abi.KeysRequest{Limit: 10}, &abi.KeysResponse{}) }},
		{"import", exports, func() error { return st.Import(ctx, []abi.Item{{Key: key}}) }},
		{"export", exports, func() error { return st.Export(ctx, &abi.ExportRequest{MaxBytes: 1 << 20}, &abi.ExportResponse{}) }},
		{"large set", 0, func() error {
			return s.Set(ctx, &abi.SetRequest{Key: key, Value: make([]byte, 300<<10)}, &abi.SetResponse{})
		}},
	}
	for _, op := range steps {
		if !has(op.need) || (op.need != 0 || op.name == "large set") && at != op.name {
			continue
		}
		from = time.Now()
		if err := op.run(); err != nil {
			return op.name, time.Since(from), err
		}
	}
	return "", 0, nil
}

// report prints the distribution of durations: for people, nothing depends on
// it.
func report(t *testing.T, what string, d []time.Duration) {
	t.Helper()
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	t.Logf("%s: n=%d p50=%v p90=%v p99=%v max=%v", what, len(d), d[len(d)/2], d[len(d)*9/10], d[len(d)*99/100], d[len(d)-1])
}

// How late guests are stopped, over many calls: the figure is p99. Nothing
// depends on it here, because other programs share the processors.
func TestDeadlineDistribution(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	m := newModules(t)
	var all []time.Duration
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		if want := hostile[name]; want.at != "get" || want.kind != abi.FaultDeadline {
			continue
		}
		s, err := m.Open(t.Context(), guestbuild.WithManifest(guestbuild.Hostile(t, name), 0, "pool"), sandbox.Config{Component: name, Settings: sandbox.Settings{Timeout: 10 * time.Millisecond, Memory: 32 << 20}})
		require.NoError(t, err)
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: name}))
		var over []time.Duration
		for range 60 {
			from := time.Now()
			err := s.Get(t.Context(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{})
			over = append(over, time.Since(from)-10*time.Millisecond)
			require.Equal(t, abi.CodeTimeout, abi.CodeOf(err), "%v", err)
			// A good operation in between, so that the guest goes on being tried.
			require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte("k")}, &abi.SetResponse{}))
		}
		require.NoError(t, s.Close())
		report(t, name, over)
		all = append(all, over...)
	}
	report(t, "all", all)
}

// A guest that holds data is not stopped when its caller's time is up, but the
// caller is released.
func TestCallersOfAGuestWithStateAreReleased(t *testing.T) {
	m := newModules(t)
	for _, state := range []string{"host", "instance"} {
		packed, err := m.Pack(guestbuild.Hostile(t, "loop"), fmt.Appendf(nil, `{"name":"loop","state":%q}`, state), false)
		require.NoError(t, err)
		s, err := m.Open(t.Context(), packed, sandbox.Config{Component: "loop", Settings: sandbox.Settings{Timeout: time.Second}})
		require.NoError(t, err)
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "loop"}))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		from := time.Now()
		err = s.Get(ctx, &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{})
		took := time.Since(from)
		cancel()
		require.Equal(t, abi.CodeTimeout, abi.CodeOf(err), "%v", err)
		var ge *abi.Fault
		require.Equal(t, state == "host", errors.As(err, &ge), "a guest with data is left, not stopped")
		t.Logf("state %s: released %v after the deadline: %v", state, took-10*time.Millisecond, err)
		// The next caller gets the old instance or a new one, sooner or later.
		require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte("k")}, &abi.SetResponse{}))
		require.NoError(t, s.Close())
	}
}

// TestATrapThatTakesDataIsKnown: of a guest with its data in the instance, and
// of no other.
func TestATrapThatTakesDataIsKnown(t *testing.T) {
	m := newModules(t)
	for state, losses := range map[string]int64{"instance": 1, "host": 0} {
		packed, err := m.Pack(guestbuild.Hostile(t, "recursion-deep"), fmt.Appendf(nil, `{"name":"deep","state":%q}`, state), false)
		require.NoError(t, err)
		s, err := m.Open(t.Context(), packed, sandbox.Config{Component: "deep"})
		require.NoError(t, err)
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "deep"}))
		teller := s.(abi.LossTeller)
		at, _ := teller.LostData()
		require.Zero(t, at)
		require.Error(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{}))
		require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte("k")}, &abi.SetResponse{}), "a new instance serves")
		at, why := teller.LostData()
		require.Equal(t, losses == 1, !at.IsZero(), state)
		require.Equal(t, losses == 1, strings.Contains(why, "given up"), "%s: %q", state, why)
		stats, ok := sandbox.StatsOf(s)
		require.True(t, ok)
		require.Equal(t, losses, stats.Losses, state)
		require.NoError(t, s.Close())
	}
}
