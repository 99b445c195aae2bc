package loader

import (
	"context"
	"time"

	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// Watcher tells when files may have changed; see package watch.
type Watcher interface {
	Run(ctx context.Context) error
	Changed() <-chan struct{}
	SetFiles(files []string)
	Again()
}

// Follower keeps a live set as its files say. It is apart from whoever waits
// for the runtime to end, because files may be slow:
//
//	watcher ──┐
//	a grace ──┼─> Run: Plan ─> the set: Complain, Reconcile, Retry ─> watcher: SetFiles, Again
//	Reload  ──┘      (one at a time)
type Follower struct {
	loader  *Loader
	set     *component.Set
	watcher Watcher
	reload  chan chan *Plan
	first   chan *Plan
	read    func(problems int, at time.Time)
}

// NewFollower returns a follower that does nothing until Run; read is told of
// every reading of the files.
func NewFollower(l *Loader, set *component.Set, w Watcher, read func(problems int, at time.Time)) *Follower {
	return &Follower{l, set, w, make(chan chan *Plan), make(chan *Plan, 1), read}
}

// Watch runs the watcher until ctx ends.
func (f *Follower) Watch(ctx context.Context) error { return f.watcher.Run(ctx) }

// First gives the plan of the first reading, once.
func (f *Follower) First() <-chan *Plan { return f.first }

// Run reads the files, at first and whenever something may have changed, until
// ctx ends. Call it once.
func (f *Follower) Run(ctx context.Context) error {
	p := f.apply(ctx, false)
	f.first <- p
	for {
		var again <-chan time.Time
		if !p.Next.IsZero() {
			again = time.After(time.Until(p.Next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			p = f.apply(ctx, false)
		case <-f.watcher.Changed():
			p = f.apply(ctx, false)
		case done := <-f.reload:
			p = f.apply(ctx, true)
			done <- p
		}
	}
}

// Reload reads the files now, lets what is missing go without its grace, and
// returns what is wrong with the files. Run must be running; ends is closed when
// it will not be any more.
func (f *Follower) Reload(ctx context.Context, ends <-chan struct{}) ([]string, error) {
	done := make(chan *Plan, 1)
	select {
	case f.reload <- done:
	case <-ends:
		return nil, component.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case p := <-done:
		return p.Problems(), nil
	case <-ends:
		return nil, component.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// apply reads the files once and tells the set. Only Run calls it.
func (f *Follower) apply(ctx context.Context, now bool) *Plan {
	p := f.loader.Plan(ctx, now)
	for _, c := range f.set.Status() {
		f.set.Complain(c.Name, p.Complaint(c.Name))
	}
	f.set.Reconcile(p.Specs, p.Keeps)
	if p.SecretsChanged {
		f.set.Retry()
	}
	f.read(len(p.Problems()), time.Now())
	f.watcher.SetFiles(p.Files)
	if p.Busy {
		f.watcher.Again()
	}
	return p
}
