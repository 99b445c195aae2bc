package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox"
)

// A module is parsed once, described without being run, and opened for each
// component that uses it.
func Example() {
	ctx := context.Background()
	sb, err := sandbox.New(sandbox.Options{}) // no folder: compiled modules stay in memory
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sb.Close()
	wasm, err := os.ReadFile("../guests/memory-c/memory-c.wasm")
	if err != nil {
		fmt.Println(err)
		return
	}
	mod, err := sb.Parse(wasm, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mod.Info().Type, mod.Features().Has(abi.FeatureETag))

	store, err := mod.Open(ctx, sandbox.Config{
		Component: "notes",
		Settings:  sandbox.Settings{Memory: 16 << 20, Instances: 1},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if err := store.Init(ctx, abi.Metadata{Name: "notes"}); err != nil {
		fmt.Println(err)
		return
	}
	var resp abi.GetResponse
	fmt.Println(store.Set(ctx, &abi.SetRequest{Key: []byte("a"), Value: []byte("hello")}, &abi.SetResponse{}))
	fmt.Println(store.Get(ctx, &abi.GetRequest{Key: []byte("a")}, &resp), string(resp.Value))
	// Output:
	// state.memory-c true
	// <nil>
	// <nil> hello
}

// What goes wrong with a guest is a *abi.Fault; what a guest reports in the
// regular way is not.
func ExampleSandbox_Parse() {
	sb, err := sandbox.New(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sb.Close()

	_, err = sb.Parse([]byte("not a module"), nil)
	var guest *abi.Fault
	if errors.As(err, &guest) {
		fmt.Println(guest.Kind == abi.FaultLoad, abi.CodeOf(err) == abi.CodeInvalidArgument)
	}
	// Output: true true
}
