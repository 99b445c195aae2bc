package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// env is what a rule works with.
type env struct {
	*suite
	store  abi.Store
	prefix string

	root   *env       // the rule's own, which closes what is opened; nil = this one
	mu     sync.Mutex // guards opened
	opened []abi.Store
}

// another opens a further store, closed after the rule.
func (e *env) another(ctx context.Context) (abi.Store, error) {
	s, err := e.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open another store: %w", err)
	}
	if e.root != nil {
		e = e.root
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opened = append(e.opened, s)
	return s, nil
}

// on returns the environment with another store in it.
func (e *env) on(s abi.Store) *env {
	root := e.root
	if root == nil {
		root = e
	}
	return &env{suite: e.suite, store: s, prefix: e.prefix, root: root}
}

func (e *env) closeAll() error {
	var errs []error
	for _, s := range e.opened {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// pick returns n, or small in small mode.
func (e *env) pick(n, small int) int {
	if e.opts.Small {
		return small
	}
	return n
}

func (e *env) key(name string) []byte { return []byte(e.prefix + name) }

func (e *env) set(ctx context.Context, key, value string) (etag []byte, err error) {
	return e.write(ctx, &abi.SetRequest{Key: e.key(key), Value: []byte(value)})
}

// write is Set with the full key in the request.
func (e *env) write(ctx context.Context, req *abi.SetRequest) ([]byte, error) {
	var resp abi.SetResponse
	if err := e.store.Set(ctx, req, &resp); err != nil {
		return nil, fmt.Errorf("set %q: %w", req.Key, err)
	}
	return resp.ETag, nil
}

func (e *env) get(ctx context.Context, key string) (*abi.GetResponse, error) {
	var resp abi.GetResponse
	if err := e.store.Get(ctx, &abi.GetRequest{Key: e.key(key)}, &resp); err != nil {
		return nil, fmt.Errorf("get %q: %w", key, err)
	}
	return &resp, nil
}

func (e *env) delete(ctx context.Context, key string, etag []byte) error {
	if err := e.store.Delete(ctx, &abi.DeleteRequest{Key: e.key(key), ETag: etag}); err != nil {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	return nil
}

// holds fails unless key has the value.
func (e *env) holds(ctx context.Context, key, value string) error {
	resp, err := e.get(ctx, key)
	if err != nil {
		return err
	}
	if string(resp.Value) != value {
		return fmt.Errorf("%q holds %s, want %s", key, show(resp.Value), show([]byte(value)))
	}
	return nil
}

// missing fails unless key is not there.
func (e *env) missing(ctx context.Context, key string) error {
	resp, err := e.get(ctx, key)
	if err == nil {
		return fmt.Errorf("%q is there with %s, want not found", key, show(resp.Value))
	}
	return code("get of a missing key", err, abi.CodeNotFound)
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// code fails unless err has one of the codes.
func code(what string, err error, want ...abi.Code) error {
	got := abi.CodeOf(err)
	for _, c := range want {
		if got == c {
			return nil
		}
	}
	if err == nil {
		return fmt.Errorf("%s: succeeded, want %q", what, want[0])
	}
	return fmt.Errorf("%s: %q (%w), want %q", what, got, err, want[0])
}

func mismatch(what string, err error) error { return code(what, err, abi.CodeETagMismatch) }

// show prints bytes so that a person can compare them.
func show(b []byte) string {
	if len(b) > 64 {
		return fmt.Sprintf("%q… (%d bytes)", b[:64], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// guard turns a panic of the store into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// parallel runs n goroutines that start together and returns their errors.
func parallel(n int, f func(i int) error) []error {
	errs := make([]error, n)
	gate := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-gate
			errs[i] = guard(func() error { return f(i) })
		})
	}
	close(gate)
	wg.Wait()
	return errs
}

// oneWinner fails unless exactly one of errs is nil and all others are
// mismatches. It returns the winner.
func oneWinner(errs []error) (int, error) {
	winner, winners := -1, 0
	for i, err := range errs {
		if err == nil {
			winner = i
			winners++
			continue
		}
		if err := mismatch(fmt.Sprintf("writer %d", i), err); err != nil {
			return 0, err
		}
	}
	if winners != 1 {
		return 0, fmt.Errorf("%d of %d writers won, want 1", winners, len(errs))
	}
	return winner, nil
}

// until waits for a time on the wall clock.
func until(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at.Round(0)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fresh fails if etag is empty or among seen, and adds it.
func fresh(seen map[string]bool, etag []byte) error {
	if len(etag) == 0 {
		return errors.New("no etag returned")
	}
	if seen[string(etag)] {
		return fmt.Errorf("etag %q was given before", etag)
	}
	seen[string(etag)] = true
	return nil
}

// scribble overwrites b in place, as a caller may do after a call.
func scribble(b ...[]byte) {
	for _, s := range b {
		s = s[:cap(s)]
		copy(s, bytes.Repeat([]byte{'!'}, len(s)))
	}
}

// value returns n bytes that depend on seed.
func value(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + seed)
	}
	return b
}
