package sqlite

import (
	"strings"
	"testing"
	"time"

	"leyden/chain"
)

// partitioned returns a ledger of 30 events, of which the eighth opens the second
// partition of the chain.
func partitioned(t *testing.T, folder string) *DB {
	t.Helper()
	db := mustOpen(t, Options{Path: folder, Serve: true})
	onWriter(t, db, `UPDATE chains SET began = 65530, oldest = 65530, last = 65529, hash = NULL`, `DELETE FROM anchors`)
	db.writer.links = links{}
	truthful(t, db, 10)
	if err := db.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// TestPartitions: a chain goes on over partitions, transactions that lie in two are
// folded once, and what is wrong in any of them is found.
func TestPartitions(t *testing.T) {
	for name, test := range map[string]struct {
		sql, want string
		differing int64
	}{
		"nothing":               {`SELECT 1`, "", 0},
		"edited before":         {`UPDATE events SET at = at + 1 WHERE seq = 65536`, "event 65536 is not what was recorded behind event 65535", 1},
		"edited behind":         {`UPDATE events SET at = at + 1 WHERE seq = 65537`, "event 65537 is not what was recorded behind event 65536", 1},
		"edited twice":          {`UPDATE events SET digest = 'x' WHERE seq IN (65550, 65533)`, "event 65533 is not what", 0},
		"end of one deleted":    {`DELETE FROM events WHERE seq = 65536`, "event 65536 is missing", 1},
		"begin of one deleted":  {`DELETE FROM events WHERE seq = 65537`, "event 65537 is missing", 1},
		"anchor forged":         {`UPDATE anchors SET before = randomblob(32) WHERE first = 65537`, "event 65536 is not the one that was followed", 0},
		"anchor deleted":        {`DELETE FROM anchors WHERE first = 65537`, "event 65537 has not the anchor of its partition", 0},
		"anchor elsewhere":      {`UPDATE anchors SET first = 65538 WHERE first = 65537`, "event 65537 has not the anchor of its partition", 0},
		"first one dropped":     {`DELETE FROM events WHERE seq < 65537; DELETE FROM anchors WHERE first < 65537; UPDATE chains SET oldest = 65537`, "", 7},
		"dropped, and not told": {`DELETE FROM events WHERE seq < 65537; DELETE FROM anchors WHERE first < 65537`, "event 65530 has not the anchor of its partition", 7},
	} {
		t.Run(name, func(t *testing.T) {
			db := partitioned(t, t.TempDir())
			for sql := range strings.SplitSeq(test.sql, ";") {
				onWriter(t, db, sql)
			}
			found, err := db.Verify(t.Context(), Verification{})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if found.Broken != nil {
				got = found.Broken.Error()
			}
			if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
				t.Errorf("got %q; want %q", got, test.want)
			}
			if found.Transactions != 10 || found.Differing != test.differing {
				t.Errorf("%d of %d transactions differ; want %d of 10", found.Differing, found.Transactions, test.differing)
			}
		})
	}
}

// TestPartitionsGoOn: who opens the ledger anew goes on in the second partition, and
// heads of the first, of its end and of the second are all true.
func TestPartitionsGoOn(t *testing.T) {
	folder := t.TempDir()
	db := partitioned(t, folder)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, Options{Path: folder, Serve: true})
	if err := db.Append(t.Context(), fresh(11, 1)); err != nil {
		t.Fatal(err)
	}
	found, err := db.Verify(t.Context(), Verification{})
	if err != nil || found.Broken != nil || found.Events != 31 || found.Chain.End.Number != 65560 {
		t.Errorf("found %+v, %v; want 31 events up to 65560, all as recorded", found, err)
	}
	s, err := db.ChainEnd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{65530, 65536, 65537, 65560} {
		h := chain.Head{ID: s.ID, Began: s.Began, End: chain.Link{Number: at, Hash: hashAt(t, db, at)}, At: time.Now()}
		if err := db.CompareHead(t.Context(), &h); err != nil {
			t.Errorf("the head of event %d: %v", at, err)
		}
		h.End.Hash[5]++
		if err := db.CompareHead(t.Context(), &h); err == nil {
			t.Errorf("another head of event %d passes", at)
		}
	}
}

func hashAt(t *testing.T, db *DB, seq int64) (h chain.Hash) {
	t.Helper()
	err := db.write(t.Context(), "hash", func(x *tx) error {
		return one(x.c, `SELECT hash FROM events WHERE seq = ?1`, func(b *binder) { b.int(seq) }, func(r *row) error {
			r.bytes(h[:])
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
