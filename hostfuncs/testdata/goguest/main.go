// Command goguest is built by TestGoGuest with GOOS=wasip1 -buildmode=c-shared:
// it uses what the runtime of standard Go asks WASI for.
package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"
)

//go:wasmexport run
func run() int32 {
	fmt.Println("args", len(os.Args), "env", len(os.Environ()))
	fmt.Fprint(os.Stderr, "no newline")
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	if time.Since(start) < 20*time.Millisecond || start.Year() < 2020 {
		return 1
	}
	if _, err := os.ReadFile("/etc/passwd"); err == nil {
		return 2
	}
	if _, err := net.Dial("tcp", "127.0.0.1:1"); err == nil {
		return 3
	}
	if _, err := os.Create("x"); err == nil {
		return 4
	}
	var b [64]byte
	if _, err := rand.Read(b[:]); err != nil || b == [64]byte{} {
		return 5
	}
	runtime.GC()
	runtime.Gosched()
	if n, err := os.Stdin.Read(b[:]); n != 0 || err == nil {
		return 6
	}
	return 0
}

//go:wasmexport leave
func leave() { os.Exit(3) }

//go:wasmexport fall
func fall() { panic("dropped the cup") }

func main() {}
