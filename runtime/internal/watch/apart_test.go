package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest/observer"
)

// TestPollsFilesGivenAlone edits a file in place while no event is heard.
func TestPollsFilesGivenAlone(t *testing.T) {
	bubble(t, false, func(w *Watcher, _ *fake, dir string, logs *observer.ObservedLogs, at func() []time.Duration) {
		at()
		file := filepath.Join(dir, "a.yaml")
		require.NoError(t, os.WriteFile(file, []byte("1"), 0o600))
		time.Sleep(5 * time.Second)
		assert.Empty(t, at(), "in a folder, where events tell")

		w.folders = []string{file} // Run is waiting
		w.Again()
		time.Sleep(time.Second)
		assert.Len(t, at(), 1)
		for _, text := range []string{"22", "", "333"} {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			time.Sleep(1500 * time.Millisecond)
			assert.Len(t, at(), 1)
		}
		assert.Zero(t, logs.Len())
	})
}

func TestApart(t *testing.T) {
	dir, other := t.TempDir(), "/proc/version"
	if _, err := os.Stat(other); err != nil {
		t.Skipf("no file on another device: %v", err)
	}
	alone := filepath.Join(dir, "alone.yaml")
	require.NoError(t, os.WriteFile(alone, nil, 0o600))
	folder := filepath.Join(dir, "folder")
	require.NoError(t, os.Mkdir(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "near.yaml"), nil, 0o600))
	for _, name := range []string{"far.yaml", "far.txt", "secrets.json"} {
		require.NoError(t, os.Symlink(other, filepath.Join(folder, name)))
	}
	secrets := filepath.Join(folder, "secrets.json")
	got := apart([]string{alone, folder, filepath.Join(dir, "missing")}, []string{secrets, filepath.Join(folder, "near.yaml"), "/missing/x"}, []string{".yaml"})
	assert.Equal(t, []string{alone, filepath.Join(folder, "far.yaml"), secrets}, got)
}
