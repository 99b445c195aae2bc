package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// settleTime is how long after its last change a file that a program still has
// open for writing counts as half-written. Later it counts as complete: some
// programs never close their files.
const settleTime = 2 * time.Second

// stillTime is how long a file must not have changed where nobody can tell
// whether it is being written.
const stillTime = time.Second

// ErrBusy says that a file is being written at the moment; try again soon.
var ErrBusy = errors.New("the file is being written")

// open opens the regular file at path, or that a symbolic link at path leads
// to. It never blocks on a pipe or device. ErrBusy means half-written.
func open(path string) (*os.File, fs.FileInfo, error) {
	// O_NONBLOCK because opening a pipe otherwise waits for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("the file cannot be read: %w", cause(err))
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("the file cannot be read: %w", cause(err))
	case !info.Mode().IsRegular():
		err = fmt.Errorf("the path is %s, not a file", modeName(info.Mode()))
	case halfWritten(f, info):
		err = ErrBusy
	default:
		return f, info, nil
	}
	f.Close()
	return nil, nil, err
}

func halfWritten(f *os.File, info fs.FileInfo) bool {
	age := time.Since(info.ModTime())
	if age >= settleTime || age < 0 {
		return false
	}
	busy, known := openForWriting(f)
	return busy || !known && age < stillTime
}

// content is a file as it was read.
type content struct {
	data []byte
	info fs.FileInfo
	sure bool // that nobody is writing it
}

// readFile returns the content of the regular file at path, or that a symbolic
// link at path leads to, of at most limit bytes; a larger file is an error. It
// never blocks on a pipe or device and never returns half of what is being
// written: then the error is [ErrBusy]. Errors do not name the path.
func readFile(path string, limit int64) (content, error) {
	f, info, err := open(path)
	if err != nil {
		return content{}, err
	}
	defer f.Close()
	if info.Size() > limit {
		return content{}, tooLarge(limit)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return content{}, fmt.Errorf("the file cannot be read: %w", cause(err))
	}
	if int64(len(data)) > limit { // it grew meanwhile
		return content{}, tooLarge(limit)
	}
	// Whoever began to write after open may have been overtaken.
	after, err := f.Stat()
	if err != nil || after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()) || halfWritten(f, after) {
		return content{}, ErrBusy
	}
	_, sure := openForWriting(f)
	return content{data, info, sure}, nil
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
