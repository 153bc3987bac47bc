package leyden_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"leyden"
)

// set sets the quirks of the bench's station.
func (b *bench) set(q leyden.Quirks) {
	b.t.Helper()
	st, err := b.Registry().Station(b.t.Context(), "S")
	if err != nil {
		b.t.Fatal(err)
	}
	st.Quirks = q
	if err := b.Registry().SaveStation(b.t.Context(), st); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) habits() leyden.Habits {
	b.t.Helper()
	st, err := b.Station(b.t.Context(), "S")
	if err != nil {
		b.t.Fatal(err)
	}
	return st.Habits
}

// charge reports a charge on connector 1 of ten minutes, from one register to
// another.
func (b *bench) charge(from, to leyden.WattHours) leyden.Transaction {
	b.t.Helper()
	id := b.start(1, "A", from).Transaction.ID
	b.pass(10 * time.Minute)
	b.record(b.stopEvent(int64(id), to))
	b.pass(time.Minute)
	return b.get(id)
}

// A register model is learnt from three charges in a row, and unlearnt the same way.
func TestRegisterModelIsLearnt(t *testing.T) {
	const session, cumulative = leyden.RegisterSession, leyden.RegisterCumulative
	for name, tc := range map[string]struct {
		charges [][2]leyden.WattHours
		want    leyden.RegisterModel
		zero    int
		on      int
	}{
		"nothing":               {nil, "", 0, 0},
		"session":               {[][2]leyden.WattHours{{0, 900}, {0, 800}, {0, 700}, {0, 100}}, session, 3, 0},
		"not yet":               {[][2]leyden.WattHours{{0, 900}, {0, 800}, {0, 700}}, "", 2, 0},
		"cumulative":            {[][2]leyden.WattHours{{1000, 1900}, {1900, 2800}, {2810, 3700}, {3700, 3800}}, cumulative, 0, 3},
		"nothing flowed":        {[][2]leyden.WattHours{{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}}, "", 0, 0},
		"a new meter between":   {[][2]leyden.WattHours{{1000, 1900}, {1900, 2800}, {0, 50}, {50, 60}, {60, 70}}, "", 0, 2},
		"became cumulative":     {[][2]leyden.WattHours{{0, 9}, {0, 9}, {0, 9}, {0, 9}, {9, 10}, {10, 11}, {11, 12}}, cumulative, 0, 3},
		"one charge is no sign": {[][2]leyden.WattHours{{0, 9}, {0, 9}, {0, 9}, {0, 9}, {9, 10}}, session, 0, 1},
		"set back to something": {[][2]leyden.WattHours{{5, 9}, {9, 10}, {10, 30}, {20, 40}}, "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			b.register()
			for _, c := range tc.charges {
				b.charge(c[0], c[1])
			}
			if h := b.habits(); h.Register != tc.want || h.FromZero.Count != tc.zero || h.Continued.Count != tc.on {
				t.Errorf("learnt %q, %d from 0, %d continued; want %q, %d, %d", h.Register, h.FromZero.Count, h.Continued.Count, tc.want, tc.zero, tc.on)
			}
		})
	}
}

// Resends, late reports and other connectors teach nothing about a register.
func TestWhatTeachesNoRegisterModel(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.charge(1000, 2000)
	for range 5 {
		e := b.startEvent(2, "B", 0)
		e.At = at(0)
		b.record(e) // the same one again
	}
	late := b.startEvent(1, "C", 0)
	late.At = b.clock.Add(-time.Hour)
	b.record(late)
	if h := b.habits(); h.FromZero.Count != 0 || h.Register != "" {
		t.Errorf("learnt %+v", h)
	}
}

// What was learnt outlives a restart, and is counted on.
func TestHabitsAreKept(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	for range 2 {
		b.record(b.stopEvent(-1, 100))
		b.pass(time.Minute)
	}
	b.record(leyden.Event{Station: "S", Kind: leyden.Updated, Number: new(int64(-1)), Connector: 1, Digest: "m"})
	b.NoticedFraction("S")
	b.NoticedMissingZone("S")
	for range 4 {
		b.charge(0, 50)
	}
	b.restart(leyden.Options{})
	b.NoticedMissingZone("S") // before anything else is known of the station
	seen := b.clock
	if h := b.habits(); h.MissingZone != (leyden.Habit{Count: 2, SeenAt: seen}) || h.OfflineIDs.Count != 3 {
		t.Errorf("before the desk knows the station: %+v", h)
	}
	b.connect()
	h := b.habits()
	if h.OfflineIDs.Count != 3 || h.FractionalMeters.Count != 1 || h.MissingZone.Count != 2 || h.Register != leyden.RegisterSession || h.FromZero.Count != 3 {
		t.Errorf("after a restart: %+v", h)
	}
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := b.habits(); again != h {
		t.Errorf("after it was written: %+v, before: %+v", again, h)
	}
}

// What was learnt changes no figure; what an operator says does, and stays in the
// record when he says something else.
func TestSessionRegister(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	before := b.charge(4_080_000, 4000)
	if before.Energy != nil || !before.Flags.Has(leyden.MeterRollback) {
		t.Errorf("not set: %d Wh, flags %v", deref(before.Energy), before.Flags.Names())
	}
	b.set(leyden.Quirks{Register: leyden.RegisterSession})
	set := b.charge(4_084_000, 4000)
	wantEnergy(t, "set", set, 4000, leyden.EnergyRegisters, 0)
	wantEnergy(t, "from 0", b.charge(0, 3000), 3000, leyden.EnergyRegisters, 0)
	wantEnergy(t, "a stop above the start", b.charge(1000, 3000), 2000, leyden.EnergyRegisters, 0)
	b.set(leyden.Quirks{})
	b.refolds(set.ID)
	b.refolds(before.ID)
}

// A start that comes after its stop is the same charge.
func TestSessionRegisterOfALateStart(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.set(leyden.Quirks{Register: leyden.RegisterSession})
	b.pass(time.Hour)
	start := b.startEvent(1, "A", 0)
	start.At = at(1)
	stop := b.stopEvent(-1, 4000)
	stop.At = at(50)
	id := b.record(stop).Transaction.ID
	b.record(start)
	wantEnergy(t, "late start", b.get(id), 4000, leyden.EnergyRegisters, leyden.Offline)
	b.refolds(id)
}

// A register that counts on was not at 0: what a start of 0 makes of it is marked,
// and billed by better evidence only.
func TestCumulativeRegisterThatBeginsAtZero(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.charge(900_000, 900_900)
	free := b.charge(0, 901_000) // as the station has it: not set, but a jump
	if free.Energy != nil || free.Flags != leyden.MeterJump {
		t.Errorf("not set: %d Wh, flags %v", deref(free.Energy), free.Flags.Names())
	}
	b.set(leyden.Quirks{Register: leyden.RegisterCumulative})
	none := b.charge(0, 901_083)
	wantEnergy(t, "without readings", none, -1, leyden.EnergyUnknown, leyden.MeterRollback)
	wantEnergy(t, "a meter that was replaced", b.charge(0, 5000), 5000, leyden.EnergyRegisters, leyden.MeterRollback)
	wantEnergy(t, "and counts on", b.charge(5000, 6000), 1000, leyden.EnergyRegisters, 0)

	id := b.start(1, "A", 0).Transaction.ID
	for i, value := range []string{"6000", "6040", "6083"} {
		b.pass(time.Minute)
		b.read(int64(id), 1, value)
		if got := b.get(id); i == 0 && got.Energy != nil || got.Flags&leyden.MeterRollback == 0 {
			t.Errorf("while it runs, at %s: %d Wh, flags %v", value, deref(got.Energy), got.Flags.Names())
		}
	}
	b.record(b.stopEvent(int64(id), 6083))
	wantEnergy(t, "by its readings", b.get(id), 83, leyden.EnergyRising, leyden.MeterRollback)
	b.set(leyden.Quirks{})
	b.refolds(id)
	b.refolds(none.ID)
}

func wantEnergy(t *testing.T, what string, got leyden.Transaction, energy leyden.WattHours, source leyden.EnergySource, flags leyden.Flags) {
	t.Helper()
	if deref(got.Energy) != energy || got.EnergySource != source || got.Flags != flags {
		t.Errorf("%s: %d Wh by %q, flags %v; want %d by %q, flags %v", what, deref(got.Energy), got.EnergySource, got.Flags.Names(), energy, source, flags.Names())
	}
}

// refolds fails unless the events of a transaction make what is stored.
func (b *bench) refolds(id leyden.TransactionID) {
	b.t.Helper()
	events, err := b.Store().Events(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	if diff := leyden.Differences(b.get(id), leyden.Fold(events)); len(diff) > 0 {
		b.t.Errorf("transaction %d refolded: %v differ", id, diff)
	}
}

func TestQuirksAreChecked(t *testing.T) {
	for _, q := range []leyden.Quirks{{}, {Register: "session", TimeZone: "Europe/Berlin"}, {Register: "cumulative", TimeZone: "UTC"}} {
		if err := q.Check(); err != nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for _, q := range []leyden.Quirks{{Register: "other"}, {TimeZone: "Mars/Olympus"}, {TimeZone: "../etc/passwd"}, {TimeZone: "Local"}, {TimeZone: strings.Repeat("x", 999)}} {
		if err := q.Check(); !errors.Is(err, leyden.ErrInvalid) {
			t.Errorf("%.80v: %v", q, err)
		}
	}
}

// A station may tell as many keys as it likes: the last are remembered, each once.
func TestReportedKeys(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.connect()
	for i := range 40 {
		b.pass(time.Second)
		b.KeyReported("S", leyden.ReportedKey{Connector: 1, Text: fmt.Sprint("key ", i/2), Source: "MeterPublicKey1"})
	}
	b.restart(leyden.Options{})
	b.KeyReported("S", leyden.ReportedKey{Connector: 1, Text: "key 19", Source: "MeterValues"})
	b.connect()
	st, err := b.Station(t.Context(), "S")
	if err != nil || len(st.ReportedKeys) != 16 || st.ReportedKeys[0].Text != "key 4" {
		t.Fatalf("%v: %+v", err, st.ReportedKeys)
	}
	if last := st.ReportedKeys[15]; last.Text != "key 19" || last.Source != "MeterValues" || !last.SeenAt.Equal(b.clock) {
		t.Errorf("last key: %+v", last)
	}
}

// What a stop under −1 ends: a charge that runs, or that was closed for want of a
// stop, if it is the only one that fits; as the station's quirks say the one of
// several that began offline, or none.
func TestOfflineIDs(t *testing.T) {
	for name, tc := range map[string]struct {
		quirk  *bool
		others bool // a charge that began live fits as well
		tag    string
		meter  leyden.WattHours
		joins  bool
	}{
		"nothing said":                 {nil, false, "A", 5000, true},
		"nothing said, several fit":    {nil, true, "A", 5000, false},
		"set":                          {new(true), false, "A", 5000, true},
		"set, several fit":             {new(true), true, "A", 5000, true},
		"set, another tag":             {new(true), true, "B", 5000, false},
		"set to false":                 {new(false), false, "A", 5000, false},
		"set to false, several fit":    {new(false), true, "A", 5000, false},
		"more than the next one began": {nil, false, "A", 6001, false},
	} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, closed %t", name, closed), func(t *testing.T) {
				b := newBench(t, leyden.Options{})
				st := leyden.Station{ID: "S", PublicID: "chg_1", Registration: leyden.RegistrationAccepted, Quirks: leyden.Quirks{OfflineIDs: tc.quirk}}
				if err := b.Registry().AddStation(t.Context(), st); err != nil {
					t.Fatal(err)
				}
				late := b.startEvent(1, "A", 1000)
				b.pass(time.Hour)
				id := b.record(late).Transaction.ID
				if tc.others {
					b.start(2, "A", 0)
				}
				at := b.clock.Add(time.Second)
				if closed {
					b.pass(time.Minute)
					b.status(1, "Available")
					b.status(2, "Available")
					b.start(1, "C", 6000)
					if tc.others {
						b.start(2, "C", 6000)
					}
				}
				b.pass(time.Minute)
				stop := b.stopEvent(-1, tc.meter)
				stop.At, stop.Token.Value = at, tc.tag
				joined := b.record(stop).Transaction.ID == id
				if want := tc.joins || tc.meter > 6000 && !closed; joined != want {
					t.Errorf("joined: %t, want %t", joined, want)
				}
				if joined {
					b.want(id, leyden.Completed, tc.meter-1000, "OFFLINE")
				}
			})
		}
	}
}
