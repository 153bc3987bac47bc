package sqlite

import (
	"context"
	"slices"

	"leyden"
)

// settled returns once everything that was appended before it was called stands in
// the tables. Without a bookkeeper it always does.
func (db *DB) settled(ctx context.Context) error {
	k := db.book
	if k == nil {
		return nil
	}
	k.mu.Lock()
	return k.await(ctx, k.last, true)
}

// settledOrOld is settled for those who show what there is: while storage is in
// trouble they show what stands in the tables, and nothing is decided upon it, for
// nothing is appended then.
func (db *DB) settledOrOld(ctx context.Context) error {
	err := db.settled(ctx)
	if isFailure(err) {
		return nil
	}
	return err
}

// settledSoon is settled for those who are in no hurry: much may be posted at once.
func (db *DB) settledSoon(ctx context.Context) error {
	k := db.book
	if k == nil {
		return nil
	}
	k.mu.Lock()
	return k.await(ctx, k.last, false)
}

// settledOf is settled for the entries of one station; "" is any.
func (db *DB) settledOf(ctx context.Context, s leyden.StationID) error {
	if s == "" {
		return db.settled(ctx)
	}
	k := db.book
	if k == nil {
		return nil
	}
	k.mu.Lock()
	return k.await(ctx, k.stations[s], true)
}

// await waits until a record is posted. It is called with mu held, and unlocks it.
func (k *bookkeeper) await(ctx context.Context, number uint64, hurry bool) error {
	if k.posted >= number || k.trouble != nil {
		err := k.trouble
		if k.posted >= number {
			err = nil
		}
		k.mu.Unlock()
		return failed(err)
	}
	w := waiter{number, hurry, make(chan error, 1)}
	k.waiting = append(k.waiting, w)
	k.mu.Unlock()
	k.db.writer.wakeUp()
	select {
	case err := <-w.done:
		return failed(err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell tells those who wait how far posting has come, or why it fails. It is called
// with mu held.
func (k *bookkeeper) tell(err error) {
	k.waiting = slices.DeleteFunc(k.waiting, func(w waiter) bool {
		if err == nil && w.number > k.posted {
			return false
		}
		w.done <- err
		return true
	})
}

// postedUpTo returns the number of the last record that stands in the tables.
func (k *bookkeeper) postedUpTo() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.posted
}

// toPost returns records that are to be posted now, of some bytes together.
func (k *bookkeeper) toPost(bytes int) []record {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for n < len(k.pending) && bytes > 0 {
		bytes -= len(k.pending[n].entries)
		n++
	}
	return k.pending[:n:n]
}

// havePosted notes that the first records stand in the tables.
func (k *bookkeeper) havePosted(records []record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range records {
		k.posted = r.number
		k.unposted -= len(r.entries)
		k.spareBuffer(r.entries)
	}
	k.pending = slices.Delete(k.pending, 0, len(records))
	k.trouble = nil
	if len(k.pending) == 0 {
		clear(k.stations)
		if k.spared > maxRecord { // the crowd has gone
			k.buffers, k.spared = nil, 0
		}
	}
	k.tell(nil)
	k.work.Signal()
}

// cannotPost notes why posting fails. Until it succeeds nothing is booked.
func (k *bookkeeper) cannotPost(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trouble = err
	k.tell(err)
	k.work.Signal()
}

// unposted returns how many bytes stand in the daybook and not in the tables.
func (db *DB) unposted() int {
	k := db.book
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unposted
}
