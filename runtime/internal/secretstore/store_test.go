package secretstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/secretstore"
)

const secrets = `{
  "redisPassword": "hunter2",
  "connectionStrings": {"sql": "dsn", "deep": {"x": 1.50, "list": ["a", true, null]}},
  "big": 9007199254740993
}`

func open(t *testing.T, props map[string]string, text string) (secretstore.Store, string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	if _, ok := props["secretsFile"]; !ok {
		props["secretsFile"] = "secrets.json"
	}
	s, err := secretstore.New(secretstore.Config{Type: "SecretStores.local.file", Meta: abi.Metadata{Name: "vault", Properties: props}, Dir: dir})
	return s, path, err
}

func TestFile(t *testing.T) {
	for name, tc := range map[string]struct {
		props map[string]string
		want  map[string]map[string]string // nil = missing
	}{
		"flat": {map[string]string{}, map[string]map[string]string{
			"redisPassword":                 {"redisPassword": "hunter2"},
			"connectionStrings:sql":         {"connectionStrings:sql": "dsn"},
			"connectionStrings:deep:x":      {"connectionStrings:deep:x": "1.50"},
			"connectionStrings:deep:list:0": {"connectionStrings:deep:list:0": "a"},
			"connectionStrings:deep:list:1": {"connectionStrings:deep:list:1": "true"},
			"connectionStrings:deep:list:2": {"connectionStrings:deep:list:2": ""},
			"big":                           {"big": "9007199254740993"},
			"connectionStrings":             nil,
		}},
		"separator": {map[string]string{"NestedSeparator": "."}, map[string]map[string]string{
			"connectionStrings.sql": {"connectionStrings.sql": "dsn"},
		}},
		"multi": {map[string]string{"multiValued": "true"}, map[string]map[string]string{
			"redisPassword":         {"redisPassword": "hunter2"},
			"connectionStrings":     {"sql": "dsn", "deep:x": "1.50", "deep:list:0": "a", "deep:list:1": "true", "deep:list:2": ""},
			"connectionStrings:sql": nil,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, path, err := open(t, tc.props, secrets)
			require.NoError(t, err)
			assert.Equal(t, []string{path}, s.Files())
			for name, want := range tc.want {
				got, err := s.Get(t.Context(), name)
				if want == nil {
					require.ErrorIs(t, err, secretstore.ErrNotFound)
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, want, got)
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	var many strings.Builder
	for i := range 100_001 {
		fmt.Fprintf(&many, `,"%d":1`, i)
	}
	for name, tc := range map[string]struct {
		props map[string]string
		text  string
		want  string
	}{
		"empty":       {map[string]string{}, "", "not a JSON object; the fault is at line 1"},
		"truncated":   {map[string]string{}, "{\n\"a\": \"hunter2", "not a JSON object; the fault is at line 2"},
		"wrong token": {map[string]string{}, "{\n\n\"a\": hunter2}", "the fault is at line 3"},
		"a list":      {map[string]string{}, "[]", "not a JSON object"},
		"trailing":    {map[string]string{}, "{} {}", "text after"},
		"deep":        {map[string]string{}, deep, "nested more than 64"},
		"many":        {map[string]string{}, "{" + many.String()[1:] + "}", "more than 100000 values"},
		"clash":       {map[string]string{}, `{"a:b": "x", "a": {"b": "y"}}`, `two values have the name "a:b"`},
		"multi list":  {map[string]string{"multiValued": "yes"}, `{"a": []}`, `the secret "a" is a list`},
		"multi typo":  {map[string]string{"multiValued": "maybe"}, `{}`, "multiValued"},
		"no file":     {map[string]string{"secretsFile": "other.json"}, `{}`, "other.json: no such file"},
		"no item":     {map[string]string{"secretsFile": ""}, `{}`, "secretsFile is missing"},
		"folder":      {map[string]string{"secretsFile": "."}, `{}`, "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := open(t, tc.props, tc.text)
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	fifo := filepath.Join(t.TempDir(), "pipe")
	mkfifo(t, fifo)
	_, _, err := open(t, map[string]string{"secretsFile": fifo}, "")
	require.ErrorContains(t, err, "not a regular file")
}

func TestReloadKeepsLastGood(t *testing.T) {
	s, path, err := open(t, map[string]string{}, `{"a": "1"}`)
	require.NoError(t, err)
	get := func() string {
		v, err := s.Get(t.Context(), "a")
		require.NoError(t, err)
		return v["a"]
	}
	changed, err := s.Reload()
	require.NoError(t, err)
	assert.False(t, changed)

	require.NoError(t, os.WriteFile(path, []byte(`{"a": "2`), 0o600))
	_, err = s.Reload()
	require.Error(t, err)
	assert.Equal(t, "1", get())

	require.NoError(t, os.Remove(path))
	_, err = s.Reload()
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Equal(t, "1", get())

	require.NoError(t, os.WriteFile(path, []byte(`{"a": "2"}`), 0o600))
	changed, err = s.Reload()
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Equal(t, "2", get())
}

func TestResultBelongsToCaller(t *testing.T) {
	s, _, err := open(t, map[string]string{}, `{"a": "1"}`)
	require.NoError(t, err)
	v, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	v["a"] = "changed"
	v, err = s.Get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "1", v["a"])
}

func TestRelativePath(t *testing.T) {
	cwd, beside := t.TempDir(), t.TempDir()
	t.Chdir(cwd)
	where := func(dir string) string {
		s, err := secretstore.New(secretstore.Config{Type: secretstore.TypeFile, Dir: dir,
			Meta: abi.Metadata{Properties: map[string]string{"secretsFile": "s.json"}}})
		require.NoError(t, err)
		v, err := s.Get(t.Context(), "a")
		require.NoError(t, err)
		return v["a"]
	}
	require.NoError(t, os.WriteFile(filepath.Join(cwd, "s.json"), []byte(`{"a": "cwd"}`), 0o600))
	assert.Equal(t, "cwd", where(beside))
	require.NoError(t, os.WriteFile(filepath.Join(beside, "s.json"), []byte(`{"a": "beside"}`), 0o600))
	assert.Equal(t, "beside", where(beside))
}

func TestModeWarning(t *testing.T) {
	var warnings []string
	dir := t.TempDir()
	path := filepath.Join(dir, "s.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"a": "hunter2"}`), 0o600))
	s, err := secretstore.New(secretstore.Config{Type: secretstore.TypeFile, Dir: dir,
		Warn: func(text string) { warnings = append(warnings, text) },
		Meta: abi.Metadata{Name: "vault", Properties: map[string]string{"secretsFile": "s.json"}}})
	require.NoError(t, err)
	assert.Empty(t, warnings)
	require.NoError(t, os.Chmod(path, 0o644))
	for range 3 {
		_, err = s.Reload()
		require.NoError(t, err)
	}
	require.Len(t, warnings, 1, "once")
	assert.Contains(t, warnings[0], path+" can be read by other users (mode 0644)")
	assert.NotContains(t, warnings[0], "hunter2")
}

func TestEnv(t *testing.T) {
	env := map[string]string{"SHOP_KEY": "v", "SHOP_EMPTY": "", "DAPR_API_TOKEN": "hunter2", "APP_API_TOKEN": "hunter2", "KEY": "w"}
	open := func(prefix string) secretstore.Store {
		s, err := secretstore.New(secretstore.Config{Type: secretstore.TypeEnv,
			Meta:   abi.Metadata{Properties: map[string]string{"Prefix": prefix}},
			Lookup: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
		require.NoError(t, err)
		return s
	}
	for _, tc := range []struct{ prefix, name, want string }{{"SHOP_", "KEY", "v"}, {"", "KEY", "w"}, {"SHOP_", "EMPTY", ""}} {
		got, err := open(tc.prefix).Get(t.Context(), tc.name)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{tc.name: tc.want}, got)
	}
	for _, tc := range []struct{ prefix, name string }{{"", "DAPR_API_TOKEN"}, {"DAPR_", "API_TOKEN"}, {"", "APP_API_TOKEN"}, {"", "MISSING"}, {"", ""}} {
		_, err := open(tc.prefix).Get(t.Context(), tc.name)
		require.ErrorIs(t, err, secretstore.ErrNotFound)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	assert.Empty(t, open("").Files())
}

func TestUnknownType(t *testing.T) {
	_, err := secretstore.New(secretstore.Config{Type: "secretstores.hashicorp.vault"})
	require.ErrorContains(t, err, "known are secretstores.local.file and secretstores.local.env")
	for _, typ := range secretstore.Types() {
		assert.NotEmpty(t, secretstore.Properties(typ))
	}
	assert.Nil(t, secretstore.Properties("x"))
}

func TestConcurrentUse(t *testing.T) {
	s, path, err := open(t, map[string]string{}, `{"a": "0"}`)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				if g == 0 {
					_ = os.WriteFile(path, fmt.Appendf(nil, `{"a": "%d"}`, i), 0o600)
				}
				_, _ = s.Reload()
				if _, err := s.Get(t.Context(), "a"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
