// Command memory-go is a state store that keeps everything in the instance: a
// map with etags, expiry, transactions, ordered listing and hand-over at a
// reload. It builds with TinyGo and with standard Go.
package main

import (
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
	_ "github.com/wasmstate/wasmstate/guests/sdk/go/optional" // transactions, listing, export, bulk
)

func init() { sdk.Serve(newStore()) }

func main() {}
