package watch

import (
	"io/fs"
	"os"
	"path/filepath"
)

// apart lists the files that are looked at regularly although their directories
// are watched: those given alone, and those on another device than their
// directory. Containers mount single files so, and an edit of the original
// outside makes no event in the directory inside.
func apart(folders, files, extensions []string) []string {
	var out []string
	for _, folder := range folders {
		dir, err := os.Stat(folder)
		if err != nil {
			continue // the watch of its parents tells when it comes
		}
		if !dir.IsDir() {
			out = append(out, folder)
			continue
		}
		entries, _ := os.ReadDir(folder) // an unreadable folder is the loader's to report
		for _, e := range entries {
			if path := filepath.Join(folder, e.Name()); counts(e.Name(), extensions) && !e.IsDir() && elsewhere(path, dir) {
				out = append(out, path)
			}
		}
	}
	for _, f := range files {
		if dir, err := os.Stat(filepath.Dir(f)); err == nil && elsewhere(f, dir) {
			out = append(out, f)
		}
	}
	return out
}

// elsewhere reports whether a path is on another device than its directory.
func elsewhere(path string, dir fs.FileInfo) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	a, _ := identity(info)
	b, _ := identity(dir)
	return a != b
}
