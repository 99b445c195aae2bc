package runtime

import (
	"context"

	"github.com/wasmstate/wasmstate/runtime/internal/admin"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/httpapi"
	"github.com/wasmstate/wasmstate/runtime/internal/serve"
	"github.com/wasmstate/wasmstate/runtime/internal/stateapi"
)

// serverList is every server that the configuration names: one more is one more
// entry.
func (rt *Runtime) serverList() []serve.Server {
	cfg := &rt.cfg
	l := serve.Limits{Connections: cfg.Limits.Connections, Streams: cfg.Limits.Streams}
	api := stateapi.New(rt.view(), stateapi.Config{
		AppID: cfg.AppID, Version: cfg.Version, Readiness: stateapi.Readiness(cfg.Readiness), Ready: rt.life.ready.Load,
		Limits: stateapi.Limits{
			Body: cfg.MaxBodySize, Items: cfg.Limits.Items, BulkKeys: cfg.Limits.BulkKeys, Answer: cfg.Limits.AnswerBytes,
			InFlight: cfg.Limits.InFlightBytes, QueueTime: cfg.Limits.QueueTime,
		},
	})
	guard := stateapi.Guard{Token: cfg.APIToken, Origins: cfg.AllowedOrigins, Loopback: stateapi.IsLoopback(cfg.HTTPAddr)}
	private := stateapi.Guard{Token: cfg.APIToken, Loopback: true, Always: true}
	state := httpapi.New(api, httpapi.Config{Guard: guard, Pace: httpapi.Pace{Grace: cfg.Limits.PaceGrace, Rate: cfg.Limits.PaceRate}, Logger: rt.log})
	adminServer := serve.HTTP("admin", cfg.AdminAddr, admin.New(rt.view(), admin.Config{Guard: private, Version: cfg.Version, AppID: cfg.AppID, Logger: rt.log}), l, rt.log)
	adminServer.Check = serve.OnlyLoopback
	return []serve.Server{
		serve.HTTP("http", cfg.HTTPAddr, state, l, rt.log),
		serve.HTTP("metrics", cfg.MetricsAddr, rt.metrics.Handler(), l, rt.log),
		adminServer,
	}
}

// view is what the servers see of a runtime, and no more.
type view struct {
	*component.Set
	rt *Runtime
}

func (rt *Runtime) view() view { return view{rt.set, rt} }

// Status lists the components that only broken documents name, too.
func (v view) Status() []Status { return v.rt.Status() }

// Problems lists what is wrong with the component files at the moment.
func (v view) Problems() []string { return v.rt.loader.Problems() }

// Reload implements admin.Runtime.
func (v view) Reload(ctx context.Context) ([]string, error) { return v.rt.Reload(ctx) }

// Ready reports whether requests are served.
func (v view) Ready() bool { return v.rt.life.ready.Load() }
