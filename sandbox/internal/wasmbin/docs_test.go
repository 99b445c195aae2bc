package wasmbin_test

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// TestOperatorsCanReadOfEveryLimit: the page for operators names them all.
func TestOperatorsCanReadOfEveryLimit(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operating.md")
	require.NoError(t, err)
	for _, name := range wasmbin.LimitNames() {
		require.Contains(t, string(page), "`"+string(name)+"`")
	}
}

// TestLimitsPage: the page of limits has the default of every one.
func TestLimitsPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/limits.md")
	require.NoError(t, err)
	defaults := reflect.ValueOf(wasmbin.DefaultLimits())
	for _, name := range wasmbin.LimitNames() {
		field := strings.ToUpper(string(name[:1])) + string(name[1:])
		row := regexp.MustCompile("\\| `" + string(name) + "` \\| ([0-9,]+)").FindSubmatch(page)
		require.NotNil(t, row, "docs/limits.md has no row for %s", name)
		require.Equal(t, strconv.FormatInt(defaults.FieldByName(field).Int(), 10), strings.ReplaceAll(string(row[1]), ",", ""), name)
	}
}
