package storetest

import (
	"fmt"
	"testing"
	"time"

	"leyden"
)

func working(t *testing.T, s leyden.Store) {
	since := minute(10)
	status := func(id leyden.TransactionID, st leyden.Status, started bool, updated time.Time) leyden.Transaction {
		tx := transaction(id)
		tx.Status, tx.UpdatedAt, tx.Connector, tx.InsertedAt = st, updated, int(id), base
		if !started {
			tx.Evidence.StartKey = ""
		}
		return tx
	}
	mustAppend(t, s,
		entry(status(9, leyden.Active, true, base)),
		entry(status(2, leyden.Pending, false, base)),
		entry(status(3, leyden.Stopping, true, base)),
		entry(status(4, leyden.Completed, true, minute(20))),  // has its start
		entry(status(5, leyden.Completed, false, minute(20))), // orphan stop
		entry(status(6, leyden.Completed, false, minute(9))),  // too long ago
		entry(status(7, leyden.Expired, false, since)),
		entry(status(8, leyden.Cancelled, false, base)),
	)
	other := status(10, leyden.Active, true, base)
	other.Station = "other"
	mustAppend(t, s, entry(other))

	got := must[[]leyden.Transaction](t)(s.Working(t.Context(), "S", since))
	same(t, "Working", ids(got), []leyden.TransactionID{2, 3, 5, 7, 9})
	if len(got) == 5 && got[4].Token.Value != "TAG" {
		t.Errorf("transaction 9 is not whole: %+v", got[4])
	}
	same(t, "Working of nobody", ids(must[[]leyden.Transaction](t)(s.Working(t.Context(), "nobody", since))), nil)
}

func workingLimit(t *testing.T, s leyden.Store) {
	e := entry(transaction(1))
	for id := leyden.TransactionID(2); id <= leyden.MaxWorking+5; id++ {
		e.Transactions = append(e.Transactions, leyden.Change{Transaction: transaction(id)})
	}
	mustAppend(t, s, e)
	got := ids(must[[]leyden.Transaction](t)(s.Working(t.Context(), "S", base)))
	if len(got) != leyden.MaxWorking || got[0] != 6 || got[len(got)-1] != leyden.MaxWorking+5 {
		t.Errorf("Working returned %d, %v … ; want the newest %d, by number", len(got), got[:min(3, len(got))], leyden.MaxWorking)
	}
}

func lastOn(t *testing.T, s leyden.Store) {
	on := func(id leyden.TransactionID, connector int, st leyden.Status, started bool) leyden.Transaction {
		tx := transaction(id)
		tx.Connector, tx.Status, tx.InsertedAt = connector, st, base
		if !started {
			tx.Evidence.StartKey = ""
		}
		return tx
	}
	mustAppend(t, s,
		entry(on(5, 1, leyden.Completed, true)),
		entry(on(3, 1, leyden.Active, true)),
		entry(on(6, 1, leyden.Expired, false)),
		entry(on(7, 2, leyden.Active, true)),
	)
	if got, err := s.LastOn(t.Context(), "S", 1); err != nil || got.ID != 5 {
		t.Errorf("LastOn = %d, %v; want 5", got.ID, err)
	}
	late := on(6, 1, leyden.Expired, true) // its start came after all
	late.Version = 2
	mustAppend(t, s, entry(late))
	if got, err := s.LastOn(t.Context(), "S", 1); err != nil || got.ID != 6 {
		t.Errorf("LastOn after a late start = %d, %v; want 6", got.ID, err)
	}
	_, err := s.LastOn(t.Context(), "other", 1)
	wantErr(t, "LastOn of another station", err, leyden.ErrNotFound)
	_, err = s.LastOn(t.Context(), "S", 3)
	wantErr(t, "LastOn of an unused connector", err, leyden.ErrNotFound)
}

func due(t *testing.T, s leyden.Store) {
	at := func(id leyden.TransactionID, due time.Time) *leyden.Entry {
		tx := transaction(id)
		tx.DueAt = due
		return entry(tx)
	}
	mustAppend(t, s, at(1, minute(3)), at(2, minute(1)), at(3, time.Time{}), at(4, minute(2)), at(5, minute(4)))
	got := must[[]leyden.Transaction](t)(s.Due(t.Context(), minute(3), 10))
	same(t, "Due", ids(got), []leyden.TransactionID{2, 4, 1})
	got = must[[]leyden.Transaction](t)(s.Due(t.Context(), minute(3), 2))
	same(t, "Due, limited", ids(got), []leyden.TransactionID{2, 4})

	done := transaction(2)
	done.Version = 2
	mustAppend(t, s, entry(done))
	got = must[[]leyden.Transaction](t)(s.Due(t.Context(), minute(3), 10))
	same(t, "Due, one done", ids(got), []leyden.TransactionID{4, 1})
}

func openWith(t *testing.T, s leyden.Store) {
	for i, tag := range []string{"TAG", "tag", "Tag", "TAG", "other", "ÄTAG"} {
		tx := transaction(leyden.TransactionID(i + 1))
		tx.Token.Value, tx.Connector = tag, i
		tx.Status = []leyden.Status{leyden.Active, leyden.Stopping, leyden.Pending, leyden.Failed, leyden.Active, leyden.Active}[i]
		mustAppend(t, s, entry(tx))
	}
	for folded, want := range map[string]int{"tag": 2, "TAG": 0, "other": 1, "ätag": 1, "nobody": 0} {
		if got, err := s.OpenWith(t.Context(), folded); err != nil || got != want {
			t.Errorf("OpenWith(%s) = %d, %v; want %d", folded, got, err, want)
		}
	}
}

// openWithGroup: a group runs what its members run, and what it runs itself.
func openWithGroup(t *testing.T, s leyden.Store) {
	r, ok := s.(leyden.Registry)
	if !ok {
		t.Fatal("the store is no registry: what it counts depends on it")
	}
	for _, tok := range []leyden.Token{
		{Value: "One", Parent: "Fleet"}, {Value: "two", Parent: "FLEET", Listed: true}, {Value: "three", Parent: "one"}, {Value: "Self", Parent: "self"},
	} {
		wantErr(t, "SaveToken", r.SaveToken(t.Context(), tok), nil)
	}
	for i, tag := range []string{"ONE", "two", "two", "three", "fleet", "nobody", "self"} {
		tx := transaction(leyden.TransactionID(i + 1))
		tx.Token.Value, tx.Connector = tag, i
		mustAppend(t, s, entry(tx))
	}
	for folded, want := range map[string]int{"fleet": 4, "one": 2, "two": 2, "three": 1, "self": 1} {
		if got, err := s.OpenWith(t.Context(), folded); err != nil || got != want {
			t.Errorf("OpenWith(%s) = %d, %v; want %d", folded, got, err, want)
		}
	}
	wantErr(t, "SaveToken", r.SaveToken(t.Context(), leyden.Token{Value: "two"}), nil)
	if got, err := s.OpenWith(t.Context(), "fleet"); err != nil || got != 2 {
		t.Errorf("OpenWith after one left the group = %d, %v; want 2", got, err)
	}
}

// events: those of one transaction in the order of their commit, and never
// those of the station's series.
func events(t *testing.T, s leyden.Store) {
	one, two := transaction(1), transaction(2)
	var want []string
	for version := range 5 {
		one.Version, two.Version = version+1, version+1
		e := with(entry(one, two), fmt.Sprint("b", version), fmt.Sprint("a", version))
		want = append(want, fmt.Sprint("b", version), fmt.Sprint("a", version))
		e.Events = append(e.Events,
			leyden.Event{Transaction: 2, Station: "S", Key: fmt.Sprint("two", version), Kind: leyden.Superseded, ReceivedAt: base},
			leyden.Event{Station: "S", Key: fmt.Sprint("series", version), Kind: leyden.Updated, ReceivedAt: base})
		mustAppend(t, s, e)
	}
	var got []string
	seq := int64(0)
	for _, v := range must[[]leyden.Event](t)(s.Events(t.Context(), 1)) {
		got = append(got, v.Key)
		if v.Seq <= seq {
			t.Errorf("Seq %d after %d", v.Seq, seq)
		}
		seq = v.Seq
	}
	same(t, "keys of Events", got, want)
	for _, id := range []leyden.TransactionID{0, 99} {
		if none, err := s.Events(t.Context(), id); err != nil || len(none) != 0 {
			t.Errorf("Events(%d) = %d events, %v; want none", id, len(none), err)
		}
	}
	if v, err := s.ByKey(t.Context(), "S", "series3"); err != nil || v.Transaction != 0 {
		t.Errorf("event of the station's series: transaction %d, %v; want 0", v.Transaction, err)
	}
}

func quarantine(t *testing.T, s leyden.Store) {
	message := func(station leyden.StationID, key string, n int) *leyden.Entry {
		return &leyden.Entry{Station: station, Quarantine: []leyden.Quarantined{{
			Station: station, Key: key, Action: "StartTransaction", Frame: "[2,\"\x00" + key, Reason: "busy", ReceivedAt: minute(n),
		}}}
	}
	m1, m2, m3, m4 := message("S", "a", 1), message("S", "b", 2), message("T", "a", 3), message("S", "", 4)
	mustAppend(t, s, m1, m2, m3, m4)
	list := func(q leyden.QuarantineQuery) []leyden.Quarantined {
		t.Helper()
		return must[[]leyden.Quarantined](t)(s.Quarantined(t.Context(), q))
	}
	q1, q2, q3, q4 := m1.Quarantine[0], m2.Quarantine[0], m3.Quarantine[0], m4.Quarantine[0]
	same(t, "all", list(leyden.QuarantineQuery{}), []leyden.Quarantined{q4, q3, q2, q1})
	same(t, "by ID", list(leyden.QuarantineQuery{ID: q2.ID}), []leyden.Quarantined{q2})
	same(t, "by station", list(leyden.QuarantineQuery{Station: "S"}), []leyden.Quarantined{q4, q2, q1})
	same(t, "by key", list(leyden.QuarantineQuery{Station: "S", Key: "a"}), []leyden.Quarantined{q1})
	same(t, "within", list(leyden.QuarantineQuery{Within: []leyden.StationID{"T", "U"}}), []leyden.Quarantined{q3})
	same(t, "within, by ID", list(leyden.QuarantineQuery{ID: q2.ID, Within: []leyden.StationID{"T"}}), nil)
	same(t, "within none", list(leyden.QuarantineQuery{Within: []leyden.StationID{}}), nil)
	same(t, "count within", must[int](t)(s.CountQuarantined(t.Context(), leyden.QuarantineQuery{Within: []leyden.StationID{"T"}})), 1)
	same(t, "a part", list(leyden.QuarantineQuery{Limit: 2, Offset: 1}), []leyden.Quarantined{q3, q2})
	same(t, "past the end", list(leyden.QuarantineQuery{Limit: 2, Offset: 9}), nil)

	good := with(entry(transaction(1)), "k")
	good.Release = []string{"a", "never seen"}
	mustAppend(t, s, good)
	same(t, "waiting", list(leyden.QuarantineQuery{Status: leyden.QuarantineWaiting}), []leyden.Quarantined{q4, q3, q2})
	released := list(leyden.QuarantineQuery{ID: q1.ID})
	if len(released) != 1 || released[0].ReleasedAt.IsZero() {
		t.Fatalf("released message: %+v; want one with ReleasedAt", released)
	}
	at := released[0].ReleasedAt
	mustAppend(t, s, &leyden.Entry{Station: "S", Release: []string{"a"}})
	same(t, "released twice", list(leyden.QuarantineQuery{ID: q1.ID})[0].ReleasedAt, at)
}
