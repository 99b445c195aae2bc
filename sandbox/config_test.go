package sandbox_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	m := newModules(t)
	good := guestbuild.Hostile(t, "good")
	for _, tc := range []struct {
		name     string
		features abi.Features
		mode     string
		cfg      sandbox.Config
		texts    []string
	}{
		{"transactions in shards", abi.FeatureTransactional, "sharded", sandbox.Config{}, []string{"TRANSACTIONAL", "sharded"}},
		{"meter", 0, "pool", sandbox.Config{Settings: sandbox.Settings{Meter: "petrol"}}, []string{`meter "petrol"`}},
		{"too little memory", 0, "pool", sandbox.Config{Settings: sandbox.Settings{Memory: 1024}}, []string{"64 KiB"}},
		{"less memory than it needs", 0, "pool", sandbox.Config{Settings: sandbox.Settings{Memory: 128 << 10}}, []string{"from the start", "128 KiB"}},
		{"too much memory", 0, "pool", sandbox.Config{Settings: sandbox.Settings{Memory: 5 << 30}}, []string{"4 GiB"}},
		{"mode", 0, "pool", sandbox.Config{Settings: sandbox.Settings{Concurrency: "many"}}, []string{`"many"`, "sharded"}},
		{"too many instances", 0, "pool", sandbox.Config{Settings: sandbox.Settings{Instances: 5000}}, []string{"5000", "1024"}},
		{"features without exports", abi.FeatureKeys | abi.FeatureExport, "pool", sandbox.Config{}, []string{"ws_export, ws_import, ws_keys"}},
		{"everything at once", abi.FeatureQuery, "pool", sandbox.Config{Settings: sandbox.Settings{Meter: "petrol", Memory: 1, Instances: -1}}, []string{"petrol", "64 KiB", "-1", "QUERY_API"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.cfg.Component = "orders"
			_, err := m.Open(t.Context(), guestbuild.WithManifest(good, tc.features, tc.mode), tc.cfg)
			var ge *abi.Fault
			require.ErrorAs(t, err, &ge)
			require.Equal(t, abi.FaultLoad, ge.Kind)
			require.ErrorContains(t, err, "orders")
			for _, text := range tc.texts {
				require.ErrorContains(t, err, text)
			}
		})
	}
}

func TestFaultsAreLoggedButNotEveryOne(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	s, err := newModules(t).Open(t.Context(), guestbuild.WithManifest(guestbuild.Hostile(t, "trap-every-second"), 0, "pool"), sandbox.Config{
		Component: "orders", Logger: slog.New(zapslog.NewHandler(core)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "orders"}))
	for range 40 {
		_ = s.Get(t.Context(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{})
	}
	stats, ok := sandbox.StatsOf(s)
	require.True(t, ok)
	require.Equal(t, int64(40), stats.Ops[0].Calls)
	require.Equal(t, int64(20), stats.Ops[0].Faults)
	require.Eventually(t, func() bool { return logs.FilterMessageSnippet("retired").Len() >= 1 }, 10*time.Second, time.Millisecond)
	require.Less(t, logs.FilterMessageSnippet("retired").Len(), 20)
}
