package component

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHammerSwap swaps stores that fail the process if they are used after
// Close, under readers and writers: no call fails, every store is closed once.
func TestHammerSwap(t *testing.T) {
	s := start(t, Config{})
	var made []*fake
	s.Apply(spec("orders", "0", newFake()))
	settle(t, s)
	st, _ := s.Store("orders")
	done := make(chan struct{})
	var calls atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			key := fmt.Appendf(nil, "k%d", w)
			var resp abi.GetResponse
			for {
				select {
				case <-done:
					return
				default:
				}
				err := st.Get(context.Background(), &abi.GetRequest{Key: key}, &resp)
				if err != nil && !errors.Is(err, abi.ErrNotFound) {
					t.Errorf("get: %v", err)
					return
				}
				if err := st.Set(context.Background(), &abi.SetRequest{Key: key, Value: key}, &abi.SetResponse{}); err != nil {
					t.Errorf("set: %v", err)
					return
				}
				calls.Add(2)
			}
		})
	}
	for i := 1; i <= 2000; i++ {
		f := newFake()
		made = append(made, f)
		s.Apply(spec("orders", fmt.Sprint(i), f))
		settle(t, s)
	}
	close(done)
	wg.Wait()
	require.NoError(t, s.Close(t.Context()))
	for i, f := range made {
		require.EqualValues(t, 1, f.closes.Load(), "store %d", i)
	}
	t.Logf("%d calls over %d swaps", calls.Load(), len(made))
}

// memSpec is a spec of a real in-memory store.
func memSpec(digest string) Spec {
	return Spec{Name: "mem", Type: "state.in-memory", Digest: digest, KeepState: true,
		Create: func(context.Context) (abi.Store, error) { return memstore.New(), nil }}
}

type regInput struct {
	write bool
	value int
}

// register is a single key for porcupine; 0 is missing.
func register() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			in := input.(regInput)
			if in.write {
				return true, in.value
			}
			return output.(int) == state.(int), state
		},
	}
}

// TestHandOverIsLinearizable moves the state from store to store under readers
// and writers of one key, and checks that every read is explained.
func TestHandOverIsLinearizable(t *testing.T) {
	s := start(t, Config{})
	s.Apply(memSpec("0"))
	settle(t, s)
	st, _ := s.Store("mem")
	var mu sync.Mutex
	var history []porcupine.Operation
	record := func(client int, in regInput, out int, from int64) {
		mu.Lock()
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: from, Return: time.Now().UnixNano()})
		mu.Unlock()
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	var next atomic.Int64
	for c := range 4 {
		wg.Go(func() {
			var resp abi.GetResponse
			for i := 0; i < 3000; i++ {
				select {
				case <-done:
					return
				default:
				}
				from := time.Now().UnixNano()
				if c%2 == 0 {
					v := int(next.Add(1))
					if err := st.Set(context.Background(), &abi.SetRequest{Key: []byte("k"), Value: fmt.Append(nil, v)}, &abi.SetResponse{}); err != nil {
						t.Errorf("set: %v", err)
						return
					}
					record(c, regInput{true, v}, 0, from)
					continue
				}
				var v int
				err := st.Get(context.Background(), &abi.GetRequest{Key: []byte("k")}, &resp)
				if err != nil && !errors.Is(err, abi.ErrNotFound) {
					t.Errorf("get: %v", err)
					return
				}
				if err == nil {
					_, _ = fmt.Sscan(string(resp.Value), &v)
				}
				record(c, regInput{}, v, from)
			}
		})
	}
	for i := 1; i <= 100; i++ {
		s.Apply(memSpec(fmt.Sprint(i)))
		require.Empty(t, settle(t, s))
	}
	close(done)
	wg.Wait()
	result := porcupine.CheckOperationsTimeout(register(), history, 30*time.Second)
	require.Equal(t, porcupine.Ok, result, "%d operations", len(history))
	t.Logf("%d operations over 100 hand-overs", len(history))
}

func TestHandOver(t *testing.T) {
	s := start(t, Config{})
	s.Apply(memSpec("1"))
	settle(t, s)
	st, _ := s.Store("mem")
	for i := range 1000 {
		set(t, st, fmt.Sprintf("k%d", i), fmt.Sprint(i))
	}
	s.Apply(memSpec("2"))
	require.Empty(t, settle(t, s))
	require.Equal(t, "999", get(t, st, "k999"))
	got := statusOf(t, s, "mem")
	require.EqualValues(t, 1000, got.HandOverItems)
	require.EqualValues(t, 2, got.Generation)

	// A version that cannot take the state over is refused; writes go on.
	f := newFake()
	sp := memSpec("3")
	sp.Create = func(context.Context) (abi.Store, error) { return f, nil }
	s.Apply(sp)
	settle(t, s)
	require.Contains(t, statusOf(t, s, "mem").Reason, "EXPORT")
	require.True(t, f.closed.Load())
	set(t, st, "k999", "again")
	require.Equal(t, "again", get(t, st, "k999"))

	// An import that fails leaves the old one as it was.
	sp = memSpec("4")
	sp.Create = func(context.Context) (abi.Store, error) { return badImporter{memstore.New().(wholeStore)}, nil }
	s.Apply(sp)
	settle(t, s)
	require.Contains(t, statusOf(t, s, "mem").Reason, "full")
	require.Equal(t, "again", get(t, st, "k999"))
	set(t, st, "k999", "and again")
}

// wholeStore is what a wrapper of a store in memory has to pass on.
type wholeStore interface {
	abi.Store
	abi.Transactor
	abi.BulkGetter
	abi.BulkWriter
	abi.Lister
	abi.PrefixDeleter
	abi.Exporter
	abi.Importer
}

type badImporter struct{ wholeStore }

func (badImporter) Export(context.Context, *abi.ExportRequest, *abi.ExportResponse) error { return nil }
func (badImporter) Import(context.Context, []abi.Item) error                              { return errors.New("full") }

// BenchmarkHandOver measures how long writes are held back for 100,000 keys.
func BenchmarkHandOver(b *testing.B) {
	s := start(b, Config{})
	s.Apply(memSpec("0"))
	settle(b, s)
	st, _ := s.Store("mem")
	for i := range 100_000 {
		set(b, st, fmt.Sprintf("key-%020d", i), fmt.Sprintf("%0128d", i))
	}
	var pause int64
	n := 0
	for b.Loop() {
		n++
		s.Apply(memSpec(fmt.Sprint(n)))
		if f := settle(b, s); len(f) > 0 {
			b.Fatal(f[0])
		}
		pause += statusOf(b, s, "mem").HandOverPause.Microseconds()
	}
	b.ReportMetric(float64(pause)/float64(n)/1000, "pause-ms/op")
}
