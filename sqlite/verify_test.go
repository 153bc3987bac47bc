package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/chain"
)

// truthful appends so many transactions of three events each, of which one is told at
// a time, turn by turn.
func truthful(t testing.TB, db *DB, transactions int) {
	t.Helper()
	events := make([][]leyden.Event, transactions)
	for step := range 3 {
		for i := range transactions {
			id := leyden.TransactionID(i + 1)
			e := leyden.Event{
				Transaction: id, Station: "S", Key: fmt.Sprint(id, "|", step), Kind: leyden.Updated, Connector: 1,
				At: time.UnixMicro(int64(step+1) * 1e9).UTC(), ReceivedAt: time.UnixMicro(2e9).UTC(), Number: new(int64(id)),
			}
			if step == 0 {
				e.Kind, e.Token, e.Register = leyden.Started, leyden.IDToken{Value: "T"}, new(leyden.WattHours(100))
			}
			events[i] = append(events[i], e)
			tx := leyden.Fold(events[i])
			tx.PublicID, tx.Version = fmt.Sprintf("txn_%026d", id), step+1
			entry := &leyden.Entry{Station: "S", Fresh: true, Events: []leyden.Event{e}, Transactions: []leyden.Change{{Transaction: tx}}}
			if err := db.Append(t.Context(), entry); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestVerify: whatever a stranger does to events is found, and where.
func TestVerify(t *testing.T) {
	const copyOf = `INSERT INTO events (seq, station, key, kind, at, received_at, digest, body, hash)
SELECT %s, station, key || 'x', kind, at, received_at, digest, body, hash FROM events WHERE seq = 5`
	for name, test := range map[string]struct {
		sql, want string
		differing int64
	}{
		"nothing":              {`SELECT 1`, "", 0},
		"edited":               {`UPDATE events SET received_at = received_at + 1 WHERE seq = 7`, "event 7 is not what was recorded behind event 6", 0},
		"body":                 {`UPDATE events SET body = replace(body, '100', '900') WHERE seq = 2`, "event 2 is not what was recorded behind event 1", 1},
		"of another":           {`UPDATE events SET transaction_id = 1 WHERE seq = 9`, "event 9 is not what was recorded behind event 8", 0},
		"of none":              {`UPDATE events SET transaction_id = NULL WHERE seq = 9`, "event 9 is not what was recorded behind event 8", 0},
		"columns swapped":      {`UPDATE events SET station = key, key = station WHERE seq = 3`, "event 3 is not what", 0},
		"deleted":              {`DELETE FROM events WHERE seq IN (11, 12)`, "event 11 is missing", 0},
		"truncated":            {`DELETE FROM events WHERE seq > 25`, "event 26 is missing", 0},
		"truncated and hidden": {`DELETE FROM events WHERE seq > 25; UPDATE chains SET last = 25`, "event 25 is not the one that was followed", 0},
		"all deleted":          {`DELETE FROM events`, "event 1 is missing", 10},
		"appended":             {fmt.Sprintf(copyOf, "31"), "event 31 stands behind the end of the chain", 0},
		"inserted in front":    {fmt.Sprintf(copyOf, "-1"), "event -1 has no place in the chain", 0},
		"reordered":            {`UPDATE events SET seq = 99 WHERE seq = 4; UPDATE events SET seq = 4 WHERE seq = 5; UPDATE events SET seq = 5 WHERE seq = 99`, "event 4 is not what was recorded behind event 3", 0},
		"hash taken away":      {`UPDATE events SET hash = NULL WHERE seq = 6`, "event 6 has no hash", 0},
		"anchor taken away":    {`DELETE FROM anchors`, "event 1 has not the anchor of its partition", 0},
		"anchor forged":        {`UPDATE anchors SET before = randomblob(32)`, "event 1 does not begin the chain", 0},
		"transaction changed":  {`UPDATE transactions SET meter_start = 7 WHERE id = 4`, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
			truthful(t, db, 10)
			if err := db.settled(t.Context()); err != nil {
				t.Fatal(err)
			}
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
			if test.differing > 0 && found.Differing != test.differing || test.want == "" && test.differing == 0 && found.Differing > 0 {
				t.Errorf("%d of %d transactions differ; want %d", found.Differing, found.Transactions, test.differing)
			}
		})
	}
}

// TestVerifyWhole: what is appended after another opening, or behind events that were
// cut off, does not hide anything.
func TestVerifyWhole(t *testing.T) {
	folder := t.TempDir()
	db := mustOpen(t, Options{Path: folder, Serve: true})
	truthful(t, db, 4)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, Options{Path: folder, Serve: true})
	whole := func(want int64) {
		t.Helper()
		found, err := db.Verify(t.Context(), Verification{})
		if err != nil || found.Broken != nil || found.Differing > 0 || found.Events != want || found.Chain.End.Number != want {
			t.Fatalf("found %+v, %v; want %d events, all well", found, err, want)
		}
	}
	whole(12)
	s, err := db.ChainEnd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := chain.Head{ID: s.ID, Began: s.Began, End: s.End, At: time.Now()}
	more := func(key string) {
		t.Helper()
		e := &leyden.Entry{Station: "S", Events: []leyden.Event{{Station: "S", Key: key, Kind: leyden.Updated}}}
		if err := db.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	more("a")
	more("b")
	whole(14)
	if err := db.CompareHead(t.Context(), &h); err != nil {
		t.Errorf("a ledger that went on: %v", err)
	}
	onWriter(t, db, `DELETE FROM events WHERE seq >= 13`)
	more("c")
	found, err := db.Verify(t.Context(), Verification{})
	if err != nil || found.Broken == nil || found.Broken.Number != 13 {
		t.Errorf("found %+v, %v; want event 13 to be missing", found.Broken, err)
	}
	h.End.Hash[0]++
	if err := db.CompareHead(t.Context(), &h); err == nil {
		t.Error("another's head passes")
	}
}

// TestOldEvents: those from before the chain are folded all the same.
func TestOldEvents(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	truthful(t, db, 4)
	if err := db.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`UPDATE events SET hash = NULL`, `DELETE FROM anchors`, `UPDATE chains SET began = 13, oldest = 13, last = 12, hash = NULL`,
	} {
		onWriter(t, db, sql)
	}
	db.writer.links = links{}
	var differing []leyden.TransactionID
	onWriter(t, db, `UPDATE transactions SET connector = 9 WHERE id = 2`)
	e := &leyden.Entry{Station: "S", Events: []leyden.Event{{Station: "S", Key: "k", Kind: leyden.Updated}}}
	if err := db.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	found, err := db.Verify(t.Context(), Verification{Differs: func(id leyden.TransactionID, _ []string) { differing = append(differing, id) }})
	if err != nil || found.Broken != nil || found.Events != 13 || found.Transactions != 4 || !slices.Equal(differing, []leyden.TransactionID{2}) {
		t.Errorf("found %+v, %v, differing %v", found, err, differing)
	}
}
