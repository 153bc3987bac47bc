package leyden_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"leyden"
)

// A tape takes entries and forgets them: what is left of the time of a report is
// the ledger's.
type tape struct {
	leyden.Store
	leyden.Registry
	last    leyden.TransactionID
	entries int
}

func (p *tape) NextID(context.Context) (leyden.TransactionID, error) {
	p.last++
	return p.last, nil
}

func (p *tape) Append(_ context.Context, e *leyden.Entry) error {
	p.entries++
	for i := range e.Transactions {
		if e.Transactions[i].Stamp {
			e.Transactions[i].Transaction.InsertedAt = at(0)
		}
	}
	return e.Check()
}

func (p *tape) Working(context.Context, leyden.StationID, time.Time) ([]leyden.Transaction, error) {
	return nil, nil
}

func (p *tape) Transactions(context.Context, leyden.Query) (leyden.Page, error) {
	return leyden.Page{}, nil
}

func (p *tape) Quarantined(context.Context, leyden.QuarantineQuery) ([]leyden.Quarantined, error) {
	return nil, nil
}

func (p *tape) Station(_ context.Context, id leyden.StationID) (leyden.Station, error) {
	return leyden.Station{ID: id, PublicID: "chg_1"}, nil
}

func (p *tape) RecentStation(ctx context.Context, id leyden.StationID) (leyden.Station, error) {
	return p.Station(ctx, id)
}

func (p *tape) RecentToken(_ context.Context, value string) (leyden.Token, error) {
	return leyden.Token{Value: value, Status: leyden.TokenAccepted, Listed: true}, nil
}

// A lap is what one benchmark of the ledger runs over.
type lap struct {
	*leyden.Ledger
	b     *testing.B
	clock time.Time
}

func newLap(b *testing.B) *lap {
	l := &lap{b: b, clock: at(0)}
	p := &tape{}
	l.Ledger = leyden.NewLedger(p, p, leyden.Options{Now: func() time.Time { return l.clock }})
	if err := l.Connected(b.Context(), "S", "ocpp1.6"); err != nil {
		b.Fatal(err)
	}
	return l
}

func (l *lap) record(e *leyden.Event) leyden.TransactionID {
	l.clock = l.clock.Add(time.Second)
	e.Station = "S"
	out, err := l.Record(l.b.Context(), *e, "{}")
	if err != nil {
		l.b.Fatal(err)
	}
	return out.Transaction.ID
}

func (l *lap) start(register leyden.WattHours) leyden.TransactionID {
	return l.record(&leyden.Event{
		Kind: leyden.Started, At: l.clock, Connector: 1, Token: leyden.IDToken{Value: "USER123"}, Register: &register, Digest: "d41d8cd98f00b204e9800998ecf8427e",
	})
}

func (l *lap) read(id *int64, register string) {
	l.record(&leyden.Event{
		Kind: leyden.Updated, At: l.clock, Connector: 1, Number: id, Digest: "d41d8cd98f00b204e9800998ecf8427e",
		Samples: []leyden.Sample{
			{At: l.clock, Value: register, Unit: "Wh"},
			{At: l.clock, Value: "11040", Measurand: "Power.Active.Import", Unit: "W"},
			{At: l.clock, Value: "54", Measurand: "SoC", Unit: "Percent"},
		},
	})
}

func (l *lap) stop(id int64, register leyden.WattHours) {
	l.record(&leyden.Event{
		Kind: leyden.Ended, At: l.clock, Number: &id, Token: leyden.IDToken{Value: "USER123"}, Register: &register, Reason: "Local",
		Digest: "d41d8cd98f00b204e9800998ecf8427e",
	})
}

// BenchmarkRecord measures what the ledger does about a reading, and about all of
// a charge: a start, five readings and a stop.
func BenchmarkRecord(b *testing.B) {
	b.Run("reading", func(b *testing.B) {
		l := newLap(b)
		id := int64(l.start(1))
		register := "1000"
		b.ReportAllocs()
		for b.Loop() {
			l.read(&id, register)
		}
	})
	b.Run("charge", func(b *testing.B) {
		l := newLap(b)
		registers := make([]string, 5)
		for i := range registers {
			registers[i] = strconv.Itoa(1001 + i)
		}
		b.ReportAllocs()
		for b.Loop() {
			id := int64(l.start(1000))
			for _, r := range registers {
				l.read(&id, r)
			}
			l.stop(id, 1010)
		}
	})
}
