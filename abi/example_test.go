package abi_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// A store reads its properties with the accessors: names in any case, the
// first of several names that is there, and a default.
func ExampleMetadata() {
	md := abi.Metadata{Name: "orders", Properties: map[string]string{
		"host": "db.internal", "maxConns": "8", "timeout": "1500ms", "retries": "many",
	}}
	host := md.String("localhost", "Host", "address")
	conns, _ := md.Int(4, "maxConns")
	timeout, _ := md.Duration(time.Second, "timeout")
	tls, _ := md.Bool(true, "tls")
	fmt.Println(host, conns, timeout, tls)

	_, err := md.Int(3, "retries")
	fmt.Println(err != nil)
	// Output:
	// db.internal 8 1.5s true
	// true
}

// An error carries a code across every layer that wraps it.
func ExampleNewError() {
	err := fmt.Errorf("saving: %w", abi.NewError(abi.CodeUnavailable, "the server closed the connection"))
	fmt.Println(abi.CodeOf(err) == abi.CodeUnavailable)
	fmt.Println(abi.CodeOf(errors.New("anything else")) == abi.CodeInternal)
	fmt.Println(abi.CodeOf(context.Canceled) == abi.CodeCancelled)
	// Output:
	// true
	// true
	// true
}

func ExampleFeatures() {
	f := abi.FeatureETag | abi.FeatureTTL
	fmt.Println(f, f.Has(abi.FeatureETag), f.Has(abi.FeatureTransactional))
	// Output: ETAG,TTL true false
}
