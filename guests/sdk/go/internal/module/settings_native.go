//go:build !tinygo && !wasip1

package module

import (
	"os"

	"github.com/wasmstate/wasmstate/abi"
)

// Config is an environment variable.
func Config(name string) ([]byte, abi.Code) { return environment("CONFIG_" + name) }

// Secret is an environment variable.
func Secret(name string) ([]byte, abi.Code) { return environment("SECRET_" + name) }

func environment(name string) ([]byte, abi.Code) {
	v, found := os.LookupEnv(name)
	if !found {
		return nil, abi.CodeNotFound
	}
	return []byte(v), abi.CodeOK
}

// Add does nothing.
func Add(string, uint64) abi.Code { return abi.CodeOK }

// Observe does nothing.
func Observe(string, uint64) abi.Code { return abi.CodeOK }
