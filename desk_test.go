package leyden_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leyden"
	"leyden/internal/race"
)

// A script is what may happen to one station. It draws from its own source, so
// that the same seed does the same at every bench.
type script struct {
	*bench
	r     *rand.Rand
	meter leyden.WattHours
	sent  []leyden.Event
}

func (s *script) number() int64 {
	if s.r.IntN(6) == 0 {
		return -1
	}
	return int64(1 + s.r.IntN(s.count()+1))
}

// next does one thing and says what came of it, as far as a caller sees it.
func (s *script) next() string {
	s.pass(time.Duration(s.r.IntN(90)) * time.Second)
	if s.r.IntN(60) == 0 {
		s.pass(8 * 24 * time.Hour)
	}
	s.meter += leyden.WattHours(s.r.IntN(900))
	connector, tag := 1+s.r.IntN(2), fmt.Sprint("T", s.r.IntN(3))
	switch s.r.IntN(12) {
	case 0, 1:
		return s.report(s.late(s.startEvent(connector, tag, s.meter)))
	case 2, 3:
		e := s.late(s.stopEvent(s.number(), s.meter))
		if s.r.IntN(2) == 0 {
			e.Token.Value = tag
		}
		return s.report(e)
	case 4, 5:
		number := s.number()
		return s.report(leyden.Event{
			Station: "S", Kind: leyden.Updated, At: s.clock, Number: &number, Connector: connector, Digest: fmt.Sprint(s.clock, s.meter),
			Samples: []leyden.Sample{{At: s.clock.Add(-time.Duration(s.r.IntN(3)) * time.Minute), Value: fmt.Sprint(s.meter)}},
		})
	case 6:
		if len(s.sent) > 0 {
			return s.report(s.sent[s.r.IntN(len(s.sent))])
		}
	case 7:
		return s.observe(connector)
	case 8:
		t, err := s.Reserve(s.t.Context(), request(connector, tag))
		return s.say(t, err)
	case 9:
		return s.say(s.Cancel(s.t.Context(), leyden.TransactionID(max(1, s.number())), "key_1"))
	case 10:
		t, err := s.RequestStop(s.t.Context(), leyden.TransactionID(max(1, s.number())), "key_1")
		if err == nil && s.r.IntN(3) > 0 {
			t, err = s.AnswerStop(s.t.Context(), t.ID, t.StopRound, []leyden.EventKind{leyden.StopAnswered, leyden.StopDenied}[s.r.IntN(2)], "")
		}
		return s.say(t, err)
	}
	n, err := s.Sweep(s.t.Context())
	return fmt.Sprint("sweep ", n, err)
}

// late makes some reports of a time long ago.
func (s *script) late(e leyden.Event) leyden.Event {
	if s.r.IntN(4) == 0 {
		e.At = e.At.Add(-time.Duration(s.r.IntN(7200)) * time.Second)
	}
	return e
}

func (s *script) observe(connector int) string {
	word := []string{"Preparing", "Charging", "Finishing", "Available"}[s.r.IntN(4)]
	switch k := s.r.IntN(8); {
	case k == 0:
		return fmt.Sprint(s.Connected(s.t.Context(), "S", "ocpp1.6"))
	case k == 1:
		return fmt.Sprint(s.Booted(s.t.Context(), "S", leyden.Sighting{Vendor: "V"}))
	}
	s.status(connector, word)
	return word
}

func (s *script) report(e leyden.Event) string {
	s.sent = append(s.sent, e)
	out, err := s.Record(s.t.Context(), e, "{}")
	return fmt.Sprint(s.say(out.Transaction, err), " replay ", out.Replay, " ", out.Event.Key, out.Event.Auth, out.Event.Flags, out.RemoteStop)
}

func (s *script) say(t leyden.Transaction, err error) string {
	return fmt.Sprint(t.ID, " ", t.Status, " v", t.Version, " r", t.Revision, " ", t.DueAt, t.InsertedAt, t.Flags.Names(), err)
}

// A desk is but a shortcut: a ledger that has one does what a ledger does that
// reads everything anew before each step, down to versions and revisions.
func TestADeskIsAShortcut(t *testing.T) {
	t.Parallel()
	for seed := range race.Fewer(150, 30) {
		scripts := make([]*script, 2)
		for i := range scripts {
			b := newBench(t, leyden.Options{})
			b.register()
			scripts[i] = &script{bench: b, r: rand.New(rand.NewPCG(uint64(seed), 4))}
		}
		for n := range 60 {
			scripts[1].restart(leyden.Options{})
			with, without := scripts[0].next(), scripts[1].next()
			if with != without {
				t.Fatalf("seed %d, step %d:\nwith a desk:    %s\nwithout a desk: %s", seed, n, with, without)
			}
		}
		compare(t, seed, scripts[0].bench, scripts[1].bench)
	}
}

// compare compares all transactions of two benches, and that each refolds.
func compare(t *testing.T, seed int, a, b *bench) {
	t.Helper()
	var lists [2][]leyden.Transaction
	for i, b := range []*bench{a, b} {
		page, err := b.Store().Transactions(t.Context(), leyden.Query{Ascending: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, tx := range page.Transactions {
			b.refold(tx)
			tx.PublicID = ""
			lists[i] = append(lists[i], tx)
		}
	}
	if diff := cmp.Diff(lists[0], lists[1]); diff != "" {
		t.Fatalf("seed %d:\n%s", seed, diff)
	}
}
