package abi_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
)

var updateSpec = flag.Bool("update-spec", false, "rewrite the table of rules in SPEC.md")

// ruleTable is the table of chapter 7.
func ruleTable() string {
	var b strings.Builder
	b.WriteString("| rule | what holds | if the store |\n| --- | --- | --- |\n")
	for _, r := range storetest.Rules() {
		when := ""
		if r.Needs != 0 {
			when = "declares " + strings.Join(r.Needs.Names(), ", ")
		}
		if r.Lacks != 0 {
			when = "does not declare " + strings.Join(r.Lacks.Names(), ", ")
		}
		fmt.Fprintf(&b, "| **[%s]** | %s | %s |\n", r.ID, r.Doc, when)
	}
	return b.String()
}

// TestSpecRules keeps the table of SPEC.md equal to the suite.
func TestSpecRules(t *testing.T) {
	spec, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?s)(@@RULES@@\n|\| rule \|.*?\n)\n`)
	if *updateSpec {
		spec = table.ReplaceAll(spec, []byte(strings.ReplaceAll(ruleTable(), "$", "$$")+"\n"))
		if err := os.WriteFile("SPEC.md", spec, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Contains(spec, []byte(ruleTable())) {
		t.Error("the rules of SPEC.md are not those of storetest; run go test ./abi -run Spec -update-spec")
	}
}

// TestSpecNumbers keeps the numbers of SPEC.md equal to the code.
func TestSpecNumbers(t *testing.T) {
	data, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	spec := string(data)
	want := []string{
		fmt.Sprintf("**Request record**, %d bytes", abi.RequestSize), fmt.Sprintf("**Batch record**, %d bytes", abi.BatchSize),
		fmt.Sprintf("**Response record**, %d bytes", abi.ResponseSize), "`" + abi.ManifestSection + "`",
		fmt.Sprintf("at most %d KiB", abi.MaxManifestSize>>10), fmt.Sprintf("at most %d MiB", abi.MaxBuffer>>20),
	}
	for c := abi.CodeOK; c.Valid(); c++ {
		want = append(want, fmt.Sprintf("| %d | %s |", uint32(c), c))
	}
	for _, name := range []string{
		abi.ExportMemory, abi.ExportInitialize, abi.ExportOpen, abi.ExportInit, abi.ExportGet, abi.ExportSet, abi.ExportDelete,
		abi.ExportBulkGet, abi.ExportBulkWrite, abi.ExportTransact, abi.ExportKeys, abi.ExportQuery, abi.ExportPing, abi.ExportIdle,
		abi.ExportExport, abi.ExportImport, abi.ExportClose, abi.ImportLog, abi.ImportClock, abi.ImportRandom, abi.ImportConfig,
		abi.ImportSecret, abi.ImportMetric, abi.ImportKV, abi.ImportHTTP, abi.ImportTCP, abi.ImportWASI,
	} {
		want = append(want, "`"+name+"`")
	}
	for _, w := range want {
		if !strings.Contains(spec, w) {
			t.Errorf("SPEC.md does not say %q", w)
		}
	}
}
