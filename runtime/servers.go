package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/runtime/internal/admin"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/httpapi"
)

// The servers of a runtime.
const (
	serveHTTP = iota
	serveMetrics
	serveAdmin
	numServers
)

// servers listens and serves; each server is there if it has an address.
type servers struct {
	mu    sync.Mutex // guards lis: Addr is asked while Run starts
	lis   [numServers]net.Listener
	http  [numServers]*http.Server
	names [numServers]string
}

// listen opens every socket, so that a port in use is found before anything
// else is done.
func (s *servers) listen(ctx context.Context, cfg Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = [numServers]string{"http", "metrics", "admin"}
	for i, addr := range [numServers]string{cfg.HTTPAddr, cfg.MetricsAddr, cfg.AdminAddr} {
		if addr == "" {
			continue
		}
		lis, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err == nil && i == serveAdmin && !lis.Addr().(*net.TCPAddr).IP.IsLoopback() {
			err = errors.New("the admin API is for this machine only; use a loopback address such as 127.0.0.1")
			_ = lis.Close()
		}
		if err != nil {
			s.closeListeners()
			return listenError(s.names[i], addr, err)
		}
		s.lis[i] = lis
	}
	return nil
}

// listenError is one line that says what to do.
func listenError(name, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen for %s on %s: the port is in use; stop the other program or choose another with --%s-port", name, addr, name)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen for %s on %s: not allowed; ports below 1024 need privileges, choose another with --%s-port", name, addr, name)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("listen for %s on %s: %w", name, addr, err)
}

func (s *servers) closeListeners() {
	for _, l := range s.lis {
		if l != nil {
			_ = l.Close()
		}
	}
}

// start serves on every socket as parts of Run.
func (s *servers) start(rt *Runtime, part func(func(context.Context) error)) {
	handlers := [numServers]http.Handler{
		httpapi.New(rt.api(), httpapi.Config{
			AppID: rt.cfg.AppID, Version: rt.cfg.Version, Token: rt.cfg.APIToken, MaxBody: rt.cfg.MaxBodySize, Logger: rt.log, Ready: rt.life.ready.Load,
		}),
		rt.metrics.Handler(),
		admin.New(rt.api(), admin.Config{Token: rt.cfg.APIToken, Version: rt.cfg.Version, AppID: rt.cfg.AppID, Logger: rt.log}),
	}
	for i, lis := range s.lis {
		if lis == nil {
			continue
		}
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		protocols.SetUnencryptedHTTP2(true)
		srv := &http.Server{
			Handler: handlers[i], Protocols: protocols,
			ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 3 * time.Minute, MaxHeaderBytes: 64 << 10,
			ErrorLog: zap.NewStdLog(rt.log),
		}
		s.http[i] = srv
		part(func(context.Context) error {
			if err := srv.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", s.names[i], err)
			}
			return nil
		})
	}
}

// stop finishes the requests in progress, up to the grace.
func (s *servers) stop(grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range s.http {
		if srv != nil {
			wg.Go(func() {
				if srv.Shutdown(ctx) != nil {
					_ = srv.Close()
				}
			})
		}
	}
	wg.Wait()
}

func (s *servers) addr(i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lis[i] == nil {
		return ""
	}
	return s.lis[i].Addr().String()
}

// api is what the servers see of a runtime.
type api struct {
	*component.Set
	rt *Runtime
}

func (rt *Runtime) api() api { return api{rt.set, rt} }

// Status lists broken documents too.
func (a api) Status() []component.Status { return a.rt.status() }

// Problems lists what is wrong with the component files at the moment.
func (a api) Problems() []string { return a.rt.loader.Problems() }

// Reload implements admin.Runtime.
func (a api) Reload(ctx context.Context) ([]string, error) { return a.rt.Reload(ctx) }

// Ready reports whether requests are served.
func (a api) Ready() bool { return a.rt.life.ready.Load() }
