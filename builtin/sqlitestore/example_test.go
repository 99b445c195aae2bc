package sqlitestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/sqlitestore"
)

// What was acknowledged is in the file: a second store reads it.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	md := abi.Metadata{Name: "orders", Properties: map[string]string{
		"connectionString": filepath.Join(dir, "orders.db"),
	}}

	store := sqlitestore.New()
	if err := store.Init(ctx, md); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Set(ctx, &abi.SetRequest{Key: []byte("1"), Value: []byte("paid")}, &abi.SetResponse{}))
	fmt.Println(store.Close())

	again := sqlitestore.New()
	if err := again.Init(ctx, md); err != nil {
		fmt.Println(err)
		return
	}
	defer again.Close()
	var resp abi.GetResponse
	fmt.Println(again.Get(ctx, &abi.GetRequest{Key: []byte("1")}, &resp), string(resp.Value))
	// Output:
	// <nil>
	// <nil>
	// <nil> paid
}
