package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
)

// lastWord is how long an Init whose deadline has passed may take to say why.
const lastWord = 50 * time.Millisecond

// opened is a store that was made and answers, with what hides its secrets.
type opened struct {
	store  abi.Store
	redact func(text string) string
}

// replace is the transaction of a change: create, resolve, init, ping, hand
// over, swap; then the old store is drained and closed. Any error leaves what
// serves untouched.
func (s *Set) replace(sl *slot, spec *Spec) error {
	old := sl.handle.current.Load()
	from := time.Now()
	var o opened
	reason, err := s.open(spec, &o)
	if err == nil {
		err = s.publish(sl, spec, &o, old)
	}
	obs := s.cfg.Observer
	if err != nil {
		err = redacted(err, o.redact)
		if s.ctx.Err() == nil {
			obs.InitFailed(sl.name, spec.Type, reason)
			if old != nil {
				obs.Reloaded(sl.name, "failed")
			}
		}
		return err
	}
	obs.Initialized(sl.name, spec.Type)
	if old != nil {
		obs.Reloaded(sl.name, "ok")
	}
	s.log.Info("component ready", zap.String("component", sl.name), zap.String("type", spec.Type), zap.String("version", spec.Version),
		zap.String("source", spec.Source), zap.Bool("reload", old != nil), zap.Duration("took", time.Since(from)))
	return nil
}

// open creates, initialises and pings a store. reason is what the metrics call
// the failure; what hides secrets is there after a failure too.
func (s *Set) open(spec *Spec, o *opened) (reason string, err error) {
	var md abi.Metadata
	if spec.Resolve != nil {
		res, err := spec.Resolve(s.ctx)
		if o.redact = res.Redact; err != nil {
			return "init", err
		}
		md = res.Metadata
	}
	md.Name = spec.Name
	err = contain(func() (err error) {
		o.store, err = spec.Create(s.ctx)
		return err
	})
	if err != nil {
		return "creation", err
	}
	if o.store == nil {
		return "creation", errors.New("the store type's New function returned nothing")
	}
	if err := s.init(spec, o, md); err != nil {
		return "init", err
	}
	ctx, cancel := context.WithTimeout(s.ctx, spec.initTimeout())
	defer cancel()
	if err := contain(func() error { return checkDeclared(o.store) }); err != nil {
		s.discard(spec, o)
		return "creation", err
	}
	if err := contain(func() error { return newBase(spec.Name, o.store).Ping(ctx) }); err != nil {
		s.discard(spec, o)
		return "init", fmt.Errorf("ping: %w", err)
	}
	return "", nil
}

// init runs Init with a deadline that is enforced from outside: an Init that
// does not return is left behind, and its store is closed when it does.
func (s *Set) init(spec *Spec, o *opened, md abi.Metadata) error {
	ctx, cancel := context.WithTimeout(s.ctx, spec.initTimeout())
	defer cancel()
	done := make(chan error, 1)
	s.workers.Go(func() {
		done <- contain(func() error { return o.store.Init(ctx, md) })
	})
	finish := func(err error) error {
		if err == nil && ctx.Err() != nil {
			err = ctx.Err() // too late is failed, as in Dapr
		}
		if err != nil {
			s.discard(spec, o)
		}
		return err
	}
	select {
	case err := <-done:
		if err == nil {
			return nil
		}
		return finish(err)
	case <-ctx.Done():
	}
	timer := time.NewTimer(lastWord)
	defer timer.Stop()
	select {
	case err := <-done:
		if err = finish(err); !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return fmt.Errorf("init timeout after %v: %w", spec.initTimeout(), err)
	case <-timer.C:
	}
	s.workers.Go(func() {
		err := <-done
		s.log.Debug("Init returned after its time was up", zap.String("component", spec.Name), zap.Error(redacted(err, o.redact)))
		s.discard(spec, o)
	})
	return fmt.Errorf("init timeout after %v, and Init does not return: %w", spec.initTimeout(), context.DeadlineExceeded)
}

// discard closes a store that never served.
func (s *Set) discard(spec *Spec, o *opened) {
	if err := contain(o.store.Close); err != nil {
		s.log.Debug("close after a failure", zap.String("component", spec.Name), zap.Error(redacted(err, o.redact)))
	}
}

// publish makes an opened store the one that serves.
func (s *Set) publish(sl *slot, spec *Spec, o *opened, old *generation) (err error) {
	defer func() {
		if err != nil {
			s.discard(spec, o)
		}
	}()
	prefix, err := Prefix(spec.KeyPrefix, s.cfg.AppID, s.cfg.Namespace, spec.Name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	number := sl.generations + 1
	s.mu.Unlock()
	g := newGeneration(o, *spec, prefix, number)
	moved, open, err := s.moveState(sl, old, g)
	if err != nil {
		return err
	}
	defer open()

	rec := s.cfg.Observer.Recorder(sl.name, spec.Type)
	g.chain = newChain(g, s.log, rec)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return abi.ErrClosed
	}
	sl.generations = number
	if moved.items >= 0 {
		sl.handOver = moved
	}
	if rec != nil {
		sl.handle.rec.Store(&rec)
	}
	sl.lost = sl.loss()
	sl.handle.current.Store(g)
	if old != nil {
		prev := old.spec
		sl.previous = &prev
		s.workers.Go(func() {
			if err := s.drain(s.ctx, old); err != nil {
				s.log.Warn("close of the replaced store failed", zap.String("component", sl.name), zap.Error(redacted(err, old.redact)))
			}
		})
	}
	return nil
}
