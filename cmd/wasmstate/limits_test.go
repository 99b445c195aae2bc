package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// TestLimitsPage: the page of limits has a row for every flag that is a bound,
// with the default that the command has, and no others.
func TestLimitsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/limits.md")
	require.NoError(t, err)
	// | what | `--flag` | default (an explanation) | … |
	row := regexp.MustCompile("(?m)^\\|[^|]*\\| `--([a-z-]+)` \\| ([^ |]+)[^|]*\\|")
	told := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		require.NotContains(t, told, m[1], "two rows")
		told[m[1]] = strings.ReplaceAll(m[2], ",", "")
	}
	has := map[string]string{}
	runCmd().Flags().VisitAll(func(f *pflag.Flag) {
		if strings.HasPrefix(f.Name, "max-") || strings.HasPrefix(f.Name, "min-") || f.Name == "removal-grace" {
			has[f.Name] = f.DefValue
		}
	})
	require.NotEmpty(t, has)
	require.Equal(t, has, told)
}
