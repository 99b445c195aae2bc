package manifest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOperatorsCanReadOfEverything: the page for operators names every item
// that the runtime reads itself.
func TestOperatorsCanReadOfEverything(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operating.md")
	require.NoError(t, err)
	for _, name := range append(runtimeItems(), sandboxFields...) {
		require.True(t, strings.Contains(string(page), "`"+name+"`"), "docs/operating.md does not explain %s", name)
	}
}
