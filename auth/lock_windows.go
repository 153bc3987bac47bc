package auth

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the file for this process alone, once nobody else has it; closing it
// gives it back, and so does the end of the process.
func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped))
}
