// Command respstore is a state store on a Redis server, which it reaches
// through the connections of the host. It builds with TinyGo and with standard
// Go.
package main

import (
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
	_ "github.com/wasmstate/wasmstate/guests/sdk/go/optional" // transactions, bulk
)

func init() { sdk.Serve(&store{}) }

func main() {}
