package sqlite

import (
	"strings"
	"testing"
	"time"

	"leyden"
)

// TestJournalPlans wants an index for every question that is asked.
func TestJournalPlans(t *testing.T) {
	j := openJournal(t, JournalOptions{Folder: t.TempDir()})
	plan := func(sql string) string {
		var b strings.Builder
		err := eachOnce(j.writing.conn, `EXPLAIN QUERY PLAN `+sql, nil, func(r *row) error {
			r.i = 3
			b.WriteString(r.text() + "; ")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "TEMP B-TREE") {
			t.Errorf("%s\nsorts: %s", sql, b.String())
		}
		return b.String()
	}
	want := func(sql string, parts ...string) {
		t.Helper()
		got := plan(sql)
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("%s\n got %s\nwant %s", sql, got, part)
			}
		}
	}
	want(allBlocksUp, "INTEGER PRIMARY KEY (rowid>?)")
	want(allBlocksDown, "INTEGER PRIMARY KEY (rowid<?)", "INTEGER PRIMARY KEY (rowid>?)")
	want(blocksOfKeyUp, "MERGE (UNION ALL)", "places USING PRIMARY KEY (key=? AND seq>?)")
	want(blocksOfKeyDown, "MERGE (UNION ALL)", "places USING PRIMARY KEY (key=? AND seq<?)", "places USING PRIMARY KEY (key=? AND seq>?)")
	want(blockAt, "INTEGER PRIMARY KEY (rowid=?)")
	want(forgetPlaces, "places_by_seq (seq<?)")

	window := leyden.Window{From: time.UnixMicro(1), To: time.UnixMicro(2)}
	for _, test := range []struct {
		q    leyden.FrameQuery
		want string
	}{
		{leyden.FrameQuery{Station: "S"}, "COVERING INDEX frames_by_station (station=?)"},
		{leyden.FrameQuery{Station: "S", After: 7, Ascending: true}, "COVERING INDEX frames_by_station (station=? AND seq>?)"},
		{leyden.FrameQuery{Station: "S", After: 7, Sent: new(true)}, "COVERING INDEX frames_by_station (station=? AND seq<?)"},
		{leyden.FrameQuery{Station: "S", Action: "A", Type: leyden.FrameCall, After: 7}, "COVERING INDEX frames_by_station (station=? AND seq<?)"},
		{leyden.FrameQuery{Station: "S", Action: "A", At: window}, "COVERING INDEX frames_by_station (station=?)"},
		{leyden.FrameQuery{Station: "S", Transaction: 7, After: 7}, "frames_by_transaction (transaction_id=? AND rowid<?)"},
		{leyden.FrameQuery{Transaction: 7, Ascending: true}, "frames_by_transaction (transaction_id=?)"},
	} {
		want(framesSQL(&test.q), test.want, "INTEGER PRIMARY KEY (rowid=?)")
	}
}
