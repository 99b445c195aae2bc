package manifest

import (
	"bytes"
	"io/fs"
	"os"
	"time"
)

// Cache remembers what was read of every file, so that one changed file among a
// thousand costs one. Give the same one to every Load of a process, one at a
// time. The zero value is ready.
type Cache struct {
	Patience Patience
	files    map[string]*cached
	last     map[string][]byte // what was read last, of files where nobody can tell whether they are being written
}

// beginTime is how long a file that nobody can tell to be complete must not
// have changed if it is the beginning of what it was: whoever writes slowly may
// not be through.
const beginTime = 5 * time.Second

// maxLast is the size of a file up to which its text is remembered.
const maxLast = 1 << 20

// incomplete reports whether a file may be half-written because it is the
// beginning of what was read of it before.
func (c *Cache) incomplete(path string, now content) bool {
	last := c.last[path]
	if now.sure || time.Since(now.info.ModTime()) >= beginTime || len(now.data) >= len(last) || !bytes.HasPrefix(last, now.data) {
		if c.last == nil {
			c.last = map[string][]byte{}
		}
		if delete(c.last, path); !now.sure && len(now.data) <= maxLast {
			c.last[path] = now.data
		}
		return false
	}
	return true
}

// cached is a file's part of a Result, before scopes and duplicates.
type cached struct {
	info fs.FileInfo // of what was read
	part *Result
	used bool // since the last forget
}

// unchanged returns what was read before if the file is as it was then. A file
// that changed a moment ago may change again without its time telling.
func (c *Cache) unchanged(path string) *Result {
	f := c.files[path]
	if f == nil {
		return nil
	}
	info, err := Await(&c.Patience, "stat "+path, func() (fs.FileInfo, error) { return os.Stat(path) })
	if err != nil || !os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime()) {
		return nil
	}
	f.used = true
	return f.part
}

func (c *Cache) keep(path string, info fs.FileInfo, part *Result) {
	if time.Since(info.ModTime()) < settleTime {
		delete(c.files, path)
		return
	}
	if c.files == nil {
		c.files = map[string]*cached{}
	}
	c.files[path] = &cached{info: info, part: part, used: true}
}

// forget drops the files that were not asked for since the last time.
func (c *Cache) forget() {
	for path, f := range c.files {
		if !f.used {
			delete(c.files, path)
			delete(c.last, path)
			continue
		}
		f.used = false
	}
}
