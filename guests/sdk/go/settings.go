package sdk

import (
	"math"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/guests/sdk/go/internal/module"
)

// What follows is granted by the operator. A module that uses a function asks
// for its capability: say why in the manifest.

// Config reads a value that the operator has set in the sandbox, as in
// `config: {region: eu}`; capability config. A name that is not set is
// abi.CodeNotFound. Outside of a module it is the environment variable
// CONFIG_name.
func Config(name string) (string, error) {
	v, code := module.Config(name)
	if code != abi.CodeOK {
		return "", abi.NewError(code, "no config value "+name)
	}
	return string(v), nil
}

// Secret reads a secret that the operator has granted in the sandbox, as in
// `secrets: {password: redis-password}`; capability secret. A name that is not
// granted is abi.CodePermission, one that the secret store does not have
// abi.CodeNotFound. The bytes are the caller's: clear them as soon as possible.
// Outside of a module it is the environment variable SECRET_name.
func Secret(name string) ([]byte, error) {
	v, code := module.Secret(name)
	if code != abi.CodeOK {
		return nil, abi.NewError(code, "no secret "+name)
	}
	return v, nil
}

// Count adds n to the component's counter with that name, `[a-z][a-z0-9_]*`;
// capability metric. The error of a name that cannot be used as a counter is
// abi.CodeInvalidArgument, of the 65th name abi.CodeQuota. Outside of a module
// it does nothing.
func Count(name string, n uint64) error { return metric(module.Add(name, n), name) }

// Observe adds an observation to the component's histogram with that name, by
// the rules of [Count]. NaN and infinities are abi.CodeInvalidArgument.
func Observe(name string, value float64) error {
	return metric(module.Observe(name, math.Float64bits(value)), name)
}

func metric(code abi.Code, name string) error {
	if code == abi.CodeOK {
		return nil
	}
	return abi.NewError(code, "metric "+name)
}
