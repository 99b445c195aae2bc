package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// checkEvery is how often commits look at the file's place: a write after that
// time is not acknowledged into a file that has gone.
const checkEvery = time.Second

// place is the file that is open and the path where it was found. The system
// keeps an open file that has been removed, and SQLite writes on into it.
// The zero value is a database in memory, whose place is always right.
type place struct {
	path string
	file os.FileInfo
}

// findPlace is called while the database is open.
func findPlace(cfg *config) (place, error) {
	if cfg.memory {
		return place{}, nil
	}
	info, err := os.Stat(cfg.path)
	if err != nil {
		return place{}, abi.WrapError(abi.CodeUnavailable, "sqlite: the file is gone", err)
	}
	return place{cfg.path, info}, nil
}

// check fails if the path leads to no file or to another one.
func (p *place) check() error {
	if p.file == nil {
		return nil
	}
	info, err := os.Stat(p.path)
	const help = "; put it back, or copy the data out through this store, which still reads it"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return abi.NewError(abi.CodeUnavailable, fmt.Sprintf("sqlite: the file is gone: %q was removed or renamed while it was open%s", p.path, help))
	case err != nil:
		return abi.WrapError(abi.CodeUnavailable, "sqlite: the file cannot be looked at", err)
	case !os.SameFile(p.file, info):
		return abi.NewError(abi.CodeUnavailable, fmt.Sprintf("sqlite: the file is gone: %q is another file than the one that is open%s", p.path, help))
	}
	return nil
}
