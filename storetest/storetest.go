// Package storetest says what the storage interfaces promise, as tests that
// every driver runs: [Run] for [leyden.Store], [RunRegistry] for
// [leyden.Registry], [RunAuth] for auth.Store, [RunDevice] for device.Store,
// [RunDaily] for daily.Store, [RunWebhooks] for feed.WebhookStore, and [RunReopen]
// for drivers that outlive their process. New behaviour of a driver starts here.
//
// Each test opens an empty store of its own. The tests use the public face
// only, and never depend on how fast a driver is.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leyden"
)

// Run tests the stores that open returns. Each call must return an empty one.
func Run(t *testing.T, open func(*testing.T) leyden.Store) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, leyden.Store)
	}{
		{"IDsDiffer", idsDiffer},
		{"ReadBack", readBack},
		{"FullFidelity", fullFidelity},
		{"EveryFieldAlone", everyFieldAlone},
		{"LongTexts", longTexts},
		{"AssignsAndCopies", assignsAndCopies},
		{"NotFound", notFound},
		{"RefusesReplay", refusesReplay},
		{"RefusesStale", refusesStale},
		{"RefusesPending", refusesPending},
		{"PendingHandedOver", pendingHandedOver},
		{"RefusalPrecedence", refusalPrecedence},
		{"AllOrNothing", allOrNothing},
		{"RefusesBroken", refusesBroken},
		{"NeighboursUnharmed", neighboursUnharmed},
		{"OneWriterWins", oneWriterWins},
		{"Cancelled", cancelled},
		{"Stamps", stamps},
		{"WindowsWithoutGaps", windowsWithoutGaps},
		{"Working", working},
		{"WorkingLimit", workingLimit},
		{"LastOn", lastOn},
		{"Due", due},
		{"OpenWith", openWith},
		{"OpenWithGroup", openWithGroup},
		{"Events", events},
		{"QueryFields", queryFields},
		{"QueryModel", queryModel},
		{"Walk", walk},
		{"Quarantine", quarantine},
		{"Settlement", settlement},
		{"Reservations", reservations},
		{"ReservationsWithFacts", reservationsWithFacts},
		{"RefusesBrokenReservations", refusesBrokenReservations},
		{"ReservationList", reservationList},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
}

// base is when the tests' facts happen.
var base = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return base.Add(time.Duration(n) * time.Minute) }

// transaction returns version 1 of an active transaction of station S.
func transaction(id leyden.TransactionID) leyden.Transaction {
	return leyden.Transaction{
		ID: id, PublicID: fmt.Sprintf("txn_%d", id), Station: "S", Connector: 1, Status: leyden.Active, Version: 1,
		Token: leyden.IDToken{Value: "TAG"}, StartedAt: base, UpdatedAt: base,
		Evidence: leyden.Evidence{StartKey: "start"},
	}
}

// entry returns one that makes changes without an event.
func entry(ts ...leyden.Transaction) *leyden.Entry {
	e := &leyden.Entry{Station: ts[0].Station}
	for _, t := range ts {
		e.Transactions = append(e.Transactions, leyden.Change{Transaction: t})
	}
	return e
}

// with adds an event of kind Updated to e, for its first transaction.
func with(e *leyden.Entry, keys ...string) *leyden.Entry {
	for _, key := range keys {
		e.Events = append(e.Events, leyden.Event{
			Transaction: e.Transactions[0].Transaction.ID, Station: e.Station, Key: key, Kind: leyden.Updated, ReceivedAt: base,
		})
	}
	return e
}

func mustAppend(t *testing.T, s leyden.Store, entries ...*leyden.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := s.Append(t.Context(), e); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
}

// wantErr fails unless err is want.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

// must returns v, or fails.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// same fails unless got equals want; empty and nil are the same.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), countedByRegistry()); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

// countedByRegistry leaves out what the registry counts itself.
func countedByRegistry() cmp.Option {
	return cmp.Options{
		cmpopts.IgnoreFields(leyden.Station{}, "Version"), cmpopts.IgnoreFields(leyden.Token{}, "Version"), cmpopts.IgnoreFields(leyden.Vehicle{}, "Version"),
	}
}

func ids(ts []leyden.Transaction) []leyden.TransactionID {
	var list []leyden.TransactionID
	for _, t := range ts {
		list = append(list, t.ID)
	}
	return list
}

// absent fails if the store knows the transaction or the event.
func absent(t *testing.T, s leyden.Store, id leyden.TransactionID, key string) {
	t.Helper()
	_, err := s.Transaction(t.Context(), id)
	wantErr(t, fmt.Sprintf("transaction %d of a refused entry", id), err, leyden.ErrNotFound)
	_, err = s.ByKey(t.Context(), "S", key)
	wantErr(t, fmt.Sprintf("event %s of a refused entry", key), err, leyden.ErrNotFound)
}

func done(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
