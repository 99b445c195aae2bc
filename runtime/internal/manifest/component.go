package manifest

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Pos is a place in a file. Line and Column count from 1; 0 means unknown.
type Pos struct {
	File         string
	Line, Column int
}

// String is "file:line:column" as far as known.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func comparePos(a, b Pos) int {
	return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
}

// Problem is one thing that is wrong, or, in [Result.Notes], worth knowing.
type Problem struct {
	Pos       Pos
	Component string // the component it is about, best effort; empty if unknown
	Msg       string // never contains the value of a secret
}

// String is one line for people.
func (p Problem) String() string {
	var b strings.Builder
	if s := p.Pos.String(); s != "" {
		b.WriteString(s + ": ")
	}
	if p.Component != "" {
		fmt.Fprintf(&b, "component %q: ", p.Component)
	}
	b.WriteString(p.Msg)
	return b.String()
}

// Error makes a *Problem usable as an error; a Problem is a value.
func (p *Problem) Error() string { return p.String() }

// sortProblems orders by place, so that reports are stable.
func sortProblems(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(comparePos(a.Pos, b.Pos), strings.Compare(a.Component, b.Component), strings.Compare(a.Msg, b.Msg))
	})
}

// SecretRef points at a value in the component's secret store.
type SecretRef struct {
	Name string // of the secret
	Key  string // inside the secret; never empty, Name by default
}

// Item is one entry of spec.metadata that is meant for the store. At most one
// of Text, Secret and Env is its source.
type Item struct {
	Name   string     // as written; stores match it without regard to case
	Text   string     // a scalar's text, or the JSON text of a map or list
	JSON   []byte     // the same JSON text for a map or list, else nil
	Secret *SecretRef // value: secretKeyRef
	Env    string     // value: environment variable
	Pos    Pos

	// Resolved is set in the items of [Resolved]: Text is final, also for
	// Secret and Env.
	Resolved bool

	node *yaml.Node // of a structured value; not kept after Load
}

// pending reports whether the value is not known yet.
func (i *Item) pending() bool { return !i.Resolved && (i.Secret != nil || i.Env != "") }

// sensitive reports whether the value must not be shown.
func (i *Item) sensitive() bool { return i.Secret != nil }

// Component is one component document that passed every check of this package.
// It is a value: nothing in it changes after Load.
type Component struct {
	Name      string
	Namespace string // metadata.namespace; empty = any
	Type      string // "<category>.<name>" as written
	Version   string // as written; empty = the type's default

	Items   []Item  // for the store, in file order, without those in Runtime
	Runtime Runtime // metadata items that the runtime consumes itself

	Scopes       []string      // app ids that may use it; empty = all
	SecretStore  string        // auth.secretStore; empty = none
	IgnoreErrors bool          // spec.ignoreErrors
	InitTimeout  time.Duration // spec.initTimeout; 0 = not given

	Pos    Pos    // of the document's metadata.name
	Digest string // hex SHA-256 of everything above except Pos and the items' order
}

// Category is the lower-case text of the type before the first dot, such as
// "state" or "secretstores".
func (c *Component) Category() string {
	category, _, _ := strings.Cut(c.Type, ".")
	return strings.ToLower(category)
}

// ModulePath is the path of a state.wasm component's module: Runtime.URL, a
// plain path or file://PATH, relative to the folder of the component file.
// local is false for a module from the network.
func (c *Component) ModulePath() (path string, local bool) {
	path = c.Runtime.URL
	if scheme, rest, ok := strings.Cut(path, "://"); ok {
		if !strings.EqualFold(scheme, "file") {
			return "", false
		}
		path = rest
	}
	if path == "" {
		return "", false
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(c.Pos.File), path)
	}
	return filepath.Clean(path), true
}

// Problem returns a problem with this component, at its position.
func (c *Component) Problem(format string, args ...any) Problem {
	return Problem{Pos: c.Pos, Component: c.Name, Msg: fmt.Sprintf(format, args...)}
}

// Module is a .wasm file found in a folder. Its content was not looked at.
type Module struct {
	Path    string // the folder as given to Load joined with the file name
	Size    int64
	ModTime time.Time
}

// Result is what Load found. Components, Modules, Problems and Notes are
// sorted by file, line and column.
type Result struct {
	Components []Component
	Modules    []Module
	Problems   []Problem // things to fix
	Notes      []Problem // things passed over: other files, other kinds, other scopes

	// Busy are the files, modules included, that were passed over because a
	// program is writing them. Load again soon if there are any: closing a file
	// is no event.
	Busy []string

	broken map[string]bool // component names in documents with problems
	held   []string        // files that are empty at the moment
	bare   []string        // files that hold comments and no document
}

// Emptied reports whether file was read and holds comments only: whoever left
// them meant what the file held to go.
func (r *Result) Emptied(file string) bool { return slices.Contains(r.bare, file) }

// Keeps reports whether a component that an earlier Load found in file must be
// kept although it is missing now: its file or folder cannot be read, has a
// problem or is being written, or a document with a problem bears its name. A
// component that is missing and not kept has been removed on purpose.
// For a module call it with an empty name and the module's path.
func (r *Result) Keeps(name, file string) bool {
	if r.unreadable(name, file) {
		return true
	}
	for i := range r.Problems {
		if p := &r.Problems[i]; p.Pos.File == file || name != "" && p.Component == name {
			return true
		}
	}
	return false
}

// unreadable reports whether it is unknown at the moment what file says about
// the component called name.
func (r *Result) unreadable(name, file string) bool {
	if name != "" && r.broken[name] || slices.Contains(r.held, file) || slices.Contains(r.Busy, file) {
		return true
	}
	for i := range r.Problems {
		if p := &r.Problems[i]; p.Pos.Line == 0 && (p.Pos.File == file || p.Pos.File == filepath.Dir(file)) {
			return true
		}
	}
	return false
}

// Runtime holds the metadata items that the runtime consumes itself; stores do
// not see them. The zero value is the default for all of them.
type Runtime struct {
	// ActorStateStore marks the store for actors (actorStateStore).
	ActorStateStore bool
	// KeyPrefix is the strategy: appid, name, namespace, none (lower case), or any
	// other text, which is the prefix itself. Empty = appid.
	KeyPrefix string
	// DiscardOnReload lets a change drop data held in memory (onReload: discard).
	DiscardOnReload bool
	// IgnoreETagOnLastWrite is set by etagOnLastWrite: ignore. An etag is then
	// not compared on last-write requests, as in Dapr.
	IgnoreETagOnLastWrite bool
	// Sandbox are the operator's settings of a wasm store; nil = none given.
	Sandbox *Sandbox
	// URL of the module: a file path or file://, https:// or oci://. Only for
	// type state.wasm.
	URL string
	// ModuleDigest is the module's expected digest, "sha256:" and 64 lower-case
	// hex digits; empty = any. Only for type state.wasm.
	ModuleDigest string
}
