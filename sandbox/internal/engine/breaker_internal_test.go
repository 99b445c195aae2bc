package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errTest = errors.New("fault")

// Failures that overlap are one: only what began after the last that counted
// counts again.
func TestOverlappingFailuresCountOnce(t *testing.T) {
	for _, how := range []severity{severe, input, expensive} {
		var b breaker
		now := time.Now()
		var burst []ticket
		for range 30 {
			burst = append(burst, b.ticket())
		}
		for _, tk := range burst {
			require.Zero(t, b.fail(tk, now, how, 0, errTest))
		}
		require.Equal(t, 1, b.failures)
		require.True(t, b.closed())
	}
}

// While the breaker is open nothing but the probe counts: neither failures nor
// successes of what began before, and nobody else's end ends the probe.
func TestOnlyTheProbeCountsWhileOpen(t *testing.T) {
	var b breaker
	now := time.Now()
	old := b.ticket()
	for range breakAfter - 1 {
		require.Zero(t, b.fail(b.ticket(), now, severe, 0, errTest))
	}
	late := b.ticket()
	require.Equal(t, backoffMin, b.fail(b.ticket(), now, severe, 0, errTest))
	for _, tk := range []ticket{old, late} {
		require.Zero(t, b.fail(tk, now, severe, 0, errTest))
		require.False(t, b.succeed(tk))
		require.True(t, b.open)
	}
	_, wait, ok := b.allow(now)
	require.False(t, ok)
	require.Equal(t, backoffMin, wait)
	now = now.Add(backoffMin)
	probe, _, ok := b.allow(now)
	require.True(t, ok)
	b.skip(late)
	_, _, ok = b.allow(now)
	require.False(t, ok, "one probe at a time")
	require.Equal(t, 2*backoffMin, b.fail(probe, now, severe, 0, errTest))
	now = now.Add(2 * backoffMin)
	probe, _, ok = b.allow(now)
	require.True(t, ok)
	b.skip(probe)
	probe, _, ok = b.allow(now)
	require.True(t, ok, "the caller of the last one left")
	require.True(t, b.succeed(probe))
	require.True(t, b.closed())
}

func TestBackOffIsBounded(t *testing.T) {
	var b breaker
	now := time.Now()
	var d time.Duration
	for range 40 {
		tk := b.ticket()
		if !b.closed() {
			now = now.Add(d)
			tk, _, _ = b.allow(now)
		}
		if next := b.fail(tk, now, severe, 0, errTest); next > 0 {
			require.GreaterOrEqual(t, next, d)
			d = next
		}
	}
	require.Equal(t, backoffMax, d)
}

// What one input can cause opens nothing: callers pass one by one, those who
// would wait too long are turned away, and a good operation ends it.
func TestInputsSlowThePoolDown(t *testing.T) {
	for how, faults := range map[severity]int{input: slowAfter, expensive: slowAfter / slowExpense} {
		var b breaker
		now := time.Now()
		for range faults - 1 {
			require.Zero(t, b.fail(b.ticket(), now, how, time.Millisecond, errTest))
		}
		early := b.ticket()
		require.Equal(t, paceMin, b.fail(b.ticket(), now, how, time.Millisecond, errTest))
		require.True(t, b.slow)
		require.False(t, b.open)
		var last time.Duration
		n := 0
		for {
			wait, ok := b.queue(now)
			if !ok {
				break
			}
			require.Greater(t, wait, last)
			last = wait
			n++
		}
		require.Equal(t, int(slowQueue/paceMin), n)
		select {
		case <-b.gate:
			t.Fatal("nobody may look again yet")
		default:
		}
		gate := b.gate
		for range n {
			b.unqueue(gate, now) // who leaves makes place
		}
		_, ok := b.queue(now)
		require.True(t, ok)
		require.True(t, b.succeed(early), "any good operation counts")
		<-gate
		require.True(t, b.closed())
	}
}

// The pace follows what a fault costs: cheap ones take a tenth of a processor
// at most, and none more than one.
func TestPace(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: paceMin, 5 * time.Millisecond: 50 * time.Millisecond, 50 * time.Millisecond: paceMax, 5 * time.Second: 5 * time.Second,
	} {
		var b breaker
		for range slowAfter {
			b.fail(b.ticket(), time.Now(), input, took, errTest)
		}
		require.Equal(t, want, b.pace)
	}
}
