package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

func texts(ps []manifest.Problem) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

var props = []abi.Property{
	{Name: "connectionString", Aliases: []string{"url"}, Required: true, Secret: true, Values: []string{"a", "b"}, Doc: "where to dial"},
	{Name: "maxConns", Type: abi.TypeInt},
	{Name: "timeout", Type: abi.TypeDuration},
	{Name: "mode", Values: []string{"fast", "safe"}},
	{Name: "tls", Type: abi.TypeBool},
}

func TestCheckProperties(t *testing.T) {
	item := func(name, text string) manifest.Item { return manifest.Item{Name: name, Text: text} }
	for name, tc := range map[string]struct {
		items []manifest.Item
		want  string
	}{
		"good":           {[]manifest.Item{item("URL", "A"), item("maxConns", " 5 "), item("timeout", "2s"), item("mode", "FAST"), item("tls", "on")}, ""},
		"empty values":   {[]manifest.Item{item("url", "a"), item("maxConns", "")}, ""},
		"typo":           {[]manifest.Item{item("url", "a"), item("maxCons", "5")}, `unknown metadata item "maxCons", did you mean "maxConns"?`},
		"alien":          {[]manifest.Item{item("url", "a"), item("zzzzzzzzz", "5")}, `unknown metadata item "zzzzzzzzz", expected connectionString, maxConns, timeout, mode or tls`},
		"missing":        {nil, "the metadata item connectionString is missing: where to dial"},
		"empty required": {[]manifest.Item{item("url", "")}, "connectionString is missing"},
		"alias twice":    {[]manifest.Item{item("url", "a"), item("connectionstring", "b")}, "connectionstring and url are two names of one setting; keep one"},
		"int":            {[]manifest.Item{item("url", "a"), item("maxConns", "five")}, `maxConns: "five" is not a whole number`},
		"enum":           {[]manifest.Item{item("url", "a"), item("mode", "slow")}, `mode: "slow" is not one of fast, safe`},
		"secret":         {[]manifest.Item{item("url", "hunter2")}, "url: the value is not one of a, b"},
		"template":       {[]manifest.Item{item("url", "a"), item("maxConns", "{appID}")}, ""},
		"pending":        {[]manifest.Item{{Name: "url", Env: "X"}, {Name: "maxConns", Secret: &manifest.SecretRef{Name: "s", Key: "s"}}}, ""},
		"resolved secret": {[]manifest.Item{
			item("url", "a"),
			{Name: "maxConns", Text: "hunter2", Secret: &manifest.SecretRef{Name: "s", Key: "s"}, Resolved: true},
		}, "maxConns: the value is not a whole number"},
		"resolved env": {[]manifest.Item{item("url", "a"), {Name: "maxConns", Text: "many", Env: "X", Resolved: true}}, `maxConns: "many" is not`},
	} {
		t.Run(name, func(t *testing.T) {
			got := texts(manifest.CheckProperties(props, tc.items))
			if tc.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, tc.want)
			}
			assert.NotContains(t, got, "hunter2")
		})
	}
	assert.Nil(t, manifest.CheckProperties(nil, []manifest.Item{item("x", "y")}))
	assert.NotEmpty(t, manifest.CheckProperties([]abi.Property{}, []manifest.Item{item("x", "y")}))
}

const schema = `{
  "type": "object",
  "properties": {
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO code"},
    "retries": {"type": "integer", "minimum": 0, "maximum": 10},
    "ratio": {"type": "number"},
    "audit": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "token": {"type": "string", "minLength": 4, "secret": true},
    "level": {"enum": [1, 2, 3]},
    "any": {},
    "either": {"anyOf": [{"type": "integer"}, {"const": "auto"}]}
  },
  "required": ["currency"]
}`

func TestCheckSchema(t *testing.T) {
	item := func(name, text string) manifest.Item { return manifest.Item{Name: name, Text: text} }
	eur := item("Currency", "EUR")
	for name, tc := range map[string]struct {
		items []manifest.Item
		want  string
	}{
		"good": {[]manifest.Item{
			eur, item("retries", "3"), item("ratio", "1e3"), item("audit", "on"), item("tags", `["a"]`),
			item("token", "hunter2"), item("level", "2"), item("any", "x"), item("either", "auto"),
		}, ""},
		"structured":      {[]manifest.Item{eur, {Name: "tags", Text: `["a"]`, JSON: []byte(`["a"]`)}, {Name: "any", Text: `{}`, JSON: []byte(`{}`)}}, ""},
		"either number":   {[]manifest.Item{eur, item("either", "7")}, ""},
		"empty is absent": {[]manifest.Item{eur, item("retries", "")}, ""},
		"missing":         {nil, "the metadata item currency is missing: ISO code"},
		"unknown":         {[]manifest.Item{eur, item("retrys", "1")}, `unknown metadata item "retrys", did you mean "retries"?`},
		"pattern":         {[]manifest.Item{item("currency", "euro")}, "currency: "},
		"not a number":    {[]manifest.Item{eur, item("retries", "three")}, "retries: got string, want integer"},
		"range":           {[]manifest.Item{eur, item("retries", "11")}, "retries: maximum: got 11, want 10"},
		"huge exponent":   {[]manifest.Item{eur, item("ratio", "1e999999999")}, "ratio: got string"},
		"not JSON":        {[]manifest.Item{eur, item("tags", "[")}, "tags: the value is not JSON"},
		"trailing JSON":   {[]manifest.Item{eur, item("tags", "[] []")}, "tags: the value has text after its JSON"},
		"element":         {[]manifest.Item{eur, item("tags", `["a", 1]`)}, "tags.1: got number, want string"},
		"JSON exponent":   {[]manifest.Item{eur, item("tags", `[1e99999999]`)}, "out of range"},
		"secret":          {[]manifest.Item{eur, item("token", "abc")}, "token: the value does not fit the module's schema (minLength)"},
		"resolved secret": {[]manifest.Item{{Name: "currency", Text: "hunter2", Resolved: true, Secret: &manifest.SecretRef{}}}, "currency: the value does not fit the module's schema (pattern)"},
		"pending":         {[]manifest.Item{{Name: "currency", Env: "X"}, {Name: "token", Secret: &manifest.SecretRef{}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := texts(manifest.CheckSchema([]byte(schema), tc.items))
			if tc.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, tc.want)
			}
			assert.NotContains(t, got, "hunter2")
		})
	}
	refs := `{"$defs": {"Level": {"enum": ["low", "high"]}, "Count": {"type": "integer", "maximum": 9}},
		"properties": {"level": {"$ref": "#/$defs/Level"}, "count": {"$ref": "#/$defs/Count"}, "a/b": {}, "c": {"$ref": "#/properties/a~1b"}}}`
	assert.Empty(t, manifest.CheckSchema([]byte(refs), []manifest.Item{item("level", "low"), item("count", "3"), item("c", "x")}))
	assert.Contains(t, texts(manifest.CheckSchema([]byte(refs), []manifest.Item{item("count", "10")})), "count: maximum: got 10, want 9")
	assert.Contains(t, texts(manifest.CheckSchema([]byte(refs), []manifest.Item{item("level", "mid")})), "level: value must be one of")
	assert.Empty(t, manifest.CheckSchema([]byte(multiplying(8, 2)), []manifest.Item{item("x", "1")}))
	open := `{"additionalProperties": {"type": "integer"}}`
	assert.Empty(t, manifest.CheckSchema([]byte(open), []manifest.Item{item("x", "")}))
	closed := `{"additionalProperties": false, "properties": {"name": {}}}`
	assert.Contains(t, texts(manifest.CheckSchema([]byte(closed), []manifest.Item{item("names", "1")})), `did you mean "name"?`)
}

func TestCompileSchemaRefuses(t *testing.T) {
	deep := strings.Repeat(`{"not":`, 40) + "{}" + strings.Repeat("}", 40)
	for name, tc := range map[string]struct{ schema, want string }{
		"not JSON":      {"{", "not JSON"},
		"a list":        {"[]", "not a JSON object"},
		"bad type":      {`{"type": "sting"}`, "metadata schema"},
		"recursive":     {`{"$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}, "properties": {"x": {"$ref": "#/$defs/a"}}}`, "leads to itself"},
		"nowhere":       {`{"properties": {"x": {"$ref": "#/$defs/a"}}}`, "leads nowhere"},
		"anchor":        {`{"properties": {"x": {"$ref": "#a"}}}`, "inside of the schema"},
		"dynamic":       {`{"properties": {"x": {"$dynamicRef": "#/a"}}}`, "$dynamicRef"},
		"nested id":     {`{"properties": {"x": {"$id": "other"}}}`, "$id"},
		"old dialect":   {`{"$schema": "http://json-schema.org/draft-04/schema#"}`, "too old"},
		"multiplying":   {multiplying(8, 10), "too large with its references followed"},
		"remote ref":    {`{"$ref": "https://example.com/x"}`, "inside of the schema"},
		"file ref":      {`{"$ref": "file:///etc/passwd"}`, "inside of the schema"},
		"file schema":   {`{"$schema": "file:///etc/passwd"}`, "nothing outside of the schema is read"},
		"remote schema": {`{"$schema": "https://example.com/x"}`, "nothing outside of the schema is read"},
		"big number":    {`{"maximum": 1e999999999}`, "out of range"},
		"long number":   {`{"maximum": ` + strings.Repeat("9", 500) + `}`, "out of range"},
		"deep":          {deep, "nested"},
		"large":         {`{"title": "` + strings.Repeat("x", 64<<10) + `"}`, "larger than"},
		"big pattern":   {`{"properties": {"x": {"pattern": "` + strings.Repeat("(a{100}){10}", 30) + `"}}}`, "too large"},
		"many patterns": {`{"properties": {` + manyPatterns() + `}}`, "too large"},
		"bad pattern":   {`{"properties": {"x": {"pattern": "("}}}`, "metadata schema"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.CompileSchema([]byte(tc.schema))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// multiplying is a schema that refers often to one that refers often to …
func multiplying(levels, often int) string {
	var out []string
	for i := range levels {
		refs := strings.Repeat(fmt.Sprintf(`{"$ref": "#/$defs/d%d"},`, i+1), often)
		out = append(out, fmt.Sprintf(`"d%d": {"allOf": [%s]}`, i, strings.TrimSuffix(refs, ",")))
	}
	return fmt.Sprintf(`{"$defs": {%s, "d%d": {}}, "properties": {"x": {"$ref": "#/$defs/d0"}}}`, strings.Join(out, ","), levels)
}

// manyPatterns are properties with a middling pattern each.
func manyPatterns() string {
	var out []string
	for i := range 30 {
		out = append(out, fmt.Sprintf(`"p%d": {"pattern": "x{1000}"}`, i))
	}
	return strings.Join(out, ",")
}
