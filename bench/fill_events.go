package bench

import (
	"fmt"
	"strconv"
	"time"

	"leyden"
)

// told returns what was recorded of a transaction that was thought up.
func (f *Filling) told(t *leyden.Transaction) []leyden.Event {
	if !t.Status.Charged() {
		return expired(t)
	}
	number := int64(t.ID)
	fact := func(kind leyden.EventKind, key string, at, received time.Time) leyden.Event {
		return leyden.Event{
			Transaction: t.ID, Station: t.Station, Key: key, Kind: kind, At: at, ReceivedAt: received,
			Connector: t.Connector, Digest: fmt.Sprintf("%064x", uint64(number)*1_000_003+uint64(kind)),
		}
	}
	key := fmt.Sprintf("S|%d|%s|%d|%d|0", t.Connector, t.Token.Fold(), t.StartedAt.UnixMicro(), *t.MeterStart)
	start := fact(leyden.Started, key, t.StartedAt, t.StartReceivedAt)
	start.Token, start.Register, start.Flags, start.Auth = t.Token, t.MeterStart, t.Flags, leyden.TokenInfo{Status: leyden.TokenAccepted}
	if t.VehicleID != t.Token.Value {
		start.Vehicle = t.VehicleID
	}
	events := []leyden.Event{start}
	for i := range f.Readings {
		events = append(events, reading(t, fact, &number, i, f.Readings))
	}
	if t.Status != leyden.Completed {
		return events
	}
	end := fact(leyden.Ended, fmt.Sprint("E|", t.ID), t.StoppedAt, t.StopReceivedAt)
	end.Number, end.Register, end.Token, end.Reason, end.Connector = &number, t.MeterStop, t.Token, "Local", 0
	return append(events, end)
}

// reading returns the i-th of n readings that are spread over a charge.
func reading(t *leyden.Transaction, fact func(leyden.EventKind, string, time.Time, time.Time) leyden.Event, number *int64, i, n int) leyden.Event {
	end, received := t.StoppedAt, t.StopReceivedAt
	if end.IsZero() {
		end, received = t.StartedAt.Add(time.Hour), t.StartReceivedAt.Add(time.Hour)
	}
	at := t.StartedAt.Add(end.Sub(t.StartedAt) * time.Duration(i+1) / time.Duration(n+1)).Truncate(time.Millisecond)
	if t.Flags&leyden.Offline == 0 {
		received = at
	}
	register := *t.MeterStart + *t.Energy*leyden.WattHours(i+1)/leyden.WattHours(n+1)
	e := fact(leyden.Updated, fmt.Sprintf("M|%d|%d|%d", t.Connector, t.ID, i), at, received)
	e.Number = number
	e.Samples = []leyden.Sample{
		{At: at, Value: strconv.FormatInt(int64(register), 10), Measurand: "Energy.Active.Import.Register", Unit: "Wh"},
		{At: at, Value: strconv.Itoa(22_000 - 100*i), Measurand: "Power.Active.Import", Unit: "W"},
		{At: at, Value: strconv.Itoa(min(100, 40+i)), Measurand: "SoC", Unit: "Percent"},
	}
	return e
}

// expired returns what was recorded of a remote start that came to nothing.
func expired(t *leyden.Transaction) []leyden.Event {
	own := func(kind leyden.EventKind, at time.Time) leyden.Event {
		return leyden.Event{
			Transaction: t.ID, Station: t.Station, Key: fmt.Sprintf("L|%d|%d|0", kind, t.ID), Kind: kind, ReceivedAt: at, Connector: t.Connector,
		}
	}
	asked := own(leyden.Requested, t.RequestedAt)
	asked.Token, asked.Expires = t.Token, t.ExpiresAt
	if t.VehicleID != t.Token.Value {
		asked.Vehicle = t.VehicleID
	}
	return []leyden.Event{asked, own(leyden.StartExpired, t.ExpiresAt)}
}

// folded returns what events make of a transaction, with what the ledger adds.
func folded(plan *leyden.Transaction, events []leyden.Event) leyden.Transaction {
	t := leyden.Fold(events)
	t.PublicID, t.Version, t.InsertedAt, t.Revision = plan.PublicID, plan.Version, plan.InsertedAt, plan.Revision
	return t
}
