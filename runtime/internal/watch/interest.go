package watch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// maxLinks bounds the symbolic links followed on one path, as the kernel does.
const maxLinks = 40

// interests are the directories to watch and for what.
type interests struct {
	dirs  map[string]*interest
	order []string // of their discovery, parents first
}

// interest is what counts in one directory.
type interest struct {
	all       bool            // every name that counts
	names     map[string]bool // and these
	essential bool            // without it changes of contents go unseen
}

func (in *interests) at(dir string) *interest {
	i := in.dirs[dir]
	if i == nil {
		i = &interest{names: map[string]bool{}}
		in.dirs[dir] = i
		in.order = append(in.order, dir)
	}
	return i
}

// collect finds the directories to watch for folders and files.
func collect(folders, files, extensions []string) *interests {
	in := &interests{dirs: map[string]*interest{}}
	for _, folder := range folders {
		real, ok := in.follow(folder)
		if !ok {
			continue
		}
		info, err := os.Stat(real)
		if err != nil || !info.IsDir() {
			in.at(filepath.Dir(real)).essential = true
			continue
		}
		i := in.at(real)
		i.all, i.essential = true, true
		entries, _ := os.ReadDir(real) // an unreadable folder is the loader's to report
		for _, e := range entries {
			if e.Type()&os.ModeSymlink != 0 && counts(e.Name(), extensions) {
				in.file(filepath.Join(real, e.Name()))
			}
		}
	}
	for _, f := range files {
		in.file(f)
	}
	return in
}

func (in *interests) file(path string) {
	if real, ok := in.follow(path); ok {
		in.at(filepath.Dir(real)).essential = true
	}
}

// follow walks path as the kernel does and notes every name that is looked up
// and where. It returns where the path leads; false if it leads nowhere now.
func (in *interests) follow(path string) (real string, ok bool) {
	at, rest, links := "/", strings.Split(path, "/"), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		in.at(at).names[name] = true
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return "", false
		}
		if info.Mode()&os.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return "", false
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, true
}

// counts reports whether a name in a folder may matter: by its extension, or
// because it is Kubernetes' (..data).
func counts(name string, extensions []string) bool {
	return len(extensions) == 0 || strings.HasPrefix(name, "..") ||
		slices.Contains(extensions, strings.ToLower(filepath.Ext(name)))
}

// has reports whether an event may have changed anything of interest.
func (in *interests) has(ev fsnotify.Event, extensions []string) bool {
	path := filepath.Clean(ev.Name)
	if i := in.dirs[filepath.Dir(path)]; i != nil {
		if base := filepath.Base(path); i.names[base] || i.all && counts(base, extensions) {
			return true
		}
	}
	// The directory itself was removed, renamed or, if it matters, made readable.
	i := in.dirs[path]
	return i != nil && (i.all || ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename))
}
