package component

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// losing is a store that can lose its data.
type losing struct {
	*fake
	at atomic.Pointer[time.Time]
}

func (l *losing) LostData() (time.Time, string) {
	if at := l.at.Load(); at != nil {
		return *at, "its instance trapped"
	}
	return time.Time{}, ""
}

// TestALossIsShownUntilItIsAcknowledged, by whatever serves meanwhile.
func TestALossIsShownUntilItIsAcknowledged(t *testing.T) {
	s := start(t, Config{})
	var serves *losing
	put := func(digest string) {
		serves = &losing{fake: newFake()}
		now := serves
		sp := spec("orders", digest, nil)
		sp.Create = func(context.Context) (abi.Store, error) { return now, nil }
		s.Apply(sp)
		settle(t, s)
	}
	lose := func(second int) {
		at := time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC)
		serves.at.Store(&at)
	}
	put("1")
	require.Equal(t, handle.StateReady, statusOf(t, s, "orders").State)
	require.ErrorIs(t, s.Acknowledge("orders"), abi.ErrInvalidArgument)
	var nf *handle.NotFoundError
	require.ErrorAs(t, s.Acknowledge("order"), &nf)
	require.Equal(t, "orders", nf.Near)

	lose(5)
	got := statusOf(t, s, "orders")
	require.Equal(t, handle.StateDegraded, got.State)
	require.Contains(t, got.Reason, "lost its data at 2026-01-02T03:04:05Z: its instance trapped")
	put("2") // the next version knows nothing of it
	require.Contains(t, statusOf(t, s, "orders").Reason, "03:04:05Z")
	require.NoError(t, s.Acknowledge("orders"))
	require.Equal(t, handle.StateReady, statusOf(t, s, "orders").State)
	require.Empty(t, statusOf(t, s, "orders").Reason)
	require.ErrorIs(t, s.Acknowledge("orders"), abi.ErrInvalidArgument, "once")

	lose(6)
	require.Contains(t, statusOf(t, s, "orders").Reason, "03:04:06Z", "another one")
}
