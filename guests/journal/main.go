// Command journal is a state store that forgets nothing: every write of a key
// is a version in a kv bucket, the etag is the version's number, and a delete
// is a version, too. It builds with TinyGo and with standard Go.
package main

import (
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
	_ "github.com/wasmstate/wasmstate/guests/sdk/go/optional" // transactions, listing, bulk
)

func init() { sdk.Serve(&store{}) }

func main() {}
