package sqlite

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"leyden"
)

// TestWriteFails lets the system refuse to write behind the present end of the
// log, which the engine reports as an error of the disk and not as a full one: what
// a failed write has left behind nobody can tell, so it is for another process to go
// on.
func TestWriteFails(t *testing.T) {
	folder := t.TempDir()
	db := mustOpen(t, Options{Path: folder, Serve: true})
	fill(t, db, 3)
	info, err := os.Stat(filepath.Join(folder, FileName+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := func(to uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: to, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
	}
	limit(uint64(info.Size()))
	defer limit(old.Cur)
	testOutage(t, db, func() *DB {
		<-db.Broken()
		limit(old.Cur)
		if err := db.Ready(t.Context()); !errors.Is(err, leyden.ErrUnavailable) {
			t.Errorf("Ready after a fault: %v; want %v", err, leyden.ErrUnavailable)
		}
		if err := db.Append(t.Context(), testEntry(2000, "late")); !errors.Is(err, leyden.ErrUnavailable) {
			t.Errorf("Append after a fault: %v; want %v", err, leyden.ErrUnavailable)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		return mustOpen(t, Options{Path: folder, Serve: true})
	})
}
