package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// fresh returns an entry with a version of a transaction, and an event that nobody has
// told before.
func fresh(id leyden.TransactionID, version int) *leyden.Entry {
	e := testEntry(id, fmt.Sprint(id, "|", version))
	e.Fresh, e.Transactions[0].Transaction.Version = true, version
	e.Transactions[0].Transaction.PublicID = fmt.Sprint("txn_", id)
	return e
}

// direct is fresh with what the daybook does not take.
func direct(id leyden.TransactionID, version int) *leyden.Entry {
	e := fresh(id, version)
	e.Quarantine = []leyden.Quarantined{{Station: e.Station, Frame: "f"}}
	return e
}

// hold has the writer do nothing until the function that it returns is called.
func hold(t *testing.T, db *DB) (release func()) {
	t.Helper()
	begun, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- db.write(context.WithoutCancel(t.Context()), "hold", func(*tx) error {
			close(begun)
			<-goOn
			return nil
		})
	}()
	<-begun
	return func() {
		t.Helper()
		close(goOn)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestReadyFullDaybook: a daybook without room is no place for entries, though the
// tables are well. With room again Ready says so by itself, and leaves nothing behind.
func TestReadyFullDaybook(t *testing.T) {
	folder := t.TempDir()
	disk := newBadDisk(folder)
	db := mustOpen(t, Options{Path: folder, Serve: true, disk: disk})
	if err := errors.Join(db.Append(t.Context(), fresh(1, 1)), db.Ready(t.Context())); err != nil {
		t.Fatal(err)
	}
	disk.breaks(after("write", 0, 1<<30, syscall.ENOSPC))
	if err := db.Append(t.Context(), fresh(2, 1)); !errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("Append without room: %v; want %v", err, leyden.ErrUnavailable)
	}
	for range 2 {
		if err := db.Ready(t.Context()); !errors.Is(err, leyden.ErrUnavailable) {
			t.Errorf("Ready without room: %v; want %v", err, leyden.ErrUnavailable)
		}
	}
	onWriter(t, db, `UPDATE meta SET value = 1 WHERE name = 'probe'`)
	if err := db.Ready(t.Context()); !errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("Ready without room for entries, after a commit of something else: %v; want %v", err, leyden.ErrUnavailable)
	}
	disk.breaks(nil)
	for range 2 {
		if err := db.Ready(t.Context()); err != nil {
			t.Errorf("Ready with room again: %v", err)
		}
	}
	if err := db.Append(t.Context(), fresh(2, 1)); err != nil {
		t.Errorf("Append with room again: %v", err)
	}
	if found, err := db.Verify(t.Context(), Verification{}); err != nil || found.Events != 2 || found.Broken != nil {
		t.Errorf("found %+v, %v; want the 2 events that were appended", found, err)
	}
}

// TestReadyPosting: while the tables do not take what was booked nothing more is, and
// Ready says why; once they do, Ready posts it.
func TestReadyPosting(t *testing.T) {
	folder := t.TempDir()
	db := mustOpen(t, Options{Path: folder, Serve: true})
	onWriter(t, db, `
CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.key = '2|1' BEGIN
	SELECT RAISE(ABORT, 'not this one');
END`)
	for id := range leyden.TransactionID(2) {
		if err := db.Append(t.Context(), fresh(id+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.ByKey(t.Context(), "S", "2|1") // waits until it is posted
	if err == nil {
		t.Fatal("the tables took what they must not take")
	}
	for range 2 {
		if err := db.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "not this one") {
			t.Errorf("Ready: %v; want why nothing is posted", err)
		}
		if err := db.Append(t.Context(), fresh(3, 1)); !errors.Is(err, leyden.ErrUnavailable) {
			t.Errorf("Append: %v; want %v", err, leyden.ErrUnavailable)
		}
	}
	elsewhere(t, folder, `DROP TRIGGER refuse`)
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready when the tables are well: %v", err)
	}
	if err := db.Append(t.Context(), fresh(3, 1)); err != nil {
		t.Errorf("Append when the tables are well: %v", err)
	}
	for id := range leyden.TransactionID(3) {
		if e, err := db.ByKey(t.Context(), "S", fmt.Sprint(id+1, "|1")); err != nil || e.Transaction != id+1 {
			t.Errorf("entry %d: %+v, %v", id+1, e, err)
		}
	}
}

// elsewhere runs a statement on a connection of its own.
func elsewhere(t *testing.T, folder, sql string) {
	t.Helper()
	c, err := sqlite.OpenConn(filepath.Join(folder, FileName), sqlite.OpenReadWrite)
	if err == nil {
		err = errors.Join(exec(c, sql, nil), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRestsOnAll: an entry that goes directly finds all that was booked before it,
// however much that is.
func TestRestsOnAll(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	release := hold(t, db)
	version := 0
	for db.unposted() <= 2*postBytes {
		version++
		e := fresh(1, version)
		e.Events[0].Raw = strings.Repeat("x", maxRecord)
		if err := db.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	appended := make(chan error, 1)
	go func() { appended <- db.Append(t.Context(), direct(1, version+1)) }()
	for len(db.writer.jobs) == 0 {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	release()
	if err := <-appended; err != nil {
		t.Errorf("version %d, which goes directly: %v", version+1, err)
	}
	if err := db.Append(t.Context(), fresh(1, version+2)); err != nil {
		t.Errorf("version %d, which may be booked again: %v", version+2, err)
	}
	if got, err := db.Transaction(t.Context(), 1); err != nil || got.Version != version+2 {
		t.Errorf("version %d, %v; want %d", got.Version, err, version+2)
	}
}

// TestUnsureVersion: what goes directly and is given up leaves the version of its
// transaction unknown, and the tables may not have it yet. The next entry of it is not
// refused for that.
func TestUnsureVersion(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	release := hold(t, db)
	if err := db.Append(t.Context(), fresh(1, 1)); err != nil {
		t.Fatal(err)
	}
	queued := func(n int, ended <-chan error) {
		for len(db.writer.jobs) < n && len(ended) == 0 {
			if err := t.Context().Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, giveUp := context.WithCancel(t.Context())
	given, appended := make(chan error, 1), make(chan error, 1)
	go func() { given <- db.Append(ctx, direct(1, 2)) }()
	queued(1, given)
	giveUp()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("Append that was given up: %v; want %v", err, context.Canceled)
	}
	go func() { appended <- db.Append(t.Context(), fresh(1, 2)) }()
	queued(2, appended)
	release()
	if err := <-appended; err != nil {
		t.Errorf("Append behind one that was given up: %v", err)
	}
	if got, err := db.Transaction(t.Context(), 1); err != nil || got.Version != 2 {
		t.Errorf("version %d, %v; want 2", got.Version, err)
	}
	if err := db.Append(t.Context(), fresh(1, 2)); !errors.Is(err, leyden.ErrStale) && !errors.Is(err, leyden.ErrReplay) {
		t.Errorf("the same version again: %v; want it refused", err)
	}
}
