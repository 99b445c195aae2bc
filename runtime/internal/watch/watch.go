package watch

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// Options are the settings of a Watcher; zero values mean the defaults.
type Options struct {
	// Quiet is how long nothing may happen before a signal. Default 30 ms.
	Quiet time.Duration
	// MaxDelay bounds the wait for quiet. Default 300 ms.
	MaxDelay time.Duration
	// Reconcile is the interval of signals without a reason. Default 30 s.
	Reconcile time.Duration
	// Poll is the interval of looking where watching is impossible: at everything
	// if the kernel refuses, else at single files and mount points. Default 1 s.
	Poll time.Duration
	// Extensions of the files in the folders that count, lower case with the
	// dot. Others, such as a database beside the components, are not heard.
	// Default .yaml, .yml and .wasm.
	Extensions []string
	// Log gets a warning when watching is impossible. Default none.
	Log *zap.Logger
}

// Watcher watches folders and files. Its methods are safe for concurrent use.
type Watcher struct {
	// C gets a signal when something may have changed, and one when watching has
	// begun, for changes before. It has room for one signal and is never closed.
	C <-chan struct{}

	opts    Options
	signals chan struct{}
	folders []string
	dirty   chan struct{} // cap 1: an event was heard
	again   chan struct{} // cap 1: SetFiles was called

	mu    sync.Mutex
	files []string // guarded by mu

	heard atomic.Pointer[interests] // what the watched directories are watched for

	newNotifier func() (notifier, error)

	// Used by Run only.
	notifier notifier
	pump     sync.WaitGroup // waits for the goroutine that reads the notifier
	watched  map[string]bool
	polling  bool
	seed     maphash.Seed
	print    uint64 // fingerprint of the last poll

	apart      []string // files that are polled besides the watches
	apartPrint uint64   // their fingerprint at the last refresh
}

// notifier is what is used of fsnotify.Watcher.
type notifier interface {
	Add(path string) error
	Remove(path string) error
	Close() error
	events() <-chan fsnotify.Event
	errors() <-chan error
}

type inotify struct{ *fsnotify.Watcher }

func (n inotify) events() <-chan fsnotify.Event { return n.Events }
func (n inotify) errors() <-chan error          { return n.Errors }

// New returns a watcher of paths: folders, or single files. They need not
// exist. Relative paths are taken from the present working directory. Nothing
// is watched before Run.
func New(paths []string, opts Options) *Watcher {
	opts.Quiet = cmp.Or(opts.Quiet, 30*time.Millisecond)
	opts.MaxDelay = cmp.Or(opts.MaxDelay, 300*time.Millisecond)
	opts.Reconcile = cmp.Or(opts.Reconcile, 30*time.Second)
	opts.Poll = cmp.Or(opts.Poll, time.Second)
	if opts.Extensions == nil {
		opts.Extensions = []string{".yaml", ".yml", ".wasm"}
	}
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	signals := make(chan struct{}, 1)
	w := &Watcher{
		C: signals, signals: signals, opts: opts,
		folders: absolute(paths),
		dirty:   make(chan struct{}, 1),
		again:   make(chan struct{}, 1),
		watched: map[string]bool{},
		seed:    maphash.MakeSeed(),
		newNotifier: func() (notifier, error) {
			n, err := fsnotify.NewWatcher()
			return inotify{n}, err
		},
	}
	w.heard.Store(&interests{})
	return w
}

// absolute returns the sorted absolute paths without duplicates.
func absolute(paths []string) []string {
	var out []string
	for _, p := range paths {
		if a, err := filepath.Abs(p); err == nil {
			p = a
		}
		out = append(out, p)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Changed is C, for whoever takes a Watcher by its methods.
func (w *Watcher) Changed() <-chan struct{} { return w.C }

// SetFiles replaces the files that are watched besides the folders, such as
// secret files and modules elsewhere. They need not exist. A signal follows if
// the set is a new one, for changes before.
func (w *Watcher) SetFiles(files []string) {
	files = absolute(files)
	w.mu.Lock()
	same := slices.Equal(files, w.files)
	w.files = files
	w.mu.Unlock()
	if !same {
		poke(w.again)
	}
}

// Again asks for another signal after the quiet period, as if something had
// changed: for a listener that met a file half-written, since closing a file is
// no event.
func (w *Watcher) Again() { poke(w.dirty) }

// poke sends on a channel with room for one unless there is one already.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run watches until ctx ends and returns nil then, with every goroutine and
// descriptor it had released. Call it once.
func (w *Watcher) Run(ctx context.Context) error {
	defer w.close()
	reconcile := time.NewTicker(w.opts.Reconcile)
	defer reconcile.Stop()
	poll := time.NewTicker(w.opts.Poll)
	defer poll.Stop()
	quiet := time.NewTimer(0) // the first signal
	defer quiet.Stop()
	var since time.Time // of the first event that is not signalled yet
	waiting := true

	w.refresh()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.dirty:
			now := time.Now()
			if !waiting {
				waiting, since = true, now
			}
			quiet.Reset(max(0, min(w.opts.Quiet, w.opts.MaxDelay-now.Sub(since))))
			continue
		case <-poll.C:
			different := false
			if w.polling {
				different = w.looksDifferent()
			} else {
				different = len(w.apart) > 0 && w.fingerprint(w.apart) != w.apartPrint
			}
			if !different {
				continue
			}
		case <-quiet.C:
		case <-w.again:
		case <-reconcile.C:
		}
		quiet.Stop()
		waiting = false
		// Before the signal, so that nothing happens unseen after it.
		w.refresh()
		poke(w.signals)
	}
}

// open starts the notifier and the goroutine that reads it, which close ends.
func (w *Watcher) open() error {
	n, err := w.newNotifier()
	if err != nil {
		return err
	}
	w.notifier = n
	// The notifier can hold its lock while it waits to be read, so whoever reads
	// must never wait for it.
	w.pump.Go(func() {
		events, errs := n.events(), n.errors()
		last := "" // error logged: a broken queue reports the same one for ever
		for events != nil || errs != nil {
			select {
			case ev, ok := <-events:
				if !ok {
					events = nil
				} else if w.heard.Load().has(ev, w.opts.Extensions) {
					poke(w.dirty)
				}
			case err, ok := <-errs:
				if !ok {
					errs = nil
					continue
				}
				if !errors.Is(err, fsnotify.ErrEventOverflow) && err.Error() != last {
					last = err.Error()
					w.opts.Log.Warn("watching files", zap.Error(err))
				}
				poke(w.dirty) // events may be lost
			}
		}
	})
	return nil
}

func (w *Watcher) close() {
	if w.notifier == nil {
		return
	}
	if err := w.notifier.Close(); err != nil {
		w.opts.Log.Warn("watching files", zap.Error(err))
	}
	w.pump.Wait()
	w.notifier = nil
}
