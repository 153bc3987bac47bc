//go:build !linux

package daybook

import "os"

func datasync(f *os.File) error { return f.Sync() }
