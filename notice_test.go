package leyden_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/feed"
	"leyden/memory"
)

// announced returns what is announced after a Seq, a line each.
func announced(t *testing.T, s leyden.Store, after int64) []string {
	t.Helper()
	page, err := s.(feed.Store).Notices(t.Context(), feed.Query{After: after})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range page.Notices {
		line := fmt.Sprintf("%s %s", n.At.Format("15:04"), n.Topic)
		if n.State != nil {
			line += " " + n.State.Status.String()
		}
		if d := n.Detail; d != nil {
			line += " " + strings.Trim(strings.Join([]string{d.Protocol, d.Reason, d.Vendor}, " "), " ")
		}
		if d := n.Detail; d != nil && d.Connector != nil {
			line += fmt.Sprintf("%d %s > %s %s", d.Connector.Number, d.Before, d.Connector.Status, d.Connector.ErrorCode)
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func wantAnnounced(t *testing.T, s leyden.Store, want ...string) {
	t.Helper()
	if got := announced(t, s, 0); !slices.Equal(got, want) {
		t.Errorf("announced:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func flush(b *bench) {
	b.t.Helper()
	if err := b.Flush(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// What happens to a station is announced once, when it changes something, with
// what the registry is told.
func TestAnnouncesStations(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.connect()
	b.boot()
	b.pass(time.Minute)
	b.status(1, "Available")
	b.status(1, "Available")
	wantAnnounced(t, b.Store())
	flush(b)
	b.pass(time.Minute)
	b.status(1, "Preparing")
	b.Disconnected("S", "replaced", func() bool { return true })
	b.Disconnected("S", "connection lost", func() bool { return false })
	flush(b)
	flush(b)
	first := at(0).Format("15:04")
	second, third := at(1).Format("15:04"), at(2).Format("15:04")
	wantAnnounced(t, b.Store(),
		first+" charger.connected ocpp1.6",
		first+" charger.boot V",
		second+" connector.status_changed 1  > Available",
		third+" connector.status_changed 1 Available > Preparing",
		third+" charger.disconnected connection lost",
	)
}

// A station that was connected when the server ended abruptly is announced to have
// left, once, and again only if it came again.
func TestAnnouncesWhoLeftWithTheServer(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	recovered := func(want int) {
		t.Helper()
		b.Ledger = leyden.NewLedger(b.Store(), b.Registry(), leyden.Options{Now: func() time.Time { return b.clock }}) // nothing is flushed
		if n, err := b.Recover(t.Context()); n != want || err != nil {
			t.Errorf("%d left, %v; want %d", n, err, want)
		}
	}
	recovered(0) // it never came
	b.connect()
	recovered(0) // nobody was told that it came
	b.connect()
	flush(b)
	b.pass(time.Minute)
	recovered(1)
	recovered(0)
	b.pass(time.Minute)
	b.connect()
	b.pass(time.Minute)
	b.Disconnected("S", "connection lost", func() bool { return false })
	flush(b)
	recovered(0)
	clock := func(n int) string { return at(n).Format("15:04") }
	wantAnnounced(t, b.Store(),
		clock(0)+" charger.connected ocpp1.6",
		clock(1)+" charger.disconnected the server ended",
		clock(2)+" charger.connected ocpp1.6",
		clock(3)+" charger.disconnected connection lost",
	)
}

// A clock that was set back hides neither that a station came nor that it left.
func TestAnnouncesWhoLeftByAnyClock(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	recovered := func(want int) {
		t.Helper()
		b.Ledger = leyden.NewLedger(b.Store(), b.Registry(), leyden.Options{Now: func() time.Time { return b.clock }})
		if n, err := b.Recover(t.Context()); n != want || err != nil {
			t.Errorf("%d left, %v; want %d", n, err, want)
		}
	}
	b.connect()
	b.pass(-time.Hour)
	b.Disconnected("S", "connection lost", func() bool { return false })
	flush(b)
	recovered(0)
	b.connect()
	flush(b)
	recovered(1)
	recovered(0)
	b.pass(-time.Hour)
	b.connect()
	flush(b)
	recovered(1)
}

// A clock that was set back while a station was away is no evidence against what
// charges there: what it reports from then on is behind the new connection.
func TestAChargeOutlivesAClockSetBack(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.connect()
	id := b.start(1, "A", 0).Transaction.ID
	b.pass(time.Minute)
	b.Disconnected("S", "connection lost", func() bool { return false })
	b.pass(-time.Hour)
	b.connect()
	b.pass(time.Minute)
	b.read(int64(id), 1, "10")
	if _, err := b.Reserve(t.Context(), request(1, "B")); !errors.Is(err, leyden.ErrActive) {
		t.Errorf("a remote start beside a charge that runs: %v; want %v", err, leyden.ErrActive)
	}
	st, err := b.Station(t.Context(), "S")
	if err != nil || st.ConnectedAt.After(b.clock) {
		t.Errorf("it is %v, and the station connected at %v, %v", b.clock, st.ConnectedAt, err)
	}
}

// A registry that fails leaves it for the next time.
func TestRecoverFails(t *testing.T) {
	b := newBench(t, leyden.Options{})
	broken := errors.New("no disk")
	store := &deaf{memory.New(b.Now), nil}
	b.Ledger = leyden.NewLedger(store, store, leyden.Options{Now: func() time.Time { return b.clock }})
	b.register()
	b.connect()
	flush(b)
	store.err = broken
	if n, err := b.Recover(t.Context()); n != 0 || !errors.Is(err, broken) {
		t.Errorf("%d left, %v", n, err)
	}
	store.err = nil
	if n, err := b.Recover(t.Context()); n != 1 || err != nil {
		t.Errorf("%d left, %v", n, err)
	}
	if got := announced(t, store, 0); len(got) != 2 {
		t.Errorf("announced: %q", got)
	}
}

// What the ledger needs as evidence is written, and announced, before what rests
// on it; Flush does not announce it again.
func TestAnnouncesEvidence(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.start(1, "A", 0)
	b.pass(time.Minute)
	b.boot()
	b.start(1, "B", 0)
	flush(b)
	first, second := at(0).Format("15:04"), at(1).Format("15:04")
	wantAnnounced(t, b.Store(),
		first+" transaction.started active",
		second+" transaction.updated",
		second+" charger.boot V",
		second+" transaction.stopped completed",
		second+" transaction.started active",
	)
}

// A deaf registry refuses sightings.
type deaf struct {
	*memory.Store
	err error
}

func (d *deaf) SaveSightings(ctx context.Context, seen map[leyden.StationID]leyden.Sighting, notices []leyden.Notice) error {
	if d.err != nil {
		return d.err
	}
	return d.Store.SaveSightings(ctx, seen, notices)
}

// What cannot be announced is announced later, in its order; of what happens
// meanwhile without end the latest stays.
func TestAnnouncesLater(t *testing.T) {
	b := newBench(t, leyden.Options{})
	broken := errors.New("no disk")
	store := &deaf{memory.New(b.Now), broken}
	b.Ledger = leyden.NewLedger(store, store, leyden.Options{Now: func() time.Time { return b.clock }})
	b.register()
	words := []string{"Available", "Preparing", "Finishing"}
	const many = 1003
	for n := range many {
		b.status(1, words[n%3])
		if n%400 != 0 {
			continue
		}
		if err := b.Flush(t.Context()); !errors.Is(err, broken) {
			t.Errorf("Flush: %v", err)
		}
	}
	store.err = nil
	flush(b)
	got := announced(t, store, 0)
	if len(got) != 1000 && len(got) != many {
		t.Errorf("%d are announced", len(got))
	}
	last := many - 1
	for i := range got {
		n := last - len(got) + 1 + i
		if want := fmt.Sprintf("> %s", words[n%3]); !strings.HasSuffix(got[i], want) {
			t.Fatalf("%d: got %s, want %s", i, got[i], want)
		}
	}
}

// Notices show final records as they are stored, also their number of revisions.
func TestAnnouncesFinalRecords(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 0).Transaction.ID
	b.record(b.stopEvent(int64(id), 100))
	page, err := b.Store().(feed.Store).Notices(t.Context(), feed.Query{Topics: []string{leyden.TopicStopped}})
	if err != nil || len(page.Notices) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	got, stored := *page.Notices[0].State, b.get(id)
	if got.InsertedAt.IsZero() || got.Revision != 1 || got.EndResult() != stored.EndResult() {
		t.Errorf("got %+v", got)
	}
	got.Evidence = stored.Evidence
	if d := leyden.Differences(got, stored); len(d) > 0 {
		t.Errorf("the notice differs: %v", d)
	}
}
