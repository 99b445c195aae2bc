package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/abi"
)

// callFlags are the flags of `wasmstate call`.
type callFlags struct {
	moduleFlags
	etag, contentType, state, prefix string
	firstWrite                       bool
	ttl                              time.Duration
	limit                            int
}

func callCmd() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "call M.wasm get|set|delete|keys|ping [KEY] [VALUE]",
		Short: "Poke at a store from the shell",
		Long: `Open a module and call one operation. The value of set is the argument, or the
standard input if it is "-". What the instance keeps is lost at the end, unless
--state names a file to keep it in (the store needs EXPORT).

Exits with 1 if the operation fails; a missing key is a failure.`,
		Example: "  wasmstate call store.wasm set greeting hello --state store.json\n  wasmstate call store.wasm get greeting --state store.json",
		Args:    cobra.RangeArgs(2, 4),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := f.open(cmd, args[0])
			if err != nil {
				return err
			}
			defer t.close()
			s, err := t.store(cmd.Context())
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			defer s.Close()
			if err := loadState(cmd.Context(), s, f.state); err != nil {
				return err
			}
			if err := f.call(cmd, s, args[1], args[2:]); err != nil {
				return err
			}
			return saveState(cmd.Context(), s, f.state)
		},
	}
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.etag, "etag", "", "compare with this etag (set, delete)")
	fl.BoolVar(&f.firstWrite, "first-write", false, "create only (set)")
	fl.DurationVar(&f.ttl, "ttl", 0, "time to live, at least 1s (set)")
	fl.StringVar(&f.contentType, "content-type", "", "content type (set)")
	fl.StringVar(&f.prefix, "prefix", "", "only keys that start with this (keys)")
	fl.IntVar(&f.limit, "limit", 1000, "most keys (keys)")
	fl.StringVar(&f.state, "state", "", "file that holds the store's items between calls")
	return cmd
}

// call runs one operation and prints what it answers: the value to stdout, the
// rest to stderr.
func (f *callFlags) call(cmd *cobra.Command, s abi.Store, op string, args []string) error {
	ctx, out, note := cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	want := map[string]int{"get": 1, "set": 2, "delete": 1, "keys": 0, "ping": 0}
	n, known := want[op]
	switch {
	case !known:
		return usageError{fmt.Errorf("%q is none of get, set, delete, keys and ping", op)}
	case len(args) != n:
		return usageError{fmt.Errorf("%s takes %d arguments after it, not %d", op, n, len(args))}
	case n > 0 && args[0] == "":
		return usageError{errors.New("the key must not be empty")}
	}
	switch op {
	case "get":
		var resp abi.GetResponse
		if err := s.Get(ctx, &abi.GetRequest{Key: []byte(args[0])}, &resp); err != nil {
			return fmt.Errorf("get %q: %w", args[0], err)
		}
		fmt.Fprintf(note, "etag %q content-type %q\n", resp.ETag, resp.ContentType)
		if resp.ExpiresAt != 0 {
			fmt.Fprintf(note, "expires %s\n", time.UnixMilli(resp.ExpiresAt).UTC().Format(time.RFC3339))
		}
		_, err := out.Write(resp.Value)
		return err
	case "set":
		value := []byte(args[1])
		if args[1] == "-" {
			var err error
			if value, err = io.ReadAll(cmd.InOrStdin()); err != nil {
				return err
			}
		}
		if f.ttl != 0 && (f.ttl < time.Second || f.ttl > abi.MaxTTL) {
			return usageError{fmt.Errorf("--ttl %v is not between 1s and %v", f.ttl, abi.MaxTTL)}
		}
		var resp abi.SetResponse
		req := abi.SetRequest{Key: []byte(args[0]), Value: value, ETag: []byte(f.etag), FirstWrite: f.firstWrite, TTL: f.ttl, ContentType: []byte(f.contentType)}
		if err := s.Set(ctx, &req, &resp); err != nil {
			return fmt.Errorf("set %q: %w", args[0], err)
		}
		fmt.Fprintf(note, "etag %q\n", resp.ETag)
		return nil
	case "delete":
		if err := s.Delete(ctx, &abi.DeleteRequest{Key: []byte(args[0]), ETag: []byte(f.etag)}); err != nil {
			return fmt.Errorf("delete %q: %w", args[0], err)
		}
		return nil
	case "ping":
		p, ok := s.(abi.Pinger)
		if !ok {
			return nil
		}
		return p.Ping(ctx)
	}
	return f.keys(ctx, out, s)
}

func (f *callFlags) keys(ctx context.Context, out io.Writer, s abi.Store) error {
	l, ok := s.(abi.Lister)
	if !ok || !s.Features().Has(abi.FeatureKeys) {
		return errors.New("the store does not declare KEYS")
	}
	req := abi.KeysRequest{Prefix: []byte(f.prefix), Limit: max(f.limit, 1)}
	for left := req.Limit; left > 0; {
		req.Limit = left
		var resp abi.KeysResponse
		if err := l.Keys(ctx, &req, &resp); err != nil {
			return err
		}
		for _, k := range resp.Keys {
			fmt.Fprintf(out, "%s\n", k)
		}
		left -= len(resp.Keys)
		if len(resp.Cursor) == 0 {
			return nil
		}
		req.Cursor = resp.Cursor
	}
	return nil
}

// loadState fills a store from a file that saveState wrote; no file is an
// empty store.
func loadState(ctx context.Context, s abi.Store, path string) error {
	if path == "" {
		return nil
	}
	imp, ok := s.(abi.Importer)
	if !ok || !s.Features().Has(abi.FeatureExport) {
		return errors.New("--state: the store does not declare EXPORT")
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var items []abi.Item
	if err := json.Unmarshal(data, &items); err != nil {
		return fmt.Errorf("--state %s: %w", path, err)
	}
	return imp.Import(ctx, items)
}

func saveState(ctx context.Context, s abi.Store, path string) error {
	if path == "" {
		return nil
	}
	exp, ok := s.(abi.Exporter)
	if !ok {
		return nil
	}
	items := []abi.Item{}
	req := abi.ExportRequest{MaxBytes: 1 << 20}
	for {
		var resp abi.ExportResponse
		if err := exp.Export(ctx, &req, &resp); err != nil {
			return err
		}
		items = append(items, resp.Items...)
		if req.Cursor = resp.Cursor; len(req.Cursor) == 0 {
			break
		}
	}
	data, err := json.Marshal(items)
	if err != nil {
		return err
	}
	return writeFile(path, data)
}
