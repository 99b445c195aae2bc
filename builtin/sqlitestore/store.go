package sqlitestore

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// Name is the type of the store in component files, Alias its other name.
const (
	Name  = "state.sqlite"
	Alias = "state.sqlite3"
)

// queueLength is how many callers may wait for the writer without blocking.
const queueLength = 256

// store hands work to goroutines that own the connections: one writes, the
// others read. So a caller can leave when its context ends, whatever the disk
// does. A database in memory has one connection, and its writer reads too.
type store struct {
	cfg  config
	file place

	writes chan *write
	reads  chan *read
	stop   chan struct{} // closed by Close: no more work
	dead   chan struct{} // closed when all goroutines have ended
	cancel context.CancelFunc
	wg     sync.WaitGroup // the goroutines

	mu       sync.Mutex // guards the fields below
	closed   bool
	closeErr error
	ended    sync.Once
}

var (
	_ abi.Store         = (*store)(nil)
	_ abi.Transactor    = (*store)(nil)
	_ abi.BulkGetter    = (*store)(nil)
	_ abi.BulkWriter    = (*store)(nil)
	_ abi.Lister        = (*store)(nil)
	_ abi.PrefixDeleter = (*store)(nil)
	_ abi.Pinger        = (*store)(nil)
	_ abi.Exporter      = (*store)(nil)
	_ abi.Importer      = (*store)(nil)
	_ abi.Volatiler     = (*store)(nil)
)

// New returns a store that is not yet initialised. It is an [abi.Factory].
func New() abi.Store {
	return &store{
		writes: make(chan *write, queueLength), reads: make(chan *read),
		stop: make(chan struct{}), dead: make(chan struct{}), cancel: func() {},
	}
}

// Features lists what the store offers.
func (s *store) Features() abi.Features {
	return abi.FeatureETag | abi.FeatureTransactional | abi.FeatureTTL | abi.FeatureKeys | abi.FeatureDeleteWithPrefix |
		abi.FeatureBulk | abi.FeatureContentType | abi.FeatureExport
}

// Init opens the database, creates the tables that are missing and starts the
// goroutines.
func (s *store) Init(ctx context.Context, md abi.Metadata) (err error) {
	cfg, err := parseConfig(md)
	if err != nil {
		return err
	}
	c, err := connect(&cfg)
	if err != nil {
		return err
	}
	conns := []*conn{c}
	defer func() {
		for _, c := range conns { // those that no goroutine owns
			if closeErr := c.close(); closeErr != nil {
				err = errors.Join(err, closeErr)
			}
		}
	}()
	if err := migrate(c, &cfg); err != nil {
		return err
	}
	if cfg.fresh {
		if err := cfg.protect(); err != nil {
			return err
		}
	}
	file, err := findPlace(&cfg)
	if err != nil {
		return err
	}
	w, err := newWriter(c, &cfg, s.stop)
	if err != nil {
		return err
	}
	w.file = file
	var readers []*reader
	for n := min(max(runtime.GOMAXPROCS(0), 2), 8); !cfg.memory && len(readers) < n; {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := connect(&cfg)
		if err != nil {
			return err
		}
		conns = append(conns, c)
		r, err := newReader(c, &cfg)
		if err != nil {
			return err
		}
		readers = append(readers, r)
	}
	if err := file.check(); err != nil { // exchanged between two connections
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return abi.ErrClosed
	}
	s.cfg, s.file, conns = cfg, file, nil
	background, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	// All end by stop and are awaited by Close.
	s.wg.Go(func() { s.writing(w) })
	for _, r := range readers {
		s.wg.Go(func() { s.reading(r) })
	}
	if cfg.cleanupInterval > 0 && !cfg.readOnly {
		s.wg.Go(func() { s.cleaning(background) })
	}
	return nil
}

// Close lets the writer finish its commit, refuses what waits and closes the
// connections.
func (s *store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
		s.cancel()
	}
	s.mu.Unlock()
	s.wg.Wait()
	s.ended.Do(func() { close(s.dead) })
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeErr
}

// release closes a goroutine's connection.
func (s *store) release(c *conn) {
	if err := c.close(); err != nil {
		s.mu.Lock()
		s.closeErr = errors.Join(s.closeErr, err)
		s.mu.Unlock()
	}
}

// send hands job to a goroutine and waits until done is closed. It leaves early
// with an error when ctx ends, the timeout passes or the store is closed.
func send[T any](ctx context.Context, s *store, queue chan<- T, job T, done <-chan struct{}) error {
	select {
	case <-s.stop:
		return abi.ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(s.cfg.timeout)
	defer timer.Stop()
	select {
	case queue <- job:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stop:
		return abi.ErrClosed
	case <-timer.C:
		return s.late()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return s.late()
	case <-s.dead:
	}
	select {
	case <-done: // was carried out before the end
		return nil
	default:
		return abi.ErrClosed
	}
}

func (s *store) late() error {
	return abi.NewError(abi.CodeTimeout, "sqlite: no answer within the timeout of "+s.cfg.timeout.String())
}
