// Package storetest is the conformance suite of the store contract, package
// abi. Built-in stores, wasm modules and stores of embedders run the same
// rules:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) abi.Store {
//			s := mystore.New()
//			if err := s.Init(t.Context(), abi.Metadata{Name: "test"}); err != nil {
//				t.Fatal(err)
//			}
//			return s
//		}, storetest.Options{})
//	}
//
// [Run] is for Go tests, [Check] for programs such as `wasmstate check`; both
// walk the same table, [Rules]. Every rule has an id that abi/SPEC.md cites.
//
// What a store declares is held against what it does, both ways: a declared
// feature must follow its rules, and a feature that works without being
// declared fails too.
//
// Every rule works on keys below a random prefix, so the suite may run against
// a backend that holds other data. Rules about expiry wait one second for real
// and run in parallel.
package storetest
