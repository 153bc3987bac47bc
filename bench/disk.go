package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	syncBlock = 4096
	syncMost  = 400         // how often it is measured
	syncLong  = time.Second // and how long, on a slow disk
)

// SyncTime returns the median time that it takes the disk of a folder to make 4 KB
// durable that overwrite what a file already holds: what nobody can undercut who
// answers only for what is on disk.
func SyncTime(folder string) (took time.Duration, err error) {
	f, err := os.CreateTemp(folder, "sync-")
	if err != nil {
		return 0, fmt.Errorf("measure the disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(filepath.Join(folder, filepath.Base(f.Name())))) }()
	block := make([]byte, syncBlock)
	for i := range int64(16) {
		if _, err := f.WriteAt(block, i*syncBlock); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("measure the disk: %w", err)
	}
	var all []time.Duration
	for begin := time.Now(); len(all) < syncMost && (len(all) == 0 || time.Since(begin) < syncLong); {
		block[0]++
		one := time.Now()
		if _, err := f.WriteAt(block, int64(len(all)%16)*syncBlock); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		if err := syncData(f); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		all = append(all, time.Since(one))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
