package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"leyden"
	"leyden/sqlite"
)

// A trial is one run of a scenario: a server on a fresh ledger, and what was
// measured of it.
type trial struct {
	*Options
	*server
	Sample
	data string // where the ledger is
	kept int    // charges that are completed, when the server has ended
}

// try starts a server, measures, ends the server and counts what its ledger holds.
// measure may say how many charges that must be.
func (o *Options) try(ctx context.Context, measure func(t *trial) (charges int, err error)) (r *trial, err error) {
	data, err := o.folder()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	before := 0
	if o.Data == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	} else if before, err = count(ctx, data); err != nil {
		return nil, fmt.Errorf("bench: ledger: %w", err)
	}
	t := &trial{Options: o, data: data}
	disk, err := SyncTime(data)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	t.add("fdatasync p50", "ms", Neither, ms(disk))
	if t.server, err = start(ctx, o, data); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	charges, err := measure(t)
	if err == nil && o.store() == Memory {
		t.kept, err = t.completed(ctx)
	}
	if err := errors.Join(err, t.stop()); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if o.store() != Memory {
		if t.kept, err = count(ctx, data); err != nil {
			return nil, fmt.Errorf("bench: ledger: %w", err)
		}
		size, err := sizeOf(data)
		if err != nil {
			return nil, fmt.Errorf("bench: ledger: %w", err)
		}
		if charges > 0 {
			t.add("ledger", "KiB/transaction", Less, over(size/1024, float64(t.kept)))
		}
	}
	if t.kept-before < charges {
		return nil, fmt.Errorf("bench: the ledger holds %d of %d answered sessions", t.kept-before, charges)
	}
	return t, nil
}

// folder returns where the ledger is to be.
func (o *Options) folder() (string, error) {
	if o.Data != "" {
		return o.Data, nil
	}
	return os.MkdirTemp("", "leyden-bench-")
}

// count opens the ledger of a folder and counts the charges that are completed.
func count(ctx context.Context, data string) (n int, err error) {
	db, err := sqlite.Open(ctx, sqlite.Options{Path: data, Now: time.Now})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	page, err := db.Transactions(ctx, leyden.Query{Statuses: []leyden.Status{leyden.Completed}, Limit: 1})
	return page.Total, err
}

// sizeOf returns how many bytes the ledger's files take.
func sizeOf(data string) (bytes float64, err error) {
	files, err := filepath.Glob(filepath.Join(data, "leyden.db*"))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return 0, err
		}
		bytes += float64(info.Size())
	}
	return bytes, nil
}
