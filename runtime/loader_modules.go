package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
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

// check finds what is wrong with the properties for this module.
func (m *module) check(items []manifest.Item) []manifest.Problem {
	if m.schema == nil {
		return nil
	}
	return m.schema.Check(items)
}

// secrets are the values of the properties that the module calls secret.
func (m *module) secrets(items []manifest.Item) []string {
	if m.schema == nil {
		return nil
	}
	return m.schema.Secrets(items)
}

// moduleFiles reads module files and remembers them by size and time, so that
// an unchanged file is read once. A file that cannot be read as a module keeps
// its last good content for the components that use it.
type moduleFiles struct {
	sandbox *sandbox.Sandbox

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

func newModuleFiles(sb *sandbox.Sandbox) *moduleFiles {
	return &moduleFiles{sandbox: sb, files: map[moduleKey]*moduleFile{}, drops: map[string]*module{}}
}

// dropped reads the modules that lie in the folders; each registers the type
// state.<its name>.
func (f *moduleFiles) dropped(res *manifest.Result) (problems []manifest.Problem) {
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
		if other := drops[typ]; other != nil {
			problems = append(problems, manifest.Problem{Pos: at, Msg: fmt.Sprintf("the type %s is taken by %s; give one of the modules another name", typ, other.path)})
			continue
		}
		drops[typ] = m
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for typ, m := range f.drops {
		if drops[typ] == nil && res.Keeps("", m.path) {
			drops[typ] = m // its file is being written
		}
	}
	f.drops = drops
	return problems
}

// types lists the types of dropped modules.
func (f *moduleFiles) types() (types []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for typ := range f.drops {
		types = append(types, typ)
	}
	slices.Sort(types)
	return types
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
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		file.stat, file.err = nil, err
		return file.last, err
	}
	same := file.stat != nil && os.SameFile(file.stat, st) && file.stat.Size() == st.Size() && file.stat.ModTime().Equal(st.ModTime())
	if same && time.Since(st.ModTime()) > time.Second {
		return file.last, file.err
	}
	m, err := readModule(f.sandbox, path, limits, file.last)
	file.stat, file.err = st, err
	if err == nil {
		file.last = m
	}
	return file.last, err
}

// readModule reads and parses a file; same is returned if the bytes are its.
func readModule(sb *sandbox.Sandbox, path string, limits map[string]int64, same *module) (*module, error) {
	size, err := sb.MaxFileSize(limits)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, size+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > size {
		return nil, fmt.Errorf("the module is larger than %d bytes", size)
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

// moduleOf returns the module of a component, nil for a built-in store. A
// type that nobody knows is an error.
func (l *loader) moduleOf(c *manifest.Component, p *plan) (*module, error) {
	if !strings.EqualFold(c.Type, wasmType) {
		_, err := l.registry.Lookup(c.Type, c.Version)
		if err == nil {
			return nil, nil
		}
		l.cached.mu.Lock()
		m := l.cached.drops[strings.ToLower(c.Type)]
		l.cached.mu.Unlock()
		if m == nil {
			return nil, l.typeError(c, err)
		}
		return m, nil
	}
	if c.Runtime.URL == "" {
		return nil, errors.New(`the metadata item url is missing: where the module is, such as "file://ledger.wasm"`)
	}
	path, local := c.ModulePath()
	if !local {
		return nil, fmt.Errorf("url %s: modules are loaded from files only in this version; put the file beside this one and write file://name.wasm", c.Runtime.URL)
	}
	p.watchFile(path)
	var limits map[string]int64
	if s := c.Runtime.Sandbox; s != nil {
		limits = s.Limits
	}
	m, err := l.cached.read(path, limits)
	if err != nil && m != nil && slices.Contains(p.result.Busy, path) {
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

// openModule makes the store of a wasm component. No secret is ever in what the
// guest logs or answers.
func (l *loader) openModule(ctx context.Context, c *manifest.Component, m *module, secrets []string) (abi.Store, error) {
	cfg, err := l.moduleConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	cfg.Host.Redact = secrets
	watch := l.watchGuest(c.Name, &cfg)
	store, err := m.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", m.path, err)
	}
	watch(store)
	return store, nil
}

// trimPath drops the file's name from an error that repeats it.
func trimPath(err error, path string) string {
	var pe *os.PathError
	if errors.As(err, &pe) && pe.Path == path {
		return pe.Err.Error()
	}
	return err.Error()
}

func asWaiting(err error, target **manifest.WaitingError) bool { return errors.As(err, target) }

// problemFrom places an error at a component's document.
func problemFrom(c *manifest.Component, err error) manifest.Problem {
	var prob *manifest.Problem
	if errors.As(err, &prob) {
		return *prob
	}
	var value manifest.Problem
	if errors.As(err, &value) {
		return value
	}
	return c.Problem("%v", err)
}
