package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

func modules(t *testing.T) (*sandbox.Sandbox, []byte) {
	t.Helper()
	wasm, err := os.ReadFile("respstore.wasm")
	require.NoError(t, err)
	m, err := sandbox.New(sandbox.Options{CompileTimeout: 10 * time.Minute}) // under the race detector
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m, wasm
}

// opener opens stores on one server.
type opener struct {
	modules    *sandbox.Sandbox
	wasm       []byte
	addr       string
	password   string
	properties map[string]string
}

func on(t *testing.T, addr string) *opener {
	m, wasm := modules(t)
	return &opener{modules: m, wasm: wasm, addr: addr}
}

func (o *opener) open(t *testing.T) abi.Store {
	t.Helper()
	host := hostfuncs.Config{TCP: []string{o.addr}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if o.password != "" {
		host.Secrets = func(_ context.Context, name string) (string, error) {
			if name != "password" {
				return "", abi.ErrPermission
			}
			return o.password, nil
		}
	}
	s, err := o.modules.Open(t.Context(), o.wasm, sandbox.Config{Component: "orders", Host: host})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	md := abi.Metadata{Name: "orders", Properties: map[string]string{"address": o.addr}}
	for k, v := range o.properties {
		md.Properties[k] = v
	}
	require.NoError(t, s.Init(t.Context(), md))
	return s
}

func TestSuite(t *testing.T) {
	o := on(t, redis(t).Addr())
	storetest.Run(t, o.open, storetest.Options{Small: true, Shared: true, Reopen: func(context.Context) (abi.Store, error) {
		return o.open(t), nil
	}})
}

// TestStandardGo is the same source without TinyGo.
func TestStandardGo(t *testing.T) {
	if testing.Short() || guestbuild.Race {
		t.Skip("takes some seconds")
	}
	o := on(t, redis(t).Addr())
	o.wasm = guestbuild.Go(t, "respstore")
	storetest.Run(t, o.open, storetest.Options{Small: true, Shared: true})
}

// client is what the helpers use: a store, or the handle of a runtime.
type client interface {
	Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error
	Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error
}

func set(t *testing.T, s client, key, value, etag string) (string, error) {
	t.Helper()
	var resp abi.SetResponse
	err := s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: []byte(value), ETag: []byte(etag)}, &resp)
	return string(resp.ETag), err
}

func get(t *testing.T, s client, key string) (value, etag string) {
	t.Helper()
	var resp abi.GetResponse
	require.NoError(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte(key)}, &resp))
	return string(resp.Value), string(resp.ETag)
}

// TestOneWinner has two replicas: modules that share nothing but the server.
func TestOneWinner(t *testing.T) {
	const writers, rounds = 32, 20
	addr := redis(t).Addr()
	replicas := []abi.Store{on(t, addr).open(t), on(t, addr).open(t)}
	for round := range rounds {
		key := fmt.Sprint("key", round)
		etag, err := set(t, replicas[0], key, "start", "")
		require.NoError(t, err)
		var won, mismatch atomic.Int32
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				var resp abi.SetResponse
				err := replicas[w%2].Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: fmt.Append(nil, w), ETag: []byte(etag)}, &resp)
				switch {
				case err == nil:
					won.Add(1)
				case abi.CodeOf(err) == abi.CodeETagMismatch:
					mismatch.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, writers-1, mismatch.Load())
	}
}

// TestRestart stops the server under load and starts it again.
func TestRestart(t *testing.T) {
	r := redis(t)
	s := on(t, r.Addr()).open(t)
	_, err := set(t, s, "kept", "value", "")
	require.NoError(t, err)

	const workers = 8
	var good, bad atomic.Int64
	stop := make(chan struct{})
	turn := make(chan struct{}) // closed and replaced whenever an operation ends
	var mu sync.Mutex           // guards turn
	ended := func(n *atomic.Int64) {
		n.Add(1)
		mu.Lock()
		defer mu.Unlock()
		close(turn)
		turn = make(chan struct{})
	}
	await := func(n *atomic.Int64, more int64) {
		for want := n.Load() + more; ; {
			mu.Lock()
			next := turn
			mu.Unlock()
			if n.Load() >= want {
				return
			}
			select {
			case <-next:
			case <-t.Context().Done():
				t.Fatal("the operations do not change")
			}
		}
	}
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			key := fmt.Append(nil, "load", w)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				var err error
				if i%2 == 0 {
					err = s.Set(ctx, &abi.SetRequest{Key: key, Value: fmt.Append(nil, i)}, &abi.SetResponse{})
				} else if err = s.Get(ctx, &abi.GetRequest{Key: key}, &abi.GetResponse{}); abi.CodeOf(err) == abi.CodeNotFound {
					err = nil // its set met the server that was down
				}
				cancel()
				switch {
				case err == nil:
					ended(&good)
				case abi.CodeOf(err) == abi.CodeUnavailable:
					ended(&bad)
				default:
					t.Errorf("code %v: %v", abi.CodeOf(err), err)
					return
				}
			}
		})
	}
	for range 2 {
		await(&good, 100)
		r.Stop()
		await(&bad, 100)
		r.Start()
		await(&good, 100)
	}
	close(stop)
	group.Wait()
	t.Logf("%d operations succeeded, %d were unavailable", good.Load(), bad.Load())
	value, _ := get(t, s, "kept")
	require.Equal(t, "value", value)
	for range 100 { // every instance of the pool is well again
		_, err := set(t, s, "kept", "value", "")
		require.NoError(t, err)
	}
}

// TestForgetsNothing breaks what the store relies on between operations.
func TestForgetsNothing(t *testing.T) {
	r := redis(t)
	s := on(t, r.Addr()).open(t)
	etag, err := set(t, s, "a", "1", "")
	require.NoError(t, err)
	r.do("SCRIPT", "FLUSH")
	_, err = set(t, s, "a", "2", etag)
	require.NoError(t, err)
	r.do("SCRIPT", "FLUSH")
	ops := make([]abi.Op, 20)
	for i := range ops {
		ops[i].SetRequest = abi.SetRequest{Key: []byte("b"), Value: fmt.Append(nil, i)}
	}
	results := make([]abi.WriteResult, len(ops))
	require.NoError(t, s.(abi.BulkWriter).BulkWrite(t.Context(), ops, results))
	for i := range results {
		require.NoError(t, results[i].Err)
	}
	value, _ := get(t, s, "b")
	require.Equal(t, "19", value)
	r.do("CLIENT", "KILL", "TYPE", "normal")
	value, _ = get(t, s, "b") // may be repeated on a new connection
	require.Equal(t, "19", value)
	r.do("CLIENT", "KILL", "TYPE", "normal")
	if _, err = set(t, s, "b", "20", ""); err != nil { // may not
		require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err))
	}
	_, err = set(t, s, "b", "21", "")
	require.NoError(t, err)
}

// TestDaprLayout reads what Dapr writes and the other way round.
func TestDaprLayout(t *testing.T) {
	r := redis(t)
	s := on(t, r.Addr()).open(t)
	r.do("HSET", "app||a", "data", `"x"`, "version", "7")
	value, etag := get(t, s, "app||a")
	require.Equal(t, `"x"`, value)
	require.Equal(t, "7", etag)
	_, err := set(t, s, "app||a", "y", "6")
	require.Equal(t, abi.CodeETagMismatch, abi.CodeOf(err))
	etag, err = set(t, s, "app||a", "y", "7")
	require.NoError(t, err)
	require.Equal(t, "8", etag)
	require.Equal(t, "y 8", r.do("HMGET", "app||a", "data", "version"))

	var resp abi.SetResponse
	require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte("app||a"), Value: []byte("z"), ContentType: []byte("text/plain")}, &resp))
	r.do("HSET", "app||a", "data", "w") // as Dapr writes
	r.do("HINCRBY", "app||a", "version", "1")
	var got abi.GetResponse
	require.NoError(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte("app||a")}, &got))
	require.Equal(t, "w", string(got.Value))
	require.Equal(t, "10", string(got.ETag))
	require.Empty(t, got.ContentType, "belongs to the value before")

	r.do("SET", "old", "plain")
	value, etag = get(t, s, "old")
	require.Equal(t, "plain", value)
	_, err = set(t, s, "old", "new", etag)
	require.NoError(t, err)
	require.Equal(t, "new", r.do("HGET", "old", "data"))

	r.do("HSET", "odd", "data", "x", "version", "9007199254740993") // cannot be counted on exactly
	_, err = set(t, s, "odd", "new", "")
	require.Equal(t, abi.CodeCorrupt, abi.CodeOf(err))
	r.do("RPUSH", "list", "x")
	require.Equal(t, abi.CodeCorrupt, abi.CodeOf(s.Get(t.Context(), &abi.GetRequest{Key: []byte("list")}, &got)))
	_, err = set(t, s, "list", "new", "")
	require.Equal(t, abi.CodeCorrupt, abi.CodeOf(err))
}

func TestPassword(t *testing.T) {
	r := redis(t, "--requirepass", "correct horse")
	for _, c := range []struct {
		password string
		want     abi.Code
	}{{"correct horse", abi.CodeOK}, {"wrong", abi.CodePermission}, {"", abi.CodePermission}} {
		o := on(t, r.Addr())
		o.password = c.password
		o.properties = map[string]string{"db": "3"}
		s := o.open(t)
		err := s.(abi.Pinger).Ping(t.Context())
		require.Equal(t, c.want, abi.CodeOf(err), "password %q: %v", c.password, err)
		if err == nil {
			_, err = set(t, s, "a", "1", "")
			require.NoError(t, err)
			continue
		}
		require.NotContains(t, err.Error(), "wrong")
	}
}

// TestHostileServer answers with what no server should. The module survives.
func TestHostileServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	answers := []string{
		"", "\r\n", "+\r", "hello\r\n", "*2000000000\r\n", "*-5\r\n", "$99999999999999999999\r\n", "$67108864\r\nshort",
		strings.Repeat("*1\r\n", 1000), "+" + strings.Repeat("x", 100_000) + "\r\n", "$3\r\nabcde", ":x\r\n",
		"+a\r\n+b\r\n*1\r\n:5\r\n", "+a\r\n+b\r\n:5\r\n", "+a\r\n+b\r\n*4\r\n$-1\r\n$-1\r\n$-1\r\n:-7\r\n", "-ERR \xff\x00\r\n",
	}
	var group sync.WaitGroup
	var next atomic.Int64
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(answers[next.Load()]))
			_ = c.(*net.TCPConn).CloseWrite()
			group.Go(func() {
				b := make([]byte, 4096)
				for err == nil {
					_, err = c.Read(b)
				}
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		group.Wait()
	})
	s := on(t, l.Addr().String()).open(t)
	for i, a := range answers {
		next.Store(int64(i))
		err := s.Get(t.Context(), &abi.GetRequest{Key: []byte("a")}, &abi.GetResponse{})
		var guest *abi.Fault
		require.NotErrorAs(t, err, &guest, "answer %.40q", a)
	}
}
