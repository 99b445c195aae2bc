package runtime_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/runtime"
)

const exampleNotes = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: notes}
spec: {type: state.in-memory, version: v1}
`

// exampleFolder makes a folder with one component file.
func exampleFolder(text string) (string, error) {
	dir, err := os.MkdirTemp("", "components")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "notes.yaml"), []byte(text), 0o600)
}

// A runtime in a program, without a server: it reads the files, watches them
// and closes the stores at the end.
func Example() {
	dir, err := exampleFolder(exampleNotes)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}}, runtime.WithStates(memstore.Registration()))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	ended := make(chan error, 1)
	go func() { ended <- rt.Run(ctx) }()
	if err := rt.Wait(ctx); err != nil {
		fmt.Println(err)
		return
	}

	store, err := rt.Store("notes") // survives every change of the component
	if err != nil {
		fmt.Println(err)
		return
	}
	var resp abi.GetResponse
	fmt.Println(store.Set(ctx, &abi.SetRequest{Key: []byte("a"), Value: []byte("hello")}, &abi.SetResponse{}))
	fmt.Println(store.Get(ctx, &abi.GetRequest{Key: []byte("a")}, &resp), string(resp.Value))
	fmt.Println(rt.Close(), <-ended)
	// Output:
	// <nil>
	// <nil> hello
	// <nil> <nil>
}

// Validate reads files as Run would and opens nothing.
func ExampleValidate() {
	dir, err := exampleFolder("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: notes}\nspec: {type: state.in-memroy, version: v1}\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	found, err := runtime.Validate(context.Background(), runtime.Config{ComponentsPaths: []string{dir}},
		runtime.WithStates(memstore.Registration()))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range found.Problems {
		fmt.Println(filepath.Base(p.File), p.Component, p.Line > 0)
	}
	// Output: notes.yaml notes true
}
