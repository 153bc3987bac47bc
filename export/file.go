package export

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFile makes a file of what write writes, durable and whole or not at all:
// until it is whole it has another name, which begins with a dot.
func WriteFile(path string, write func(io.Writer) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return err
	}
	if err := fill(temp, write); err != nil {
		_ = os.Remove(temp.Name()) // err says more
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		_ = os.Remove(temp.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// fill writes a file, brings it to disk and closes it.
func fill(f *os.File, write func(io.Writer) error) error {
	err := write(f)
	if err == nil {
		err = f.Chmod(0o640) // others than the owner read exports
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// syncFolder brings a new name to disk, where folders can be synchronized.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = folder.Sync() // some systems have no such thing
	return folder.Close()
}
