package sqlite

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

func mustOpen(t *testing.T, opt Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// onWriter runs statements on the connection that writes.
func onWriter(t *testing.T, db *DB, statements ...string) {
	t.Helper()
	err := db.write(t.Context(), "test", func(x *tx) error {
		for _, sql := range statements {
			if err := exec(x.c, sql, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testEntry returns an entry with an event and version 1 of a transaction.
func testEntry(id leyden.TransactionID, key string) *leyden.Entry {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &leyden.Entry{
		Station: "S",
		Events:  []leyden.Event{{Transaction: id, Station: "S", Key: key, Kind: leyden.Started, At: at, ReceivedAt: at, Raw: strings.Repeat("x", 500)}},
		Transactions: []leyden.Change{{Transaction: leyden.Transaction{
			ID: id, PublicID: "txn_" + key, Station: "S", Connector: int(id), Status: leyden.Active, Version: 1, StartedAt: at, UpdatedAt: at,
		}}},
	}
}

func wantText(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q lacks %q", err, text)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}

func TestOneServes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "data")
	server := mustOpen(t, Options{Path: folder, Serve: true})
	_, err := Open(t.Context(), Options{Path: folder, Serve: true})
	wantText(t, err, "another leyden serves from "+folder, "stop it")

	tool := mustOpen(t, Options{Path: folder})
	if err := tool.SaveToken(t.Context(), leyden.Token{Value: "TAG"}); err != nil {
		t.Errorf("SaveToken beside a server: %v", err)
	}
	if _, err := server.Token(t.Context(), "tag"); err != nil {
		t.Errorf("what a tool wrote, at the server: %v", err)
	}
	odd := leyden.Entry{Station: "S", Quarantine: []leyden.Quarantined{{Station: "S", Frame: "f"}}}
	if err := server.Append(t.Context(), &odd); err != nil {
		t.Errorf("quarantine at the server: %v", err)
	}
	dismissal := leyden.Entry{Station: "S", Settle: []leyden.Settlement{{ID: 1, Dismissed: true, By: "cli"}}}
	if err := tool.Append(t.Context(), &dismissal); err != nil {
		t.Errorf("dismissal beside a server: %v", err)
	}
	if n, err := server.CountQuarantined(t.Context(), leyden.QuarantineQuery{Status: leyden.QuarantineDismissed}); err != nil || n != 1 {
		t.Errorf("what a tool dismissed, at the server: %d, %v", n, err)
	}
	if err := server.Append(t.Context(), testEntry(1, "k")); err != nil {
		t.Errorf("Append beside a tool: %v", err)
	}
	if _, err := tool.Transaction(t.Context(), 1); err != nil {
		t.Errorf("what the server wrote, at the tool: %v", err)
	}
	if err := tool.Append(t.Context(), testEntry(2, "l")); !errors.Is(err, leyden.ErrInvalid) {
		t.Errorf("Append of a tool: %v; want it refused", err)
	}
	if _, err := tool.NextID(t.Context()); !errors.Is(err, leyden.ErrInvalid) {
		t.Errorf("NextID of a tool: %v; want it refused", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, Options{Path: folder, Serve: true})
}

func TestFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its files have no such modes")
	}
	folder := filepath.Join(t.TempDir(), "data")
	db := mustOpen(t, Options{Path: folder, Serve: true})
	if err := db.Append(t.Context(), testEntry(1, "k")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{FileName, FileName + "-wal", FileName + "-shm", lockName} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o; want 600", name, mode)
		}
	}
}

func TestPathOfFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a b?c%20.db")
	mustOpen(t, Options{Path: file})
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the file by its own name: %v", err)
	}
}

func TestForeignFiles(t *testing.T) {
	for name, test := range map[string]struct{ sql, want string }{
		"newer":         {`PRAGMA user_version = 1000`, "written by a newer leyden (schema 1000"},
		"other program": {`PRAGMA application_id = 7`, "database of another program"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			db, err := Open(t.Context(), Options{Path: folder})
			if err != nil {
				t.Fatal(err)
			}
			onWriter(t, db, test.sql)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), Options{Path: folder, Serve: true})
			wantText(t, err, test.want)
			_, err = Open(t.Context(), Options{Path: folder, Serve: true})
			wantText(t, err, test.want) // and not that the lock is held
		})
	}
	t.Run("no database", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, FileName), []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), Options{Path: folder})
		wantText(t, err, FileName, "not a database")
	})
}

// TestUpgradeBesideServer: a tool of a newer version must not change the schema
// under a running server.
func TestUpgradeBesideServer(t *testing.T) {
	folder := t.TempDir()
	server := &DB{file: filepath.Join(folder, FileName)}
	if err := server.takeLock(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Path: folder})
	wantText(t, err, "schema must be brought up to date", "another leyden serves")
	if err := server.unlock(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, Options{Path: folder})
}

func TestOldEngine(t *testing.T) {
	wantText(t, checkEngine(3_051_002, "3.51.2"), "SQLite 3.51.2", "needs 3.51.3")
	if err := checkEngine(sqlite.VersionNumber, sqlite.Version); err != nil {
		t.Error(err)
	}
}

func TestNumbersEnd(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	onWriter(t, db, `UPDATE meta SET value = 2147483645 WHERE name = 'last_id'`)
	for want := leyden.TransactionID(math.MaxInt32 - 1); ; want++ {
		id, err := db.NextID(t.Context())
		if want < 0 { // one behind the last
			wantText(t, err, "all transaction numbers up to 2147483647 are used")
			return
		}
		if err != nil || id != want {
			t.Fatalf("NextID = %d, %v; want %d", id, err, want)
		}
	}
}

// TestNumbersBehindRows: numbers begin behind every row, also when rows came
// from elsewhere.
func TestNumbersBehindRows(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	if err := db.Append(t.Context(), testEntry(5000, "k")); err != nil {
		t.Fatal(err)
	}
	if id, err := db.NextID(t.Context()); err != nil || id != 5001 {
		t.Errorf("NextID = %d, %v; want 5001", id, err)
	}
}

func TestClosed(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, readErr := db.Transaction(t.Context(), 1)
	for what, err := range map[string]error{
		"Append": db.Append(t.Context(), testEntry(1, "k")), "Transaction": readErr, "Ready": db.Ready(t.Context()),
	} {
		if !errors.Is(err, leyden.ErrUnavailable) {
			t.Errorf("%s of a closed database: %v; want %v", what, err, leyden.ErrUnavailable)
		}
	}
}

// TestLongReadEnds: a question that takes for ever ends with its context.
func TestLongReadEnds(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	const endless = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n`
	err := db.readLong(ctx, "endless", func(c *sqlite.Conn) error {
		return each(c, endless, nil, func(r *row) error {
			if r.int() == 1000 {
				cancel()
			}
			return nil
		})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("endless read: %v; want %v", err, context.Canceled)
	}
	for range cap(db.readers) {
		if _, err := db.OpenWith(t.Context(), "x"); err != nil {
			t.Errorf("read after one that was interrupted: %v", err)
		}
	}
}
