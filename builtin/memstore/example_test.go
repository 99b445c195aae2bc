package memstore_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
)

// Of two writers that read the same version, one wins.
func Example() {
	ctx := context.Background()
	store := memstore.New()
	if err := store.Init(ctx, abi.Metadata{Name: "visits"}); err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	var first, second abi.SetResponse
	key := []byte("page")
	fmt.Println(store.Set(ctx, &abi.SetRequest{Key: key, Value: []byte("1")}, &first))
	fmt.Println(store.Set(ctx, &abi.SetRequest{Key: key, Value: []byte("2"), ETag: first.ETag}, &second))
	err := store.Set(ctx, &abi.SetRequest{Key: key, Value: []byte("3"), ETag: first.ETag}, &abi.SetResponse{})
	fmt.Println(errors.Is(err, abi.ErrETagMismatch))
	// Output:
	// <nil>
	// <nil>
	// true
}
