package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, "components", 2))
	require.Equal(t, "visits: visit 1\nvisits: visit 2\nnotes: visit 1\nnotes: visit 2\n", out.String())
}

func TestRunTellsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "stores.yaml")
	doc := "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: visits}\nspec: {type: state.in-memroy, version: v1}\n"
	require.NoError(t, os.WriteFile(file, []byte(doc), 0o600))
	err := run(t.Context(), &bytes.Buffer{}, dir, 1)
	require.ErrorContains(t, err, file+":3")
	require.ErrorContains(t, err, "state.in-memory")
}
