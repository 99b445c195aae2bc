//go:build tinygo

package module

// collect does nothing: TinyGo collects when it allocates.
func (g *Guest) collect() {}
