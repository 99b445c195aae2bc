package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAwaitLeavesWhatHangs: nobody waits longer than he must, nothing is asked
// twice, and an answer that comes late is taken.
func TestAwaitLeavesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Patience
		var asked atomic.Int32
		answer := make(chan int)
		hang := func() (int, error) { asked.Add(1); return <-answer, nil }
		from := time.Now()
		_, err := Await(&p, "a", hang)
		var slow *SlowError
		require.ErrorAs(t, err, &slow)
		require.Equal(t, firstPatience, time.Since(from))

		for i := range 100 { // a whole disk that hangs
			_, err := Await(&p, fmt.Sprint("b", i), func() (int, error) { return <-answer, nil })
			require.ErrorAs(t, err, &slow)
		}
		require.Less(t, time.Since(from), 2*firstPatience+100*lastPatience)

		p.Refresh()
		from = time.Now()
		_, err = Await(&p, "a", hang)
		require.ErrorAs(t, err, &slow)
		require.Zero(t, time.Since(from), "it is known to hang")
		require.EqualValues(t, 1, asked.Load())
		n, err := Await(&p, "c", func() (int, error) { return 3, errors.New("no") })
		require.EqualError(t, err, "no")
		require.Equal(t, 3, n)

		for range 101 {
			answer <- 7
		}
		synctest.Wait()
		n, err = Await(&p, "a", hang)
		require.NoError(t, err)
		require.Equal(t, 7, n)
		require.EqualValues(t, 1, asked.Load(), "the late answer is the answer")
	})
}

// TestOnlyWhatChangedIsRead: of many files, one.
func TestOnlyWhatChangedIsRead(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	write := func(i int, extra string) {
		file := filepath.Join(dir, fmt.Sprintf("c%03d.yaml", i))
		text := fmt.Sprintf("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: c%d}\nspec: {type: state.in-memory%s}\n", i, extra)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(file, old, old))
	}
	for i := range 200 {
		write(i, "")
	}
	cache := new(Cache)
	load := func() *Result { return Load([]string{dir}, Options{Cache: cache}) }
	require.Len(t, load().Components, 200)
	before := map[string]*Result{}
	for path, f := range cache.files {
		before[path] = f.part
	}
	require.Len(t, before, 200)
	old = old.Add(time.Minute)
	write(7, ", version: v1")
	res := load()
	require.Len(t, res.Components, 200)
	require.Equal(t, "v1", res.Components[7].Version)
	read := 0
	for path, f := range cache.files {
		if before[path] != f.part {
			read++
		}
	}
	require.Equal(t, 1, read)
	require.NoError(t, os.Remove(filepath.Join(dir, "c003.yaml")))
	require.Len(t, load().Components, 199)
	load()
	require.Len(t, cache.files, 199, "what is gone is forgotten")
}

// TestScopesOfWhatIsRemembered: the same files for another app.
func TestScopesOfWhatIsRemembered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	require.NoError(t, os.WriteFile(file, []byte("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {type: state.x}\nscopes: [one]\n"), 0o600))
	require.NoError(t, os.Chtimes(file, time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)))
	cache := new(Cache)
	for range 3 {
		require.Len(t, Load([]string{file}, Options{Cache: cache, AppID: "one"}).Components, 1)
		res := Load([]string{file}, Options{Cache: cache, AppID: "two"})
		require.Empty(t, res.Components)
		require.Len(t, res.Notes, 1)
	}
}

// TestABeginningWaits: where nobody can tell whether a file is being written,
// the beginning of what it was is not taken for the whole at once.
func TestABeginningWaits(t *testing.T) {
	var c Cache
	read := func(text string, age time.Duration, sure bool) bool {
		return c.incomplete("a.yaml", content{data: []byte(text), info: aged(age), sure: sure})
	}
	require.False(t, read("one\n---\ntwo\n", 0, false))
	require.True(t, read("one\n---\n", time.Second, false))
	require.True(t, read("one\n", beginTime-time.Millisecond, false))
	require.False(t, read("one\n", beginTime, false), "it has been still for long")
	require.False(t, read("one\n---\ntwo\n", 0, false))
	require.False(t, read("# gone\n", 0, false), "another text")
	require.False(t, read("one\n---\ntwo\n", 0, true))
	require.False(t, read("one\n", 0, true), "the kernel says that nobody writes it")
}

// aged is a file that changed some time ago.
type aged time.Duration

func (a aged) Name() string       { return "a.yaml" }
func (a aged) Size() int64        { return 0 }
func (a aged) Mode() os.FileMode  { return 0 }
func (a aged) ModTime() time.Time { return time.Now().Add(-time.Duration(a)) }
func (a aged) IsDir() bool        { return false }
func (a aged) Sys() any           { return nil }
