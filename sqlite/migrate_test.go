package sqlite

import (
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"leyden/auth"
)

// TestUpgradeKeepsStations: stations registered under the first schema enter as
// before.
func TestUpgradeKeepsStations(t *testing.T) {
	folder := t.TempDir()
	scripts, err := ledgerSchema().steps()
	if err != nil || len(scripts) < 2 {
		t.Fatalf("%d steps, %v", len(scripts), err)
	}
	c, err := sqlite.OpenConn(filepath.Join(folder, FileName), sqlite.OpenReadWrite, sqlite.OpenCreate, sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{scripts[0], `
PRAGMA user_version = 1;
PRAGMA application_id = 1281718628;
INSERT INTO station_credentials (station, profile, hash, created_at, updated_at, version) VALUES ('S1', 'basic', zeroblob(32), 1, 2, 3);`} {
		if err := sqlitex.ExecuteScript(c, script, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, Options{Path: folder, Serve: true})
	got, err := db.StationCredential(t.Context(), "S1")
	if err != nil || got.Profile != auth.ProfileBasic || got.Version != 3 || got.Next != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	got.Next, got.Version = []auth.Hash{{1}, {2}}, 4
	if err := db.SaveStationCredential(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	again, err := db.StationCredential(t.Context(), "S1")
	if err != nil || len(again.Next) != 2 || again.Next[1] != (auth.Hash{2}) {
		t.Errorf("%d next, %v", len(again.Next), err)
	}
}
