// Command embed uses wasmstate as a library: no server, no second process. Run
// it from the top of the repository:
//
//	go run ./examples/embed
//
// Edit examples/embed/components/stores.yaml while it counts: the counts go on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

func main() {
	path := flag.String("components-path", "examples/embed/components", "folder of component files")
	visits := flag.Int("visits", 3, "how often to count in each store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *path, *visits); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts a runtime, counts in both stores and ends the runtime again.
func run(ctx context.Context, out io.Writer, path string, visits int) error {
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{path}}, runtime.WithStates(all.States()...))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- rt.Run(ctx) }() // reads the files, watches them, closes the stores at the end

	if err = rt.Wait(ctx); err == nil {
		err = countAll(ctx, rt, out, visits)
	}
	stop()
	if failed := <-ended; failed != nil {
		return failed // every problem with file and line
	}
	return err
}

func countAll(ctx context.Context, rt *runtime.Runtime, out io.Writer, visits int) error {
	for _, name := range []string{"visits", "notes"} {
		// The handle survives every change of the component.
		store, err := rt.Store(name)
		if err != nil {
			return err
		}
		for range visits {
			n, err := count(ctx, store, []byte("visits"))
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: visit %d\n", name, n)
		}
	}
	return nil
}

// count adds one to a number, however many do the same at once: who reads an
// old number has its write refused, and tries again.
func count(ctx context.Context, store runtime.Store, key []byte) (int, error) {
	var old abi.GetResponse // its buffers are used again at each turn
	for {
		old.Reset()
		err := store.Get(ctx, &abi.GetRequest{Key: key}, &old)
		if err != nil && !errors.Is(err, abi.ErrNotFound) {
			return 0, err
		}
		n := 1
		if err == nil {
			if n, err = strconv.Atoi(string(old.Value)); err != nil {
				return 0, err
			}
			n++
		}
		// With an etag the write replaces exactly that version; FirstWrite
		// without one creates the key or is refused.
		write := abi.SetRequest{Key: key, Value: strconv.AppendInt(nil, int64(n), 10), ETag: old.ETag, FirstWrite: true}
		err = store.Set(ctx, &write, &abi.SetResponse{})
		if errors.Is(err, abi.ErrETagMismatch) {
			continue
		}
		return n, err
	}
}
