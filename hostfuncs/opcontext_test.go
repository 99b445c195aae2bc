package hostfuncs

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOpContextEndsAsItsCaller: back ends are told a missed deadline from a
// caller who left, whichever timer is first.
func TestOpContextEndsAsItsCaller(t *testing.T) {
	for _, tc := range []struct {
		name          string
		caller, limit time.Duration // 0 = none
		leaves        time.Duration // 0 = stays
		want          error
		atLeast       time.Duration
	}{
		{name: "both at once", caller: time.Second, limit: time.Second, want: context.DeadlineExceeded, atLeast: time.Second},
		{name: "caller first", caller: time.Second, limit: time.Minute, want: context.DeadlineExceeded, atLeast: time.Second},
		{name: "limit first", caller: time.Minute, limit: time.Second, want: context.DeadlineExceeded, atLeast: time.Second},
		{name: "limit alone", limit: time.Second, want: context.DeadlineExceeded, atLeast: time.Second},
		{name: "caller alone", caller: time.Second, want: context.DeadlineExceeded, atLeast: time.Second},
		{name: "caller leaves", caller: time.Minute, limit: time.Hour, leaves: time.Second, want: context.Canceled, atLeast: time.Second},
		{name: "caller without deadline leaves", limit: time.Hour, leaves: time.Second, want: context.Canceled, atLeast: time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, leave := context.WithCancel(context.Background())
				defer leave()
				if tc.caller > 0 {
					var cancel context.CancelFunc
					parent, cancel = context.WithTimeout(parent, tc.caller)
					defer cancel()
				}
				var deadline time.Time
				if tc.limit > 0 {
					deadline = time.Now().Add(tc.limit)
				}
				if tc.leaves > 0 {
					time.AfterFunc(tc.leaves, leave)
				}
				var c opContext
				c.begin(parent, deadline)
				derived, cancel := context.WithCancel(&c)
				defer cancel()
				from := time.Now()
				<-derived.Done()
				require.Equal(t, tc.atLeast, time.Since(from))
				require.Equal(t, tc.want, derived.Err())
				require.Equal(t, tc.want, c.Err())
				require.True(t, c.end())
			})
		})
	}
}
