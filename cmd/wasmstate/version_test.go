package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuildOf(t *testing.T) {
	info := func(version string, settings ...string) *debug.BuildInfo {
		b := &debug.BuildInfo{Main: debug.Module{Version: version}}
		for i := 0; i < len(settings); i += 2 {
			b.Settings = append(b.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
		}
		return b
	}
	for name, c := range map[string]struct {
		linked string
		info   *debug.BuildInfo
		want   build
	}{
		"nothing":    {"", nil, build{"dev", ""}},
		"devel":      {"", info("(devel)"), build{"dev", ""}},
		"module":     {"", info("v1.2.3"), build{"v1.2.3", ""}},
		"linked":     {"v2.0.0", info("v1.2.3"), build{"v2.0.0", ""}},
		"revision":   {"", info("(devel)", "vcs.revision", "0123456789abcdef", "vcs.modified", "false"), build{"dev", "0123456789ab"}},
		"dirty":      {"", info("(devel)", "vcs.modified", "true", "vcs.revision", "0123"), build{"dev", "0123-dirty"}},
		"dirty only": {"", info("", "vcs.modified", "true"), build{"dev", ""}},
	} {
		require.Equal(t, c.want, buildOf(c.linked, c.info), name)
	}
}

func TestVersion(t *testing.T) {
	code, sub, _ := command(t, "version")
	require.Zero(t, code)
	require.Regexp(t, `^wasmstate \S+ \(.*wasm ABI \d+, go.*/.*\)\n$`, sub)
	code, flag, _ := command(t, "--version")
	require.Zero(t, code)
	require.Equal(t, sub, flag)
}
