package sqlite

import (
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"leyden"
)

// TestUpgradeKnowsGroups: members of a group that were listed before groups were
// counted are counted, whatever the case in which they name it.
func TestUpgradeKnowsGroups(t *testing.T) {
	folder := t.TempDir()
	scripts, err := ledgerSchema().steps()
	if err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.OpenConn(filepath.Join(folder, FileName), sqlite.OpenReadWrite, sqlite.OpenCreate, sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{scripts[0], scripts[1], `
PRAGMA user_version = 2;
PRAGMA application_id = 1281718628;
INSERT INTO tokens (fold, value, status, parent, max_active, listed) VALUES ('a', 'A', 'Accepted', 'Fleet', 0, 1), ('b', 'B', 'Accepted', NULL, 0, 1);`} {
		if err := sqlitex.ExecuteScript(c, script, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, Options{Path: folder, Serve: true})
	members, n, err := db.Tokens(t.Context(), leyden.TokenQuery{Parent: "FLEET"})
	if err != nil || n != 1 || members[0].Value != "A" || members[0].Parent != "Fleet" {
		t.Errorf("%d members, %v: %+v", n, err, members)
	}
}
