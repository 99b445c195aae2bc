package manifest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/sandbox"
)

const (
	kib          = 1 << 10
	gib          = 1 << 30
	maxInstances = 1024
)

// sandboxFields are the names in the sandbox item, in the order of Sandbox.
var sandboxFields = []string{
	"memory", "memoryRetire", "timeout", "maxWait", "instances", "idleAfter", "maxOps", "concurrency", "meter",
	"http", "tcp", "networks", "kv", "secrets", "config", "metrics",
	"logLevel", "logRate", "clockResolution", "randomSeed", "debug", "maxHostCalls", "maxHostBytes", "limits",
}

// sandbox reads the item called sandbox. secretStore is the component's.
func (d *document) sandbox(it *Item, secretStore string) *Sandbox {
	s := &Sandbox{Pos: it.Pos}
	if it.Text == "" {
		return s
	}
	root := it.node
	if it.JSON == nil { // Dapr keeps structured values as JSON text
		before := len(d.problems)
		if root = d.parse([]byte(it.Text)); len(d.problems) > before {
			d.problems = d.problems[:before]
			d.itemProblem(it, "sandbox must be a map of settings, or the JSON text of one")
			return s
		}
		if root == nil {
			return s
		}
		d.moveTo(root, it.Pos, 0)
	}
	d.walk(root, "sandbox", sandboxFields, nil, func(name string, f field) { d.sandboxField(s, name, f.value, secretStore) })
	if s.MemoryRetire > s.Memory && s.Memory > 0 {
		d.itemProblem(it, "sandbox.memoryRetire is larger than sandbox.memory")
	}
	return s
}

// moveTo gives every node under n the place at, because lines inside a text
// value mean nothing to the reader of the file.
func (d *document) moveTo(n *yaml.Node, at Pos, depth int) {
	if n.Line, n.Column = at.Line-d.line, at.Column; depth > maxDepth {
		return
	}
	for _, c := range n.Content {
		d.moveTo(c, at, depth+1)
	}
}

func (d *document) sandboxField(s *Sandbox, name string, at *yaml.Node, secretStore string) {
	what := "sandbox." + name
	switch name {
	case "memory":
		s.Memory = d.size(at, what, 64*kib, 4*gib)
	case "memoryRetire":
		s.MemoryRetire = d.size(at, what, 64*kib, 4*gib)
	case "timeout":
		s.Timeout = d.duration(at, what)
	case "maxWait":
		s.MaxWait = d.duration(at, what)
	case "instances":
		s.Instances = int(d.integer(at, what, 1, maxInstances))
	case "idleAfter":
		s.IdleAfter = d.duration(at, what)
	case "maxOps":
		s.MaxOps = d.integer(at, what, 1, math.MaxInt64)
	case "concurrency":
		s.Concurrency = d.oneOf(at, what, "single", "pool", "sharded")
	case "meter":
		s.Meter = sandbox.Meter(d.oneOf(at, what, "fuel", "wazero", "none"))
	case "http":
		s.HTTP = d.textList(at, what, checkHTTP)
	case "tcp":
		s.TCP = d.textList(at, what, checkTCP)
	case "networks":
		s.Networks = d.networks(at, what)
	case "kv":
		s.KV = d.textMap(at, what, checkName)
	case "secrets":
		s.Secrets = d.secrets(at, what)
		if len(s.Secrets) > 0 && secretStore == "" {
			d.problem(at, "sandbox.secrets needs the component's secret store; add auth: {secretStore: NAME} at the top level")
		}
	case "config":
		s.Config = d.textMap(at, what, nil)
	case "metrics":
		s.Metrics = d.truth(at, what)
	case "logLevel":
		s.LogLevel = d.oneOf(at, what, "debug", "info", "warn", "error", "none")
	case "logRate":
		s.LogRate = int(d.integer(at, what, 1, 1_000_000))
	case "clockResolution":
		s.ClockResolution = d.duration(at, what)
	case "randomSeed":
		seed := d.integer(at, what, math.MinInt64, math.MaxInt64)
		s.RandomSeed = &seed
	case "debug":
		s.Debug = d.truth(at, what)
	case "maxHostCalls":
		s.MaxHostCalls = d.integer(at, what, 1, math.MaxInt64)
	case "maxHostBytes":
		s.MaxHostBytes = d.size(at, what, 1, math.MaxInt64)
	case "limits":
		s.Limits = map[string]int64{}
		for _, f := range d.fields(at, what) {
			s.Limits[f.name] = d.size(f.value, what+"."+f.name, 0, math.MaxInt64)
		}
	}
}

// scalar is the text of a value that must not be empty.
func (d *document) scalar(at *yaml.Node, what string) (string, bool) {
	text, ok := d.text(at, what)
	if ok && strings.TrimSpace(text) == "" {
		d.problem(at, "%s has no value", what)
		return "", false
	}
	return strings.TrimSpace(text), ok
}

// size reads a number of bytes, with or without a unit, between low and high.
func (d *document) size(at *yaml.Node, what string, low, high int64) int64 {
	given, ok := d.scalar(at, what)
	if !ok {
		return 0
	}
	n, ok := text.ParseSize(given)
	if !ok {
		d.problem(at, `%s %s is not a size such as "32MiB" or a number of bytes`, what, quote(given))
		return 0
	}
	if n < low || n > high {
		d.problem(at, "%s %s is out of range; allowed are %d to %d bytes", what, quote(given), low, high)
		return 0
	}
	return n
}

func (d *document) duration(at *yaml.Node, what string) time.Duration {
	text, ok := d.scalar(at, what)
	if !ok {
		return 0
	}
	v, ok := abi.ParseDuration(text)
	if !ok || v <= 0 {
		d.problem(at, `%s %s is not a positive duration such as "500ms" or "2s"`, what, quote(text))
		return 0
	}
	return v
}

func (d *document) integer(at *yaml.Node, what string, low, high int64) int64 {
	text, ok := d.scalar(at, what)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		d.problem(at, "%s %s is not a whole number", what, quote(text))
		return 0
	case n < low || n > high:
		d.problem(at, "%s %s is out of range; allowed are %d to %d", what, quote(text), low, high)
		return 0
	}
	return n
}

func (d *document) truth(at *yaml.Node, what string) bool {
	text, ok := d.scalar(at, what)
	b, isBool := abi.ParseBool(text)
	if ok && !isBool {
		d.problem(at, "%s %s is not true or false", what, quote(text))
	}
	return b
}

func (d *document) oneOf(at *yaml.Node, what string, allowed ...string) string {
	text, ok := d.scalar(at, what)
	if !ok {
		return ""
	}
	text = strings.ToLower(text)
	if !slices.Contains(allowed, text) {
		d.problem(at, "%s", unknown("value in "+what, text, allowed))
		return ""
	}
	return text
}

// textList reads a list of texts, or one text; check says what is wrong with an entry.
func (d *document) textList(at *yaml.Node, what string, check func(string) string) (out []string) {
	nodes := []*yaml.Node{at}
	if n := d.visit(at); n != nil && n.Kind != yaml.ScalarNode || n != nil && isNull(n) {
		nodes = d.items(at, what)
	}
	for _, n := range nodes {
		text, ok := d.scalar(n, "an entry of "+what)
		if !ok {
			continue
		}
		if msg := check(text); msg != "" {
			d.problem(n, "%s: %s %s", what, quote(text), msg)
			continue
		}
		out = append(out, text)
	}
	return out
}

func (d *document) textMap(at *yaml.Node, what string, check func(string) string) map[string]string {
	out := map[string]string{}
	for _, f := range d.fields(at, what) {
		text, ok := d.text(f.value, what+"."+f.name)
		if !ok {
			continue
		}
		if check != nil {
			if msg := check(text); msg != "" {
				d.problem(f.value, "%s.%s: %s %s", what, f.name, quote(text), msg)
			}
		}
		if f.name == "" {
			d.problem(f.key, "a name in %s is empty", what)
		}
		out[f.name] = text
	}
	return out
}
