package stateapi

import (
	"cmp"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// Stores is what the API needs of the live set.
type Stores interface {
	Store(name string) (*component.Store, error)
	Status() []handle.Status
}

// Limits bound what one request, and all together, may take. Zero fields have
// the defaults that are given.
type Limits struct {
	Body      int64         // bytes of one request body; 0 = 4 MiB
	Items     int           // items of one save or transaction; 0 = 10,000
	BulkKeys  int           // keys of one bulk get; 0 = 5,000
	Answer    int64         // bytes of values in one answer, duplicate keys counted; 0 = 64 MiB
	InFlight  int64         // bytes of all bodies and answers together; 0 = 512 MiB
	Metadata  int           // members of the metadata of one item or request; 0 = 64
	QueueTime time.Duration // how long a request waits for its share of InFlight; 0 = 5 s
}

func (l Limits) withDefaults() Limits {
	l.Body = cmp.Or(max(l.Body, 0), 4<<20)
	l.Items = cmp.Or(max(l.Items, 0), 10_000)
	l.BulkKeys = cmp.Or(max(l.BulkKeys, 0), 5_000)
	l.Answer = cmp.Or(max(l.Answer, 0), 64<<20)
	l.InFlight = cmp.Or(max(l.InFlight, 0), 512<<20)
	l.Metadata = cmp.Or(max(l.Metadata, 0), 64)
	l.QueueTime = cmp.Or(max(l.QueueTime, 0), 5*time.Second)
	return l
}

// Config configures [New].
type Config struct {
	AppID, Version string
	Limits         Limits
	Readiness      Readiness // empty = ReadyAll
	// Ready reports whether the server takes requests: start-up is over and
	// shutdown has not begun. nil = always.
	Ready func() bool
}

// API is the state API of one runtime. Safe for concurrent use.
type API struct {
	cfg    Config
	stores Stores
	Budget *Budget // of bytes in flight; servers charge bodies to it

	mu       sync.Mutex // guards extended
	extended map[string]string

	sizes sync.Map // store name -> *atomic.Int64: the largest answer of late
}

// New returns the API of stores. It holds nothing that needs closing.
func New(stores Stores, cfg Config) *API {
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.Readiness = cmp.Or(cfg.Readiness, ReadyAll)
	if cfg.Ready == nil {
		cfg.Ready = func() bool { return true }
	}
	return &API{cfg: cfg, stores: stores, Budget: NewBudget(cfg.Limits.InFlight, cfg.Limits.QueueTime), extended: map[string]string{}}
}

// Limits are those in force, without zeros.
func (a *API) Limits() Limits { return a.cfg.Limits }

// AppID is the id of the application that is served.
func (a *API) AppID() string { return a.cfg.AppID }

// Store finds the handle of a component. Errors are those of an answer.
func (a *API) Store(name string) (*component.Store, *Error) {
	st, err := a.stores.Store(name)
	if err != nil {
		return nil, a.storeError(name, err)
	}
	return st, nil
}
