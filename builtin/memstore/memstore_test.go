package memstore_test

import (
	"testing"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/builtin/memstore"
)

func open(t testing.TB) abi.Store {
	t.Helper()
	s := memstore.New()
	if err := s.Init(t.Context(), abi.Metadata{Name: "test"}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) abi.Store { return open(t) }, storetest.Options{})
}
