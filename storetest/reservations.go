package storetest

import (
	"fmt"
	"testing"

	"leyden"
)

// reservation returns version 1 of an active one with every field filled.
func reservation(s leyden.StationID, id int) leyden.Reservation {
	return leyden.Reservation{
		ID: id, Station: s, Connector: 2, Token: leyden.IDToken{Value: "Täg", Type: "eMAID"}, Parent: "P", ExpiresAt: minute(60),
		Status: leyden.ReservationActive, Answer: "Accepted", By: "key_1", CreatedAt: minute(id), Version: 1,
	}
}

func reserving(rs ...leyden.Reservation) *leyden.Entry {
	return &leyden.Entry{Station: rs[0].Station, Reservations: rs}
}

func reservations(t *testing.T, s leyden.Store) {
	ctx := t.Context()
	one, negative := reservation("S", 1), reservation("S", -7)
	plain := leyden.Reservation{ID: 1, Station: "s", ExpiresAt: minute(5), Status: leyden.ReservationPending, Version: 1}
	mustAppend(t, s, reserving(one, negative), reserving(plain))
	for _, want := range []leyden.Reservation{one, negative, plain} {
		same(t, "Reservation", must[leyden.Reservation](t)(s.Reservation(ctx, want.Station, want.ID)), want)
	}
	_, err := s.Reservation(ctx, "S", 2)
	wantErr(t, "Reservation of another number", err, leyden.ErrNotFound)
	_, err = s.Reservation(done(ctx), "S", 1)
	wantErr(t, "Reservation, cancelled", err, done(ctx).Err())

	one.Status, one.Transaction, one.EndedAt = leyden.ReservationUsed, 17, minute(9)
	wantErr(t, "the version that is there", s.Append(ctx, reserving(one)), leyden.ErrStale)
	one.Version = 3
	wantErr(t, "a version too many", s.Append(ctx, reserving(one)), leyden.ErrStale)
	one.Version = 2
	mustAppend(t, s, reserving(one))
	same(t, "changed Reservation", must[leyden.Reservation](t)(s.Reservation(ctx, "S", 1)), one)
	one.Version, one.Connector, one.Token, one.Parent, one.Answer, one.By = 3, 0, leyden.IDToken{}, "", "", ""
	one.Status, one.Transaction, one.EndedAt, one.ExpiresAt = leyden.ReservationPending, 0, minute(0).AddDate(-9999, 0, 0), minute(61)
	wantErr(t, "open, and ended", s.Append(ctx, reserving(one)), leyden.ErrInvalid)
	one.EndedAt = plain.EndedAt
	mustAppend(t, s, reserving(one))
	same(t, "cleared Reservation", must[leyden.Reservation](t)(s.Reservation(ctx, "S", 1)), one)
}

// reservationsWithFacts: a reservation and the start that uses it are one commit.
func reservationsWithFacts(t *testing.T, s leyden.Store) {
	ctx := t.Context()
	open := reservation("S", 5)
	mustAppend(t, s, reserving(open))
	used := open
	used.Status, used.Transaction, used.EndedAt, used.Version = leyden.ReservationUsed, 1, base, 2
	e := with(entry(transaction(1)), "k")
	e.Reservations = []leyden.Reservation{used}
	mustAppend(t, s, e)
	same(t, "used Reservation", must[leyden.Reservation](t)(s.Reservation(ctx, "S", 5)), used)

	again := with(entry(transaction(2)), "k")
	again.Reservations = []leyden.Reservation{used}
	wantErr(t, "replayed, and stale", s.Append(ctx, again), leyden.ErrReplay)
	again = with(entry(transaction(2)), "l")
	again.Reservations = []leyden.Reservation{used}
	wantErr(t, "a second use", s.Append(ctx, again), leyden.ErrStale)
	absent(t, s, 2, "l")
	busy := with(entry(pending(2, 3), pending(3, 3)), "l")
	busy.Reservations = []leyden.Reservation{used}
	wantErr(t, "stale and pending", s.Append(ctx, busy), leyden.ErrStale)
	busy.Reservations = []leyden.Reservation{reservation("S", 6)}
	wantErr(t, "pending", s.Append(ctx, busy), leyden.ErrPending)
	_, err := s.Reservation(ctx, "S", 6)
	wantErr(t, "Reservation of a refused entry", err, leyden.ErrNotFound)
}

func refusesBrokenReservations(t *testing.T, s leyden.Store) {
	for name, spoil := range map[string]func(*leyden.Reservation){
		"another's station":  func(r *leyden.Reservation) { r.Station = "other" },
		"no status":          func(r *leyden.Reservation) { r.Status = "" },
		"unknown status":     func(r *leyden.Reservation) { r.Status = "o'pen" },
		"no end":             func(r *leyden.Reservation) { r.ExpiresAt = leyden.Reservation{}.ExpiresAt },
		"version 0":          func(r *leyden.Reservation) { r.Version = 0 },
		"used by none":       func(r *leyden.Reservation) { r.Status, r.EndedAt = leyden.ReservationUsed, base },
		"active and used":    func(r *leyden.Reservation) { r.Transaction = 1 },
		"active and ended":   func(r *leyden.Reservation) { r.EndedAt = base },
		"expired, not ended": func(r *leyden.Reservation) { r.Status = leyden.ReservationExpired },
		"negative connector": func(r *leyden.Reservation) { r.Connector = -1 },
	} {
		r := reservation("S", 1)
		spoil(&r)
		wantErr(t, name, s.Append(t.Context(), &leyden.Entry{Station: "S", Reservations: []leyden.Reservation{r}}), leyden.ErrInvalid)
	}
	twice := []leyden.Reservation{reservation("S", 1), reservation("S", 1)}
	wantErr(t, "the same twice", s.Append(t.Context(), &leyden.Entry{Station: "S", Reservations: twice}), leyden.ErrInvalid)
	if _, n, err := s.Reservations(t.Context(), leyden.ReservationQuery{}); n != 0 || err != nil {
		t.Errorf("%d reservations after refusals, %v", n, err)
	}
}

func reservationList(t *testing.T, s leyden.Store) {
	for id := range 9 {
		r := reservation("S", id)
		r.Connector, r.ExpiresAt = id%3, minute(10*id)
		if id >= 4 {
			r.Status, r.EndedAt = []leyden.ReservationStatus{leyden.ReservationExpired, leyden.ReservationRefused}[id%2], base
		}
		if id == 0 {
			r.Status = leyden.ReservationPending
		}
		mustAppend(t, s, reserving(r))
	}
	other := reservation("T", 20)
	other.CreatedAt = minute(0)
	mustAppend(t, s, reserving(other))
	open := []leyden.ReservationStatus{leyden.ReservationActive, leyden.ReservationPending}
	for i, test := range []struct {
		q     leyden.ReservationQuery
		total int
		want  []int
	}{
		{leyden.ReservationQuery{}, 10, []int{8, 7, 6, 5, 4, 3, 2, 1, 20, 0}},
		{leyden.ReservationQuery{Station: "S", Limit: 2, Offset: 1}, 9, []int{7, 6}},
		{leyden.ReservationQuery{Station: "S", Limit: 2, Offset: 99}, 9, nil},
		{leyden.ReservationQuery{Station: "S", Connector: new(0)}, 3, []int{6, 3, 0}},
		{leyden.ReservationQuery{Station: "S", Statuses: open}, 4, []int{3, 2, 1, 0}},
		{leyden.ReservationQuery{Statuses: []leyden.ReservationStatus{leyden.ReservationRefused}}, 2, []int{7, 5}},
		{leyden.ReservationQuery{Statuses: []leyden.ReservationStatus{"no'such"}}, 0, nil},
		{leyden.ReservationQuery{Statuses: open, Due: minute(20)}, 3, []int{2, 1, 0}},
		{leyden.ReservationQuery{Station: "nobody"}, 0, nil},
	} {
		list, total, err := s.Reservations(t.Context(), test.q)
		var got []int
		for _, r := range list {
			got = append(got, r.ID)
		}
		wantErr(t, "Reservations", err, nil)
		same(t, fmt.Sprintf("%d: reservations of %+v", i, test.q), got, test.want)
		same(t, fmt.Sprintf("%d: total of %+v", i, test.q), total, test.total)
	}
}
