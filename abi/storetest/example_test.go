package storetest_test

import (
	"context"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/builtin/memstore"
)

// Check is for programs; tests call Run with the same arguments. Without Only
// every rule is checked that the store's features ask for.
func ExampleCheck() {
	open := func(ctx context.Context) (abi.Store, error) {
		store := memstore.New()
		return store, store.Init(ctx, abi.Metadata{Name: "mine"})
	}
	report, err := storetest.Check(context.Background(), open, storetest.Options{
		Small: true,
		Only:  []string{"get.buffers", "etag.one-winner"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range report.Results {
		fmt.Println(r.ID, r.Err == "" && r.Skipped == "")
	}
	// Output:
	// get.buffers true
	// etag.one-winner true
}
