package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MaxFileSize is the default limit on the size of a component file: 8 MiB.
const MaxFileSize = 8 << 20

// maxFileProblems bounds the problems reported for one file.
const maxFileProblems = 100

// Options are the settings of Load. The zero value is good for validation
// without a running process.
type Options struct {
	// AppID selects by scopes. If empty, components of every scope are loaded,
	// and two of the same name collide only if one app could see both.
	AppID string
	// Namespace selects by metadata.namespace. If empty, every namespace is
	// loaded, as with scopes.
	Namespace string
	// Current maps the names of components that are loaded already to their
	// files: among several components of one name the one in that file wins,
	// otherwise the first.
	Current map[string]string
	// MaxFileSize in bytes; 0 = the constant of the same name.
	MaxFileSize int64
	// Cache remembers what was read; nil = nothing is.
	Cache *Cache
}

// Load reads the component files in dirs, in the given order, files in the
// order of their names. A path may also be a single component file or module.
// It never fails as a whole; see [Result]. It reads regular files only and
// never blocks on a pipe or device.
func Load(dirs []string, opts Options) *Result {
	l := loader{opts: opts, res: &Result{broken: map[string]bool{}}}
	if l.opts.Cache == nil {
		l.opts.Cache = new(Cache)
	}
	l.opts.Cache.Patience.Refresh()
	l.opts.MaxFileSize = cmp.Or(opts.MaxFileSize, MaxFileSize)
	seen := map[string]bool{}
	for _, dir := range dirs {
		dir = filepath.Clean(dir)
		if !seen[dir] {
			seen[dir] = true
			l.path(dir)
		}
	}
	l.opts.Cache.forget()
	l.duplicates()
	r := l.res
	slices.SortStableFunc(r.Components, func(a, b Component) int { return comparePos(a.Pos, b.Pos) })
	slices.SortStableFunc(r.Modules, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	sortProblems(r.Problems)
	sortProblems(r.Notes)
	return r
}

type loader struct {
	opts Options
	res  *Result
}

func (l *loader) problem(file, format string, args ...any) {
	l.res.Problems = append(l.res.Problems, Problem{Pos: Pos{File: file}, Msg: fmt.Sprintf(format, args...)})
}

func (l *loader) note(file, format string, args ...any) {
	l.res.Notes = append(l.res.Notes, Problem{Pos: Pos{File: file}, Msg: fmt.Sprintf(format, args...)})
}

// path loads a folder, or a file that was named instead of one.
func (l *loader) path(path string) {
	patience := &l.opts.Cache.Patience
	info, err := Await(patience, "stat "+path, func() (fs.FileInfo, error) { return os.Stat(path) })
	switch {
	case errors.Is(err, fs.ErrNotExist) && typeOf(path) != typeOther:
		l.problem(path, "the component file does not exist; create it or correct the path")
	case errors.Is(err, fs.ErrNotExist):
		l.problem(path, "the components folder does not exist; create it or correct the path")
	case err != nil:
		l.problem(path, "the components folder cannot be read: %v", cause(err))
	case !info.IsDir() && typeOf(path) == typeOther:
		l.problem(path, "not a folder, nor a .yaml, .yml or .wasm file")
	case !info.IsDir():
		l.file(path)
	default:
		entries, err := Await(patience, "list "+path, func() ([]fs.DirEntry, error) { return os.ReadDir(path) })
		if err != nil {
			l.problem(path, "the components folder cannot be listed: %v", cause(err))
		}
		for _, e := range entries {
			l.entry(filepath.Join(path, e.Name()), e)
		}
	}
}

type fileType int

const (
	typeOther fileType = iota
	typeYAML
	typeModule
)

func typeOf(path string) fileType {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return typeYAML
	case ".wasm":
		return typeModule
	}
	return typeOther
}

// entry decides what to do with an entry of a folder.
func (l *loader) entry(path string, e fs.DirEntry) {
	name := e.Name()
	switch {
	case strings.HasPrefix(name, ".."), strings.HasPrefix(name, ".#"):
		// Kubernetes' data folders and editors' locks: part of no one's configuration.
	case strings.HasPrefix(name, "."):
		l.note(path, "passed over: hidden file")
	case e.IsDir():
		l.note(path, "passed over: folders inside a components folder are not read")
	case typeOf(name) == typeOther:
		l.note(path, "passed over: neither .yaml, .yml nor .wasm")
	default:
		l.file(path)
	}
}

func (l *loader) file(path string) {
	if typeOf(path) == typeModule {
		l.module(path)
		return
	}
	cache := l.opts.Cache
	if part := cache.unchanged(path); part != nil {
		l.merge(part)
		return
	}
	read, err := Await(&cache.Patience, "read "+path, func() (content, error) { return readFile(path, l.opts.MaxFileSize) })
	if err != nil {
		l.unreadable(path, err)
		return
	}
	if cache.incomplete(path, read) {
		l.res.Busy = append(l.res.Busy, path)
		l.note(path, "the file ends where it went on before; what it held stays until it has been still for %v, in case it is being written", beginTime)
		return
	}
	part := &loader{opts: l.opts, res: &Result{broken: map[string]bool{}}}
	part.content(path, read.data)
	cache.keep(path, read.info, part.res)
	l.merge(part.res)
}

// merge adds what one file says to the result, less what is for others.
func (l *loader) merge(part *Result) {
	r := l.res
	r.Problems = append(r.Problems, part.Problems...)
	r.Notes = append(r.Notes, part.Notes...)
	r.held = append(r.held, part.held...)
	r.bare = append(r.bare, part.bare...)
	for name := range part.broken {
		r.broken[name] = true
	}
	for i := range part.Components {
		c := &part.Components[i]
		if msg := l.elsewhere(c); msg != "" {
			r.Notes = append(r.Notes, c.Problem("%s", msg))
			continue
		}
		r.Components = append(r.Components, *c)
	}
}

// content reads the documents of a file.
func (l *loader) content(path string, data []byte) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		// Whoever rewrites a file in place empties it first.
		l.res.held = append(l.res.held, path)
		l.note(path, "the file is empty; components that it held stay until it has content or is deleted")
		return
	}
	if line, column, msg := checkText(data); msg != "" {
		l.res.Problems = append(l.res.Problems, Problem{Pos: Pos{path, line, column}, Msg: msg})
		l.salvage(data)
		return
	}
	documents := false
	for _, ch := range splitDocuments(data) {
		documents = l.document(path, ch) || documents
		if len(l.res.Problems) > maxFileProblems {
			l.res.Problems = l.res.Problems[:maxFileProblems]
			l.problem(path, "too many problems; the rest of the file was not checked")
			return
		}
	}
	if !documents {
		l.res.bare = append(l.res.bare, path)
	}
}

// salvage marks the names in text that cannot be parsed as broken.
func (l *loader) salvage(data []byte) {
	for _, ch := range splitDocuments(data) {
		if name := salvageName(ch.text); name != "" {
			l.res.broken[name] = true
		}
	}
}

// document reads one document; false if there is nothing but comments.
func (l *loader) document(path string, ch chunk) bool {
	d := &document{file: path, line: ch.line, budget: expandBase + expandFactor*len(ch.text)}
	root := d.parse(ch.text)
	var c *Component
	var note string
	if root != nil {
		c, note = d.decode(root)
	} else if len(d.problems) > 0 {
		d.component = salvageName(ch.text)
	}
	for i := range d.problems {
		d.problems[i].Component = cmp.Or(d.problems[i].Component, d.component)
	}
	if len(d.problems) > 0 && d.component != "" {
		l.res.broken[d.component] = true
	}
	l.res.Problems = append(l.res.Problems, d.problems...)
	if note != "" {
		l.res.Notes = append(l.res.Notes, Problem{Pos: d.pos(root), Component: d.component, Msg: note})
	}
	if c != nil {
		l.res.Components = append(l.res.Components, *c)
	}
	return root != nil || len(d.problems) > 0
}

// elsewhere says why the component is not for this process, or "".
func (l *loader) elsewhere(c *Component) string {
	if l.opts.Namespace != "" && c.Namespace != "" && c.Namespace != l.opts.Namespace {
		return fmt.Sprintf("passed over: for namespace %s, this is %s", quote(c.Namespace), quote(l.opts.Namespace))
	}
	if l.opts.AppID != "" && len(c.Scopes) > 0 && !slices.Contains(c.Scopes, l.opts.AppID) {
		return fmt.Sprintf("passed over: scoped to other apps than %s", quote(l.opts.AppID))
	}
	return ""
}

// duplicates keeps one component of each name and reports the others.
func (l *loader) duplicates() {
	kept := l.res.Components[:0:0]
	byName := map[string][]int{} // indices in kept
	for _, c := range l.res.Components {
		if current := l.opts.Current[c.Name]; current != "" && current != c.Pos.File && l.res.unreadable(c.Name, current) {
			l.res.Problems = append(l.res.Problems, c.Problem("the name is taken by the component of %s, which stays in service although that file cannot be read at the moment; put the file right or delete it", current))
			continue
		}
		clash := slices.IndexFunc(byName[c.Name], func(i int) bool { return overlap(&kept[i], &c) })
		if clash < 0 {
			byName[c.Name] = append(byName[c.Name], len(kept))
			kept = append(kept, c)
			continue
		}
		winner := &kept[byName[c.Name][clash]]
		loser := c
		if current := l.opts.Current[c.Name]; current == c.Pos.File && winner.Pos.File != current {
			loser, *winner = *winner, c
		}
		l.res.Problems = append(l.res.Problems, loser.Problem("the name is taken by the %s component at %s, which is used; rename or remove one", winner.Type, winner.Pos))
	}
	l.res.Components = kept
}

// overlap reports whether some process could see both components.
func overlap(a, b *Component) bool {
	if a.Namespace != "" && b.Namespace != "" && a.Namespace != b.Namespace {
		return false
	}
	return len(a.Scopes) == 0 || len(b.Scopes) == 0 ||
		slices.ContainsFunc(a.Scopes, func(s string) bool { return slices.Contains(b.Scopes, s) })
}

func (l *loader) module(path string) {
	info, err := Await(&l.opts.Cache.Patience, "stat "+path, func() (fs.FileInfo, error) {
		f, info, err := open(path)
		if err == nil {
			f.Close()
		}
		return info, err
	})
	if err != nil {
		l.unreadable(path, err)
		return
	}
	l.res.Modules = append(l.res.Modules, Module{Path: path, Size: info.Size(), ModTime: info.ModTime()})
}

func (l *loader) unreadable(path string, err error) {
	switch {
	case errors.Is(err, ErrBusy):
		l.res.Busy = append(l.res.Busy, path)
	case errors.Is(err, fs.ErrNotExist) && dangling(path):
		l.problem(path, "the symbolic link leads to a file that does not exist")
	case errors.Is(err, fs.ErrNotExist): // removed since the folder was listed
	default:
		l.problem(path, "%v", err)
	}
}
