package sqlite

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes the file for this process alone; the system gives it back when
// the process ends, however it ends.
func tryLock(f *os.File) error {
	// A byte far behind the end: others may still read who holds it.
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
}
