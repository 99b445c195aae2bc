package secretstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Limits on a secrets file.
const (
	maxFileSize = 8 << 20
	maxDepth    = 64
	maxValues   = 100_000
)

// fileStore serves the secrets of a JSON file.
type fileStore struct {
	path      string
	separator string
	multi     bool
	warn      func(string)

	mu      sync.RWMutex
	secrets map[string]map[string]string // replaced, never changed; guarded by mu

	reload sync.Mutex // one Reload at a time
	warned bool       // about the file's mode; guarded by reload
}

func newFileStore(cfg Config) (*fileStore, error) {
	path, ok := cfg.Meta.Lookup("secretsFile")
	if !ok {
		return nil, errors.New("the metadata item secretsFile is missing: path of the JSON file with the secrets")
	}
	multi, err := cfg.Meta.Bool(false, "multiValued")
	if err != nil {
		return nil, err
	}
	s := &fileStore{
		path:      locate(cfg.Dir, path),
		separator: cfg.Meta.String(":", "nestedSeparator"),
		multi:     multi,
		warn:      cfg.Warn,
	}
	if _, err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// locate makes a relative path mean the file beside the component file if there
// is one, else, as in Dapr, the one in the working directory. If there is
// neither, it is the former, so that it is the one that is watched for.
func locate(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	beside := filepath.Join(dir, path)
	if _, err := os.Stat(beside); err != nil {
		if _, err := os.Stat(path); err == nil {
			return filepath.Clean(path)
		}
	}
	return beside
}

func (s *fileStore) Get(_ context.Context, name string) (map[string]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	secret, ok := s.secrets[name]
	if !ok {
		return nil, fmt.Errorf("%s has no secret %q: %w", s.path, name, ErrNotFound)
	}
	return maps.Clone(secret), nil
}

func (s *fileStore) Files() []string { return []string{s.path} }

func (s *fileStore) Reload() (bool, error) {
	s.reload.Lock()
	defer s.reload.Unlock()
	data, mode, err := readFile(s.path)
	if err != nil {
		return false, fmt.Errorf("secrets file %s: %w", s.path, err)
	}
	secrets, err := s.parse(data)
	if err != nil {
		return false, fmt.Errorf("secrets file %s: %w", s.path, err)
	}
	if mode.Perm()&0o077 == 0 {
		s.warned = false
	} else if !s.warned {
		s.warned = true
		s.warn(fmt.Sprintf("the secrets file %s can be read by other users (mode %#o); chmod 600 it", s.path, mode.Perm()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := !maps.EqualFunc(s.secrets, secrets, maps.Equal)
	s.secrets = secrets
	return changed, nil
}

// readFile reads a regular file of at most maxFileSize without ever blocking.
func readFile(path string) ([]byte, fs.FileMode, error) {
	// O_NONBLOCK because opening a pipe otherwise waits for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, 0, cause(err)
	}
	if len(data) > maxFileSize {
		return nil, 0, fmt.Errorf("it is larger than the limit of %d bytes", maxFileSize)
	}
	return data, info.Mode(), nil
}

// cause is err without the operation and the path, which the message has already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// parse reads the file's JSON. Errors of package json are not passed on as they
// are: they may quote what they met.
func (s *fileStore) parse(data []byte) (map[string]map[string]string, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var top map[string]any
	if err := dec.Decode(&top); err != nil {
		return nil, fmt.Errorf("it is not a JSON object; the fault is at line %d", faultLine(data, err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("it has text after its JSON object")
	}
	f := flattener{separator: s.separator}
	secrets := map[string]map[string]string{}
	if s.multi {
		for name, v := range top {
			switch v := v.(type) {
			case map[string]any:
				f.out = map[string]string{}
				if err := f.object("", v, 1); err != nil {
					return nil, err
				}
				secrets[name] = f.out
			case []any:
				return nil, fmt.Errorf("the secret %q is a list; with multiValued it must be text or an object", name)
			default:
				secrets[name] = map[string]string{name: scalar(v)}
			}
		}
		return secrets, nil
	}
	f.out = map[string]string{}
	if err := f.object("", top, 0); err != nil {
		return nil, err
	}
	for name, v := range f.out {
		secrets[name] = map[string]string{name: v}
	}
	return secrets, nil
}

// faultLine is the line on which reading data as JSON failed with err.
func faultLine(data []byte, err error) int {
	at := int64(len(data)) // it ended too early
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &typ):
		at = 0
	}
	return bytes.Count(data[:min(at, int64(len(data)))], []byte("\n")) + 1
}

// flattener gives every value of a JSON object one name: the names on the way
// to it, or the positions in lists, joined by the separator.
type flattener struct {
	separator string
	out       map[string]string
	count     int
}

func (f *flattener) object(prefix string, object map[string]any, depth int) error {
	for name, v := range object {
		if err := f.value(prefix+name, v, depth); err != nil {
			return err
		}
	}
	return nil
}

func (f *flattener) value(name string, v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it is nested more than %d levels deep", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		return f.object(name+f.separator, v, depth+1)
	case []any:
		for i, e := range v {
			if err := f.value(name+f.separator+strconv.Itoa(i), e, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if _, dup := f.out[name]; dup {
		return fmt.Errorf("two values have the name %q once they are joined by %q", name, f.separator)
	}
	if f.count++; f.count > maxValues {
		return fmt.Errorf("it holds more than %d values", maxValues)
	}
	f.out[name] = scalar(v)
	return nil
}

// scalar is a JSON value as text; null is empty.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}
