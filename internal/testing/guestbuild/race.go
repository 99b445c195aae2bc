//go:build race

package guestbuild

// Race says that the race detector is on, with which compiling a module of
// standard Go takes a minute and finds nothing: guests have one thread.
const Race = true
