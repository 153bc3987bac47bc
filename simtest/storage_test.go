package simtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"leyden/memory"
	"leyden/sqlite"
)

// A disk outlives servers.
type disk interface {
	// open makes what is on it ready for a server.
	open() error
	// driver returns what open made.
	driver() driver
	// crash keeps what is on it at this moment: what comes later is lost.
	crash()
	// close ends it.
	close() error
}

// A memoryDisk keeps everything in maps, at once.
type memoryDisk struct{ *memory.Store }

func (d memoryDisk) open() error    { return nil }
func (d memoryDisk) driver() driver { return d.Store }
func (d memoryDisk) crash()         {}
func (d memoryDisk) close() error   { return nil }

// A fileDisk keeps everything with SQLite, in a folder for each life of the server. That
// of the next is a copy of the files as they are at a crash.
type fileDisk struct {
	parent string
	lives  int
	db     *sqlite.DB
	failed error // the copy could not be made
}

func (d *fileDisk) driver() driver { return d.db }

func (d *fileDisk) folder(life int) string { return filepath.Join(d.parent, fmt.Sprint(life)) }

func (d *fileDisk) open() (err error) {
	if err := errors.Join(d.failed, d.close(), os.MkdirAll(d.folder(d.lives), 0o700)); err != nil {
		return err
	}
	d.db, err = sqlite.Open(context.Background(), sqlite.Options{
		Path: d.folder(d.lives), Serve: true, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	return err
}

// close closes what the last life had, which nobody reads any more.
func (d *fileDisk) close() error {
	if d.db == nil {
		return nil
	}
	return d.db.Close()
}

// crash copies the files, those first out of which something goes to the others.
func (d *fileDisk) crash() {
	from, to := d.folder(d.lives), d.folder(d.lives+1)
	d.lives++
	names, err := os.ReadDir(from)
	err = errors.Join(err, os.MkdirAll(to, 0o700))
	slices.SortStableFunc(names, func(a, b fs.DirEntry) int { return rank(a.Name()) - rank(b.Name()) })
	for _, e := range names {
		if rank(e.Name()) < 0 {
			continue
		}
		data, readErr := os.ReadFile(filepath.Join(from, e.Name()))
		if errors.Is(readErr, fs.ErrNotExist) {
			continue // it was used up
		}
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(to, e.Name()), data, 0o600))
	}
	d.failed = err
}

// rank returns when a file is copied; below 0 not at all.
func rank(name string) int {
	switch {
	case strings.HasSuffix(name, "-shm"), strings.HasSuffix(name, ".lock"):
		return -1
	case strings.HasSuffix(name, "-wal"):
		return 2
	case strings.HasSuffix(name, ".db"):
		return 1
	}
	return 0
}
