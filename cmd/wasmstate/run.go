package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

// runFlags are the flags of `wasmstate run`.
type runFlags struct {
	paths, resources                           []string
	appID, namespace                           string
	listen                                     string
	httpPort, grpcPort, metricsPort, adminPort int
	keepGoing                                  bool
	logLevel, logFormat                        string
	maxBody                                    int64
	origins                                    []string
	readiness                                  string
	removalGrace, drainDelay                   time.Duration
	limits                                     limitFlags
	cacheDir                                   string
}

func runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run --components-path FOLDER",
		Short: "Serve the components of a folder",
		Long: `Serve the state components of one or more folders over HTTP, and follow every
change of their files without failing a request.

Components come from .yaml and .yml files; a .wasm file in a folder registers
the store type state.<its name>. At the start an error in any of them ends the
command with a list of all (see --keep-going); after the start nothing in a
file does. SIGHUP reads the files again, SIGTERM and SIGINT finish the requests
in progress and end; a second one ends at once.

Environment: DAPR_API_TOKEN asks clients for a token; NAMESPACE is the default
of --namespace.`,
		Example: "  wasmstate run --components-path ./components",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd, &f)
		},
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.paths, "components-path", nil, "folder of component files and modules, or one such file; repeatable")
	fl.StringArrayVar(&f.resources, "resources-path", nil, "the same by Dapr's name; both add up")
	fl.StringVar(&f.appID, "app-id", "wasmstate", "id of the application: scopes, and the prefix of its keys")
	fl.StringVar(&f.namespace, "namespace", os.Getenv("NAMESPACE"), "namespace of the application")
	fl.StringVar(&f.listen, "listen-address", "127.0.0.1", "address that HTTP and metrics listen on")
	fl.IntVar(&f.httpPort, "http-port", 3500, "port of the state API; 0 = a free one, -1 = off")
	fl.IntVar(&f.grpcPort, "grpc-port", 50001, "reserved: the gRPC API is not part of this version")
	fl.IntVar(&f.metricsPort, "metrics-port", 9090, "port of the Prometheus metrics; 0 = a free one, -1 = off")
	fl.IntVar(&f.adminPort, "admin-port", 3502, "port of the admin API, always on 127.0.0.1; 0 = a free one, -1 = off")
	fl.BoolVar(&f.keepGoing, "keep-going", false, "start with the components that are good and go on trying the rest")
	fl.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	fl.StringVar(&f.logFormat, "log-format", "text", "text or json")
	fl.Int64Var(&f.maxBody, "max-body-size", 4<<20, "largest request body in bytes")
	fl.StringSliceVar(&f.origins, "allowed-origins", nil, "origins of web pages that may use the state API, such as https://app.example.com; * = all")
	fl.StringVar(&f.readiness, "readiness", "all", "what must serve for /v1.0/healthz/outbound: all components without ignoreErrors, any one, or the server alone")
	fl.DurationVar(&f.removalGrace, "removal-grace", 3*time.Second, "how long a component's file must be missing before the component goes; 0 = none")
	fl.DurationVar(&f.drainDelay, "drain-delay", 0, "how long requests are still taken after SIGTERM while the health routes say not ready")
	f.limits.add(cmd)
	fl.StringVar(&f.cacheDir, "cache-dir", defaultCacheDir(), "folder of compiled modules, private to this user, or one in which such a folder is made; empty = in memory only")
	return cmd
}

func serve(cmd *cobra.Command, f *runFlags) error {
	f.paths = append(f.paths, f.resources...)
	if len(f.paths) == 0 {
		return usageError{errors.New("--components-path is missing: the folder of the component files")}
	}
	log, err := newLogger(cmd.ErrOrStderr(), f.logLevel, f.logFormat)
	if err != nil {
		return usageError{err}
	}
	defer func() { _ = log.Sync() }()
	cfg := runtime.Config{
		ComponentsPaths: f.paths, AppID: f.appID, Namespace: f.namespace, KeepGoing: f.keepGoing,
		APIToken: os.Getenv("DAPR_API_TOKEN"), MaxBodySize: f.maxBody,
		Lookup: os.LookupEnv, Version: thisBuild().version, Revision: thisBuild().revision, AllowedOrigins: f.origins, Readiness: f.readiness, RemovalGrace: f.removalGrace, DrainDelay: f.drainDelay,
	}
	if f.removalGrace <= 0 {
		cfg.RemovalGrace = -1
	}
	if cfg.Limits, err = f.limits.limits(); err != nil {
		return usageError{err}
	}
	for _, a := range []struct {
		to   *string
		host string
		port int
		flag string
	}{
		{&cfg.HTTPAddr, f.listen, f.httpPort, "http-port"},
		{&cfg.MetricsAddr, f.listen, f.metricsPort, "metrics-port"},
		{&cfg.AdminAddr, "127.0.0.1", f.adminPort, "admin-port"},
	} {
		switch {
		case a.port < -1 || a.port > 65535:
			return usageError{fmt.Errorf("--%s %d is not a port: use 1 to 65535, 0 for a free one, -1 for none", a.flag, a.port)}
		case a.port >= 0:
			*a.to = net.JoinHostPort(a.host, strconv.Itoa(a.port))
		}
	}
	if cmd.Flags().Changed("grpc-port") {
		log.Warn("the gRPC API is not part of this version; --grpc-port has no effect")
	}
	if !loopback(f.listen) && cfg.APIToken == "" && f.httpPort >= 0 {
		log.Warn("everyone who reaches --listen-address may read and write all state; set DAPR_API_TOKEN", zap.String("address", f.listen))
	}
	if cfg.CacheDir, err = usableCacheDir(f.cacheDir, cmd.Flags().Changed("cache-dir"), log); err != nil {
		return err
	}
	rt, err := runtime.New(cfg, runtime.WithStates(all.States()...), runtime.WithLogger(log))
	if err != nil {
		return err
	}
	stop := reloadOnHangup(cmd.Context(), rt, log)
	defer stop()
	told := make(chan struct{})
	silence := context.AfterFunc(cmd.Context(), func() {
		defer close(told)
		log.Info("stopping: finishing the requests in progress, at most 30 s; a second signal ends at once")
	})
	err = rt.Run(cmd.Context())
	if !silence() {
		<-told
	}
	if err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// loopback reports whether only this machine reaches an address: a host name or
// IP address, "" for all.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reloadOnHangup reads the files again at each SIGHUP until stop.
func reloadOnHangup(ctx context.Context, rt *runtime.Runtime, log *zap.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				problems, err := rt.Reload(ctx)
				log.Info("reloaded on SIGHUP", zap.Int("problems", len(problems)), zap.Error(err))
			}
		}
	}()
	return func() {
		signal.Stop(hangup)
		cancel()
		<-done
	}
}

// newLogger returns a logger that writes to a stream.
func newLogger(to io.Writer, level, format string) (*zap.Logger, error) {
	lvl, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn and error", level)
	}
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.ISO8601TimeEncoder
	cfg.EncodeDuration = zapcore.StringDurationEncoder // with the unit
	var enc zapcore.Encoder
	switch format {
	case "json":
		enc = zapcore.NewJSONEncoder(cfg)
	case "text":
		cfg.EncodeLevel = zapcore.CapitalLevelEncoder
		enc = zapcore.NewConsoleEncoder(cfg)
	default:
		return nil, fmt.Errorf("--log-format %q is neither text nor json", format)
	}
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(to)), lvl)), nil
}
