package sqlite

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"leyden"
)

// TestDiskFull: while the disk is full nothing is accepted, nothing is half
// written and readers go on; with room again the next try succeeds.
func TestDiskFull(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	fill(t, db, 3)
	onWriter(t, db, `PRAGMA max_page_count = 1`) // SQLite takes the size that the file has
	testOutage(t, db, func() *DB {
		// The limit is the connection's own, and a full disk is no reason to leave it.
		if err := exec(db.writer.conn, `PRAGMA max_page_count = 1073741823`, nil); err != nil {
			t.Error(err)
		}
		return db
	})
}

// testOutage appends while storage fails, and again after repair, which returns the
// database that is to go on.
func testOutage(t *testing.T, db *DB, repair func() *DB) {
	t.Helper()
	const n = 50
	var accepted [n]atomic.Bool
	appendAll := func() (failures int64) {
		var wg sync.WaitGroup
		var failed atomic.Int64
		for i := range n {
			if accepted[i].Load() {
				continue
			}
			wg.Go(func() {
				err := db.Append(t.Context(), testEntry(leyden.TransactionID(1000+i), fmt.Sprint("outage ", i)))
				accepted[i].Store(err == nil)
				if err != nil {
					failed.Add(1)
				}
				if err != nil && !errors.Is(err, leyden.ErrUnavailable) {
					t.Errorf("Append during an outage: %v; want %v", err, leyden.ErrUnavailable)
				}
			})
		}
		wg.Wait()
		return failed.Load()
	}
	if appendAll() == 0 {
		t.Fatal("no append failed: this was no outage")
	}
	if db.Stats().Failures == 0 {
		t.Error("no failure was counted")
	}
	db = repair()
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready after an outage: %v", err)
	}
	for i := range n {
		_, err := db.Transaction(t.Context(), leyden.TransactionID(1000+i))
		if stored := err == nil; stored != accepted[i].Load() {
			t.Errorf("entry %d: stored = %v, accepted = %v, %v", i, stored, accepted[i].Load(), err)
		}
	}
	if failed := appendAll(); failed > 0 {
		t.Errorf("%d appends failed after an outage", failed)
	}
	if err := db.IntegrityCheck(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCrashImage opens copies of the files that were made while entries were
// appended, as a crash would leave them: whatever was accepted before the copy
// began is there, and numbers that were drawn are not drawn again.
func TestCrashImage(t *testing.T) {
	folder := t.TempDir()
	// A copy is no snapshot: the database must not change while it is made. The
	// log only grows, and a torn end is what a crash leaves, too.
	db := mustOpen(t, Options{Path: folder, Serve: true, softPages: math.MaxInt64, hardPages: math.MaxInt64})

	var accepted sync.Map // TransactionID → key
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for r := range 4 {
		wg.Go(func() { appendUntil(t, db, r, stop, &accepted) })
	}
	for image := range 5 {
		onWriter(t, db, `INSERT INTO meta (name, value) VALUES ('image', 1) ON CONFLICT DO UPDATE SET value = value + 1`)
		if image%2 == 1 {
			if _, _, err := db.checkpointer.checkpoint(db.checkpointer.conn, `PRAGMA wal_checkpoint(PASSIVE)`); err != nil {
				t.Fatal(err)
			}
		}
		before := map[leyden.TransactionID]string{}
		accepted.Range(func(id, key any) bool {
			before[id.(leyden.TransactionID)] = key.(string)
			return true
		})
		testImage(t, copyFiles(t, folder), before)
	}
	close(stop)
	wg.Wait()
}

func appendUntil(t *testing.T, db *DB, r int, stop <-chan struct{}, accepted *sync.Map) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		id, err := db.NextID(t.Context())
		key := fmt.Sprint(r, "-", i)
		if err == nil {
			err = db.Append(t.Context(), testEntry(id, key))
		}
		if err != nil {
			t.Error(err)
			return
		}
		accepted.Store(id, key)
	}
}

func testImage(t *testing.T, folder string, accepted map[leyden.TransactionID]string) {
	t.Helper()
	db := mustOpen(t, Options{Path: folder, Serve: true})
	if err := db.IntegrityCheck(t.Context()); err != nil {
		t.Error(err)
	}
	next, err := db.NextID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id, key := range accepted {
		e, eventErr := db.ByKey(t.Context(), "S", key)
		if _, err := db.Transaction(t.Context(), id); err != nil || eventErr != nil || e.Transaction != id {
			t.Fatalf("accepted entry %s of transaction %d after a crash: %v, %v", key, id, err, eventErr)
		}
		if id >= next {
			t.Fatalf("number %d is drawn after %d was in use", next, id)
		}
	}
}

func copyFiles(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{FileName, FileName + "-wal"} {
		in, err := os.Open(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close(), os.WriteFile(filepath.Join(to, name), data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestLogIsBounded: under a writer that never rests the log begins anew.
func TestLogIsBounded(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true, softPages: 50, hardPages: 200})
	var longest int64
	for id := leyden.TransactionID(1); id < 5000 && db.Stats().Checkpoints < 20; id++ {
		if err := db.Append(t.Context(), testEntry(id, fmt.Sprint(id))); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, db.Stats().LogBytes/pageSize)
	}
	s := db.Stats()
	if s.Checkpoints < 20 {
		t.Errorf("%d checkpoints; want 20", s.Checkpoints)
	}
	if longest > 2000 {
		t.Errorf("the log grew to %d pages; want it to begin anew at about 200", longest)
	}
	if s.Commits.Count == 0 || s.Batches.Sum < float64(s.Batches.Count) || s.Commits.Sum <= 0 {
		t.Errorf("counters %+v", s)
	}
	t.Logf("%d commits in %.1f s, %d checkpoints, log up to %d pages", s.Commits.Count, s.Commits.Sum, s.Checkpoints, longest)
}
