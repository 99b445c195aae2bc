package tcp

import "time"

// Options are for [Dial]. The zero value is plain TCP.
type Options struct {
	TLS     bool          // TLS 1.2 or later, with the server's name verified by the host
	Timeout time.Duration // for connecting, rounded up to milliseconds; 0 = the rest of the operation
}
