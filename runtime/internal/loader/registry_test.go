package loader_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/runtime/internal/loader"
)

func TestRegistryRefusesDuplicates(t *testing.T) {
	r := new(loader.Registry)
	one := abi.Registration{Name: "state.One", Aliases: []string{"state.uno"}, Versions: []string{"v1"}, New: memstore.New}
	require.NoError(t, r.Register(one))
	for name, other := range map[string]abi.Registration{
		"name":              {Name: "state.one", Versions: []string{"v1"}, New: memstore.New},
		"version's case":    {Name: "state.one", Versions: []string{"V1"}, New: memstore.New},
		"unversioned":       {Name: "state.ONE", New: memstore.New},
		"alias":             {Name: "state.two", Aliases: []string{"state.UNO"}, New: memstore.New},
		"name of an alias":  {Name: "state.uno", New: memstore.New},
		"alias of itself":   {Name: "state.three", Aliases: []string{"STATE.three"}, New: memstore.New},
		"another category":  {Name: "pubsub.one", New: memstore.New},
		"without a factory": {Name: "state.four"},
	} {
		err := r.Register(abi.Registration{Name: "state.beside", New: memstore.New}, other)
		require.Error(t, err, name)
		require.Equal(t, []string{"state.one", "state.uno"}, r.Types(), "%s: nothing is added", name)
	}
	err := r.Register(abi.Registration{Name: "state.two", Aliases: []string{"state.uno"}, New: memstore.New})
	require.ErrorContains(t, err, "state.uno")
	require.ErrorContains(t, err, "state.One", "both are named")
	require.NoError(t, r.Register(abi.Registration{Name: "state.one", Versions: []string{"v2"}, New: memstore.New}), "another version")
}

func TestRegistryLooksUp(t *testing.T) {
	r := new(loader.Registry)
	require.NoError(t, r.Register(
		abi.Registration{Name: "state.pg", Aliases: []string{"state.postgres"}, Versions: []string{"v1"}, New: memstore.New},
		abi.Registration{Name: "state.pg", Versions: []string{"v2"}, New: memstore.New},
		abi.Registration{Name: "state.plain", New: memstore.New},
	))
	for _, tc := range []struct{ typ, version, want string }{
		{"state.pg", "", "v1"}, {"STATE.PG", "V2", "v2"}, {"state.postgres", "v1", "v1"},
		{"state.plain", "", ""}, {"state.plain", "v0", ""}, {"state.plain", "v1", ""},
	} {
		reg, err := r.Lookup(tc.typ, tc.version)
		require.NoError(t, err, tc)
		require.Equal(t, tc.want, fmt.Sprint(append(reg.Versions, "")[0]), tc)
	}
	for _, tc := range []struct{ typ, version, want string }{
		{"state.pg", "v3", "state store state.pg has no version v3; its versions are v1, v2"},
		{"state.plain", "v2", "has no version v2; its versions are v0, v1"},
		{"state.plian", "", "did you mean state.plain?"},
		{"state.nothing-like-it", "v9", "known are state.pg, state.plain, state.postgres"},
	} {
		_, err := r.Lookup(tc.typ, tc.version)
		require.ErrorContains(t, err, tc.want)
		require.Equal(t, abi.CodeInvalidArgument, abi.CodeOf(err))
		_, err = r.Create(tc.typ, tc.version)
		require.Error(t, err)
	}
}

// TestRegistryWhileRunning: types come while others are looked up.
func TestRegistryWhileRunning(t *testing.T) {
	r := new(loader.Registry)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			name := fmt.Sprintf("state.t%d", i)
			if r.Register(abi.Registration{Name: name, New: memstore.New}) == nil {
				_, _ = r.Create(name, "")
			}
			r.Types()
		})
	}
	wg.Wait()
	require.Len(t, r.Types(), 20)
}
