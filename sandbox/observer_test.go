package sandbox

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

// TestALossOfDataIsToldAsAnError: an instance that held data is not replaced as
// one of a pool is; both are told at most once a second.
func TestALossOfDataIsToldAsAnError(t *testing.T) {
	for stateful, want := range map[bool]string{
		true:  `level=ERROR msg="instance retired after a fault: what the store held in it is lost" cause=trap error=boom notLogged=0`,
		false: `level=WARN msg="instance retired after a fault" cause=trap error=boom notLogged=0`,
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			drop := func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}
			o := &observer{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: drop})), stateful: stateful}
			o.Retired(engine.CauseTrap, errors.New("boom"))
			require.Equal(t, want+"\n", out.String())
			o.Retired(engine.CauseTrap, errors.New("boom"))
			require.Equal(t, want+"\n", out.String(), "within the second")
			time.Sleep(time.Second)
			o.Retired(engine.CauseTrap, errors.New("boom"))
			require.Contains(t, out.String(), "notLogged=1")
		})
	}
}
