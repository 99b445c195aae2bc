package main

import (
	"cmp"
	"fmt"
	goruntime "runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/abi"
)

// version is set by release builds with -ldflags "-X main.version=…".
var version string //nolint:gochecknoglobals // the linker can set variables only

func versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(cmd.OutOrStdout(), "wasmstate %s\n", thisBuild())
			return nil
		},
	}
}

// build is what a binary was built from.
type build struct {
	version  string // of the module, or "dev"
	revision string // of the source, with -dirty if it had changes; "" if it is not known
}

// thisBuild is that of this binary.
func thisBuild() build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(version, info)
}

// buildOf takes the version that was linked in, else what Go noted in the
// binary; info may be nil.
func buildOf(linked string, info *debug.BuildInfo) build {
	b := build{version: linked}
	if info != nil {
		if v := info.Main.Version; v != "(devel)" {
			b.version = cmp.Or(b.version, v)
		}
		dirty := false
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.revision = s.Value[:min(len(s.Value), 12)]
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
		if dirty && b.revision != "" {
			b.revision += "-dirty"
		}
	}
	b.version = cmp.Or(b.version, "dev")
	return b
}

// String is the version with what a report of a fault must tell.
func (b build) String() string {
	text := b.version + " ("
	if b.revision != "" {
		text += "revision " + b.revision + ", "
	}
	return text + fmt.Sprintf("wasm ABI %d, %s %s/%s)", abi.Version, goruntime.Version(), goruntime.GOOS, goruntime.GOARCH)
}
