package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

func crudRules() []Rule {
	return []Rule{
		{ID: "get.missing", Doc: "a key that was never set is not found", run: func(ctx context.Context, e *env) error { return e.missing(ctx, "nothing") }},
		{ID: "get.buffers", Doc: "a response is overwritten whatever it held", run: getBuffers},
		{ID: "set.overwrite", Doc: "a second set replaces the value", run: setOverwrite},
		{ID: "set.empty", Doc: "an empty value is not a missing one", run: setEmpty},
		{ID: "set.bytes", Doc: "values come back byte for byte", run: setBytes},
		{ID: "set.large", Doc: "a large value comes back byte for byte", run: setLarge},
		{ID: "set.keys", Doc: "keys are opaque and distinct however similar", run: setKeys},
		{ID: "bytes.request", Doc: "a caller may reuse its buffers after a call", run: bytesRequest},
		{ID: "bytes.response", Doc: "a caller may overwrite what it was given", run: bytesResponse},
		{ID: "delete.removes", Doc: "a deleted key is not found and can be set again", run: deleteRemoves},
		{ID: "delete.idempotent", Doc: "deleting a missing key without etag succeeds", run: deleteIdempotent},
		{ID: "context.ended", Doc: "a call whose context has ended fails with its error and changes nothing", run: contextEnded},
		{ID: "concurrent.whole", Doc: "concurrent callers of one key see whole values, never parts of two", run: concurrentWhole},
		{ID: "concurrent.keys", Doc: "concurrent callers of different keys do not meet", run: concurrentKeys},
	}
}

// corpus are values that careless stores change.
func corpus() map[string][]byte {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return map[string][]byte{
		"one zero byte":      {0},
		"every byte":         every,
		"invalid UTF-8":      []byte("a\xff\xfe\xc3\x28\xed\xa0\x80b"),
		"17-digit floats":    []byte(`{"a":0.10000000000000001,"b":123456.78901234567,"c":1e-7,"d":5e-324}`),
		"2^53+1":             []byte(`{"n":9007199254740993,"m":18446744073709551615}`),
		"angle brackets":     []byte(`{"h":"<b>&amp;</b>"}`),
		"escapes":            []byte(`{"u":"\u0000\ud83d\ude00 ` + "\U0001F600" + `"}`),
		"spaces":             []byte("  leading and trailing \r\n"),
		"text with zero":     []byte("a\x00b\x00"),
		"null":               []byte("null"),
		"a JSON string":      []byte(`"text"`),
		"a number":           []byte("1.0"),
		"base64":             []byte("aGVsbG8="),
		"broken JSON":        []byte(`{"a":`),
		"quotes":             []byte(`'; DROP TABLE state; --"` + "`"),
		"UTF-8 with a mark":  []byte("\xef\xbb\xbfvalue"),
		"looks like a mongo": []byte(`{"$set":{"a":"$b"}}`),
	}
}

func setBytes(ctx context.Context, e *env) error {
	var errs []error
	for name, want := range corpus() {
		if _, err := e.set(ctx, name, string(want)); err != nil {
			return err
		}
		errs = append(errs, e.holds(ctx, name, string(want)))
	}
	return errors.Join(errs...)
}

func setLarge(ctx context.Context, e *env) error {
	sizes := []int{1 << 10, 64<<10 - 1, 64 << 10, 1 << 20}
	for _, n := range sizes {
		if e.opts.MaxValue > 0 {
			n = min(n, e.opts.MaxValue)
		}
		want := string(value(n, n))
		if _, err := e.set(ctx, "k", want); err != nil {
			return err
		}
		if err := e.holds(ctx, "k", want); err != nil {
			return err
		}
	}
	return nil
}

func setKeys(ctx context.Context, e *env) error {
	names := []string{
		"a", "A", "a ", " a", "a/b", "a//b", "a/", "a||b", "a%2Fb", "a%", "a_", "a*", "a?b=c", "a#", "é", "e\u0301", "ß", "ss", "İ", "i",
		"日本", "\U0001F600", "a\tb", "a\nb", "a\x00", "a\x00b", "'", `"`, `\`, "..", "-1", "0", "00", "null", "k:v", "{k}", "$k", strings.Repeat("x", 128),
	}
	for _, name := range names {
		if _, err := e.set(ctx, name, "value of "+name); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := e.holds(ctx, name, "value of "+name); err != nil {
			return err
		}
	}
	for i, name := range names {
		if i%2 == 0 {
			if err := e.delete(ctx, name, nil); err != nil {
				return err
			}
		}
	}
	for i, name := range names {
		err := e.holds(ctx, name, "value of "+name)
		if i%2 == 0 {
			err = e.missing(ctx, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func getBuffers(ctx context.Context, e *env) error {
	if _, err := e.set(ctx, "long", strings.Repeat("long", 100)); err != nil {
		return err
	}
	if _, err := e.set(ctx, "short", "s"); err != nil {
		return err
	}
	resp := abi.GetResponse{
		Value: []byte("garbage"), ETag: []byte("garbage"), ContentType: []byte("garbage"), ExpiresAt: 77,
	}
	for _, k := range []string{"long", "short", "long"} {
		if err := e.store.Get(ctx, &abi.GetRequest{Key: e.key(k)}, &resp); err != nil {
			return err
		}
		want := map[string]string{"long": strings.Repeat("long", 100), "short": "s"}[k]
		if string(resp.Value) != want || len(resp.ContentType) > 0 || resp.ExpiresAt != 0 || bytes.Contains(resp.ETag, []byte("garbage")) {
			return fmt.Errorf("response is %s, etag %q, content type %q, expiry %d; want %s and nothing left of before",
				show(resp.Value), resp.ETag, resp.ContentType, resp.ExpiresAt, show([]byte(want)))
		}
	}
	return nil
}

func setOverwrite(ctx context.Context, e *env) error {
	for _, v := range []string{"first", "the second is longer", "3rd", ""} {
		if _, err := e.set(ctx, "k", v); err != nil {
			return err
		}
		if err := e.holds(ctx, "k", v); err != nil {
			return err
		}
	}
	return nil
}

func setEmpty(ctx context.Context, e *env) error {
	for _, v := range [][]byte{nil, {}} {
		if _, err := e.write(ctx, &abi.SetRequest{Key: e.key("k"), Value: v}); err != nil {
			return err
		}
		if err := e.holds(ctx, "k", ""); err != nil {
			return err
		}
	}
	return first(e.delete(ctx, "k", nil), e.missing(ctx, "k"))
}

func bytesRequest(ctx context.Context, e *env) error {
	req := &abi.SetRequest{Key: e.key("k"), Value: value(1, 500), ContentType: []byte("text/plain")}
	var resp abi.SetResponse
	if err := e.store.Set(ctx, req, &resp); err != nil {
		return err
	}
	scribble(req.Key, req.Value, req.ContentType, resp.ETag)
	if err := e.holds(ctx, "k", string(value(1, 500))); err != nil {
		return fmt.Errorf("after the caller's buffers changed: %w", err)
	}
	get, err := e.get(ctx, "k")
	if err == nil && (bytes.ContainsRune(get.ContentType, '!') || bytes.ContainsRune(get.ETag, '!')) {
		err = fmt.Errorf("the store kept the caller's buffers: content type %q, etag %q", get.ContentType, get.ETag)
	}
	return err
}

func bytesResponse(ctx context.Context, e *env) error {
	if _, err := e.set(ctx, "k", "value"); err != nil {
		return err
	}
	resp, err := e.get(ctx, "k")
	if err != nil {
		return err
	}
	etag := string(resp.ETag)
	scribble(resp.Value, resp.ETag, resp.ContentType)
	again, err := e.get(ctx, "k")
	if err != nil {
		return err
	}
	if string(again.Value) != "value" || string(again.ETag) != etag {
		return fmt.Errorf("the store shares its memory: value %s, etag %q", show(again.Value), again.ETag)
	}
	scribble(again.Value)
	return e.holds(ctx, "k", "value")
}

func deleteRemoves(ctx context.Context, e *env) error {
	for range 2 {
		if _, err := e.set(ctx, "k", "v"); err != nil {
			return err
		}
		if err := first(e.holds(ctx, "k", "v"), e.delete(ctx, "k", nil), e.missing(ctx, "k")); err != nil {
			return err
		}
	}
	return nil
}

func deleteIdempotent(ctx context.Context, e *env) error {
	if err := e.delete(ctx, "never", nil); err != nil {
		return err
	}
	if _, err := e.set(ctx, "k", "v"); err != nil {
		return err
	}
	return first(e.delete(ctx, "k", nil), e.delete(ctx, "k", nil))
}

func contextEnded(ctx context.Context, e *env) error {
	if _, err := e.set(ctx, "k", "old"); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	want := func(what string, err error) error {
		return code(what+" with an ended context", err, abi.CodeCancelled, abi.CodeTimeout)
	}
	_, set := e.set(ended, "k", "new")
	_, create := e.set(ended, "other", "new")
	_, get := e.get(ended, "k")
	return first(want("set", set), want("set", create), want("get", get), want("delete", e.delete(ended, "k", nil)),
		e.holds(ctx, "k", "old"), e.missing(ctx, "other"))
}

func concurrentWhole(ctx context.Context, e *env) error {
	const size = 2000
	whole := func(b []byte) bool {
		return len(b) == size && bytes.Equal(b, bytes.Repeat(b[:1], size))
	}
	if _, err := e.set(ctx, "k", strings.Repeat("a", size)); err != nil {
		return err
	}
	rounds := e.pick(200, 20)
	return errors.Join(parallel(e.pick(16, 8), func(i int) error {
		for range rounds {
			if i%2 == 0 {
				if _, err := e.set(ctx, "k", strings.Repeat(string(rune('a'+i)), size)); err != nil {
					return err
				}
				continue
			}
			resp, err := e.get(ctx, "k")
			if err != nil {
				return err
			}
			if !whole(resp.Value) {
				return fmt.Errorf("torn value %s", show(resp.Value))
			}
		}
		return nil
	})...)
}

func concurrentKeys(ctx context.Context, e *env) error {
	rounds := e.pick(50, 10)
	return errors.Join(parallel(e.pick(32, 8), func(i int) error {
		key := fmt.Sprint("key", i)
		for n := range rounds {
			want := fmt.Sprintf("%d.%d", i, n)
			if _, err := e.set(ctx, key, want); err != nil {
				return err
			}
			if err := e.holds(ctx, key, want); err != nil {
				return err
			}
			if n%10 == 9 {
				if err := first(e.delete(ctx, key, nil), e.missing(ctx, key)); err != nil {
					return err
				}
			}
		}
		return nil
	})...)
}
