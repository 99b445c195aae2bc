// Package bench compares wasmstate with other systems in the same run. It is a
// module of its own so that those systems never become dependencies.
//
//	make bench            everything
//	go test -bench Get    one measure
//
// Figures are ratios between benchmarks of one run on one machine; absolute
// times of different runs do not compare.
package bench
