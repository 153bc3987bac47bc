package leyden_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"leyden"
)

// book reserves a connector for an hour.
func (b *bench) book(connector int, tag string) leyden.Reservation {
	b.t.Helper()
	r, err := b.BookConnector(b.t.Context(), leyden.ReservationRequest{
		Station: "S", Connector: connector, Token: leyden.IDToken{Value: tag}, ExpiresAt: b.clock.Add(time.Hour), By: "key_1",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) answerBooking(id int, answer string) leyden.Reservation {
	b.t.Helper()
	r, err := b.AnswerReservation(b.t.Context(), "S", id, answer)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) booked(id int) leyden.Reservation {
	b.t.Helper()
	r, err := b.Store().Reservation(b.t.Context(), "S", id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// startOn reports a start that names a reservation.
func (b *bench) startOn(id, connector int, tag string) leyden.Outcome {
	b.t.Helper()
	return b.record(b.startOnEvent(id, connector, tag))
}

func (b *bench) startOnEvent(id, connector int, tag string) leyden.Event {
	e := b.startEvent(connector, tag, 0)
	e.Reservation = &id
	return e
}

// wantBooked checks a reservation and which transaction used it; 0: none.
func (b *bench) wantBooked(id int, status leyden.ReservationStatus, by leyden.TransactionID) {
	b.t.Helper()
	if r := b.booked(id); r.Status != status || r.Transaction != by {
		b.t.Errorf("reservation %d: %s, used by %d; want %s, by %d", id, r.Status, r.Transaction, status, by)
	}
}

func (b *bench) list(tokens ...leyden.Token) {
	b.t.Helper()
	for _, tok := range tokens {
		tok.Listed = true
		if tok.Status == "" {
			tok.Status = leyden.TokenAccepted
		}
		if err := b.Registry().SaveToken(b.t.Context(), tok); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestAReservationIsUsedOnce(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.list(leyden.Token{Value: "A", Parent: "FLEET"})
	r := b.book(1, "A")
	if r.Status != leyden.ReservationPending || r.ID < 1 || r.Parent != "FLEET" || r.By != "key_1" || r.Version != 1 {
		t.Fatalf("booked: %+v", r)
	}
	if other := b.book(2, "B"); other.ID == r.ID {
		t.Fatalf("the number %d was drawn twice", r.ID)
	}
	if r = b.answerBooking(r.ID, "Accepted"); r.Status != leyden.ReservationActive {
		t.Fatalf("answered: %+v", r)
	}
	first := b.startOnEvent(r.ID, 1, "a")
	id := b.record(first).Transaction.ID
	b.wantBooked(r.ID, leyden.ReservationUsed, id)
	b.want(id, leyden.Active, none)
	version := b.booked(r.ID).Version
	if out := b.record(first); !out.Replay {
		t.Errorf("resent: %+v", out)
	}
	b.record(b.stopEvent(int64(id), 5))
	b.pass(time.Minute)
	second := b.startOn(r.ID, 1, "A").Transaction.ID
	b.want(second, leyden.Active, none, "RESERVATION_UNKNOWN")
	b.wantBooked(r.ID, leyden.ReservationUsed, id)
	if got := b.booked(r.ID).Version; got != version {
		t.Errorf("version %d after a replay and another's start, want %d", got, version)
	}
	b.want(b.startOn(4711, 2, "A").Transaction.ID, leyden.Active, none, "RESERVATION_UNKNOWN")
}

func TestBookingRefusals(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.list(leyden.Token{Value: "BAD", Status: leyden.TokenBlocked})
	soon := b.clock.Add(time.Minute)
	for name, tc := range map[string]struct {
		tag  string
		end  time.Time
		want error
	}{
		"no idTag":       {"", soon, leyden.ErrInvalid},
		"over already":   {"A", b.clock, leyden.ErrInvalid},
		"without an end": {"A", time.Time{}, leyden.ErrInvalid},
		"beyond RFC":     {"A", time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), leyden.ErrInvalid},
		"blocked":        {"BAD", soon, leyden.ErrToken},
	} {
		q := leyden.ReservationRequest{Station: "S", Connector: 1, Token: leyden.IDToken{Value: tc.tag}, ExpiresAt: tc.end}
		if _, err := b.BookConnector(t.Context(), q); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	for range 100 {
		b.book(1, "A")
	}
	q := leyden.ReservationRequest{Station: "S", Connector: 1, Token: leyden.IDToken{Value: "A"}, ExpiresAt: soon}
	if _, err := b.BookConnector(t.Context(), q); !errors.Is(err, leyden.ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	q.Station = "T"
	if _, err := b.BookConnector(t.Context(), q); err != nil {
		t.Errorf("at another station: %v", err)
	}
	if _, n, err := b.Store().Reservations(t.Context(), leyden.ReservationQuery{}); n != 101 || err != nil {
		t.Errorf("%d reservations, %v", n, err)
	}
}

// Which start uses a reservation, depending on what became of it before.
func TestWhoseReservationItIs(t *testing.T) {
	hour := 62 * time.Minute
	for name, tc := range map[string]struct {
		before  func(*bench, int)
		tag     string
		ago     time.Duration // device time before the bench's
		used    bool
		flagged bool
	}{
		"its own":                       {before: func(*bench, int) {}, tag: "a", used: true},
		"answered":                      {before: func(b *bench, id int) { b.answerBooking(id, "Accepted") }, tag: "A", used: true},
		"refused, as it seemed":         {before: func(b *bench, id int) { b.answerBooking(id, "InternalError") }, tag: "A", used: true},
		"the same group":                {before: func(*bench, int) {}, tag: "MATE", used: true},
		"another's":                     {before: func(*bench, int) {}, tag: "B", flagged: true},
		"another's, who may not charge": {before: func(*bench, int) {}, tag: "BAD", flagged: true},
		"its own, blocked meanwhile": {
			before: func(b *bench, _ int) { b.list(leyden.Token{Value: "A", Status: leyden.TokenBlocked}) }, tag: "A",
		},
		"cancelled":              {before: func(b *bench, id int) { b.pass(time.Minute); b.cancelBooking(id) }, tag: "A", ago: -time.Second, flagged: true},
		"used before the cancel": {before: func(b *bench, id int) { b.pass(time.Minute); b.cancelBooking(id) }, tag: "A", ago: time.Second, used: true},
		"expired":                {before: func(b *bench, _ int) { b.pass(hour); b.sweep(1) }, tag: "A", flagged: true},
		"used before the expiry": {before: func(b *bench, _ int) { b.pass(hour); b.sweep(1) }, tag: "A", ago: 3 * time.Minute, used: true},
		"due, but not expired":   {before: func(b *bench, _ int) { b.pass(time.Hour); b.sweep(0) }, tag: "A", used: true},
	} {
		b := newBench(t, leyden.Options{})
		b.list(leyden.Token{Value: "A", Parent: "P"}, leyden.Token{Value: "MATE", Parent: "p"}, leyden.Token{Value: "B"},
			leyden.Token{Value: "BAD", Status: leyden.TokenBlocked})
		id := b.book(1, "A").ID
		tc.before(b, id)
		was := b.booked(id)
		e := b.startOnEvent(id, 1, tc.tag)
		e.At = e.At.Add(-tc.ago)
		got := b.get(b.record(e).Transaction.ID)
		if used := b.booked(id).Transaction == got.ID; used != tc.used {
			t.Errorf("%s: used %v, want %v", name, used, tc.used)
		}
		if !tc.used && b.booked(id) != was {
			t.Errorf("%s: the reservation changed: %+v, was %+v", name, b.booked(id), was)
		}
		if flagged := got.Flags.Has(leyden.ReservationUnknown); flagged != tc.flagged {
			t.Errorf("%s: flags %v", name, got.Flags.Names())
		}
	}
}

func (b *bench) cancelBooking(id int) {
	b.t.Helper()
	if _, err := b.CancelReservation(b.t.Context(), "S", id, "key_2"); err != nil {
		b.t.Fatal(err)
	}
}

func TestAnswersToAReservation(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.book(1, "A").ID
	if r := b.answerBooking(id, "Occupied"); r.Status != leyden.ReservationRefused || r.Answer != "Occupied" || !r.EndedAt.Equal(b.clock) {
		t.Errorf("refused: %+v", r)
	}
	if r := b.answerBooking(id, "Accepted"); r.Status != leyden.ReservationRefused || r.Version != 2 {
		t.Errorf("answered again: %+v", r)
	}
	if _, err := b.CancelReservation(t.Context(), "S", id, ""); !errors.Is(err, leyden.ErrReservation) {
		t.Errorf("cancel of a refused one: %v", err)
	}
	quick := b.book(2, "A").ID
	by := b.startOn(quick, 2, "A").Transaction.ID
	if r := b.answerBooking(quick, "Accepted"); r.Status != leyden.ReservationUsed || r.Transaction != by || r.Answer != "Accepted" {
		t.Errorf("answered after it was used: %+v", r)
	}
	gone := b.book(3, "A").ID
	b.cancelBooking(gone)
	b.cancelBooking(gone)
	if r := b.booked(gone); r.Version != 2 || r.By != "key_2" {
		t.Errorf("cancelled twice: %+v", r)
	}
	for _, s := range []leyden.StationID{"T", "S"} {
		if _, err := b.CancelReservation(t.Context(), s, 999, ""); !errors.Is(err, leyden.ErrNotFound) {
			t.Errorf("cancel of none: %v", err)
		}
	}
}

// A reservation that somebody made on his own is one as well, and replaces the
// one with its number; ours never take a number that is there.
func TestNotedReservations(t *testing.T) {
	b := newBench(t, leyden.Options{})
	next := b.book(1, "A").ID + 1
	note := func(id int, tag string) {
		t.Helper()
		n := leyden.Reservation{Station: "S", ID: id, Connector: 2, Token: leyden.IDToken{Value: tag}, ExpiresAt: b.clock.Add(time.Hour)}
		if err := b.NoteReservation(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	note(next, "B")
	note(-1, "B")
	if r := b.book(1, "A"); r.ID == next {
		t.Errorf("the number %d is taken", next)
	}
	b.wantBooked(next, leyden.ReservationActive, 0)
	by := b.startOn(-1, 2, "B").Transaction.ID
	b.wantBooked(-1, leyden.ReservationUsed, by)
	b.want(by, leyden.Active, none)
	note(-1, "C")
	b.wantBooked(-1, leyden.ReservationActive, 0)
	if r := b.booked(-1); r.Token.Value != "C" || !r.EndedAt.IsZero() || r.Version != 3 {
		t.Errorf("replaced: %+v", r)
	}
	if err := b.NoteReservation(t.Context(), leyden.Reservation{Station: "S", ID: 1 << 40}); !errors.Is(err, leyden.ErrInvalid) {
		t.Errorf("a number that no station keeps: %v", err)
	}
}

// A start that is refused for the charge on its connector leaves its
// reservation; when the station insists, it is used.
func TestARefusedStartLeavesTheReservation(t *testing.T) {
	b := newBench(t, leyden.Options{})
	running := b.start(1, "X", 0).Transaction.ID
	id := b.book(1, "A").ID
	b.answerBooking(id, "Accepted")
	b.pass(time.Minute)
	e := b.startOnEvent(id, 1, "A")
	if _, err := b.Record(t.Context(), e, "frame"); !errors.Is(err, leyden.ErrActive) {
		t.Fatalf("on a running charge: %v", err)
	}
	b.wantBooked(id, leyden.ReservationActive, 0)
	b.want(running, leyden.Active, none)
	b.wantBooked(id, leyden.ReservationActive, 0)
	by := b.record(e).Transaction.ID
	b.wantBooked(id, leyden.ReservationUsed, by)
	b.want(by, leyden.Active, none)
}

// A remote start on a reserved connector is for whom it is reserved, or his
// group.
func TestRemoteStartOnAReservedConnector(t *testing.T) {
	for name, tc := range map[string]struct {
		connector int // of the reservation
		tag       string
		strict    bool
		want      error
	}{
		"for whom it is":       {1, "a", false, nil},
		"for his group":        {1, "MATE", false, nil},
		"the whole station":    {0, "A", false, nil},
		"for another":          {1, "B", false, leyden.ErrConnector},
		"another connector":    {2, "A", false, leyden.ErrConnector},
		"nothing plugged in":   {1, "A", true, leyden.ErrConnector},
		"nobody's but the bad": {1, "BAD", false, leyden.ErrToken},
	} {
		b := newBench(t, leyden.Options{})
		b.list(leyden.Token{Value: "A", Parent: "P"}, leyden.Token{Value: "MATE", Parent: "P"},
			leyden.Token{Value: "BAD", Status: leyden.TokenBlocked})
		id := b.book(tc.connector, "A").ID
		b.answerBooking(id, "Accepted")
		b.status(1, "Reserved")
		q := request(1, tc.tag)
		q.RequirePreparing = tc.strict
		p, err := b.Reserve(t.Context(), q)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if tc.want != nil {
			continue
		}
		if out := b.startOn(id, 1, tc.tag); out.Transaction.ID != p.ID {
			t.Errorf("%s: the start became %d, not %d", name, out.Transaction.ID, p.ID)
		}
		b.wantBooked(id, leyden.ReservationUsed, p.ID)
	}
}

// Expired reservations are found however many there are, and one that cannot be
// written is in nobody's way.
func TestManyReservationsExpire(t *testing.T) {
	b := newBench(t, leyden.Options{})
	for i := range 300 {
		q := leyden.ReservationRequest{
			Station: leyden.StationID(rune('A' + i%26)), Connector: 1, Token: leyden.IDToken{Value: "A"}, ExpiresAt: b.clock.Add(time.Hour),
		}
		if _, err := b.BookConnector(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	b.sweep(0)
	b.pass(61 * time.Minute)
	b.sweep(300)
	b.sweep(0)
	expired := leyden.ReservationQuery{Statuses: []leyden.ReservationStatus{leyden.ReservationExpired}, Limit: 1}
	if list, n, err := b.Store().Reservations(t.Context(), expired); n != 300 || err != nil || !list[0].EndedAt.Equal(b.clock) {
		t.Errorf("%d expired, %v: %+v", n, err, list)
	}
}

// Whatever happens in whatever order, with a disk that fails now and then: a
// reservation is used at most once, by one transaction, which says so, and
// nothing changes about it afterwards.
func TestReservationsInAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		b, f := newFaulty(t, seed, int(seed%2)*20)
		r := rand.New(rand.NewPCG(seed, 9))
		b.list(leyden.Token{Value: "A", Parent: "P"}, leyden.Token{Value: "B", Parent: "P"}, leyden.Token{Value: "C"},
			leyden.Token{Value: "BAD", Status: leyden.TokenBlocked})
		var ids []int
		var starts []leyden.Event
		used := map[int]leyden.Reservation{}
		for range 40 {
			bookingStep(b, r, &ids, &starts)
			for _, id := range ids {
				b.checkBooked(seed, id, used)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
		f.odds = 0
		b.checkClaims(seed)
	}
}

// bookingStep does one thing about reservations; storage may fail it.
func bookingStep(b *bench, r *rand.Rand, ids *[]int, starts *[]leyden.Event) {
	b.t.Helper()
	ctx, tag := b.t.Context(), pick(r, "A", "a", "B", "C", "BAD")
	id := 4711
	if len(*ids) > 0 {
		id = pick(r, *ids...)
	}
	var err error
	switch r.IntN(9) {
	case 0:
		var booked leyden.Reservation
		booked, err = b.BookConnector(ctx, leyden.ReservationRequest{
			Station: "S", Connector: r.IntN(3), Token: leyden.IDToken{Value: pick(r, "A", "B", "C")}, ExpiresAt: b.clock.Add(5 * time.Minute),
		})
		if err == nil {
			*ids = append(*ids, booked.ID)
		}
	case 1:
		_, err = b.AnswerReservation(ctx, "S", id, pick(r, "Accepted", "Accepted", "Faulted"))
	case 2:
		_, err = b.CancelReservation(ctx, "S", id, "")
	case 3, 4:
		b.pass(time.Duration(r.IntN(200)) * time.Second)
		_, err = b.Sweep(ctx)
	case 5, 6:
		e := b.startOnEvent(id, 1+r.IntN(2), tag)
		e.At = e.At.Add(-time.Duration(r.IntN(4)) * time.Minute)
		*starts = append(*starts, e)
		_, err = b.Record(ctx, e, "frame")
	case 7:
		if len(*starts) > 0 {
			_, err = b.Record(ctx, pick(r, *starts...), "frame")
		}
	case 8:
		b.Ledger = leyden.NewLedger(b.Store(), b.Registry(), leyden.Options{
			Now: func() time.Time { return b.clock }, Tokens: leyden.TokensOpen,
		})
	}
	expected := []error{nil, leyden.ErrUnavailable, leyden.ErrNotFound, leyden.ErrReservation, leyden.ErrActive}
	for _, e := range expected {
		if errors.Is(err, e) {
			return
		}
	}
	b.t.Fatal(err)
}

// checkBooked holds a reservation against what it was when it was first used.
func (b *bench) checkBooked(seed uint64, id int, used map[int]leyden.Reservation) {
	b.t.Helper()
	now := b.booked(id)
	was, before := used[id]
	if before && (now.Status != was.Status || now.Transaction != was.Transaction || !now.EndedAt.Equal(was.EndedAt)) {
		b.t.Errorf("seed %d: reservation %d was %+v and is %+v", seed, id, was, now)
	}
	if now.Status != leyden.ReservationUsed {
		return
	}
	used[id] = now
	tx := b.get(now.Transaction)
	if tx.Reservation == nil || *tx.Reservation != id || tx.Flags.Has(leyden.ReservationUnknown) || tx.Flags.Has(leyden.Unauthorized) {
		b.t.Errorf("seed %d: reservation %d was used by %d, which says %v, flags %v", seed, id, tx.ID, tx.Reservation, tx.Flags.Names())
	}
}

// checkClaims wants of each transaction that its reservation says what it says.
func (b *bench) checkClaims(seed uint64) {
	b.t.Helper()
	page, err := b.Store().Transactions(b.t.Context(), leyden.Query{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, tx := range page.Transactions {
		b.refold(tx)
		if tx.Reservation == nil {
			continue
		}
		booked, err := b.Store().Reservation(b.t.Context(), "S", *tx.Reservation)
		if err != nil && !errors.Is(err, leyden.ErrNotFound) {
			b.t.Fatal(err)
		}
		claims := !tx.Flags.Has(leyden.ReservationUnknown) && !tx.Flags.Has(leyden.Unauthorized)
		if used := err == nil && booked.Transaction == tx.ID; used != claims {
			b.t.Errorf("seed %d: transaction %d, flags %v, and reservation %d is used by %d", seed, tx.ID, tx.Flags.Names(), *tx.Reservation, booked.Transaction)
		}
	}
}

// A spoilt store cannot read reservations, for a reason of its own.
type spoilt struct {
	leyden.Store
	err error
}

func (s *spoilt) Reservation(context.Context, leyden.StationID, int) (leyden.Reservation, error) {
	return leyden.Reservation{}, s.err
}

// A start that names a reservation whose row cannot be read is recorded, and
// marked: the charge began. Without storage it is not answered.
func TestStartOnAnUnreadableReservation(t *testing.T) {
	b := newBench(t, leyden.Options{})
	store := &spoilt{Store: b.Store(), err: errors.New("reservation 7 of S: broken row")}
	b.Ledger = leyden.NewLedger(store, b.Registry(), leyden.Options{Now: func() time.Time { return b.clock }, Tokens: leyden.TokensOpen})
	b.want(b.startOn(7, 1, "A").Transaction.ID, leyden.Active, none, "RESERVATION_UNKNOWN")
	store.err = fmt.Errorf("read: %w", leyden.ErrUnavailable)
	if _, err := b.Record(t.Context(), b.startOnEvent(7, 2, "A"), "{}"); !errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("without storage: %v; want %v", err, leyden.ErrUnavailable)
	}
	store.err = context.Canceled
	if _, err := b.Record(t.Context(), b.startOnEvent(7, 2, "A"), "{}"); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v; want %v", err, context.Canceled)
	}
}

// What a station accepted is on record however many there are; only we make no
// more then.
func TestNotedReservationsBeyondTheLimit(t *testing.T) {
	b := newBench(t, leyden.Options{})
	for id := range 102 {
		n := leyden.Reservation{ID: id, Station: "S", Connector: 1, Token: leyden.IDToken{Value: "A"}, ExpiresAt: b.clock.Add(time.Hour)}
		if err := b.NoteReservation(t.Context(), n); err != nil {
			t.Fatalf("number %d: %v", id, err)
		}
	}
	if got := b.booked(101).Status; got != leyden.ReservationActive {
		t.Errorf("the last is %s", got)
	}
	_, err := b.BookConnector(t.Context(), leyden.ReservationRequest{Station: "S", Token: leyden.IDToken{Value: "A"}, ExpiresAt: b.clock.Add(time.Hour)})
	if !errors.Is(err, leyden.ErrLimit) {
		t.Errorf("one of ours: %v; want %v", err, leyden.ErrLimit)
	}
}
