package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

func keysRules() []Rule {
	const list, del = abi.FeatureKeys, abi.FeatureDeleteWithPrefix
	return []Rule{
		{ID: "keys.ordered", Doc: "keys are listed in ascending byte order, each once", Needs: list, run: keysOrdered},
		{ID: "keys.prefix", Doc: "a listing has the keys of its prefix and no others", Needs: list, run: keysPrefix},
		{ID: "keys.pages", Doc: "pages of any size add up to the listing and respect the limit", Needs: list, run: keysPages},
		{ID: "keys.current", Doc: "a listing has what was just created and not what was deleted", Needs: list, run: keysCurrent},
		{ID: "keys.stable", Doc: "a key that exists throughout a listing is returned exactly once", Needs: list, run: keysStable},
		{ID: "keys.all", Doc: "an empty prefix lists every key", Needs: list, run: keysAll},
		{ID: "keys.bytes", Doc: "listed keys belong to the caller", Needs: list, run: keysBytes},
		{ID: "prefix-delete.removes", Doc: "delete with prefix removes the keys of the prefix and counts them", Needs: del, run: prefixDeleteRemoves},
		{ID: "prefix-delete.exact", Doc: "delete with prefix takes the prefix literally", Needs: del, run: prefixDeleteExact},
		{ID: "prefix-delete.context", Doc: "delete with prefix whose context has ended removes nothing", Needs: del, run: prefixDeleteContext},
	}
}

// list pages through a prefix and returns the names without the rule's prefix.
// between, if not nil, runs after each page.
func (e *env) list(ctx context.Context, prefix string, limit int, between func(page int) error) ([]string, error) {
	l, ok := e.store.(abi.Lister)
	if !ok {
		return nil, errors.New("does not implement abi.Lister")
	}
	var names []string
	var resp abi.KeysResponse
	var cursor []byte
	for page := 0; ; page++ {
		if page > 10000 {
			return nil, errors.New("the listing does not end")
		}
		req := &abi.KeysRequest{Prefix: e.key(prefix), Cursor: cursor, Limit: limit}
		if err := l.Keys(ctx, req, &resp); err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		if len(resp.Keys) > limit {
			return nil, fmt.Errorf("a page of %d keys, the limit is %d", len(resp.Keys), limit)
		}
		for _, k := range resp.Keys {
			if !bytes.HasPrefix(k, []byte(e.prefix)) {
				return nil, fmt.Errorf("listed %q, which does not begin with %q", k, e.prefix)
			}
			names = append(names, string(k[len(e.prefix):]))
		}
		if len(resp.Cursor) == 0 {
			return names, nil
		}
		cursor = bytes.Clone(resp.Cursor)
		scribble(req.Prefix, resp.Cursor)
		if between != nil {
			if err := between(page); err != nil {
				return nil, err
			}
		}
	}
}

// lists fails unless the listing of prefix is want.
func (e *env) lists(ctx context.Context, prefix string, limit int, want ...string) error {
	got, err := e.list(ctx, prefix, limit, nil)
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("prefix %q by %d: listed %q, want %q", prefix, limit, got, want)
	}
	return err
}

func (e *env) setAll(ctx context.Context, names ...string) error {
	for _, n := range names {
		if _, err := e.set(ctx, n, "v"); err != nil {
			return err
		}
	}
	return nil
}

func keysOrdered(ctx context.Context, e *env) error {
	names := []string{"b", "a", "B", "a/b", "é", "z", "aa", "\U0001F600", "\uffee", "a\x00", "10", "9", "~"}
	if err := e.setAll(ctx, names...); err != nil {
		return err
	}
	slices.Sort(names)
	return e.lists(ctx, "", 100, names...)
}

// lookalikes are prefixes that pattern languages would take for more.
var lookalikes = []string{"%", "_", "*", "?", "[a]", ".", "a%", "\\", "'", "é", "\U0010FFFF"}

func keysPrefix(ctx context.Context, e *env) error {
	if err := e.setAll(ctx, "x", "a", "ab", "abc", "b", "A", "Ab"); err != nil {
		return err
	}
	if err := first(e.lists(ctx, "a", 100, "a", "ab", "abc"), e.lists(ctx, "ab", 100, "ab", "abc"), e.lists(ctx, "abcd", 100)); err != nil {
		return err
	}
	for _, p := range lookalikes {
		if err := e.setAll(ctx, p+"1", p+"2"); err != nil {
			return err
		}
	}
	for _, p := range lookalikes {
		if err := e.lists(ctx, p, 100, p+"1", p+"2"); err != nil {
			return err
		}
	}
	return nil
}

func keysPages(ctx context.Context, e *env) error {
	var names []string
	for i := range 23 {
		names = append(names, fmt.Sprintf("k%02d", i))
	}
	if err := first(e.setAll(ctx, names...), e.setAll(ctx, "j", "l")); err != nil {
		return err
	}
	for _, limit := range []int{1, 2, 22, 23, 24, 1 << 30} {
		if err := e.lists(ctx, "k", limit, names...); err != nil {
			return err
		}
	}
	return nil
}

func keysCurrent(ctx context.Context, e *env) error {
	return first(e.lists(ctx, "", 10), e.setAll(ctx, "b"), e.lists(ctx, "", 10, "b"), e.setAll(ctx, "a", "c"), e.lists(ctx, "", 10, "a", "b", "c"),
		e.delete(ctx, "b", nil), e.lists(ctx, "", 10, "a", "c"), e.setAll(ctx, "b"), e.lists(ctx, "", 10, "a", "b", "c"),
		e.setAll(ctx, "b"), e.lists(ctx, "", 10, "a", "b", "c"))
}

func keysStable(ctx context.Context, e *env) error {
	var stay []string
	for i := range 30 {
		stay = append(stay, fmt.Sprintf("k%02d", i))
	}
	if err := first(e.setAll(ctx, stay...), e.setAll(ctx, "k05x", "k10x", "k25x")); err != nil {
		return err
	}
	got, err := e.list(ctx, "", 4, func(page int) error {
		return first(e.setAll(ctx, fmt.Sprintf("a%d", page), fmt.Sprintf("k%02dnew", page*3), stay[page]),
			e.delete(ctx, "k10x", nil), e.delete(ctx, "k05x", nil))
	})
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, n := range got {
		count[n]++
		if count[n] > 1 {
			return fmt.Errorf("%q was listed twice", n)
		}
	}
	for _, n := range stay {
		if count[n] != 1 {
			return fmt.Errorf("%q existed throughout and was not listed", n)
		}
	}
	if !slices.IsSorted(got) {
		return fmt.Errorf("the listing is not ascending: %q", got)
	}
	return nil
}

func keysAll(ctx context.Context, e *env) error {
	if e.opts.Shared {
		return nil // other data may be there
	}
	s, err := e.another(ctx)
	if err != nil {
		return err
	}
	all := &env{suite: e.suite, store: s}
	return first(all.lists(ctx, "", 10), all.setAll(ctx, "b", "a", "c"), all.lists(ctx, "", 2, "a", "b", "c"))
}

func keysBytes(ctx context.Context, e *env) error {
	if err := e.setAll(ctx, "a", "b"); err != nil {
		return err
	}
	l, ok := e.store.(abi.Lister)
	if !ok {
		return errors.New("does not implement abi.Lister")
	}
	var resp abi.KeysResponse
	if err := l.Keys(ctx, &abi.KeysRequest{Prefix: e.key(""), Limit: 10}, &resp); err != nil {
		return err
	}
	scribble(resp.Keys...)
	return first(e.lists(ctx, "", 10, "a", "b"), e.holds(ctx, "a", "v"))
}

func (e *env) prefixDelete(ctx context.Context, prefix string, want int64) error {
	d, ok := e.store.(abi.PrefixDeleter)
	if !ok {
		return errors.New("does not implement abi.PrefixDeleter")
	}
	p := e.key(prefix)
	n, err := d.DeleteWithPrefix(ctx, p)
	scribble(p)
	if err == nil && n != want {
		err = fmt.Errorf("delete with prefix %q: %d keys went, want %d", prefix, n, want)
	}
	return err
}

func prefixDeleteRemoves(ctx context.Context, e *env) error {
	if err := e.setAll(ctx, "a", "ab", "abc", "b", "A", "Ab"); err != nil {
		return err
	}
	return first(e.prefixDelete(ctx, "never", 0), e.prefixDelete(ctx, "ab", 2), e.missing(ctx, "ab"), e.missing(ctx, "abc"),
		e.holds(ctx, "a", "v"), e.holds(ctx, "b", "v"), e.holds(ctx, "A", "v"), e.holds(ctx, "Ab", "v"), e.prefixDelete(ctx, "ab", 0), e.prefixDelete(ctx, "", 4),
		e.missing(ctx, "a"), e.setAll(ctx, "a"), e.holds(ctx, "a", "v"))
}

func prefixDeleteExact(ctx context.Context, e *env) error {
	if err := e.setAll(ctx, "x", "a", "ab"); err != nil {
		return err
	}
	for _, p := range lookalikes {
		if err := first(e.setAll(ctx, p, p+"2", strings.ToUpper("q")+p), e.prefixDelete(ctx, p, 2), e.holds(ctx, "x", "v"), e.holds(ctx, "a", "v"), e.holds(ctx, "ab", "v")); err != nil {
			return err
		}
	}
	return nil
}

func prefixDeleteContext(ctx context.Context, e *env) error {
	if err := e.setAll(ctx, "a"); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	return first(code("delete with prefix with an ended context", e.prefixDelete(ended, "", 1), abi.CodeCancelled, abi.CodeTimeout), e.holds(ctx, "a", "v"))
}
