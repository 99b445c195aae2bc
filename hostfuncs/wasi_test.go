package hostfuncs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/wasmstate/wasmstate/abi"
)

func (g *testGuest) wasi(name string, args ...uint64) errno {
	return g.call(abi.ImportWASI+"."+name, args...)
}

// write prints texts to a descriptor in one call.
func (g *testGuest) write(fd uint64, texts ...string) errno {
	g.next = 64
	var vectors []byte
	for _, s := range texts {
		at, n := g.text(s)
		vectors = le.AppendUint32(le.AppendUint32(vectors, uint32(at)), uint32(n))
	}
	at, _ := g.put(vectors)
	return g.wasi("fd_write", fd, at, uint64(len(texts)), 16)
}

func TestWASIOutput(t *testing.T) {
	g := newGuest(t, Config{Redact: []string{"topsecret"}})
	require.Equal(t, errnoSuccess, g.write(1, "a li", "ne\nand one"))
	require.EqualValues(t, 14, le.Uint32(g.mem(16, 4)))
	require.Equal(t, errnoSuccess, g.write(1, " more\n\n"))
	for _, c := range "char by char topsecret\n" {
		require.Equal(t, errnoSuccess, g.write(2, string(c)))
	}
	require.Equal(t, errnoSuccess, g.write(1, strings.Repeat("x", 50_000), "yyy\nnext\nrest"))
	require.Equal(t, []string{"a line", "and one more", "char by char [redacted]", strings.Repeat("x", maxLine-3) + "…", "next"}, g.lines.all)
	require.Equal(t, []Level{LevelInfo, LevelInfo, LevelError}, g.lines.kept[:3])
	g.begin(context.Background(), zeroTime)
	require.Equal(t, "rest", g.lines.all[5], "a line that was begun ends with the operation")
	// a flood in one call ends soon
	require.Equal(t, errnoSuccess, g.write(1, strings.Repeat("a\n", maxPrint), "b\n"))
	require.EqualValues(t, 2*maxPrint+2, le.Uint32(g.mem(16, 4)))
	require.LessOrEqual(t, g.host.LogDropped(), uint64(maxPrint/2))
	require.Equal(t, errnoBadf, g.write(0, "x"))
	require.Equal(t, errnoBadf, g.write(3, "x"))
	require.Equal(t, errnoInval, g.wasi("fd_write", 1, 0, maxVectors+1, 16))
	require.Equal(t, errnoFault, g.wasi("fd_write", 1, guestMemory-8, 2, 16))
	require.Equal(t, errnoFault, g.wasi("fd_write", 1, 0, 0, guestMemory-3))
}

func TestWASIEmpty(t *testing.T) {
	g := newGuest(t, Config{})
	for i := range g.module.mem.b[:256] {
		g.module.mem.b[i] = 0xff
	}
	require.Equal(t, errnoSuccess, g.wasi("args_sizes_get", 0, 4))
	require.Equal(t, errnoSuccess, g.wasi("environ_sizes_get", 8, 12))
	require.Equal(t, make([]byte, 16), g.mem(0, 16))
	require.Equal(t, errnoFault, g.wasi("args_sizes_get", 0, guestMemory-1))
	require.Equal(t, errnoBadf, g.wasi("fd_prestat_get", 3, 0))
	require.Equal(t, errnoBadf, g.wasi("fd_close", 3))
	require.Equal(t, errnoBadf, g.wasi("fd_readdir", 3, 0, 0, 0, 0))
	require.Equal(t, errnoNosys, g.wasi("path_open", 3, 0, 0, 0, 0, 0, 0, 0, 0))
	require.Equal(t, errnoNosys, g.wasi("sock_accept", 3, 0, 0))
	require.Equal(t, errnoInval, g.wasi("clock_time_get", 2, 0, 0))
	require.Equal(t, errnoSuccess, g.wasi("fd_read", 0, 0, 0, 0))
	require.PanicsWithError(t, "the guest ended itself with exit code 7", func() { g.wasi("proc_exit", 7) })
}

// subscription is a clock to wait for.
func subscription(user uint64, kind byte, clock uint32, timeout uint64, flags uint16) []byte {
	b := make([]byte, subscriptionSize)
	le.PutUint64(b, user)
	b[8] = kind
	le.PutUint32(b[16:], clock)
	le.PutUint64(b[24:], timeout)
	le.PutUint16(b[40:], flags)
	return b
}

func TestWASIPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, Config{})
		poll := func(subs ...[]byte) (users []uint64, waited time.Duration) {
			g.next = 8
			at, _ := g.put([]byte(strings.Join(func() (all []string) {
				for _, s := range subs {
					all = append(all, string(s))
				}
				return all
			}(), "")))
			start := time.Now()
			require.Equal(t, errnoSuccess, g.wasi("poll_oneoff", at, outAt, uint64(len(subs)), 0))
			for i := range le.Uint32(g.mem(0, 4)) {
				users = append(users, le.Uint64(g.mem(outAt+uint64(i)*eventSize, 8)))
			}
			return users, time.Since(start)
		}
		users, waited := poll(subscription(1, 0, clockMono, 5e9, 0), subscription(2, 0, clockRealtime, 1e9, 0))
		require.Equal(t, []uint64{2}, users)
		require.Equal(t, time.Second, waited)
		users, waited = poll(subscription(3, 0, clockRealtime, uint64(time.Now().Add(2*time.Second).UnixNano()), 1))
		require.Equal(t, []uint64{3}, users)
		require.Equal(t, 2*time.Second, waited)
		users, waited = poll(subscription(4, 0, clockMono, 0, 1), subscription(5, 1, 0, 0, 0))
		require.Equal(t, []uint64{4, 5}, users)
		require.Zero(t, waited)
		require.EqualValues(t, errnoNotsup, le.Uint16(g.mem(outAt+eventSize+8, 2)))

		g.begin(context.Background(), time.Now().Add(time.Minute))
		_, waited = poll(subscription(1, 0, clockMono, 1<<64-1, 0))
		require.Equal(t, time.Minute, waited, "the deadline ends it")
		require.Equal(t, errnoInval, g.wasi("poll_oneoff", 8, outAt, 0, 0))
		require.Equal(t, errnoInval, g.wasi("poll_oneoff", 8, outAt, maxSubscriptions+1, 0))
		g.begin(context.Background(), zeroTime)
	})
}

// TestGoGuest runs a program of standard Go.
func TestGoGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	out := filepath.Join(t.TempDir(), "guest.wasm")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildmode=c-shared", "-o", out, ".")
	build.Dir, build.Env = "testdata/goguest", append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	text, err := build.CombinedOutput()
	require.NoError(t, err, string(text))
	wasm, err := os.ReadFile(out)
	require.NoError(t, err)

	lines := &logLines{}
	h, err := New(Config{Component: "go", Log: lines.add})
	require.NoError(t, err)
	r := wazero.NewRuntime(t.Context())
	defer r.Close(context.Background())
	compiled, err := r.CompileModule(t.Context(), wasm)
	require.NoError(t, err)
	var imports []Import
	for _, f := range compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		imports = append(imports, Import{module, name})
	}
	require.NoError(t, h.Instantiate(t.Context(), r, imports))
	call := func(name string) ([]uint64, error) {
		s := h.NewState()
		ctx := &stateContext{Context: t.Context(), s: s}
		s.Begin(t.Context(), time.Now().Add(10*time.Second))
		defer s.End()
		mod, err := r.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
		require.NoError(t, err)
		defer mod.Close(ctx)
		return mod.ExportedFunction(name).Call(ctx)
	}
	got, err := call("run")
	require.NoError(t, err)
	require.Equal(t, []uint64{0}, got)
	require.Equal(t, []string{"args 0 env 0", "no newline"}, lines.all)
	var exit *ExitError
	_, err = call("leave")
	require.ErrorAs(t, err, &exit)
	require.EqualValues(t, 3, exit.Code)
	_, err = call("fall")
	require.Error(t, err)
	require.Contains(t, lines.text(), "dropped the cup")
}
