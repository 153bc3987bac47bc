package daybook

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A Disk is the folder that a book is in. Tests have one that fails.
type Disk interface {
	// Names returns the names of the files whose names begin with "daybook-".
	Names() ([]string, error)
	// Open opens a file that is there, to read and write.
	Open(name string) (File, error)
	// Create makes an empty file, also of one that was there, which only its
	// owner can read.
	Create(name string) (File, error)
	// Rename gives a file another name; one that had it is gone.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// Sync returns when the names of files are on the disk.
	Sync() error
}

// A File is a file of a [Disk].
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns how many bytes it has.
	Size() (int64, error)
	// Sync returns when what was written is on the disk.
	Sync() error
}

// folder is a Disk in the file system.
type folder string

var _ Disk = folder("")

func (d folder) Names() ([]string, error) {
	paths, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range paths {
		if p.Type().IsRegular() && strings.HasPrefix(p.Name(), prefix) {
			names = append(names, p.Name())
		}
	}
	return names, nil
}

func (d folder) Open(name string) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR, 0)
	return file{f}, err
}

func (d folder) Create(name string) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	return file{f}, err
}

func (d folder) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d folder) Remove(name string) error     { return os.Remove(d.path(name)) }

func (d folder) Sync() error {
	if runtime.GOOS == "windows" {
		return nil // which does it by itself, and has no other way
	}
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return cmp.Or(f.Sync(), f.Close())
}

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

// file is a File in the file system.
type file struct{ *os.File }

func (f file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync waits for the bytes, and for what of the file's own data is needed to
// read them again.
func (f file) Sync() error { return datasync(f.File) }
