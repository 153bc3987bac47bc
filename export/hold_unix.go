//go:build unix

package export

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// hold takes a file for this process until it is closed or the process ends,
// however it ends. It fails with errTaken if another has it, and otherwise where
// files cannot be locked.
func hold(path string) (io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errTaken
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
