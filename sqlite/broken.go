package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// A breakage is an error of the disk, after which this process writes nothing any
// more. What the system could not write it shows as if it were written, and says so
// no second time: what is read here may be on no disk, and what is written beside it
// may rest on it. Only who begins anew, and reads from the disk (freshen), knows what
// there is. Until then all that was answered stands in the daybook.
type breakage struct {
	once sync.Once
	why  atomic.Pointer[error]
	done chan struct{}
}

// Broken returns a channel that is closed when the disk has failed: from then on
// every change is refused with [leyden.ErrUnavailable], Ready says why, and the
// process must end to be started anew. A disk that is full or slow breaks nothing.
func (db *DB) Broken() <-chan struct{} { return db.broken.done }

// refusal returns why nothing is written any more, or nil.
func (db *DB) refusal() error {
	if why := db.broken.why.Load(); why != nil {
		return *why
	}
	return nil
}

// noteFault breaks the database if err means that the disk has failed.
func (db *DB) noteFault(err error) {
	if !isFault(err) {
		return
	}
	db.broken.once.Do(func() {
		why := unavailable(fmt.Errorf("the disk failed, and nothing is written until leyden is started anew: %w", err))
		db.broken.why.Store(&why)
		close(db.broken.done)
		db.opt.Log.Error("the disk failed", "err", err)
		// Whoever opens the file next must not trust what the system remembers.
		if err := os.Truncate(db.lockFile(), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			db.opt.Log.Error("mark of a good end", "err", err)
		}
	})
	if db.book != nil {
		db.book.cannotPost(db.refusal())
	}
}

// isFault reports whether an error, of the engine or of the daybook, means that the
// disk did not do what it was told to, or may not have. One that is full has said so
// in time.
func isFault(err error) bool {
	switch code := sqlite.ErrCode(err); {
	case err == nil:
		return false
	case code == sqlite.ResultIOErrSHMSize || code == sqlite.ResultIOErrNoMem:
		return false // there was no room, for what is in memory alone
	case code.ToPrimary() == sqlite.ResultIOErr:
		return true
	case errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EROFS):
		return true
	}
	passing := []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EINTR}
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && !slices.Contains(passing, errno)
}

// unavailable marks an error that is not the engine's, but means the same.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return failed(fmt.Errorf("%w: %w", leyden.ErrUnavailable, err))
}

// endedWell is what the lock's file holds after a process that served has ended and
// all that it wrote was on the disk.
const endedWell = "ended well\n"

func (db *DB) lockFile() string { return filepath.Join(filepath.Dir(db.file), lockName) }

// freshen has what is in the files read from the disk, and not from what the system
// remembers of a process that ended otherwise than well. The lock must be held. A
// large file takes a moment, and its first readers wait for the disk.
func (db *DB) freshen() error {
	mark := make([]byte, len(endedWell))
	n, _ := db.lock.ReadAt(mark, 0) // what cannot be read is no mark
	if db.opt.Serve {
		if err := errors.Join(db.lock.Truncate(0), db.lock.Sync()); err != nil {
			return fmt.Errorf("lock of the data folder: %w", err)
		}
	}
	if string(mark[:n]) == endedWell {
		return nil
	}
	db.opt.Log.Debug("what the system remembers of the files is not trusted")
	names, err := filepath.Glob(filepath.Join(filepath.Dir(db.file), "daybook-*"))
	if err != nil {
		return err
	}
	for _, name := range append(names, db.file, db.file+"-wal") {
		if err := evict(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("what is on the disk: %w", err)
		}
	}
	return nil
}

// endWell marks that all is on the disk and can be trusted. It is called with all
// closed but the lock.
func (db *DB) endWell() error {
	if !db.opt.Serve || db.refusal() != nil || db.unposted() > 0 {
		return nil
	}
	// The engine removes its log once the end of it is in the database.
	if _, err := os.Stat(db.file + "-wal"); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_, err := db.lock.WriteAt([]byte(endedWell), 0)
	return err
}
