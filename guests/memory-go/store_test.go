package main

import (
	"testing"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
)

// TestStore runs the store natively; guests/guests_test.go runs the module.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) abi.Store {
		s := newStore()
		if err := s.Init(t.Context(), abi.Metadata{Name: "test"}); err != nil {
			t.Fatal(err)
		}
		return s
	}, storetest.Options{})
}
