package sqlite

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"leyden"
)

// schemaBeforeTallies is the last one whose lists had no classes and no tallies.
const schemaBeforeTallies = 10

// TestUpgradeTallies: a ledger from before classes and tallies is listed and
// counted right once it is upgraded, also if the power fails while that is under
// way, or if it fails and is tried again.
func TestUpgradeTallies(t *testing.T) {
	folder, crashed := t.TempDir(), t.TempDir()
	all := fillBeforeTallies(t, folder)
	file := filepath.Join(folder, FileName)
	c := openOld(t, folder)
	failure := errors.New("the disk is full")
	err := ledgerSchema().migrate(c, file, func(c *sqlite.Conn) error {
		if err := recount(c, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
		for _, name := range []string{FileName, FileName + "-wal"} {
			copyFile(t, filepath.Join(folder, name), filepath.Join(crashed, name))
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatalf("got %v, want that the upgrade fails", err)
	}
	version, err := number(c, `PRAGMA user_version`, nil)
	if err != nil || version != schemaBeforeTallies {
		t.Errorf("after an upgrade that failed the schema is %d, %v", version, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.Stat(filepath.Join(crashed, FileName+"-wal")); err != nil || left.Size() == 0 {
		t.Fatalf("the crash left no pages behind, so it shows nothing: %v", err)
	}
	for _, folder := range []string{folder, crashed} {
		db := mustOpen(t, Options{Path: folder, Serve: true})
		r := rand.New(rand.NewPCG(3, 4))
		for range 50 {
			compareQuery(t, db, all, someQuery(r))
		}
		if err := db.IntegrityCheck(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestUpgradeMiddleTallies: a ledger whose tallies had no middle buckets gets them.
func TestUpgradeMiddleTallies(t *testing.T) {
	folder := t.TempDir()
	db := mustOpen(t, Options{Path: folder, Serve: true})
	all := fillMonths(t, db, rand.New(rand.NewPCG(1, 2)), 1000)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	c := openOld(t, folder)
	for _, sql := range []string{`DELETE FROM tallies WHERE axis >= 7`, `PRAGMA user_version = 21`} {
		if err := sqlitex.ExecuteTransient(c, sql, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, Options{Path: folder, Serve: true})
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		compareQuery(t, db, all, someQuery(r))
	}
	if err := db.IntegrityCheck(t.Context()); err != nil {
		t.Error(err)
	}
}

// fillBeforeTallies makes a ledger of the old schema, and returns what it has.
func fillBeforeTallies(t *testing.T, folder string) []leyden.Transaction {
	t.Helper()
	const columns = `id, public_id, station, connector, token, token_fold, vehicle_id, status, remote, started_at, stopped_at,
  flags, stop_round, updated_at, inserted_at, revision, version, start_key, evidence`
	today := t.TempDir()
	db := mustOpen(t, Options{Path: today, Serve: true})
	all := fillMonths(t, db, rand.New(rand.NewPCG(1, 2)), 1000)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	scripts, err := ledgerSchema().steps()
	if err != nil {
		t.Fatal(err)
	}
	c := openOld(t, folder)
	for _, script := range append(scripts[:schemaBeforeTallies:schemaBeforeTallies], `
PRAGMA user_version = 10;
PRAGMA application_id = 1281718628;`) {
		if err := sqlitex.ExecuteScript(c, script, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		`ATTACH '` + filepath.Join(today, FileName) + `' AS today`,
		`INSERT INTO transactions (` + columns + `) SELECT ` + columns + ` FROM today.transactions`,
	} {
		if err := sqlitex.ExecuteTransient(c, sql, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// openOld opens a file without upgrading it. It keeps few pages in memory: what is
// not committed is in the log.
func openOld(t *testing.T, folder string) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.OpenConn(filepath.Join(folder, FileName), sqlite.OpenReadWrite, sqlite.OpenCreate, sqlite.OpenWAL)
	if err == nil {
		err = sqlitex.ExecuteTransient(c, `PRAGMA cache_size = 10`, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
