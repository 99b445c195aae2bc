package loader

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// wasmType is the type of a component that names its module by url.
const wasmType = "state.wasm"

// module is a .wasm file that could be read as one.
type module struct {
	*sandbox.Module
	path   string
	schema *manifest.Schema // nil = none
}

// moduleFiles reads module files and remembers them by size and time, so that
// an unchanged file is read once. A file that cannot be read as a module keeps
// its last good content for the components that use it.
type moduleFiles struct {
	sandbox  *sandbox.Sandbox
	patience *manifest.Patience
	graces   *graces

	mu    sync.Mutex
	files map[moduleKey]*moduleFile
	drops map[string]*module // by lower-case type, of the modules in the folders
}

// moduleKey is a file as some component reads it.
type moduleKey struct{ path, limits string }

type moduleFile struct {
	stat os.FileInfo // of the present content; nil = there is none
	last *module     // the last good one; may be nil
	err  error       // of the present content
	used bool        // since the last forget
}

func newModuleFiles(sb *sandbox.Sandbox, patience *manifest.Patience, g *graces) *moduleFiles {
	return &moduleFiles{sandbox: sb, patience: patience, graces: g, files: map[moduleKey]*moduleFile{}, drops: map[string]*module{}}
}

// drop reads the modules that lie in the folders; each is the type state.<its
// name>. A type stays with the file that has it until that file goes: a backup
// beside a module takes nothing over.
func (f *moduleFiles) drop(res *manifest.Result) (problems []manifest.Problem) {
	f.mu.Lock()
	before := f.drops
	f.mu.Unlock()
	drops := map[string]*module{}
	for _, found := range res.Modules {
		m, err := f.read(found.Path, nil)
		at := manifest.Pos{File: found.Path}
		if err != nil {
			problems = append(problems, manifest.Problem{Pos: at, Msg: trimPath(err, found.Path)})
		}
		if m == nil {
			continue
		}
		typ := strings.ToLower(m.Type())
		other := drops[typ]
		if other == nil {
			drops[typ] = m
			continue
		}
		winner, loser := other, m
		if has := before[typ]; has != nil && has.path == m.path {
			winner, loser = m, other
		}
		drops[typ] = winner
		problems = append(problems, manifest.Problem{Pos: manifest.Pos{File: loser.path}, Msg: fmt.Sprintf(
			"the type %s is taken by %s, which is used; give one of the modules another name, or remove one", typ, winner.path)})
	}
	for typ, m := range before {
		if now := drops[typ]; now != nil && now.path == m.path {
			continue
		}
		if _, stays := f.graces.leaving("module " + m.path); stays || res.Keeps("", m.path) {
			drops[typ] = m // its file is being written, or gone for a moment
		}
	}
	f.mu.Lock()
	f.drops = drops
	f.mu.Unlock()
	return problems
}

// read returns the module in a file, under the default limits with some of them
// overridden. With an error it returns the last good content too, if there was
// one.
func (f *moduleFiles) read(path string, limits map[string]int64) (*module, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := moduleKey{path, fmt.Sprint(limits)}
	file := f.files[key]
	if file == nil {
		file = &moduleFile{}
		f.files[key] = file
	}
	file.used = true
	st, err := manifest.Await(f.patience, "stat module "+path, func() (os.FileInfo, error) { return os.Stat(path) })
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if errors.Is(err, fs.ErrNotExist) && file.last != nil {
		if _, stays := f.graces.leaving("module " + path); stays {
			return file.last, nil
		}
	}
	if err != nil {
		file.stat, file.err = nil, err
		return file.last, err
	}
	same := file.stat != nil && os.SameFile(file.stat, st) && file.stat.Size() == st.Size() && file.stat.ModTime().Equal(st.ModTime())
	if same && time.Since(st.ModTime()) > time.Second {
		return file.last, file.err
	}
	m, err := readModule(f.sandbox, f.patience, path, limits, file.last)
	file.stat, file.err = st, err
	if err == nil {
		file.last = m
	}
	return file.last, err
}

// readModule reads and parses a file; same is returned if the bytes are its.
func readModule(sb *sandbox.Sandbox, patience *manifest.Patience, path string, limits map[string]int64, same *module) (*module, error) {
	size, err := sb.MaxFileSize(limits)
	if err != nil {
		return nil, err
	}
	b, err := manifest.Await(patience, "read module "+path, func() ([]byte, error) { return readAll(path, size) })
	if err != nil {
		return nil, err
	}
	if same != nil && same.Is(b) {
		return same, nil
	}
	parsed, err := sb.Parse(b, limits)
	if err != nil {
		return nil, err
	}
	mod := &module{Module: parsed, path: path}
	if schema := parsed.Schema(); len(schema) > 0 {
		if mod.schema, err = manifest.CompileSchema(schema); err != nil {
			return nil, err
		}
	}
	return mod, nil
}

// readAll reads a file of at most size bytes.
func readAll(path string, size int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, size+1))
	if err == nil && int64(len(b)) > size {
		err = fmt.Errorf("the module is larger than %d bytes", size)
	}
	return b, err
}

// forget drops the files that the last plan did not look at.
func (f *moduleFiles) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, file := range f.files {
		if !file.used {
			delete(f.files, key)
			continue
		}
		file.used = false
	}
}

// named returns the module that a state.wasm component names by its url.
func (f *moduleFiles) named(c *manifest.Component, r *reading) (*module, error) {
	if c.Runtime.URL == "" {
		return nil, errors.New(`the metadata item url is missing: where the module is, such as "file://ledger.wasm"`)
	}
	path, local := c.ModulePath()
	if !local {
		return nil, fmt.Errorf("url %s: modules are loaded from files only in this version; put the file beside this one and write file://name.wasm", text.Clip(c.Runtime.URL, maxShown))
	}
	r.also(path)
	var limits map[string]int64
	if s := c.Runtime.Sandbox; s != nil {
		limits = s.Limits
	}
	m, err := f.read(path, limits)
	if err != nil && m != nil && slices.Contains(r.Busy, path) {
		err = nil // it is being written: go on with what there was
	}
	if err != nil {
		return nil, fmt.Errorf("module %s: %s", path, trimPath(err, path))
	}
	if want := c.Runtime.ModuleDigest; want != "" && want != m.Digest() {
		return nil, fmt.Errorf("module %s has the digest %s, and the component asks for %s", path, m.Digest(), want)
	}
	return m, nil
}

// dropped is the TypeSource of the modules that lie in the folders.
type dropped struct{ l *Loader }

// Type implements TypeSource. Dropped modules have one version: whatever a
// component asks for.
func (d *dropped) Type(name, _ string) (Type, error) {
	f := d.l.modules
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.drops[strings.ToLower(name)]; m != nil {
		return &moduleType{d.l, m}, nil
	}
	return nil, nil //nolint:nilnil // nil is the answer
}

// Types implements TypeSource.
func (d *dropped) Types() []string {
	f := d.l.modules
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.drops))
}

// trimPath drops the file's name from an error that repeats it.
func trimPath(err error, path string) string {
	var pe *os.PathError
	if errors.As(err, &pe) && pe.Path == path {
		return pe.Err.Error()
	}
	return err.Error()
}
