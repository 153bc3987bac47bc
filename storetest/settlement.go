package storetest

import (
	"cmp"
	"fmt"
	"testing"

	"leyden"
)

// settlement: what somebody decides about a quarantined message is decided once,
// and tells who it was.
func settlement(t *testing.T, s leyden.Store) {
	for i, key := range []string{"a", "b", "c", "d"} {
		mustAppend(t, s, &leyden.Entry{Station: "S", Quarantine: []leyden.Quarantined{{
			Station: "S", Key: key, Action: "MeterValues", Frame: "f", Reason: "odd", Aside: key == "d", ReceivedAt: minute(i),
		}}})
	}
	all := must[[]leyden.Quarantined](t)(s.Quarantined(t.Context(), leyden.QuarantineQuery{}))
	a, b, c, d := all[3].ID, all[2].ID, all[1].ID, all[0].ID
	settle := func(station leyden.StationID, decided leyden.Settlement) error {
		decided.By = cmp.Or(decided.By, "key_1")
		return s.Append(t.Context(), &leyden.Entry{Station: station, Settle: []leyden.Settlement{decided}})
	}
	wantErr(t, "message of another station", settle("T", leyden.Settlement{ID: a}), leyden.ErrState)
	wantErr(t, "no message", settle("S", leyden.Settlement{ID: d + 1}), leyden.ErrState)
	wantErr(t, "settled by nobody", s.Append(t.Context(), &leyden.Entry{Station: "S", Settle: []leyden.Settlement{{ID: a}}}), leyden.ErrInvalid)

	mustAppend(t, s, &leyden.Entry{Station: "S", Release: []string{"c"}})
	wantErr(t, "dismissal of what was made good", settle("S", leyden.Settlement{ID: c, Dismissed: true}), leyden.ErrState)
	for _, decided := range []leyden.Settlement{
		{ID: a, Transaction: 7}, {ID: b, Dismissed: true, Note: "a test", By: "key_2"}, {ID: c, Transaction: 8},
	} {
		if err := settle("S", decided); err != nil {
			t.Errorf("%+v: %v", decided, err)
		}
		wantErr(t, "settled twice", settle("S", decided), leyden.ErrState)
	}
	mustAppend(t, s, &leyden.Entry{Station: "S", Release: []string{"b"}}) // it stays dismissed

	for _, want := range []struct {
		status leyden.QuarantineStatus
		ids    []int64
	}{{leyden.QuarantineWaiting, []int64{d}}, {leyden.QuarantineReleased, []int64{c, a}}, {leyden.QuarantineDismissed, []int64{b}}, {"", []int64{d, c, b, a}}} {
		for _, station := range []leyden.StationID{"", "S", "T"} {
			q := leyden.QuarantineQuery{Station: station, Status: want.status}
			var got []int64
			for _, m := range must[[]leyden.Quarantined](t)(s.Quarantined(t.Context(), q)) {
				got = append(got, m.ID)
			}
			if station == "T" {
				want.ids = nil
			}
			same(t, fmt.Sprintf("%+v", q), got, want.ids)
			q.Limit, q.Offset = 1, 1
			same(t, fmt.Sprintf("how many of %+v", q), must[int](t)(s.CountQuarantined(t.Context(), q)), len(want.ids))
		}
	}
	same(t, "aside", must[int](t)(s.CountQuarantined(t.Context(), leyden.QuarantineQuery{Station: "S", Aside: true, Status: leyden.QuarantineWaiting})), 1)
	message := func(id int64) leyden.Quarantined {
		return must[[]leyden.Quarantined](t)(s.Quarantined(t.Context(), leyden.QuarantineQuery{ID: id}))[0]
	}
	if m := message(a); m.ReleasedAt.IsZero() || m.By != "key_1" || m.Transaction != 7 || m.Note != "" {
		t.Errorf("replayed message: %+v", m)
	}
	if m := message(b); !m.ReleasedAt.IsZero() || m.DismissedAt.IsZero() || m.By != "key_2" || m.Note != "a test" {
		t.Errorf("dismissed message: %+v", m)
	}
	if m := message(c); m.By != "key_1" || m.Transaction != 8 {
		t.Errorf("message that its replay made good: %+v", m)
	}
}
