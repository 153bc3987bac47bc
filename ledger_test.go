package leyden_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/memory"
)

// A bench is a ledger over an empty memory store and a clock that tests move.
type bench struct {
	*leyden.Ledger
	t     *testing.T
	clock time.Time
}

func newBench(t *testing.T, opt leyden.Options) *bench {
	b := &bench{t: t, clock: at(0)}
	opt.Now = func() time.Time { return b.clock }
	if opt.Tokens == "" {
		opt.Tokens = leyden.TokensOpen
	}
	store := &witness{Store: memory.New(opt.Now), t: t}
	b.Ledger = leyden.NewLedger(store, store, opt)
	return b
}

func (b *bench) pass(d time.Duration) { b.clock = b.clock.Add(d) }

func (b *bench) record(e leyden.Event) leyden.Outcome {
	b.t.Helper()
	out, err := b.Record(b.t.Context(), e, `{"as":"sent"}`)
	if err != nil {
		b.t.Fatalf("record %v: %v", e.Kind, err)
	}
	return out
}

// start reports a start at the bench's time.
func (b *bench) start(connector int, tag string, register leyden.WattHours) leyden.Outcome {
	b.t.Helper()
	return b.record(b.startEvent(connector, tag, register))
}

func (b *bench) startEvent(connector int, tag string, register leyden.WattHours) leyden.Event {
	return leyden.Event{Station: "S", Kind: leyden.Started, At: b.clock, Connector: connector, Token: leyden.IDToken{Value: tag}, Register: &register}
}

func (b *bench) stopEvent(number int64, register leyden.WattHours) leyden.Event {
	return leyden.Event{Station: "S", Kind: leyden.Ended, At: b.clock, Number: &number, Register: &register}
}

// read reports one register reading at the bench's time.
func (b *bench) read(number int64, connector int, value string) leyden.Outcome {
	b.t.Helper()
	return b.record(leyden.Event{
		Station: "S", Kind: leyden.Updated, At: b.clock, Number: &number, Connector: connector,
		Samples: []leyden.Sample{{At: b.clock, Value: value}}, Digest: value + b.clock.String(),
	})
}

func (b *bench) status(connector int, word string) {
	b.t.Helper()
	if err := b.StatusReported(b.t.Context(), "S", leyden.Connector{Number: connector, Status: word, At: b.clock}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) get(id leyden.TransactionID) leyden.Transaction {
	b.t.Helper()
	t, err := b.Store().Transaction(b.t.Context(), id)
	if err != nil {
		b.t.Fatalf("transaction %d: %v", id, err)
	}
	b.refold(t)
	return t
}

// refold checks that the events of a transaction alone make it what it is.
func (b *bench) refold(t leyden.Transaction) {
	b.t.Helper()
	events, err := b.Store().Events(b.t.Context(), t.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	if diff := leyden.Differences(leyden.Fold(events), t); len(diff) > 0 {
		b.t.Errorf("transaction %d refolds to other %v:\nstored %+v", t.ID, diff, t)
	}
}

func (b *bench) count() int {
	b.t.Helper()
	page, err := b.Store().Transactions(b.t.Context(), leyden.Query{})
	if err != nil {
		b.t.Fatal(err)
	}
	return page.Total
}

func (b *bench) want(id leyden.TransactionID, status leyden.Status, energy leyden.WattHours, flags ...string) {
	b.t.Helper()
	t := b.get(id)
	if t.Status != status || deref(t.Energy) != energy || strings.Join(t.Flags.Names(), " ") != strings.Join(flags, " ") {
		b.t.Errorf("transaction %d: %v, %d Wh by %q, flags %v; want %v, %d Wh, flags %v",
			id, t.Status, deref(t.Energy), t.EnergySource, t.Flags.Names(), status, energy, flags)
	}
}

// none is no energy figure.
const none = leyden.WattHours(-1)

func TestAnOrdinaryCharge(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.status(1, "Preparing")
	b.pass(time.Minute)
	out := b.start(1, "USER123", 1000)
	id := out.Transaction.ID
	if out.Replay || out.Event.Auth.Status != leyden.TokenAccepted || id < 1 {
		t.Fatalf("start: %+v", out)
	}
	b.pass(20 * time.Minute)
	b.read(int64(id), 1, "8000")
	b.want(id, leyden.Active, 7000)
	b.pass(25 * time.Minute)
	stop := b.stopEvent(int64(id), 15000)
	stop.Reason = "Local"
	b.record(stop)
	inserted := b.get(id).InsertedAt
	b.pass(time.Minute)
	b.status(1, "Available")

	got := b.get(id)
	b.want(id, leyden.Completed, 14000)
	if got.EndResult() != "Local" || got.Duration(b.clock) != 45*time.Minute || got.VehicleID != "USER123" {
		t.Errorf("end result %q, duration %v, vehicle %q", got.EndResult(), got.Duration(b.clock), got.VehicleID)
	}
	if !got.SessionStart.Equal(at(0)) || !got.SessionEnd.Equal(at(47)) {
		t.Errorf("session %v to %v; want plug-in at 0 and plug-out at 47", got.SessionStart, got.SessionEnd)
	}
	if !inserted.Equal(at(46)) || !got.InsertedAt.Equal(at(47)) || got.Revision != 2 {
		t.Errorf("inserted %v, then %v, revision %d; want the plug-out to be a revision", inserted, got.InsertedAt, got.Revision)
	}
}

func TestReplays(t *testing.T) {
	b := newBench(t, leyden.Options{})
	first := b.startEvent(1, "USER123", 1000)
	out := b.record(first)
	id := out.Transaction.ID
	again := first
	again.Token.Value = "user123"
	if r := b.record(again); !r.Replay || r.Transaction.ID != id || r.Event.Auth != out.Event.Auth {
		t.Errorf("resent start: %+v", r)
	}
	b.pass(10 * time.Minute)
	b.read(int64(id), 1, "2000")
	if r := b.read(int64(id), 1, "2000"); !r.Replay {
		t.Errorf("resent reading: %+v", r)
	}
	stop := b.stopEvent(int64(id), 3000)
	b.record(stop)
	if r := b.record(stop); !r.Replay {
		t.Errorf("resent stop: %+v", r)
	}
	if r := b.record(first); !r.Replay || r.Transaction.ID != id {
		t.Errorf("start resent after the stop: %+v", r)
	}
	b.want(id, leyden.Completed, 2000)
	stop.Register = wh(9000)
	b.record(stop)
	b.record(stop)
	b.want(id, leyden.Completed, 2000, "CONTENT_CONFLICT")
	if n := b.count(); n != 1 {
		t.Errorf("%d transactions, want 1", n)
	}
	events, err := b.Store().Events(t.Context(), id)
	if err != nil || len(events) != 4 {
		t.Errorf("%d events, %v; want start, reading, stop and one contradiction", len(events), err)
	}
}

func TestAStuckClockRepeatsKeys(t *testing.T) {
	b := newBench(t, leyden.Options{})
	stuck := leyden.Event{Station: "S", Kind: leyden.Started, At: time.Unix(0, 0), Connector: 1, Token: leyden.IDToken{Value: "A"}, Register: wh(0)}
	ids := map[leyden.TransactionID]bool{}
	for range 4 {
		id := b.record(stuck).Transaction.ID
		if r := b.record(stuck); !r.Replay || r.Transaction.ID != id {
			t.Fatalf("a resend while %d runs became %d", id, r.Transaction.ID)
		}
		ids[id] = true
		stop := b.stopEvent(int64(id), 500)
		stop.At = time.Unix(60, 0)
		b.record(stop)
		b.want(id, leyden.Completed, 500, "CLOCK_SKEW", "CLOCK_IMPLAUSIBLE")
	}
	if len(ids) != 4 {
		t.Errorf("%d transactions of 4 charges", len(ids))
	}
}

func TestStartOnABusyConnector(t *testing.T) {
	evidence := map[string]func(*bench){
		"a boot": func(b *bench) {
			if err := b.Booted(b.t.Context(), "S", leyden.Sighting{Vendor: "V"}); err != nil {
				b.t.Fatal(err)
			}
		},
		"a new connection": func(b *bench) {
			if err := b.Connected(b.t.Context(), "S", "ocpp1.6"); err != nil {
				b.t.Fatal(err)
			}
		},
		"Available": func(b *bench) { b.status(1, "Available") },
		"Preparing": func(b *bench) { b.status(1, "Preparing") },
		"Finishing": func(b *bench) { b.status(1, "Finishing") },
	}
	for name, show := range evidence {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{StartConflict: leyden.ConflictReject})
			old := b.start(1, "A", 1000).Transaction.ID
			b.pass(10 * time.Minute)
			b.read(int64(old), 1, "2500")
			b.pass(10 * time.Minute)
			show(b)
			b.pass(time.Minute)
			next := b.start(1, "B", 2600).Transaction.ID
			b.want(next, leyden.Active, none)
			b.want(old, leyden.Completed, 1500, "INCOMPLETE")
			closed := b.get(old)
			if closed.EndResult() != "Incomplete" || !closed.StoppedAt.Equal(at(10)) || closed.InsertedAt.IsZero() || closed.CloseReason == "" {
				t.Errorf("closed: %+v", closed)
			}
			b.record(b.stopEvent(int64(old), 2550))
			b.want(old, leyden.Completed, 1550)
			if late := b.get(old); late.EndResult() != "Local" || late.Revision != 2 {
				t.Errorf("after the late stop: %q, revision %d", late.EndResult(), late.Revision)
			}
		})
	}
}

func TestStartOnABusyConnectorWithoutEvidence(t *testing.T) {
	for policy, insist := range map[leyden.StartConflict]bool{leyden.ConflictEvidence: true, leyden.ConflictReject: false} {
		b := newBench(t, leyden.Options{StartConflict: policy})
		b.status(1, "Charging")
		old := b.start(1, "A", 1000).Transaction.ID
		b.pass(time.Minute)
		next := b.startEvent(1, "B", 2000)
		if _, err := b.Record(t.Context(), next, `{"the":"frame"}`); !errors.Is(err, leyden.ErrActive) {
			t.Fatalf("%s: %v; want ErrActive", policy, err)
		}
		b.want(old, leyden.Active, none)
		kept, err := b.Store().Quarantined(t.Context(), leyden.QuarantineQuery{Station: "S", Status: leyden.QuarantineWaiting})
		if err != nil || len(kept) != 1 || kept[0].Frame != `{"the":"frame"}` {
			t.Fatalf("%s: quarantine %+v, %v", policy, kept, err)
		}
		_, err = b.Record(t.Context(), next, `{"the":"frame"}`)
		if got := err == nil; got != insist {
			t.Errorf("%s: insisting gave %v", policy, err)
		}
		waiting, err := b.Store().Quarantined(t.Context(), leyden.QuarantineQuery{Station: "S", Status: leyden.QuarantineWaiting})
		if err != nil || (len(waiting) == 0) != insist {
			t.Errorf("%s: still in quarantine: %+v, %v", policy, waiting, err)
		}
		if r := b.record(b.startAgain("A", 1000)); !r.Replay || r.Transaction.ID != old {
			t.Errorf("%s: the old start sent again: %+v", policy, r)
		}
	}
	b := newBench(t, leyden.Options{StartConflict: leyden.ConflictAccept})
	old := b.start(1, "A", 1000).Transaction.ID
	b.pass(time.Minute)
	b.want(b.start(1, "B", 2000).Transaction.ID, leyden.Active, none)
	b.want(old, leyden.Completed, none, "INCOMPLETE")
}

func (b *bench) startAgain(tag string, register leyden.WattHours) leyden.Event {
	e := b.startEvent(1, tag, register)
	e.At = at(0)
	return e
}

func TestOrphanStops(t *testing.T) {
	t.Run("joins the only one that fits", func(t *testing.T) {
		b := newBench(t, leyden.Options{})
		one, two := b.start(1, "A", 1000).Transaction.ID, b.start(2, "B", 5000).Transaction.ID
		b.pass(time.Hour)
		b.record(b.stopEvent(-1, 3000))
		b.want(one, leyden.Completed, 2000)
		b.want(two, leyden.Active, none)
		b.pass(time.Minute)
		b.record(b.stopEvent(-1, 6000))
		b.want(two, leyden.Completed, 1000)
		if n := b.count(); n != 2 {
			t.Errorf("%d transactions, want 2", n)
		}
	})
	t.Run("stays alone when two fit, until its start comes", func(t *testing.T) {
		b := newBench(t, leyden.Options{})
		b.start(1, "A", 1000)
		b.start(2, "A", 1000)
		b.pass(time.Hour)
		orphan := b.record(b.stopEvent(0, 30000)).Transaction.ID
		b.want(orphan, leyden.Completed, none, "ORPHAN")
		if r := b.record(b.stopEvent(0, 30000)); !r.Replay || r.Transaction.ID != orphan {
			t.Errorf("resent: %+v", r)
		}
		late, alone := b.startEvent(3, "A", 20000), b.get(orphan)
		late.At = at(30)
		b.pass(time.Minute)
		if id := b.record(late).Transaction.ID; id != orphan {
			t.Errorf("the late start became %d, want %d", id, orphan)
		}
		b.want(orphan, leyden.Completed, 10000, "OFFLINE")
		if whole := b.get(orphan); !whole.InsertedAt.After(alone.InsertedAt) || whole.Revision != alone.Revision+1 {
			t.Errorf("who has the orphan does not hear of its start: %+v", whole)
		}
	})
	t.Run("never touches another station's", func(t *testing.T) {
		b := newBench(t, leyden.Options{})
		mine := b.start(1, "A", 1000).Transaction.ID
		b.pass(time.Minute)
		theirs := b.stopEvent(int64(mine), 2000)
		theirs.Station = "OTHER"
		orphan := b.record(theirs).Transaction
		if orphan.ID == mine || orphan.Station != "OTHER" {
			t.Errorf("another station's stop became %+v", orphan)
		}
		b.want(mine, leyden.Active, none)
	})
	t.Run("readings of an unknown transaction join the one on their connector", func(t *testing.T) {
		b := newBench(t, leyden.Options{})
		id := b.start(1, "A", 1000).Transaction.ID
		b.pass(time.Minute)
		b.read(-1, 1, "1500")
		b.read(-1, 2, "777")
		b.want(id, leyden.Active, 500)
		b.read(int64(id), 0, "9999")
		b.want(id, leyden.Active, 500)
	})
}

func TestEnergyByTheBestEvidence(t *testing.T) {
	read := func(values ...string) []string { return values }
	for name, tc := range map[string]struct {
		start    leyden.WattHours
		readings []string // ten minutes apart
		stop     leyden.WattHours
		energy   leyden.WattHours
		flags    string
	}{
		"plain":                                {1000, read("2000"), 3000, 2000, ""},
		"from nought, without readings":        {0, nil, 14000, 14000, ""},
		"late register never outranks a stop":  {1000, read("2000", "9000"), 3000, 2000, "METER_ROLLBACK"},
		"stop of −1, no readings":              {1000, nil, -1, none, "METER_ROLLBACK"},
		"stop of −1, readings":                 {1000, read("2000", "2500"), -1, 1500, "METER_ROLLBACK"},
		"a fall in between, stop above start":  {1000, read("3000", "0", "2000"), 2500, 1500, "METER_ROLLBACK"},
		"reset, stop below start":              {5000, read("7000", "0", "1000"), 1500, 3500, "METER_ROLLBACK"},
		"10 GWh jump without readings":         {1000, nil, 10_000_000_000, none, "METER_JUMP"},
		"begin of 0, then a lifetime register": {0, read("910000", "910050"), 910083, 83, "METER_JUMP"},
		"session register between lifetimes":   {4_076_000, read("0", "400"), 4_076_900, 900, ""},
		"garbage":                              {1000, read("n/a", "", "1e99", "-5"), 3000, 2000, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			id := b.start(1, "A", tc.start).Transaction.ID
			for _, v := range tc.readings {
				b.pass(10 * time.Minute)
				b.read(int64(id), 1, v)
			}
			b.pass(10 * time.Minute)
			b.record(b.stopEvent(int64(id), tc.stop))
			b.want(id, leyden.Completed, tc.energy, strings.Fields(tc.flags)...)
		})
	}
}

func TestSignedReadingsStandFirst(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 1000).Transaction.ID
	number := int64(id)
	for _, v := range []string{
		`OCMF|{"RD":[{"TM":"2026-02-06T12:00:00,000+0000 S","TX":"B","RV":2.500,"RI":"1-b:1.8.0","RU":"kWh"}]}|{"SD":"00"}`,
		`OCMF|{"RD":[{"TX":"C","RV":9.9,"RU":"kWh"},{"TX":"E","RV":3.7505,"RU":"kWh"}]}|{"SD":"00"}`,
		`OCMF|{"RD":`, `something else`,
	} {
		b.pass(time.Minute)
		b.record(leyden.Event{
			Station: "S", Kind: leyden.Updated, Number: &number, Connector: 1, Digest: v,
			Samples: []leyden.Sample{{At: b.clock, Value: v, Format: "SignedData"}},
		})
	}
	b.record(b.stopEvent(int64(id), 2300))
	b.want(id, leyden.Completed, 1250)
	if got := b.get(id).EnergySource; got != leyden.EnergySigned {
		t.Errorf("energy by %q, want signed", got)
	}
}

func TestAStopWithoutATime(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.pass(time.Hour)
	stop := b.stopEvent(-1, 500)
	stop.At, stop.Digest = time.Time{}, "d1"
	orphan := b.record(stop).Transaction
	b.pass(time.Minute)
	if r := b.record(stop); !r.Replay || r.Transaction.ID != orphan.ID || !r.Transaction.StoppedAt.Equal(at(60)) {
		t.Errorf("resent: %+v", r)
	}
	b.want(orphan.ID, leyden.Completed, none, "ORPHAN", "CLOCK_IMPLAUSIBLE")
}

func TestTokens(t *testing.T) {
	b := newBench(t, leyden.Options{Tokens: leyden.TokensListed})
	for _, tok := range []leyden.Token{
		{Value: "GOOD", Status: leyden.TokenAccepted, Listed: true, Parent: "FLEET"},
		{Value: "BAD", Status: leyden.TokenBlocked, Listed: true},
		{Value: "OLD", Status: leyden.TokenAccepted, Listed: true, Expiry: at(0)},
		{Value: "ONE", Status: leyden.TokenAccepted, Listed: true, MaxActive: 1},
	} {
		if err := b.Registry().SaveToken(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	}
	for i, tc := range []struct{ tag, status string }{
		{"good", "Accepted"}, {"BAD", "Blocked"}, {"OLD", "Expired"}, {"STRANGER", "Invalid"}, {"ONE", "Accepted"}, {"one", "ConcurrentTx"},
	} {
		out := b.start(i+1, tc.tag, 0)
		if out.Event.Auth.Status != tc.status {
			t.Errorf("%s: %s, want %s", tc.tag, out.Event.Auth.Status, tc.status)
		}
		if r := b.start(i+1, tc.tag, 0); r.Event.Auth != out.Event.Auth || r.Transaction.ID != out.Transaction.ID {
			t.Errorf("%s: its own resend got %+v", tc.tag, r.Event.Auth)
		}
		if got := b.get(out.Transaction.ID).Flags.Has(leyden.Unauthorized); got != (tc.status != "Accepted") {
			t.Errorf("%s: flagged unauthorized: %v", tc.tag, got)
		}
	}
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tok, err := b.Registry().Token(t.Context(), "stranger"); err != nil || tok.Listed {
		t.Errorf("the stranger is remembered as %+v, %v", tok, err)
	}
}

func TestNothingIsKeptWhenStorageFails(t *testing.T) {
	b := newBench(t, leyden.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Record(ctx, b.startEvent(1, "A", 0), ""); err == nil {
		t.Fatal("a start was recorded without storage")
	}
	b.start(1, "A", 0)
	if n := b.count(); n != 1 {
		t.Errorf("%d transactions, want 1", n)
	}
}
