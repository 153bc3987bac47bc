package leyden_test

import (
	"errors"
	"testing"
	"time"

	"leyden"
)

func (b *bench) reserve(connector int, tag string) leyden.Transaction {
	b.t.Helper()
	t, err := b.Reserve(b.t.Context(), request(connector, tag))
	if err != nil {
		b.t.Fatal(err)
	}
	return t
}

func request(connector int, tag string) leyden.StartRequest {
	return leyden.StartRequest{Station: "S", Connector: connector, Token: leyden.IDToken{Value: tag}, By: "key_1"}
}

func (b *bench) answer(id leyden.TransactionID, kind leyden.EventKind) {
	b.t.Helper()
	if _, err := b.AnswerStart(b.t.Context(), id, kind, "why"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) sweep(want int) {
	b.t.Helper()
	if n, err := b.Sweep(b.t.Context()); err != nil || n != want {
		b.t.Fatalf("swept %d, %v; want %d", n, err, want)
	}
}

func TestRemoteStartMatches(t *testing.T) {
	b := newBench(t, leyden.Options{})
	p := b.reserve(1, "USER123")
	if p.Status != leyden.Pending || p.ID < 1 || !p.Remote {
		t.Fatalf("reserved: %+v", p)
	}
	b.answer(p.ID, leyden.StartAnswered)
	other := b.start(2, "USER123", 0).Transaction.ID
	stranger := b.start(1, "STRANGER", 0).Transaction.ID
	b.record(b.stopEvent(int64(stranger), 0))
	b.pass(time.Minute)
	got := b.start(1, "user123", 100).Transaction
	if got.ID != p.ID || !got.Remote || got.Status != leyden.Active || got.Token.Value != "user123" || got.PublicID != p.PublicID {
		t.Errorf("started: %+v; want %d, and neither %d nor %d", got, p.ID, other, stranger)
	}
	b.refold(got)
}

func TestRemoteStartRefusals(t *testing.T) {
	b := newBench(t, leyden.Options{Tokens: leyden.TokensListed})
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.Registry().SaveToken(t.Context(), leyden.Token{Value: "GOOD", Status: leyden.TokenAccepted, Listed: true}))
	for status, want := range map[string]error{
		"Charging": leyden.ErrConnector, "SuspendedEV": leyden.ErrConnector, "SuspendedEVSE": leyden.ErrConnector,
		"Faulted": leyden.ErrConnector, "Unavailable": leyden.ErrConnector, "Reserved": leyden.ErrConnector,
	} {
		b.status(1, status)
		if _, err := b.Reserve(t.Context(), request(1, "GOOD")); !errors.Is(err, want) {
			t.Errorf("connector %s: %v, want %v", status, err, want)
		}
	}
	b.status(1, "Available")
	strict := request(1, "GOOD")
	strict.RequirePreparing = true
	if _, err := b.Reserve(t.Context(), strict); !errors.Is(err, leyden.ErrConnector) {
		t.Errorf("nothing plugged in: %v", err)
	}
	if _, err := b.Reserve(t.Context(), request(1, "STRANGER")); !errors.Is(err, leyden.ErrToken) {
		t.Errorf("stranger: %v", err)
	}
	if n := b.count(); n != 0 {
		t.Fatalf("%d rows after refusals", n)
	}
	p := b.reserve(1, "GOOD")
	var pending *leyden.PendingError
	if _, err := b.Reserve(t.Context(), request(1, "GOOD")); !errors.As(err, &pending) || pending.ID != p.ID {
		t.Errorf("second: %v, want pending %d", err, p.ID)
	}
	b.start(1, "GOOD", 0)
	if _, err := b.Reserve(t.Context(), request(1, "GOOD")); !errors.Is(err, leyden.ErrActive) {
		t.Errorf("on a running charge: %v", err)
	}
	b.pass(time.Minute)
	b.status(1, "Preparing")
	b.reserve(1, "GOOD")
}

func TestRemoteStartEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		end     func(*bench, leyden.TransactionID)
		status  leyden.Status
		revives bool
		stops   bool
	}{
		"refused":   {func(b *bench, id leyden.TransactionID) { b.answer(id, leyden.StartRefused) }, leyden.Failed, false, false},
		"error":     {func(b *bench, id leyden.TransactionID) { b.answer(id, leyden.StartErrored) }, leyden.Failed, true, false},
		"silent":    {func(b *bench, id leyden.TransactionID) { b.answer(id, leyden.StartUnanswered) }, leyden.Pending, true, false},
		"expired":   {func(b *bench, id leyden.TransactionID) { b.pass(131 * time.Second); b.sweep(1) }, leyden.Expired, true, false},
		"cancelled": {func(b *bench, id leyden.TransactionID) { b.cancel(id) }, leyden.Cancelled, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			p := b.reserve(1, "A")
			tc.end(b, p.ID)
			b.want(p.ID, tc.status, none)
			b.pass(time.Minute)
			out := b.start(1, "A", 0)
			if revived := out.Transaction.ID == p.ID; revived != tc.revives {
				t.Errorf("a late start took the number: %v, want %v", revived, tc.revives)
			}
			if stops := out.RemoteStop == p.ID; stops != tc.stops {
				t.Errorf("remote stop of %d; want one: %v", out.RemoteStop, tc.stops)
			}
			b.want(out.Transaction.ID, leyden.Active, none)
		})
	}
}

func (b *bench) cancel(id leyden.TransactionID) {
	b.t.Helper()
	if _, err := b.Cancel(b.t.Context(), id, "key_1"); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Cancel(b.t.Context(), id, "key_1"); !errors.Is(err, leyden.ErrState) {
		b.t.Fatalf("cancelled twice: %v", err)
	}
}

// An expired remote start is revived by the time that the station says it
// began, however late it reports it.
func TestExpiredRemoteStartAndDeviceTime(t *testing.T) {
	for name, tc := range map[string]struct {
		began   time.Time
		arrives time.Duration
		revives bool
	}{
		"in time, reported a day late": {at(1), 24 * time.Hour, true},
		"just before it was asked for": {at(-4), time.Hour, true},
		"long before it was asked for": {at(-6), time.Hour, false},
		"just after it expired":        {at(7), time.Hour, true},
		"long after it expired":        {at(8), time.Hour, false},
		"no clock, soon":               {time.Unix(0, 0), 50 * time.Minute, true},
		"no clock, late":               {time.Unix(0, 0), 70 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			p := b.reserve(1, "A")
			b.pass(3 * time.Minute)
			b.sweep(1)
			b.pass(tc.arrives)
			e := b.startEvent(1, "A", 0)
			e.At = tc.began
			if got := b.record(e).Transaction.ID == p.ID; got != tc.revives {
				t.Errorf("revived: %v, want %v", got, tc.revives)
			}
		})
	}
}

func TestConnectionTimeOutSetsTheExpiry(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.Told("S", 30*time.Second)
	p := b.reserve(1, "A")
	if want := at(0).Add(40 * time.Second); !p.ExpiresAt.Equal(want) {
		t.Errorf("expires %v, want %v", p.ExpiresAt, want)
	}
	b.pass(39 * time.Second)
	b.sweep(0)
	b.pass(time.Second)
	b.sweep(1)
	b.sweep(0)
}

func (b *bench) requestStop(id leyden.TransactionID) int {
	b.t.Helper()
	t, err := b.RequestStop(b.t.Context(), id, "key_1")
	if err != nil || t.Status != leyden.Stopping {
		b.t.Fatalf("request stop: %v, %v", t.Status, err)
	}
	return t.StopRound
}

func (b *bench) answerStop(id leyden.TransactionID, round int, kind leyden.EventKind) {
	b.t.Helper()
	if _, err := b.AnswerStop(b.t.Context(), id, round, kind, ""); err != nil {
		b.t.Fatal(err)
	}
}

func TestRemoteStop(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 0).Transaction.ID
	round := b.requestStop(id)
	b.answerStop(id, round, leyden.StopDenied)
	b.want(id, leyden.Active, none)
	round = b.requestStop(id)
	b.answerStop(id, round, leyden.StopAnswered)
	b.pass(time.Minute)
	stop := b.stopEvent(int64(id), 900)
	stop.Reason = "Remote"
	b.record(stop)
	b.want(id, leyden.Completed, 900)
	if _, err := b.RequestStop(t.Context(), id, "key_1"); !errors.Is(err, leyden.ErrState) {
		t.Errorf("stop of what ended: %v", err)
	}
	b.pass(time.Hour)
	b.sweep(0)
}

func TestRemoteStopThatIsNotFollowed(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 0).Transaction.ID
	b.answerStop(id, b.requestStop(id), leyden.StopAnswered)
	b.pass(time.Minute)
	b.read(int64(id), 1, "100")
	b.want(id, leyden.Stopping, 100)
	b.pass(time.Minute)
	b.sweep(1)
	b.want(id, leyden.Stopping, 100, "STOP_UNCONFIRMED")
	b.sweep(0)
	b.pass(time.Minute)
	b.read(int64(id), 1, "100")
	b.want(id, leyden.Stopping, 100, "STOP_UNCONFIRMED")
	b.pass(time.Minute)
	b.read(int64(id), 1, "300")
	b.want(id, leyden.Active, 300)

	b.answerStop(id, b.requestStop(id), leyden.StopAnswered)
	b.pass(time.Minute)
	b.read(int64(id), 1, "400")
	b.pass(2 * time.Minute)
	b.sweep(1)
	b.want(id, leyden.Active, 400)
}

func TestABootDoesNotClose(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 0).Transaction.ID
	other := b.start(2, "B", 0).Transaction.ID
	b.pass(time.Minute)
	if err := b.Booted(t.Context(), "S", leyden.Sighting{Vendor: "V", Model: "M"}); err != nil {
		t.Fatal(err)
	}
	b.want(id, leyden.Active, none)
	b.pass(time.Hour)
	b.read(int64(other), 2, "5")
	b.pass(24 * time.Hour)
	b.sweep(1)
	b.want(id, leyden.Active, none, "STALE")
	b.want(other, leyden.Active, 5)
	b.record(b.stopEvent(int64(id), 70))
	b.want(id, leyden.Completed, 70)
	st := leyden.Station{ID: "S", PublicID: "chg_1", Registration: leyden.RegistrationAccepted}
	if err := b.Registry().AddStation(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Station(t.Context(), "S"); err != nil || got.Model != "M" {
		t.Errorf("station %+v, %v", got, err)
	}
}

// A remote start whose readings came before its start, and that another charge
// then closed, takes the start when that comes at last, also while that other
// charge runs.
func TestLateStartOfAClosedRemoteStart(t *testing.T) {
	b := newBench(t, leyden.Options{StartConflict: leyden.ConflictAccept})
	asked, err := b.Reserve(t.Context(), leyden.StartRequest{Station: "S", Connector: 1, Token: leyden.IDToken{Value: "A"}})
	if err != nil {
		t.Fatal(err)
	}
	b.pass(time.Minute)
	late := b.startEvent(1, "A", 1000)
	b.pass(time.Minute)
	b.read(int64(asked.ID), 1, "1500")
	b.pass(time.Minute)
	running := b.start(1, "B", 2000).Transaction.ID
	b.pass(time.Minute)
	if out := b.record(late); out.Transaction.ID != asked.ID || out.Replay {
		t.Errorf("the late start became transaction %d, replay %v; want %d", out.Transaction.ID, out.Replay, asked.ID)
	}
	if got := b.get(asked.ID); got.Status != leyden.Completed || deref(got.Energy) != 500 || !got.StartedAt.Equal(late.At) {
		t.Errorf("it is %v with %d Wh since %v; want it completed with 500", got.Status, deref(got.Energy), got.StartedAt)
	}
	b.want(running, leyden.Active, none)
}
