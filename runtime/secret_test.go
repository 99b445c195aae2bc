package runtime_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/runtime"
)

// A guest answers its initialisation with all its properties. What came from a
// secret store, or is called secret by the module, is in no status and no log.
func TestSecretsStayOutOfStatusAndLogs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	m := newModules(t)
	packed, err := m.Pack(guestbuild.Hostile(t, "message-secret"), []byte(`{"name":"leaky","concurrency":{"mode":"pool"},"metadata":
		{"type":"object","properties":{"password":{"type":"string"},"token":{"type":"string","secret":true},"plain":{"type":"string"}}}}`), false)
	require.NoError(t, err)
	write("leaky.wasm", string(packed))
	write("secrets.json", `{"db":"correct-horse\nbattery-staple"}`)
	write("components.yaml", `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: vault}
spec:
  type: secretstores.local.file
  version: v1
  metadata:
  - {name: secretsFile, value: secrets.json}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: orders}
spec:
  type: state.leaky
  version: v1
  ignoreErrors: true
  metadata:
  - {name: password, secretKeyRef: {name: db, key: db}}
  - {name: token, value: hunter2-hunter2}
  - {name: plain, value: not-a-secret}
auth: {secretStore: vault}
`)
	core, logs := observer.New(zap.DebugLevel)
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}, CacheDir: t.TempDir()}, runtime.WithLogger(zap.New(core)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	require.NoError(t, rt.Wait(ctx))
	told := ""
	for _, st := range rt.Status() {
		told += st.Reason + "\n"
	}
	require.NoError(t, rt.Close())
	cancel()
	<-done
	for _, e := range logs.All() {
		told += e.Message + " "
		for _, f := range e.Context {
			told += f.String
			if err, ok := f.Interface.(error); ok {
				told += err.Error()
			}
		}
		told += "\n"
	}
	require.Contains(t, told, "not-a-secret", "what the guest says is told")
	for _, secret := range []string{"horse", "staple", "hunter2"} {
		require.NotContains(t, told, secret)
	}
}
