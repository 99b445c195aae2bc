package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

func lifecycleRules() []Rule {
	return []Rule{
		{ID: "ping", Doc: "a store that can be pinged answers, and no more after Close", run: ping},
		{ID: "close.twice", Doc: "Close is idempotent and safe to call concurrently", run: closeTwice},
		{ID: "close.refuses", Doc: "after Close every call returns closed", run: closeRefuses},
		{ID: "close.traffic", Doc: "Close during traffic: calls complete or return closed", run: closeTraffic},
		{ID: "close.goroutines", Doc: "no goroutine of the store outlives Close", run: closeGoroutines},
		{ID: "reopen", Doc: "what was acknowledged is there after Close and a new open, and etags hold", run: reopen},
	}
}

func ping(ctx context.Context, e *env) error {
	if _, ok := e.store.(abi.Pinger); !ok {
		return nil
	}
	s, err := e.another(ctx)
	if err != nil {
		return err
	}
	p := s.(abi.Pinger)
	if err := first(p.Ping(ctx), s.Close()); err != nil {
		return err
	}
	return code("ping after Close", p.Ping(ctx), abi.CodeClosed, abi.CodeUnsupported)
}

func closeTwice(ctx context.Context, e *env) error {
	s, err := e.another(ctx)
	if err != nil {
		return err
	}
	if _, err := e.on(s).set(ctx, "k", "v"); err != nil {
		return err
	}
	return errors.Join(append(parallel(4, func(int) error { return s.Close() }), s.Close())...)
}

func closeRefuses(ctx context.Context, e *env) error {
	s, err := e.another(ctx)
	if err != nil {
		return err
	}
	c := e.on(s)
	if _, err := c.set(ctx, "k", "v"); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	_, get := c.get(ctx, "k")
	_, set := c.set(ctx, "k", "v")
	errs := map[string]error{"get": get, "set": set, "delete": c.delete(ctx, "k", nil)}
	f := e.features
	if f.Has(abi.FeatureTransactional) {
		errs["transact"] = c.transact(ctx, c.opSet("k", "v", nil))
	}
	if f.Has(abi.FeatureBulk) {
		_, errs["bulk get"] = c.bulkGet(ctx, "k")
		_, errs["bulk write"] = c.bulkWrite(ctx, c.opSet("k", "v", nil))
	}
	if f.Has(abi.FeatureKeys) {
		_, errs["keys"] = c.list(ctx, "", 1, nil)
	}
	if f.Has(abi.FeatureDeleteWithPrefix) {
		errs["delete with prefix"] = c.prefixDelete(ctx, "", 0)
	}
	if f.Has(abi.FeatureExport) {
		_, _, errs["export"] = c.export(ctx, 100)
		errs["import"] = c.importAll(ctx, abi.Item{Key: c.key("k")})
	}
	for what, err := range errs {
		if err := code(what+" after Close", err, abi.CodeClosed); err != nil {
			return err
		}
	}
	return nil
}

func closeTraffic(ctx context.Context, e *env) error {
	for range e.pick(5, 2) {
		s, err := e.another(ctx)
		if err != nil {
			return err
		}
		c := e.on(s)
		var calls atomic.Int64
		errs := parallel(e.pick(16, 8), func(i int) error {
			if i == 0 { // closes once the others are under way
				for calls.Load() < 50 && ctx.Err() == nil {
					runtime.Gosched()
				}
				return s.Close()
			}
			for n := 0; ; n++ {
				calls.Add(1)
				var err error
				switch n % 3 {
				case 0:
					_, err = c.set(ctx, fmt.Sprint(i), "v")
				case 1:
					_, err = c.get(ctx, fmt.Sprint(i))
				default:
					err = c.delete(ctx, fmt.Sprint(i), nil)
				}
				switch abi.CodeOf(err) {
				case abi.CodeOK, abi.CodeNotFound:
				case abi.CodeClosed:
					return nil
				default:
					return fmt.Errorf("during Close: %q: %w", abi.CodeOf(err), err)
				}
			}
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// goroutines returns the stacks of all goroutines by id, but those of tests.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := map[string]string{}
	for _, stack := range bytes.Split(buf, []byte("\n\n")) {
		text := string(stack)
		id, _, _ := strings.Cut(strings.TrimPrefix(text, "goroutine "), " ")
		if !strings.Contains(text, "created by testing.") && !strings.Contains(text, "storetest.(*suite).check") {
			all[id] = text
		}
	}
	return all
}

func closeGoroutines(ctx context.Context, e *env) error {
	cycle := func() error {
		s, err := e.another(ctx)
		if err != nil {
			return err
		}
		c := e.on(s)
		errs := parallel(4, func(i int) error {
			_, err := c.set(ctx, fmt.Sprint(i), "v")
			return first(err, c.holds(ctx, fmt.Sprint(i), "v"))
		})
		return first(errors.Join(errs...), s.Close())
	}
	if err := cycle(); err != nil { // what a process starts once is not the store's
		return err
	}
	before := goroutines()
	if err := cycle(); err != nil {
		return err
	}
	var left string
	for range 200 { // a goroutine that was awaited may still be on its way out
		left = ""
		for id, stack := range goroutines() {
			if before[id] == "" {
				left = stack
			}
		}
		if left == "" {
			return nil
		}
		if err := until(ctx, time.Now().Add(5*time.Millisecond)); err != nil {
			return err
		}
	}
	return fmt.Errorf("still running after Close:\n%s", left)
}

func reopen(ctx context.Context, e *env) error {
	if e.opts.Reopen == nil {
		return nil
	}
	s, err := e.another(ctx)
	if err != nil {
		return err
	}
	c := e.on(s)
	for name, v := range corpus() {
		if _, err := c.set(ctx, name, string(v)); err != nil {
			return err
		}
	}
	if err := c.delete(ctx, "null", nil); err != nil {
		return err
	}
	etag, err := c.set(ctx, "etag", "1")
	if err := first(err, s.Close()); err != nil {
		return err
	}
	again, err := e.opts.Reopen(ctx)
	if err != nil {
		return fmt.Errorf("reopen: %w", err)
	}
	e.opened = append(e.opened, again)
	c = e.on(again)
	for name, v := range corpus() {
		err := c.holds(ctx, name, string(v))
		if name == "null" {
			err = c.missing(ctx, name)
		}
		if err != nil {
			return fmt.Errorf("after reopen: %w", err)
		}
	}
	if len(etag) > 0 {
		_, err = c.cas(ctx, "etag", "2", etag)
	}
	return first(err, c.holds(ctx, "etag", map[bool]string{true: "2", false: "1"}[len(etag) > 0]))
}
