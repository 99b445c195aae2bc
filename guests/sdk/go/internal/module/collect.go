//go:build !tinygo

package module

import "runtime"

// collect lets the collector of standard Go work, which starves in a module:
// its goroutines run only while an export does. A whole collection is forced
// when as much has been moved as a collection is worth.
func (g *Guest) collect() {
	runtime.Gosched()
	if g.moved < max(4<<20, g.live/2) {
		return
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	g.moved, g.live = 0, m.HeapAlloc
}
