//go:build unix

package auth

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the file for this process alone, once nobody else has it; closing it
// gives it back, and so does the end of the process.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
