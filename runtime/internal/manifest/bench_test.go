package manifest_test

import (
	"fmt"
	"testing"

	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// BenchmarkLoad reads a folder of 100 ordinary component files, which is what
// every file event costs.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	for i := range 100 {
		text := doc(fmt.Sprintf("c%d", i), "state.redis", "  version: v1", "  metadata:",
			"  - name: redisHost", "    value: localhost:6379", "  - name: redisDB", "    value: 0",
			"  - name: redisPassword", "    secretKeyRef: {name: redis, key: password}", "auth: {secretStore: vault}")
		write(b, dir, fmt.Sprintf("%d.yaml", i), text)
	}
	b.ReportAllocs()
	for b.Loop() {
		if res := manifest.Load([]string{dir}, manifest.Options{}); len(res.Components) != 100 {
			b.Fatal(res.Problems)
		}
	}
}
