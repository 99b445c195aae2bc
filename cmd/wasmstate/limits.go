package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/runtime"
)

// limitFlags are the flags that bound what clients take of a server.
type limitFlags struct {
	items, bulkKeys, connections, streams int
	answer, inFlight, rate                string
	queue, grace                          time.Duration
}

func (f *limitFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.IntVar(&f.items, "max-items", 10_000, "items of one save or transaction")
	fl.IntVar(&f.bulkKeys, "max-bulk-keys", 5_000, "keys of one bulk get")
	fl.StringVar(&f.answer, "max-answer-size", "64MiB", "bytes of values in one answer")
	fl.StringVar(&f.inFlight, "max-in-flight", "512MiB", "bytes of all bodies and answers together; late-comers wait")
	fl.DurationVar(&f.queue, "max-queue-time", 5*time.Second, "how long a request waits for its share of --max-in-flight")
	fl.IntVar(&f.connections, "max-connections", 4096, "connections of one server at once")
	fl.IntVar(&f.streams, "max-streams", 128, "streams of one HTTP/2 connection")
	fl.StringVar(&f.rate, "min-rate", "1KiB", "bytes per second that a body or an answer must move at")
	fl.DurationVar(&f.grace, "min-rate-grace", 5*time.Second, "how long a body or an answer may stand still")
}

// limits are the flags as the runtime takes them.
func (f *limitFlags) limits() (runtime.Limits, error) {
	l := runtime.Limits{
		Items: f.items, BulkKeys: f.bulkKeys, QueueTime: f.queue, Connections: f.connections, Streams: f.streams, PaceGrace: f.grace,
	}
	for _, s := range []struct {
		flag, text string
		to         *int64
	}{{"max-answer-size", f.answer, &l.AnswerBytes}, {"max-in-flight", f.inFlight, &l.InFlightBytes}, {"min-rate", f.rate, &l.PaceRate}} {
		n, err := sizeFlag(s.flag, s.text)
		if err != nil {
			return l, err
		}
		*s.to = n
	}
	for flag, n := range map[string]int{"max-items": f.items, "max-bulk-keys": f.bulkKeys, "max-connections": f.connections, "max-streams": f.streams} {
		if n <= 0 {
			return l, fmt.Errorf("--%s %d is not positive", flag, n)
		}
	}
	return l, nil
}
