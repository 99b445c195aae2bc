// Package serve holds the listeners of a runtime: it opens them all before
// anything is served, bounds what a listener takes, and stops them together.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"
)

// Server is one address and what serves on it.
type Server struct {
	Name    string // for errors and flags, such as "http"
	Address string // host:port; port 0 takes a free one
	// Check refuses the address that was opened; nil takes any.
	Check func(net.Addr) error
	// Serve serves until Stop; its error then is nil.
	Serve func(net.Listener) error
	// Drain takes no more connections, and ends those there are with their next
	// answer.
	Drain func()
	// Stop finishes the requests in progress, until ctx ends at the latest.
	Stop func(ctx context.Context)
}

// Servers is a list of servers. The zero value is empty. Addr is safe at any
// time; the other methods belong to one goroutine.
type Servers struct {
	mu   sync.Mutex // guards lis: Addr is asked while they start
	list []Server
	lis  []net.Listener
}

// Error says that an address cannot be listened on, and what to do.
type Error struct {
	Name, Address string
	Why           string
	Err           error
}

// Error is one line.
func (e *Error) Error() string {
	return fmt.Sprintf("listen for %s on %s: %s", e.Name, e.Address, e.Why)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Listen opens the sockets of all servers with an address, so that a port in use
// is found before anything else is done. An error is an [*Error]; nothing is open
// then.
func (s *Servers) Listen(ctx context.Context, list ...Server) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(list, func(srv Server) bool { return srv.Address == "" })
	s.lis = make([]net.Listener, len(s.list))
	for i, srv := range s.list {
		lis, err := new(net.ListenConfig).Listen(ctx, "tcp", srv.Address)
		if err == nil && srv.Check != nil {
			if err = srv.Check(lis.Addr()); err != nil {
				_ = lis.Close()
			}
		}
		if err != nil {
			s.close()
			return &Error{srv.Name, srv.Address, why(err), err}
		}
		s.lis[i] = lis
	}
	return nil
}

func why(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "the port is in use; stop the other program or choose another port"
	case errors.Is(err, syscall.EACCES):
		return "not allowed; ports below 1024 need privileges, choose another port"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return err.Error()
}

func (s *Servers) close() {
	for _, l := range s.lis {
		if l != nil {
			_ = l.Close()
		}
	}
}

// Start serves on every socket, each as a part.
func (s *Servers) Start(part func(func(context.Context) error)) {
	for i, srv := range s.list {
		lis := s.lis[i]
		part(func(context.Context) error {
			if err := srv.Serve(lis); err != nil {
				return fmt.Errorf("serve %s: %w", srv.Name, err)
			}
			return nil
		})
	}
}

// lastCall is how long clients that post without pause have to be told with an
// answer that their connection ends; closing it between two requests may cut
// the second.
const lastCall = 250 * time.Millisecond

// Drain prepares Stop so that no client is cut off:
//
//	delay: as before, while others hear that this one is not ready
//	lastCall: no new connections; answers say Connection: close
//	Stop: what is idle is closed, what is in progress finished
func (s *Servers) Drain(delay time.Duration) {
	time.Sleep(delay)
	for _, srv := range s.list {
		srv.Drain()
	}
	time.Sleep(lastCall)
}

// Stop ends all servers side by side, within the grace.
func (s *Servers) Stop(grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range s.list {
		wg.Go(func() { srv.Stop(ctx) })
	}
	wg.Wait()
}

// Addr is the address that a server listens on, with the real port; "" if it
// does not.
func (s *Servers) Addr(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(srv Server) bool { return srv.Name == name })
	if i < 0 || s.lis[i] == nil {
		return ""
	}
	return s.lis[i].Addr().String()
}

// Limits bound what the clients of an HTTP server take. Zero fields have the
// defaults that are given.
type Limits struct {
	Connections int           // at once; 0 = 4,096. More wait to be accepted
	Streams     int           // of one HTTP/2 connection; 0 = 128
	HeaderTime  time.Duration // for the head of a request; 0 = 10 s
	IdleTime    time.Duration // between requests of a connection; 0 = 3 min
	HeaderBytes int           // of the head; 0 = 64 KiB
}

// HTTP is a server of handler, for HTTP/1 and HTTP/2 without TLS.
func HTTP(name, address string, handler http.Handler, l Limits, log *zap.Logger) Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	def(&l.Connections, 4096)
	def(&l.Streams, 128)
	def(&l.HeaderTime, 10*time.Second)
	def(&l.IdleTime, 3*time.Minute)
	def(&l.HeaderBytes, 64<<10)
	std, _ := zap.NewStdLogAt(log, zap.WarnLevel) // the level exists
	var drains atomic.Bool
	var listener atomic.Pointer[net.Listener]
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if drains.Load() {
				w.Header().Set("Connection", "close") // HTTP/2: GOAWAY
			}
			handler.ServeHTTP(w, r)
		}),
		Protocols: protocols, ErrorLog: std,
		ReadHeaderTimeout: l.HeaderTime, IdleTimeout: l.IdleTime, MaxHeaderBytes: l.HeaderBytes,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: l.Streams, MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 256 << 10},
	}
	return Server{
		Name: name, Address: address,
		Serve: func(lis net.Listener) error {
			listener.Store(&lis)
			err := srv.Serve(netutil.LimitListener(lis, l.Connections))
			if errors.Is(err, http.ErrServerClosed) || drains.Load() {
				return nil
			}
			return err
		},
		Drain: func() {
			drains.Store(true)
			if lis := listener.Load(); lis != nil {
				_ = (*lis).Close()
			}
		},
		Stop: func(ctx context.Context) {
			if srv.Shutdown(ctx) != nil {
				_ = srv.Close()
			}
		},
	}
}

func def[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// OnlyLoopback is a check that refuses addresses other machines can reach.
func OnlyLoopback(addr net.Addr) error {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return nil
	}
	return errors.New("the admin API is for this machine only; use a loopback address such as 127.0.0.1")
}
