package bench

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	components "github.com/dapr/dapr/pkg/proto/components/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// pluggableStore is what a Dapr user writes today for a store of his own: a
// gRPC service on a Unix socket, here with a map behind it.
type pluggableStore struct {
	components.UnimplementedStateStoreServer
	mu   sync.RWMutex
	data map[string][]byte
}

func (s *pluggableStore) Get(_ context.Context, r *components.GetRequest) (*components.GetResponse, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &components.GetResponse{Data: s.data[r.Key]}, nil
}

func (s *pluggableStore) Set(_ context.Context, r *components.SetRequest) (*components.SetResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data[r.Key] = r.Value
	return &components.SetResponse{}, nil
}

func openPluggable(tb testing.TB) components.StateStoreClient {
	tb.Helper()
	sock := filepath.Join(tb.TempDir(), "store.sock")
	lis, err := net.Listen("unix", sock)
	if err != nil {
		tb.Fatal(err)
	}
	srv := grpc.NewServer()
	store := &pluggableStore{data: map[string][]byte{}}
	for i := range keys {
		store.data[string(benchKey(i))] = benchValue()
	}
	components.RegisterStateStoreServer(srv, store)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis) }()
	tb.Cleanup(func() { srv.Stop(); <-done })
	conn, err := grpc.NewClient("unix://"+sock, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return components.NewStateStoreClient(conn)
}

func TestPluggable(t *testing.T) {
	c := openPluggable(t)
	resp, err := c.Get(t.Context(), &components.GetRequest{Key: string(benchKey(7))})
	if err != nil || string(resp.Data) != string(benchValue()) {
		t.Fatalf("get: %v, %v", resp, err)
	}
}

func BenchmarkGet_pluggable(b *testing.B) {
	c := openPluggable(b)
	req := &components.GetRequest{Key: string(benchKey(7))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Get(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSet_pluggable(b *testing.B) {
	c := openPluggable(b)
	req := &components.SetRequest{Key: string(benchKey(7)), Value: benchValue()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Set(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}
