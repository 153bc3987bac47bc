package leyden_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"leyden"
)

// Sets of events that no station and no ledger would send together fold to the
// same transaction in every order too: several starts and stops, contradictions,
// remote stops that overlap, readings of one instant from several places.
func TestArbitraryEventsFoldToTheSame(t *testing.T) {
	for seed := range *interleavings / 10 {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		events := arbitrary(r)
		want := leyden.Fold(events)
		for range 5 {
			order := repeated(r.Perm(len(events)), 1+r.IntN(3))
			got := arrive(events, order)
			if diff := leyden.Differences(want, got); len(diff) > 0 {
				t.Fatalf("seed %d, order %v: %v differ\nwant %+v\ngot  %+v\nof %+v", seed, order, diff, want, got, events)
			}
			refolded := leyden.Fold(ordered(events, order))
			if diff := leyden.Differences(want, refolded); len(diff) > 0 {
				t.Fatalf("seed %d, order %v: refolded in that order, %v differ", seed, order, diff)
			}
		}
	}
}

func ordered(events []leyden.Event, order []int) []leyden.Event {
	var list []leyden.Event
	for _, i := range order {
		list = append(list, events[i])
	}
	return list
}

// arbitraryKinds are drawn from as they stand: reports more often than the rest.
var arbitraryKinds = []leyden.EventKind{
	leyden.Started, leyden.Started, leyden.Updated, leyden.Updated, leyden.Updated, leyden.Updated, leyden.Ended, leyden.Ended,
	leyden.Requested, leyden.StartAnswered, leyden.StartRefused, leyden.StartErrored, leyden.StartUnanswered, leyden.StartExpired,
	leyden.StartCancelled, leyden.StopRequested, leyden.StopAnswered, leyden.StopDenied, leyden.StopOverdue, leyden.StopLapsed,
	leyden.StopUnanswered, leyden.Superseded, leyden.PluggedOut, leyden.Rebooted, leyden.WentStale, leyden.Contradicted,
}

func arbitrary(r *rand.Rand) []leyden.Event {
	kinds := slices.Clone(arbitraryKinds)
	if r.IntN(3) == 0 {
		kinds = append(kinds, leyden.Corrected, leyden.Corrected, leyden.Reverted, leyden.Reverted, leyden.Closed, leyden.Joined)
	}
	if r.IntN(10) == 0 {
		kinds = append(kinds, leyden.JoinedElsewhere)
	}
	if r.IntN(2) == 0 { // mostly readings: figures rest on their order
		kinds = []leyden.EventKind{leyden.Started, leyden.Updated, leyden.Updated, leyden.Updated, leyden.Updated, leyden.Ended, leyden.Superseded}
		if r.IntN(2) == 0 {
			kinds = append(kinds, leyden.Closed, leyden.Joined, leyden.Reverted)
		}
	}
	events := make([]leyden.Event, 2+r.IntN(9))
	for i := range events {
		events[i] = arbitraryEvent(r, kinds[r.IntN(len(kinds))], i)
	}
	return events
}

func arbitraryEvent(r *rand.Rand, kind leyden.EventKind, i int) leyden.Event {
	e := leyden.Event{
		Transaction: 17, Station: "S", Kind: kind, Key: fmt.Sprint("k", i), At: at(r.IntN(6)), ReceivedAt: at(30 + r.IntN(3)),
		Connector: r.IntN(3), Token: leyden.IDToken{Value: pick(r, "", "A", "a", "B"), Type: pick(r, "", "eMAID")},
		Reason: pick(r, "", "Local", "Remote"), ReasonText: pick(r, "", "odd"), Round: r.IntN(3), Flags: 1 << r.IntN(16) & leyden.Offline,
	}
	switch {
	case kind == leyden.Requested:
		e.Expires, e.Vehicle = at(r.IntN(9)), pick(r, "", "van")
		e.Metadata = map[string]string{"k": pick(r, "1", "2")}
	case kind == leyden.Started:
		e.Vehicle, e.PluggedAt = pick(r, "", "car"), at(-r.IntN(3))
		e.Before = pick(r, nil, nil, wh(900), wh(2000))
	case kind == leyden.Ended:
		e.Model = pick(r, "", "", leyden.RegisterSession)
	}
	if kind.Corrects() {
		arbitraryCorrection(r, &e)
	}
	if r.IntN(4) > 0 {
		e.Register = wh(leyden.WattHours(pick(r, 0, 500, 1000, 2500, 1_000_000, -1)))
	}
	if r.IntN(3) > 0 {
		e.Number = new(int64(pick(r, 17, -1)))
	}
	if kind.Reported() && kind != leyden.Started || kind == leyden.Joined {
		for range r.IntN(5) {
			e.Samples = append(e.Samples, arbitrarySample(r))
		}
	}
	return e
}

func arbitraryCorrection(r *rand.Rand, e *leyden.Event) {
	e.Round, e.Undoes, e.Twin = r.IntN(6), r.IntN(6), r.IntN(3)
	switch e.Kind {
	case leyden.Corrected:
		e.Fix = leyden.Fix{
			Vehicle: pick(r, nil, new("truck"), new("")), Note: pick(r, nil, new("odd"), new("")), NotBillable: pick(r, nil, new("a test"), new("")),
			Clear: r.IntN(4) == 0, Unset: pick(r, nil, []string{"k"}), Set: pick(r, nil, map[string]string{"k": "3"}, map[string]string{"l": "4"}),
		}
	case leyden.Joined:
		leyden.Lend(e, at(r.IntN(6)), pick(r, nil, wh(2500), wh(-1)))
	}
}

func arbitrarySample(r *rand.Rand) leyden.Sample {
	s := leyden.Sample{
		At: at(r.IntN(6)), Value: strconv.Itoa(r.IntN(9) * 400), Measurand: pick(r, "", "", "", "SoC", "Power.Active.Import"),
		Context: pick(r, "", "", "Transaction.Begin", "Transaction.End"), Phase: pick(r, "", "", "L1", "L2", "L1-N"),
		Location: pick(r, "", "", "", "Cable", "Inlet"),
	}
	switch r.IntN(10) {
	case 0:
		s.At = time.Time{}
	case 1:
		s.Value = "n/a"
	case 2:
		s.Format = "SignedData"
		s.Value = fmt.Sprintf(`OCMF|{"MS":%q,"PG":%q,"RD":[{"TM":%q,"TX":%q,"RV":%d,"RU":"Wh"}]}|{}`, pick(r, "", "", "1", "2"), pick(r, "", "T1", "T2", "F3"),
			pick(r, "", "2026-02-06T12:02:00,000+0000 S", "2026-02-06T11:00:00,000+0000 S", "2026-02-06T12:09:00,000+0000 S"), pick(r, "B", "C", "E"), r.IntN(5)*100)
		s.Signature = pick(r, leyden.SignatureUnknown, leyden.SignatureValid, leyden.SignatureInvalid)
	case 3:
		s.Value = strconv.Itoa(r.IntN(100))
		s.Measurand = "SoC"
	}
	return s
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
