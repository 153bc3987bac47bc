package export

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// WriteFile makes a file of what write writes, durable and whole or not at all:
// until it is whole it has another name, that of a part. What a process that was
// killed left of the file goes.
func WriteFile(path string, write func(io.Writer) error) error {
	folder, name := filepath.Split(filepath.Clean(path))
	RemoveParts(folder, func(of string) bool { return of == name })
	p, err := newPart(folder, name)
	if err != nil {
		return err
	}
	defer p.held.Close()
	if err := fill(p.file, write); err != nil {
		_ = os.Remove(p.file.Name()) // err says more
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(p.file.Name(), path); err != nil {
		_ = os.Remove(p.file.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// RemoveParts removes from a folder what is left of files that were being written
// when their process was killed, of those whose names are own. What somebody
// writes still stays, as does what cannot be removed: it is in nobody's way.
func RemoveParts(folder string, own func(name string) bool) {
	entries, err := os.ReadDir(filepath.Clean(folder))
	if err != nil {
		return // whoever writes there learns it
	}
	for _, e := range entries {
		if name, ok := partOf(e.Name()); !ok || !own(name) || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(folder, e.Name())
		if held, err := hold(path); err == nil {
			_ = os.Remove(path)
			_ = held.Close()
		}
	}
}

const partEnd = ".part"

// partOf returns of which file another one is a part, by its name: a dot, that of
// the file, a dot, a number, ".part".
func partOf(name string) (whole string, ok bool) {
	name, ok = strings.CutSuffix(name, partEnd)
	at := strings.LastIndexByte(name, '.')
	if !ok || at < 2 || name[0] != '.' {
		return "", false
	}
	_, err := strconv.ParseUint(name[at+1:], 10, 64)
	return name[1:at], err == nil
}

// A part is a file that is not whole. It is held until it has its name, so that
// nobody takes it for what a crash left.
type part struct {
	file *os.File
	held io.Closer
}

// errTaken means that somebody holds the part.
var errTaken = errors.New("somebody writes it")

// newPart makes one.
func newPart(folder, name string) (part, error) {
	const tries = 10 // another may take it for a leftover before it is held
	for range tries {
		file, err := os.CreateTemp(filepath.Clean(folder), "."+name+".*"+partEnd)
		if err != nil {
			return part{}, err
		}
		held, err := hold(file.Name())
		switch {
		case err != nil && !errors.Is(err, errTaken) && isAt(file, file.Name()):
			return part{file, io.NopCloser(nil)}, nil // nothing can be held there, nor be taken for a leftover
		case err == nil && isAt(file, file.Name()):
			return part{file, held}, nil
		case err == nil:
			_ = held.Close()
		}
		_ = file.Close()
	}
	return part{}, fmt.Errorf("write %s: others take away what was begun", filepath.Join(folder, name))
}

// isAt reports whether an open file has that path still.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
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
