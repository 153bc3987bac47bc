package daybook

import (
	"errors"
	"os"
	"syscall"
)

// datasync is fdatasync: a file that does not grow has nothing else to write.
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
