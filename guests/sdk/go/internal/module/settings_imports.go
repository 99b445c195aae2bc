//go:build tinygo || wasip1

package module

import (
	"unsafe"

	"github.com/wasmstate/wasmstate/abi"
)

//go:wasmimport wasmstate_config get
func hostConfig(name unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_secret get
func hostSecret(name unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_metric add
func hostAdd(name unsafe.Pointer, n uint32, value uint64) uint64

//go:wasmimport wasmstate_metric observe
func hostObserve(name unsafe.Pointer, n uint32, bits uint64) uint64

// Config is a value that the operator has granted.
func Config(name string) ([]byte, abi.Code) {
	return fetch(func(out unsafe.Pointer, max uint32) uint64 {
		return hostConfig(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), out, max)
	})
}

// Secret is a secret that the operator has granted.
func Secret(name string) ([]byte, abi.Code) {
	return fetch(func(out unsafe.Pointer, max uint32) uint64 {
		return hostSecret(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), out, max)
	})
}

// fetch asks for the length of a value and then for the value, again if it has
// grown meanwhile.
func fetch(get func(out unsafe.Pointer, max uint32) uint64) ([]byte, abi.Code) {
	var b []byte
	for {
		code, n := abi.Unpack(get(unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))))
		if code != abi.CodeOK {
			return nil, code
		}
		if uint64(n) <= uint64(len(b)) {
			return b[:n], abi.CodeOK
		}
		b = make([]byte, n)
	}
}

// Add adds to a counter.
func Add(name string, n uint64) abi.Code {
	code, _ := abi.Unpack(hostAdd(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), n))
	return code
}

// Observe adds an observation, the bits of a float64, to a histogram.
func Observe(name string, bits uint64) abi.Code {
	code, _ := abi.Unpack(hostObserve(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), bits))
	return code
}
