package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/internal/text"
)

// What `wasmstate check` asks of a module beyond the suite.

// soak writes over and over to a few keys: the memory must stop growing.
func (t *tool) soak(ctx context.Context, writes int) storetest.Result {
	const keys, rounds = 1000, 4
	return timed("memory.level", fmt.Sprintf("memory holds its level over %d writes to %d keys", writes, keys), func() error {
		s, err := t.store(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		value := make([]byte, 256)
		var resp abi.SetResponse
		var first, last int64
		for i := range writes {
			key := fmt.Appendf(nil, "soak-%d", i%keys)
			if err := s.Set(ctx, &abi.SetRequest{Key: key, Value: value[:i%len(value)]}, &resp); err != nil {
				return fmt.Errorf("write %d: %w", i, err)
			}
			if i == writes/rounds {
				first = t.modules.MemoryUsed()
			}
		}
		last = t.modules.MemoryUsed()
		// A collector may need a little more before it settles; a leak needs far more.
		if last > first+first/2+1<<20 {
			return fmt.Errorf("it grew from %s after a quarter to %s at the end: it leaks", text.FormatSize(first), text.FormatSize(last))
		}
		return nil
	})
}

// deadline calls with almost no time: the caller must be released, and the
// store must work afterwards.
func (t *tool) deadline(ctx context.Context) storetest.Result {
	return timed("deadline.released", "a caller whose time is up is released, and the store goes on", func() error {
		s, err := t.store(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		for i := range 20 {
			short, cancel := context.WithTimeout(ctx, time.Duration(i)*20*time.Microsecond)
			err := s.Set(short, &abi.SetRequest{Key: []byte("deadline"), Value: make([]byte, 64<<10)}, &abi.SetResponse{})
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && abi.CodeOf(err) != abi.CodeTimeout {
				return fmt.Errorf("the error of a missed deadline is %w", err)
			}
		}
		return s.Set(ctx, &abi.SetRequest{Key: []byte("deadline"), Value: []byte("after")}, &abi.SetResponse{})
	})
}

// memoryCap writes more than fits: the writes that do not fit are refused, the
// memory stays within its cap, and reading goes on.
func (t *tool) memoryCap(ctx context.Context) storetest.Result {
	const room, one = 4 << 20, 64 << 10
	return timed("memory.cap", "writes beyond the memory cap are refused, and the store goes on", func() error {
		own := *t
		own.cfg.Memory = int64(t.info.MemoryPages)<<16 + room
		if t.cfg.Memory > 0 && t.cfg.Memory < own.cfg.Memory {
			own.cfg.Memory = t.cfg.Memory
		}
		s, err := own.store(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		used := t.modules.MemoryUsed()
		value := make([]byte, one)
		for i := range 4 * room / one {
			err := s.Set(ctx, &abi.SetRequest{Key: fmt.Appendf(nil, "cap-%d", i), Value: value}, &abi.SetResponse{})
			if err == nil {
				continue
			}
			var f *abi.Fault
			code := abi.CodeOf(err)
			if code == abi.CodeQuota || code == abi.CodeTooLarge || errors.As(err, &f) && f.Kind == abi.FaultMemory {
				break
			}
			return fmt.Errorf("a write that does not fit should be refused with QUOTA; it was: %w", err)
		}
		if most := used + own.cfg.Memory; t.modules.MemoryUsed() > most {
			return fmt.Errorf("it uses %s, its cap is %s", text.FormatSize(t.modules.MemoryUsed()-used), text.FormatSize(own.cfg.Memory))
		}
		err = s.Get(ctx, &abi.GetRequest{Key: []byte("cap-0")}, &abi.GetResponse{})
		if err != nil && !errors.Is(err, abi.ErrNotFound) {
			return fmt.Errorf("it cannot be read any more: %w", err)
		}
		return nil
	})
}

// undeclared opens the module as if it declared all that its exports allow, and
// looks for what works all the same: what is not declared is not offered to
// anybody, and may be broken without a rule that says so. Kits export everything
// and do bulk operations by single ones, so that an export alone says nothing.
func (t *tool) undeclared(ctx context.Context) storetest.Result {
	return timed("features.declared", "what the store does is declared", func() error {
		declared := t.module.Features()
		all := *t
		all.module = t.module.WithFeatures(t.module.Offers())
		s, err := all.store(ctx)
		if err != nil {
			return fmt.Errorf("with all features that its exports allow: %w", err)
		}
		defer s.Close()
		var found abi.Features
		key := []byte("undeclared")
		set := func(req abi.SetRequest) (abi.GetResponse, bool) {
			req.Key, req.Value = key, []byte("1")
			var resp abi.GetResponse
			ok := s.Set(ctx, &req, &abi.SetResponse{}) == nil && s.Get(ctx, &abi.GetRequest{Key: key}, &resp) == nil
			return resp, ok
		}
		resp, ok := set(abi.SetRequest{ContentType: []byte("text/plain")})
		if !ok {
			resp, _ = set(abi.SetRequest{})
		}
		if len(resp.ETag) > 0 {
			found |= abi.FeatureETag
		}
		if len(resp.ContentType) > 0 {
			found |= abi.FeatureContentType
		}
		if resp, ok := set(abi.SetRequest{TTL: time.Hour}); ok && resp.ExpiresAt != 0 {
			found |= abi.FeatureTTL
		} else if ok && !declared.Has(abi.FeatureTTL) {
			return errors.New("it takes a time to live, does not keep it, and does not declare TTL: the value would live for ever; refuse it with UNSUPPORTED")
		}
		if l, ok := s.(abi.Lister); ok && l.Keys(ctx, &abi.KeysRequest{Limit: 1}, &abi.KeysResponse{}) == nil {
			found |= abi.FeatureKeys
		}
		if tx, ok := s.(abi.Transactor); ok && tx.Transact(ctx, []abi.Op{{SetRequest: abi.SetRequest{Key: key, Value: key}}}) == nil {
			found |= abi.FeatureTransactional
		}
		if e, ok := s.(abi.Exporter); ok && e.Export(ctx, &abi.ExportRequest{MaxBytes: 1 << 10}, &abi.ExportResponse{}) == nil {
			found |= abi.FeatureExport
		}
		if found &^= declared; found != 0 {
			return fmt.Errorf("it does %s, and does not declare it: add it to features in the manifest, or leave it out", found)
		}
		return nil
	})
}

// timed runs one check.
func timed(id, doc string, run func() error) storetest.Result {
	begin := time.Now()
	res := storetest.Result{ID: id, Doc: doc}
	if err := run(); err != nil {
		res.Err = err.Error()
	}
	res.Duration = time.Since(begin)
	return res
}
