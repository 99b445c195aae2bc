package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/text"
)

// grantKinds are the forms of --grant. In a component file the sandbox item
// says the same, with stores and secrets that are really there.
var grantKinds = []struct{ name, form string }{
	{"kv", "kv:LABEL, a bucket over a fresh in-memory store"},
	{"http", "http:[METHODS ]SCHEME://HOST[:PORT][/PATH]"},
	{"tcp", "tcp:HOST:PORT"},
	{"network", "network:CIDR, a private range that http and tcp may reach"},
	{"secret", "secret:NAME=VALUE"},
	{"config", "config:NAME=VALUE"},
	{"metric", "metric"},
}

// grants gives a module what the flags say, and closes what it took.
type grants struct {
	secrets map[string]string
	stores  []abi.Store
}

func grantUsage() string {
	forms := make([]string, len(grantKinds))
	for i, k := range grantKinds {
		forms[i] = k.form
	}
	return "what the module may use; repeatable: " + strings.Join(forms, "; ")
}

func (g *grants) apply(ctx context.Context, flags []string, host *hostfuncs.Config) error {
	for _, flag := range flags {
		if err := g.one(ctx, flag, host); err != nil {
			return usageError{fmt.Errorf("--grant %q: %w", flag, err)}
		}
	}
	return nil
}

func (g *grants) one(ctx context.Context, flag string, host *hostfuncs.Config) (err error) {
	kind, value, _ := strings.Cut(flag, ":")
	name, text, pair := strings.Cut(value, "=")
	switch {
	case kind == "metric" && value == "":
		host.Metrics = noMetrics{}
		return nil
	case value == "" || (kind == "secret" || kind == "config") && (!pair || name == ""):
		return fmt.Errorf("want %s", g.form(kind))
	}
	switch kind {
	case "kv":
		return g.bucket(ctx, value, host)
	case "http":
		_, err = hostfuncs.ParseHTTPRule(value)
		host.HTTP = append(host.HTTP, value)
	case "tcp":
		_, err = hostfuncs.ParseTCPRule(value)
		host.TCP = append(host.TCP, value)
	case "network":
		var prefix netip.Prefix
		prefix, err = netip.ParsePrefix(value)
		host.Networks = append(host.Networks, prefix)
	case "secret":
		if g.secrets == nil {
			g.secrets = map[string]string{}
			host.Secrets = g.secret
		}
		g.secrets[name] = text
		host.Redact = append(host.Redact, text)
	case "config":
		if host.Config == nil {
			host.Config = map[string]string{}
		}
		host.Config[name] = text
	default:
		return fmt.Errorf("want %s", g.form(kind))
	}
	return err
}

// form is what to write for a kind, or for the kind that was meant.
func (g *grants) form(kind string) string {
	names := make([]string, len(grantKinds))
	for i, k := range grantKinds {
		names[i] = k.name
	}
	nearest := text.Nearest(kind, names)
	for _, k := range grantKinds {
		if k.name == nearest {
			return k.form
		}
	}
	return "one of " + strings.Join(names, ", ")
}

// bucket binds a label to a store of its own.
func (g *grants) bucket(ctx context.Context, label string, host *hostfuncs.Config) error {
	s, err := inMemory(ctx)
	if err != nil {
		return err
	}
	g.stores = append(g.stores, s)
	kv, ok := s.(hostfuncs.KV)
	if !ok {
		return fmt.Errorf("the in-memory store cannot hold a bucket")
	}
	if host.KV == nil {
		host.KV = map[string]hostfuncs.KV{}
	}
	host.KV[label] = kv
	return nil
}

func (g *grants) secret(_ context.Context, name string) (string, error) {
	v, ok := g.secrets[name]
	if !ok {
		return "", abi.NewError(abi.CodePermission, "--grant secret:"+name+"=VALUE is missing")
	}
	return v, nil
}

func (g *grants) close() {
	for _, s := range g.stores {
		_ = s.Close()
	}
}

// noMetrics takes every metric and keeps none.
type noMetrics struct{}

func (noMetrics) Count(string, string, float64) bool   { return true }
func (noMetrics) Observe(string, string, float64) bool { return true }
