package watch

import (
	"errors"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"
)

// maxRounds bounds how often refresh follows directories that change meanwhile.
const maxRounds = 8

// refresh brings the watched directories in line with the paths as they lead
// now. Directories that are watched already are added again: another directory
// may have taken the place of the old one.
func (w *Watcher) refresh() {
	if w.notifier == nil {
		if err := w.open(); err != nil {
			w.startPolling(err)
			return
		}
	}
	w.mu.Lock()
	files := w.files
	w.mu.Unlock()
	// Before the signal that follows: what changes later differs from this print.
	w.apart = apart(w.folders, files, w.opts.Extensions)
	w.apartPrint = w.fingerprint(w.apart)
	var refused error
	for range maxRounds {
		want := collect(w.folders, files, w.opts.Extensions)
		w.heard.Store(want) // before the watches, so that no event is dropped
		refused = nil
		fresh := false
		for _, dir := range want.order {
			err := w.notifier.Add(dir)
			switch {
			case err == nil:
				fresh = fresh || !w.watched[dir]
				w.watched[dir] = true
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
				delete(w.watched, dir)
			case errors.Is(err, fs.ErrPermission) && !want.dirs[dir].essential:
				// A parent that may be passed but not listed: its renames go unseen.
			default:
				refused = &fs.PathError{Op: "watch", Path: dir, Err: err}
			}
		}
		for dir := range w.watched {
			if want.dirs[dir] == nil {
				_ = w.notifier.Remove(dir) // it may be gone already
				delete(w.watched, dir)
			}
		}
		if !fresh {
			break
		}
		// Something may have been created in a directory before it was watched.
	}
	if refused != nil {
		w.startPolling(refused)
		return
	}
	if w.polling {
		w.polling = false
		w.opts.Log.Info("watching files again")
	}
}

func (w *Watcher) startPolling(err error) {
	if !w.polling {
		w.polling = true
		w.opts.Log.Warn("files cannot be watched and are looked at regularly instead; "+
			"raise fs.inotify.max_user_watches or max_user_instances if there are too many",
			zap.Duration("every", w.opts.Poll), zap.Error(err))
	}
	w.looksDifferent()
}

// looksDifferent compares names, sizes and times of everything watched with the
// last call.
func (w *Watcher) looksDifferent() bool {
	w.mu.Lock()
	files := w.files
	w.mu.Unlock()
	var paths []string
	for _, dir := range w.folders {
		paths = append(paths, dir)
		entries, _ := os.ReadDir(dir) // an error shows in the print of dir
		for _, e := range entries {
			if counts(e.Name(), w.opts.Extensions) {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	sum := w.fingerprint(append(paths, files...))
	changed := sum != w.print
	w.print = sum
	return changed
}

// fingerprint stands for the names, sizes and times of files.
func (w *Watcher) fingerprint(paths []string) uint64 {
	var h maphash.Hash
	h.SetSeed(w.seed)
	for _, path := range paths {
		h.WriteString(path)
		info, err := os.Stat(path)
		if err != nil {
			h.WriteString("\x00" + err.Error())
			continue
		}
		maphash.WriteComparable(&h, [3]int64{info.Size(), info.ModTime().UnixNano(), int64(info.Mode())})
		_, file := identity(info)
		maphash.WriteComparable(&h, file)
	}
	return h.Sum64()
}
