package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// evict removes the entries that were not used for longest until the folder is
// within its bound. Entries in use are counted but stay. Errors are ignored: a
// cache that is too large is no reason to refuse a module.
func (c *Cache) evict() {
	if c.cfg.MaxBytes <= 0 {
		return
	}
	type stored struct {
		path string
		size int64
		used time.Time
	}
	found, err := os.ReadDir(c.cfg.Dir)
	if err != nil {
		return
	}
	var all []stored
	var total int64
	for _, d := range found {
		info, err := d.Info()
		if err != nil || !d.IsDir() || !isEntryName(d.Name()) {
			continue // not ours, or gone meanwhile
		}
		path := filepath.Join(c.cfg.Dir, d.Name())
		size := folderSize(path)
		total += size
		all = append(all, stored{path, size, info.ModTime()})
	}
	inUse := c.dirsInUse()
	slices.SortFunc(all, func(a, b stored) int { return a.used.Compare(b.used) })
	for _, s := range all {
		if total <= c.cfg.MaxBytes {
			return
		}
		if inUse[s.path] {
			continue
		}
		if os.RemoveAll(s.path) == nil {
			total -= s.size
		}
	}
}

func (c *Cache) dirsInUse() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	dirs := make(map[string]bool, len(c.entries))
	for _, e := range c.entries {
		dirs[c.dir(e)] = true
	}
	return dirs
}

// isEntryName reports whether name is one that dir makes: nothing else in the
// folder is ever removed.
func isEntryName(name string) bool {
	if len(name) != 32 {
		return false
	}
	for _, r := range name {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}

func folderSize(path string) int64 {
	var n int64
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
