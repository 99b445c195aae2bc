package modulemanifest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const manifest = `# the manifest
name: größe
version: "1.0"

features: [ETAG,
  KEYS]
metadata:
  type: object
  properties:
    währung: {type: string, secret: true}
capabilities:
- {name: kv, reason: "keeps <them>"}
memory: 16
`

// TestInPlace: every text stands in the JSON at the line of the YAML, and where
// there is room at its column.
func TestInPlace(t *testing.T) {
	placed, err := InPlace([]byte(manifest))
	require.NoError(t, err)
	plain, err := JSON([]byte(manifest))
	require.NoError(t, err)
	require.JSONEq(t, string(plain), string(placed))
	from, to := strings.Split(manifest, "\n"), strings.Split(string(placed), "\n")
	for _, text := range []string{"größe", "KEYS", "properties", "währung", "keeps <them>", "16"} {
		line := func(lines []string) int {
			for i, l := range lines {
				if strings.Contains(l, text) {
					return i + 1
				}
			}
			return 0
		}
		require.Equal(t, line(from), line(to), text)
		require.Positive(t, line(to), text)
	}
}

func TestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"[a]": "not a map", "a: [": "not valid YAML", "a: " + strings.Repeat("x", 1<<20): "larger than",
	} {
		_, err := JSON([]byte(text))
		require.ErrorContains(t, err, want)
	}
}

func FuzzInPlace(f *testing.F) {
	f.Add(manifest)
	f.Add("a: &x [1, 2]\nb: *x\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := JSON([]byte(text)); err != nil {
			return
		}
		placed, err := InPlace([]byte(text))
		if err == nil {
			require.True(t, json.Valid(placed), "%q", placed)
		}
	})
}
