package wasmbin

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// Manifest is what a module says about itself, in the custom section
// [abi.ManifestSection]. The fields are those of abi/SPEC.md.
type Manifest struct {
	Name, Version, Description string

	ABIMin, ABIMax int // versions of the ABI that it understands; both 1 if not given
	Features       abi.Features
	Mode           string // single, pool or sharded; single if not given
	MaxInstances   int    // the wish; 0 = none
	State          string // none, instance or host; none if not given
	Metadata       []byte // JSON Schema of the component's properties; nil = none
	Capabilities   []Capability
	Memory         int64 // the wish in bytes; 0 = none

	MaxTransactionOps int // 0 = no bound
	License, Source   string
}

// Capability is a wish for a family of host functions.
type Capability struct {
	Name, Reason string
	Optional     bool
}

// Bounds of a manifest.
const (
	manifestSize    = abi.MaxManifestSize
	manifestDepth   = 32
	manifestText    = 4 << 10 // bytes of one text
	maxCapabilities = 64
	maxWish         = 1 << 20 // instances, operations
	abiVersion      = abi.Version
)

var manifestName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$`)

// ErrNoManifest says that a module has no manifest.
var ErrNoManifest = errors.New("it has no manifest: add one with `wasmstate pack`")

// Manifest reads the module's manifest. The error is [ErrNoManifest] if there
// is none.
func (m *Module) Manifest() (*Manifest, error) {
	raw, ok := m.Custom(abi.ManifestSection)
	if !ok {
		return nil, ErrNoManifest
	}
	return ParseManifest(raw)
}

// ParseManifest reads a manifest strictly. The error lists everything that is
// wrong, with line and column.
func ParseManifest(b []byte) (*Manifest, error) {
	root, err := parseTree(b)
	if err != nil {
		return nil, fmt.Errorf("the manifest cannot be read: %w", err)
	}
	m := &Manifest{ABIMin: 1, ABIMax: 1, Mode: "single", State: "none"}
	d := decoder{src: b}
	d.object(root, "the manifest", map[string]func(n *node){
		"name":        d.text(&m.Name),
		"version":     d.text(&m.Version),
		"description": d.text(&m.Description),
		"license":     d.text(&m.License),
		"source":      d.text(&m.Source),
		"abi": func(n *node) {
			d.object(n, "abi", map[string]func(n *node){"min": d.number(&m.ABIMin, 1<<16), "max": d.number(&m.ABIMax, 1<<16)})
		},
		"features": func(n *node) { d.features(n, &m.Features) },
		"concurrency": func(n *node) {
			d.object(n, "concurrency", map[string]func(n *node){
				"mode": d.oneOf(&m.Mode, "single", "pool", "sharded"), "max": d.number(&m.MaxInstances, maxWish),
			})
		},
		"state": d.oneOf(&m.State, "none", "instance", "host"),
		"metadata": func(n *node) {
			if n.kind != '{' {
				d.wrong(n, "metadata must be a JSON Schema, an object")
				return
			}
			d.schema(n, "metadata", 0)
			m.Metadata = json.RawMessage(b[n.start:n.end:n.end])
		},
		"capabilities":      func(n *node) { d.capabilities(n, &m.Capabilities) },
		"memory":            func(n *node) { d.size(n, &m.Memory) },
		"maxTransactionOps": d.number(&m.MaxTransactionOps, maxWish),
	})
	m.check(&d, root)
	if len(d.problems) > 0 {
		return nil, errors.New("the manifest is not valid: " + strings.Join(d.problems, "; "))
	}
	return m, nil
}

// check checks what fields say together.
func (m *Manifest) check(d *decoder, root *node) {
	if len(d.problems) > 0 {
		return
	}
	at := func(field string) *node {
		for _, f := range root.fields {
			if f.name == field {
				return f.value
			}
		}
		return root
	}
	switch {
	case m.Name == "":
		d.wrong(root, `it needs a name, such as "ledger"`)
	case !manifestName.MatchString(m.Name) || strings.Contains(m.Name, ".."):
		d.wrong(at("name"), "name is %s and must be made of a-z, 0-9, dots and dashes, at most 64 of them", quote(m.Name))
	}
	switch {
	case m.ABIMin < 1 || m.ABIMin > m.ABIMax:
		d.wrong(at("abi"), "abi goes from %d to %d, which is no version", m.ABIMin, m.ABIMax)
	case m.ABIMin > abiVersion:
		d.wrong(at("abi"), "abi needs version %d and this runtime has %d: use a newer runtime", m.ABIMin, abiVersion)
	}
	if m.State == "instance" && m.Mode == "pool" {
		d.wrong(at("state"), "state in the instance needs concurrency mode single or sharded")
	}
	if m.Mode == "sharded" {
		for _, f := range []abi.Features{abi.FeatureTransactional, abi.FeatureKeys} {
			if m.Features&f != 0 {
				d.wrong(at("features"), "a sharded store cannot offer %s", strings.Join(f.Names(), " "))
			}
		}
	}
}

func (d *decoder) features(n *node, to *abi.Features) {
	for _, item := range d.array(n, "features", 64) {
		var name string
		d.text(&name)(item)
		f, ok := abi.ParseFeature(name)
		switch {
		case ok && *to&f != 0:
			d.wrong(item, "feature %s is there twice", name)
		case ok:
			*to |= f
		case item.kind == '"':
			d.unknown(item, "feature", name, abi.AllFeatures.Names())
		}
	}
}

// capabilities are the families of host functions that a module can wish.
var capabilities = []string{"clock", "config", "http", "kv", "log", "metric", "random", "secret", "tcp"}

func (d *decoder) capabilities(n *node, to *[]Capability) {
	seen := map[string]bool{}
	for _, item := range d.array(n, "capabilities", maxCapabilities) {
		var c Capability
		d.object(item, "the capability", map[string]func(n *node){
			"name": d.text(&c.Name), "reason": d.text(&c.Reason),
			"optional": func(n *node) {
				if n.kind != 't' && n.kind != 'f' {
					d.wrong(n, "optional must be true or false")
				}
				c.Optional = n.kind == 't'
			},
		})
		switch {
		case c.Name == "" && item.kind == '{':
			d.wrong(item, "a capability needs a name")
		case seen[c.Name]:
			d.wrong(item, "capability %s is there twice", quote(c.Name))
		case c.Name != "" && !contains(capabilities, c.Name):
			d.unknown(item, "capability", c.Name, capabilities)
		case c.Name != "" && c.Reason == "":
			d.wrong(item, "capability %s needs a reason, for the operator who grants it", quote(c.Name))
		}
		seen[c.Name] = true
		*to = append(*to, c)
	}
}
