package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap/exp/zapslog"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/sandbox"
)

// moduleFlags are what the author commands that run a module have in common.
type moduleFlags struct {
	set     []string
	grant   []string
	memory  string
	timeout time.Duration
	debug   bool
	level   string
	logTo   io.Writer // nil = the command's error stream
}

func (f *moduleFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.set, "set", nil, "a metadata property of the component, as name=value; repeatable")
	fl.StringArrayVar(&f.grant, "grant", nil, grantUsage())
	fl.StringVar(&f.memory, "memory", "", "cap of the guest's memory, such as 32MiB; empty = what the runtime would give")
	fl.DurationVar(&f.timeout, "timeout", 0, "time limit of one operation; 0 = what the runtime would give")
	fl.StringVar(&f.level, "log-level", "warn", "which log lines are shown, the guest's own included: debug, info, warn or error")
	fl.BoolVar(&f.debug, "debug", false, "run without fuel and keep line numbers in traps")
}

// tool is a module that was read, with what it takes to open stores of it.
type tool struct {
	modules *sandbox.Sandbox
	module  *sandbox.Module
	info    *sandbox.Info
	cfg     sandbox.Config
	md      abi.Metadata
	grants  grants
}

// readModule reads a .wasm file; a name that is something else is a clear error.
func readModule(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file", path)
	case err != nil:
		return nil, err
	}
	return b, nil
}

func (f *moduleFlags) open(cmd *cobra.Command, path string) (*tool, error) {
	wasm, err := readModule(path)
	if err != nil {
		return nil, err
	}
	t := &tool{}
	name := strings.TrimSuffix(filepath.Base(path), ".wasm")
	t.md = abi.Metadata{Name: name, Properties: map[string]string{}}
	for _, pair := range f.set {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return nil, usageError{fmt.Errorf("--set %q is not name=value", pair)}
		}
		t.md.Properties[k] = v
	}
	to := f.logTo
	if to == nil {
		to = cmd.ErrOrStderr()
	}
	log, err := newLogger(to, f.level, "text")
	if err != nil {
		return nil, usageError{err}
	}
	t.cfg = sandbox.Config{Component: name, Logger: slog.New(zapslog.NewHandler(log.Core(), zapslog.WithCaller(false), zapslog.AddStacktraceAt(slog.LevelError+1))).With("component", name), Settings: sandbox.Settings{Timeout: f.timeout, Debug: f.debug}}
	if f.memory != "" {
		if t.cfg.Memory, err = sizeFlag("memory", f.memory); err != nil {
			return nil, usageError{err}
		}
	}
	if err := t.grants.apply(cmd.Context(), f.grant, &t.cfg.Host); err != nil {
		t.grants.close()
		return nil, err
	}
	cache, err := usableCacheDir(defaultCacheDir(), false, log)
	if err != nil {
		return nil, err
	}
	if t.modules, err = sandbox.New(sandbox.Options{CacheDir: cache}); err != nil {
		return nil, err
	}
	if t.module, err = t.modules.Parse(wasm, nil); err != nil {
		t.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t.info = t.module.Info()
	return t, nil
}

// store opens and initialises a store of the module.
func (t *tool) store(ctx context.Context) (abi.Store, error) {
	s, err := t.module.Open(ctx, t.cfg)
	if err != nil {
		return nil, err
	}
	if err := s.Init(ctx, t.md); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("init: %w", err)
	}
	return s, nil
}

func (t *tool) close() {
	_ = t.modules.Close()
	t.grants.close()
}

// sizeFlag reads the value of a flag that is a size, not zero.
func sizeFlag(flag, value string) (int64, error) {
	n, ok := text.ParseSize(value)
	if !ok || n == 0 {
		return 0, fmt.Errorf("--%s %q is not a size such as 512KiB or 32MiB", flag, value)
	}
	return n, nil
}
