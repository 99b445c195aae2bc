package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ReadFile returns the content of the regular file at path, or that a symbolic
// link at path leads to. It never blocks on a pipe or device and never reads
// more than limit bytes; a larger file is an error. Errors satisfy errors.Is
// with fs.ErrNotExist where that is the cause and name the cause, not the path.
func ReadFile(path string, limit int64) ([]byte, error) {
	// O_NONBLOCK because opening a pipe otherwise waits for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the path is %s, not a file", modeName(info.Mode()))
	}
	if info.Size() > limit {
		return nil, tooLarge(limit)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", cause(err))
	}
	if int64(len(data)) > limit { // it grew meanwhile
		return nil, tooLarge(limit)
	}
	return data, nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("the file is larger than the limit of %d bytes", limit)
}

// cause is err without the operation and the path, which the message has already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// dangling reports whether path is a symbolic link, after following it failed.
func dangling(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func modeName(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}
