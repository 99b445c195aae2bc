package sandbox

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

// observer logs the rare events of a guest. A guest can be made to fail
// by its callers as often as they like, so that faults are logged at most once
// a second, with the number of those that were not.
type observer struct {
	log      *slog.Logger
	stateful bool // an instance that goes takes data with it

	lost   atomic.Pointer[loss] // the last; nil = none
	losses atomic.Int64

	next   atomic.Int64 // Unix nanoseconds from which the next fault is logged
	silent atomic.Int64 // faults since the last that was logged
}

// loss is what happened to the data of an instance.
type loss struct {
	at     time.Time
	reason string
}

// Retired implements engine.Observer. An instance that could not be set up held
// nothing yet.
func (o *observer) Retired(cause engine.Cause, err error) {
	if err == nil {
		o.log.Debug("instance replaced", "cause", cause.String())
		return
	}
	loses := o.stateful && cause != engine.CauseSetup
	if loses {
		o.losses.Add(1)
		o.lost.Store(&loss{time.Now(), "its instance was given up (" + cause.String() + "); the log has the error"})
	}
	now := time.Now().UnixNano()
	next := o.next.Load()
	if now < next || !o.next.CompareAndSwap(next, now+int64(time.Second)) {
		o.silent.Add(1)
		return
	}
	level, msg := slog.LevelWarn, "instance retired after a fault"
	if loses {
		level, msg = slog.LevelError, "instance retired after a fault: what the store held in it is lost"
	}
	o.log.Log(context.Background(), level, msg, "cause", cause.String(), "error", err, "notLogged", o.silent.Swap(0))
}

// Down implements engine.Observer.
func (o *observer) Down(d time.Duration, failures int, err error) {
	o.log.Error("guest fails repeatedly and is not tried for a while", "retryIn", d, "failures", failures, "error", err)
}

// Up implements engine.Observer.
func (o *observer) Up() { o.log.Info("guest works again") }

// Late implements engine.Observer.
func (o *observer) Late(op string, limit time.Duration) {
	o.log.Warn("the guest's upkeep takes longer than its time limit and goes on, because the instance holds data: "+
		"callers wait for it. It should do less per call and say that more is left",
		"export", op, "limit", limit)
}

// Failed implements engine.Observer.
func (o *observer) Failed(op string, err error) {
	o.log.Warn("the guest's upkeep failed and is tried again later", "export", op, "error", err)
}

// logTo returns a sink for a guest's own log lines.
func logTo(log *slog.Logger) func(level hostfuncs.Level, line string) {
	return func(level hostfuncs.Level, line string) {
		to := slog.LevelError
		switch level {
		case hostfuncs.LevelDebug:
			to = slog.LevelDebug
		case hostfuncs.LevelInfo:
			to = slog.LevelInfo
		case hostfuncs.LevelWarn:
			to = slog.LevelWarn
		}
		log.Log(context.Background(), to, line)
	}
}

// logEnabled is the filter of a guest's log lines; nil lets the runtime's own
// level decide.
func logEnabled(level string) func(hostfuncs.Level) bool {
	least := hostfuncs.LevelDebug
	switch level {
	case "":
		return nil
	case "none":
		return func(hostfuncs.Level) bool { return false }
	case "info":
		least = hostfuncs.LevelInfo
	case "warn":
		least = hostfuncs.LevelWarn
	case "error":
		least = hostfuncs.LevelError
	}
	return func(l hostfuncs.Level) bool { return l >= least }
}
