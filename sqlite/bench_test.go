package sqlite_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leyden"
	"leyden/sqlite"
)

// BenchmarkAppend measures entries of one event, one transaction and one notice
// each, as stations cause them: a start, six readings and a stop, over and over.
func BenchmarkAppend(b *testing.B) {
	for _, routines := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(routines), func(b *testing.B) {
			db := closeAtEnd(b, open(b, b.TempDir(), nil))
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for i := range routines {
				wg.Go(func() { charge(b, db, leyden.StationID(fmt.Sprint("station-", i)), &left) })
			}
			wg.Wait()
			b.StopTimer()
			stats := db.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(stats.Batches.Sum/float64(stats.Batches.Count), "entries/commit")
			b.ReportMetric(stats.Commits.Sum/float64(stats.Commits.Count)*1e3, "ms/commit")
			b.ReportMetric(stats.Postings.Sum/b.Elapsed().Seconds(), "posting")
			b.ReportMetric(float64(stats.Checkpoints), "checkpoints")
		})
	}
}

// charge appends whole sessions of one station until left is used up.
func charge(b *testing.B, db *sqlite.DB, s leyden.StationID, left *atomic.Int64) {
	for {
		id, err := db.NextID(b.Context())
		if err != nil {
			b.Error(err)
			return
		}
		tx := session(id, s)
		for step := range 8 {
			if left.Add(-1) < 0 {
				return
			}
			if err := db.Append(b.Context(), report(&tx, step)); err != nil {
				b.Error(err)
				return
			}
		}
	}
}

var begun = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func session(id leyden.TransactionID, s leyden.StationID) leyden.Transaction {
	return leyden.Transaction{
		ID: id, PublicID: fmt.Sprintf("txn_%026d", id), Station: s, Connector: 1, Token: leyden.IDToken{Value: "04A2B3C4D5E6F7"},
		VehicleID: "04A2B3C4D5E6F7", Status: leyden.Active, StartedAt: begun.Add(time.Duration(id) * time.Second), StartReceivedAt: begun,
		MeterStart: new(leyden.WattHours(1000)),
		Evidence: leyden.Evidence{
			StartKey: fmt.Sprint("S|1|04a2b3c4d5e6f7|1772366400000000|1000|", id),
			Started:  leyden.Origin{Connector: 1, Token: leyden.IDToken{Value: "04A2B3C4D5E6F7"}},
		},
	}
}

// report returns the entry of one of a session's eight reports: the start,
// readings, the stop.
func report(tx *leyden.Transaction, step int) *leyden.Entry {
	tx.Version++
	at := begun.Add(time.Duration(step) * time.Minute)
	wh := leyden.WattHours(1000 + 500*step)
	e := &leyden.Entry{
		Station: tx.Station, Fresh: true,
		Events: []leyden.Event{{
			Transaction: tx.ID, Station: tx.Station, Key: fmt.Sprint("M|1|", tx.ID, "|5f2b8c1d9e3a4f60|", step), Kind: leyden.Updated,
			At: at, ReceivedAt: at, Connector: 1, Number: new(int64(tx.ID)), Digest: "5f2b8c1d9e3a4f60718293a4b5c6d7e8",
			Samples: []leyden.Sample{
				{At: at, Value: fmt.Sprint(wh), Measurand: "Energy.Active.Import.Register", Unit: "Wh", Context: "Sample.Periodic"},
				{At: at, Value: "11000", Measurand: "Power.Active.Import", Unit: "W"},
				{At: at, Value: "16.0", Measurand: "Current.Import", Phase: "L1", Unit: "A"},
				{At: at, Value: "42", Measurand: "SoC", Unit: "Percent"},
			},
		}},
		Notices: []leyden.Notice{{Topic: "transaction.updated", Station: tx.Station, Transaction: tx.ID, Version: tx.Version, At: at}},
	}
	tx.UpdatedAt, tx.Power, tx.EndSoC = at, new(11000.0), new(42.0)
	tx.Energy, tx.EnergySource = new(wh-1000), leyden.EnergyLastSample
	tx.Evidence.Last, tx.Evidence.First = &leyden.Reading{At: at, Wh: wh}, &leyden.Reading{At: begun, Wh: 1000}
	tx.Evidence.Power, tx.Evidence.LastSoC, tx.Evidence.FlowAt = &leyden.Gauge{At: at, Value: 11000}, &leyden.Gauge{At: at, Value: 42}, at
	tx.Evidence.Rising, tx.Evidence.Rises = wh-1000, step
	stop := step == 7
	if stop {
		tx.Status, tx.StoppedAt, tx.StopReason, tx.Evidence.StopKey, tx.Revision = leyden.Completed, at, "EVDisconnected", "E|1", 1
	}
	e.Transactions = []leyden.Change{{Transaction: *tx, Stamp: stop}}
	return e
}

// BenchmarkRead measures what the ledger reads at a report.
func BenchmarkRead(b *testing.B) {
	db := closeAtEnd(b, open(b, b.TempDir(), nil))
	for id := range leyden.TransactionID(500) {
		tx := session(id+1, leyden.StationID(fmt.Sprint("station-", id%100)))
		for step := range 2 {
			if err := db.Append(b.Context(), report(&tx, step)); err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, read := range map[string]func() error{
		"Transaction": func() error { _, err := db.Transaction(b.Context(), 250); return err },
		"Working":     func() error { _, err := db.Working(b.Context(), "station-7", begun); return err },
		"LastOn":      func() error { _, err := db.LastOn(b.Context(), "station-7", 1); return err },
		"ByKey":       func() error { _, err := db.ByKey(b.Context(), "station-7", "M|1|8|5f2b8c1d9e3a4f60|0"); return err },
		"Page":        func() error { _, err := db.Transactions(b.Context(), leyden.Query{Limit: 100}); return err },
		"BriefPage": func() error {
			_, err := db.Transactions(b.Context(), leyden.Query{Limit: 100, Brief: true})
			return err
		},
		"OpenWith": func() error { _, err := db.OpenWith(b.Context(), "nobody"); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
