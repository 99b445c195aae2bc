package hostfuncs

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"
)

var update = flag.Bool("update", false, "write testdata/all.wat and all.wasm again; needs wat2wasm in the path")

var zeroTime time.Time

// TestWriteAll writes the module of TestLink: it imports every function and
// exports a caller of each, with zeros.
func TestWriteAll(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	var imports, calls strings.Builder
	for i, f := range functions() {
		fmt.Fprintf(&imports, "  (import %q %q (func $f%d", f.module, f.name, i)
		fmt.Fprintf(&calls, "  (func (export %q)", f.module+"."+f.name)
		for _, p := range f.params {
			fmt.Fprintf(&imports, " (param %s)", api.ValueTypeName(p))
			fmt.Fprintf(&calls, " (%s.const 0)", api.ValueTypeName(p))
		}
		fmt.Fprintf(&calls, " (call $f%d)", i)
		for _, r := range f.result {
			fmt.Fprintf(&imports, " (result %s)", api.ValueTypeName(r))
			calls.WriteString(" (drop)")
		}
		imports.WriteString("))\n")
		calls.WriteString(")\n")
	}
	text := ";; Imports every host function. Written by TestWriteAll.\n(module\n" + imports.String() + "  (memory (export \"memory\") 1)\n" + calls.String() + ")\n"
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	require.NoError(t, os.WriteFile("testdata/all.wat", []byte(text), 0o644))
	out, err := exec.CommandContext(t.Context(), "wat2wasm", "testdata/all.wat", "-o", "testdata/all.wasm").CombinedOutput()
	require.NoError(t, err, string(out))
}
