package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

func exportRules() []Rule {
	const need = abi.FeatureExport
	return []Rule{
		{ID: "export.round-trip", Doc: "everything that was exported is there after an import, etags, content types and expiry included", Needs: need, run: exportRoundTrip},
		{ID: "export.pages", Doc: "export honours the size wished and returns at least one item", Needs: need, run: exportPages},
		{ID: "export.empty", Doc: "an empty store exports nothing", Needs: need, run: exportEmpty},
		{ID: "export.replaces", Doc: "import replaces what is there, and buffers may be reused after it", Needs: need, run: exportReplaces},
		{ID: "export.etags", Doc: "the successor accepts the old etags and never repeats one", Needs: need | abi.FeatureETag, run: exportETags},
	}
}

// alone returns an environment on an empty store of its own.
func (e *env) alone(ctx context.Context) (*env, error) {
	s, err := e.another(ctx)
	if err != nil {
		return nil, err
	}
	return e.on(s), nil
}

func (e *env) export(ctx context.Context, maxBytes int) (items []abi.Item, pages int, err error) {
	x, ok := e.store.(abi.Exporter)
	if !ok {
		return nil, 0, errors.New("does not implement abi.Exporter")
	}
	var cursor []byte
	for pages = 1; pages < 10000; pages++ {
		var resp abi.ExportResponse
		if err := x.Export(ctx, &abi.ExportRequest{Cursor: cursor, MaxBytes: maxBytes}, &resp); err != nil {
			return nil, 0, fmt.Errorf("export: %w", err)
		}
		for _, it := range resp.Items {
			if strings.HasPrefix(string(it.Key), e.prefix) {
				items = append(items, it)
			}
		}
		if len(resp.Cursor) == 0 {
			return items, pages, nil
		}
		if len(resp.Items) == 0 {
			return nil, 0, errors.New("export: a page without items that is not the last")
		}
		cursor = append([]byte(nil), resp.Cursor...)
	}
	return nil, 0, errors.New("the export does not end")
}

func (e *env) importAll(ctx context.Context, items ...abi.Item) error {
	x, ok := e.store.(abi.Importer)
	if !ok {
		return errors.New("does not implement abi.Importer")
	}
	return x.Import(ctx, items)
}

// move fills a new store with what this one exports.
func (e *env) move(ctx context.Context, maxBytes int) (*env, error) {
	items, _, err := e.export(ctx, maxBytes)
	if err != nil {
		return nil, err
	}
	to, err := e.alone(ctx)
	if err != nil {
		return nil, err
	}
	for len(items) > 0 { // in two calls, as the runtime would
		n := (len(items) + 1) / 2
		if err := to.importAll(ctx, items[:n]...); err != nil {
			return nil, fmt.Errorf("import: %w", err)
		}
		items = items[n:]
	}
	return to, nil
}

func exportRoundTrip(ctx context.Context, e *env) error {
	from, err := e.alone(ctx)
	if err != nil {
		return err
	}
	want := corpus()
	want["empty"] = nil
	for name, v := range want {
		req := &abi.SetRequest{Key: e.key(name), Value: v}
		if e.features.Has(abi.FeatureContentType) {
			req.ContentType = []byte("type/" + name)
		}
		if e.features.Has(abi.FeatureTTL) && len(name)%2 == 0 {
			req.TTL = time.Hour
		}
		if _, err := from.write(ctx, req); err != nil {
			return err
		}
	}
	to, err := from.move(ctx, 300)
	if err != nil {
		return err
	}
	for name := range want {
		a, err := from.get(ctx, name)
		if err != nil {
			return err
		}
		b, err := to.get(ctx, name)
		if err != nil {
			return fmt.Errorf("after the import: %w", err)
		}
		if string(a.Value) != string(b.Value) || string(a.ETag) != string(b.ETag) || string(a.ContentType) != string(b.ContentType) || a.ExpiresAt != b.ExpiresAt {
			return fmt.Errorf("%q: exported %s, etag %q, content type %q, expiry %d; imported %s, %q, %q, %d", name,
				show(a.Value), a.ETag, a.ContentType, a.ExpiresAt, show(b.Value), b.ETag, b.ContentType, b.ExpiresAt)
		}
	}
	return nil
}

func exportPages(ctx context.Context, e *env) error {
	from, err := e.alone(ctx)
	if err != nil {
		return err
	}
	const n = 20
	for i := range n {
		if _, err := from.set(ctx, fmt.Sprintf("k%02d", i), strings.Repeat("v", 1000)); err != nil {
			return err
		}
	}
	for _, maxBytes := range []int{1, 5000, 1 << 30} {
		items, pages, err := from.export(ctx, maxBytes)
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, it := range items {
			seen[string(it.Key)] = true
		}
		if len(items) != n || len(seen) != n {
			return fmt.Errorf("exported %d items, %d of them different, want %d", len(items), len(seen), n)
		}
		if few := maxBytes < 5000; few && pages < n/2 || maxBytes == 5000 && pages < 4 {
			return fmt.Errorf("asked for %d bytes a page, got %d items of 1000 bytes in %d pages", maxBytes, n, pages)
		}
	}
	return nil
}

func exportEmpty(ctx context.Context, e *env) error {
	from, err := e.alone(ctx)
	if err != nil {
		return err
	}
	if err := from.importAll(ctx); err != nil {
		return fmt.Errorf("import of nothing: %w", err)
	}
	items, _, err := from.export(ctx, 1000)
	if err == nil && len(items) > 0 {
		err = fmt.Errorf("exported %d items", len(items))
	}
	return err
}

func exportReplaces(ctx context.Context, e *env) error {
	to, err := e.alone(ctx)
	if err != nil {
		return err
	}
	if _, err := to.set(ctx, "k", "old"); err != nil {
		return err
	}
	items := []abi.Item{
		{Key: e.key("k"), Value: []byte("new"), ETag: []byte("e1")}, {Key: e.key("twice"), Value: []byte("1"), ETag: []byte("e2")},
		{Key: e.key("twice"), Value: []byte("2"), ETag: []byte("e3")},
	}
	if err := to.importAll(ctx, items...); err != nil {
		return err
	}
	for _, it := range items {
		scribble(it.Key, it.Value, it.ETag)
	}
	return first(to.holds(ctx, "k", "new"), to.holds(ctx, "twice", "2"))
}

func exportETags(ctx context.Context, e *env) error {
	from, err := e.alone(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	note := func(etag []byte, err error) error { return first(err, fresh(seen, etag)) }
	last := map[string][]byte{}
	for i := range 3 {
		for _, k := range []string{"stays", "gone"} {
			if last[k], err = from.set(ctx, k, fmt.Sprint(i)); note(last[k], err) != nil {
				return note(last[k], err)
			}
		}
	}
	if err := from.delete(ctx, "gone", nil); err != nil {
		return err
	}
	to, err := from.move(ctx, 1<<20)
	if err != nil {
		return err
	}
	if err := note(to.cas(ctx, "stays", "new", last["stays"])); err != nil {
		return fmt.Errorf("in the successor: %w", err)
	}
	for range 8 { // as many as the predecessor gave, and more
		if err := first(note(to.set(ctx, "gone", "g")), note(to.set(ctx, "stays", "s"))); err != nil {
			return fmt.Errorf("in the successor: %w", err)
		}
	}
	return nil
}
