package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"leyden"
)

// TestBrokenRows: what could never have been written is not served.
func TestBrokenRows(t *testing.T) {
	for name, test := range map[string]struct{ sql, want string }{
		"version":  {`UPDATE transactions SET version = 0 WHERE id = 3`, "transaction 3: its version is not positive"},
		"evidence": {`UPDATE transactions SET evidence = '{' WHERE id = 3`, "evidence of transaction 3: broken JSON"},
		"metadata": {`UPDATE transactions SET metadata = '7' WHERE id = 3`, "metadata of transaction 3: broken JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
			fill(t, db, 3)
			onWriter(t, db, test.sql)
			_, err := db.Transaction(t.Context(), 3)
			wantBroken(t, err, test.want)
			_, err = db.Transactions(t.Context(), leyden.Query{})
			wantBroken(t, err, test.want)
			for _, scanErr := range db.EachTransaction(t.Context()) {
				err = scanErr
			}
			wantBroken(t, err, test.want)
			if _, err := db.Transaction(t.Context(), 1); err != nil {
				t.Errorf("the row beside: %v", err)
			}
		})
	}
	for name, test := range map[string]struct{ sql, want string }{
		"body": {`UPDATE events SET body = '[' WHERE seq = 2`, "event 2: broken JSON"},
		"kind": {`UPDATE events SET kind = 99 WHERE seq = 2`, "event 2 is of the unknown kind 99"},
	} {
		t.Run("event "+name, func(t *testing.T) {
			db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
			fill(t, db, 3)
			onWriter(t, db, test.sql)
			_, err := db.Events(t.Context(), 2)
			wantBroken(t, err, test.want)
		})
	}
}

func wantBroken(t *testing.T, err error, want string) {
	t.Helper()
	wantText(t, err, want)
	for _, wrong := range []error{leyden.ErrUnavailable, leyden.ErrNotFound, leyden.ErrInvalid} {
		if errors.Is(err, wrong) {
			t.Errorf("error %q passes for %v", err, wrong)
		}
	}
}

// fill appends transactions 1 to n, the second of them void.
func fill(t *testing.T, db *DB, n leyden.TransactionID) {
	t.Helper()
	for id := range n {
		e := testEntry(id+1, string(rune('a'+id)))
		if id == 1 {
			e.Transactions[0].Transaction.Status = leyden.Void
		}
		if err := db.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachTransaction(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	fill(t, db, 4)
	var got []leyden.TransactionID
	for tx, err := range db.EachTransaction(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, tx.ID)
	}
	if want := []leyden.TransactionID{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("EachTransaction yields %v; want %v", got, want)
	}
}

func TestIntegrityCheck(t *testing.T) {
	folder := t.TempDir()
	db, err := Open(t.Context(), Options{Path: folder, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 20)
	if err := db.IntegrityCheck(t.Context()); err != nil {
		t.Errorf("sound file: %v", err)
	}
	onWriter(t, db, `DELETE FROM transactions WHERE id = 3`)
	_, err = db.Verify(t.Context(), Verification{})
	wantText(t, err, "event 3 is of transaction 3, which is not there")
	onWriter(t, db, `DELETE FROM events WHERE seq = 3`)
	if err := db.Append(t.Context(), &leyden.Entry{Station: "S", Reservations: []leyden.Reservation{{
		Station: "S", ID: 7, ExpiresAt: time.UnixMicro(1), EndedAt: time.UnixMicro(1), Status: leyden.ReservationUsed, Transaction: 99, Version: 1,
	}}}); err != nil {
		t.Fatal(err)
	}
	wantText(t, db.IntegrityCheck(t.Context()), "reservation 7 of S was used by transaction 99, which is not there")
	onWriter(t, db, `UPDATE reservations SET version = 0`)
	_, err = db.Reservation(t.Context(), "S", 7)
	wantBroken(t, err, "reservation 7 of S: its version is not positive")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	spoil(t, filepath.Join(folder, FileName))
	damaged, err := Open(t.Context(), Options{Path: folder})
	if err == nil {
		err = errors.Join(damaged.IntegrityCheck(t.Context()), damaged.Close())
	}
	if err == nil {
		t.Error("nothing was said of a damaged file")
	}
	if errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("%v: a damaged file does not recover by waiting", err)
	}
}

// spoil overwrites a part of every page but the first.
func spoil(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for page := pageSize; page < len(data); page += pageSize {
		copy(data[page:], "spoilt spoilt spoilt spoilt")
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
