package wasmstate

import "embed"

// Sources are the contract and the SDKs, at their places in the repository.
// `wasmstate new` copies them beside a new store, so that it builds without a
// network.
//
//go:embed abi/*.go abi/storetest/*.go guests/sdk/c/*.c guests/sdk/c/*.h guests/sdk/go
//go:embed guests/sdk/assemblyscript/package.json guests/sdk/assemblyscript/assembly
//go:embed guests/sdk/rust/Cargo.toml guests/sdk/rust/build.sh guests/sdk/rust/src LICENSE
var Sources embed.FS
