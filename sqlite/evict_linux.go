package sqlite

import (
	"cmp"
	"os"

	"golang.org/x/sys/unix"
)

// evict has the system forget what it holds of a file, all of which is on the disk
// then. An error that it tells first may be an older one, which nobody has heard of:
// what failed then is lost, and is not there when the file is read.
func evict(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	err = f.Sync()
	if err != nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.NewSyscallError("fadvise", unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	}
	return cmp.Or(err, f.Close())
}
