package sqlite

import (
	"fmt"
	"testing"
	"time"

	"leyden"
)

// BenchmarkChain compares what an event costs that is written with its hash and
// without, in turns.
func BenchmarkChain(b *testing.B) {
	db, err := Open(b.Context(), Options{Path: b.TempDir(), Serve: true})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const each = 1000
	var took [2]time.Duration
	n := 0
	write := func(insert func(*tx, *scanner) error) time.Duration {
		entries := make([]values, each)
		for i := range entries {
			n++
			e := leyden.Event{
				Transaction: leyden.TransactionID(n/8 + 1), Key: fmt.Sprint("M|1|", n/8, "|5f2b8c1d9e3a4f60|", n), Kind: leyden.Updated, Connector: 1,
				At: time.Unix(int64(n), 0), ReceivedAt: time.Unix(int64(n), 0), Digest: "5f2b8c1d9e3a4f60718293a4b5c6d7e8", Number: new(int64(n)),
			}
			for _, of := range []string{"Energy.Active.Import.Register", "Power.Active.Import", "SoC"} {
				e.Samples = append(e.Samples, leyden.Sample{At: e.At, Value: "12345", Measurand: of, Unit: "Wh"})
			}
			if err := entries[i].event(&e); err != nil {
				b.Fatal(err)
			}
		}
		var in time.Duration
		err := db.write(b.Context(), "benchmark", func(t *tx) error {
			begun := time.Now()
			for i := range entries {
				if err := insert(t, &scanner{b: entries[i].b}); err != nil {
					return err
				}
			}
			in = time.Since(begun)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		return in
	}
	for b.Loop() {
		took[0] += write(func(t *tx, s *scanner) error { return t.insertEvent("station-17", s) })
		took[1] += write(func(t *tx, s *scanner) error { return insertUnchained(t, "station-17", s) })
		db.writer.links.known = false // nothing is under way: it must see what it did not write
	}
	events := float64(b.N * each)
	b.ReportMetric(float64(took[0].Nanoseconds())/events, "chained-ns/event")
	b.ReportMetric(float64(took[1].Nanoseconds())/events, "plain-ns/event")
}

func insertUnchained(t *tx, station string, s *scanner) error {
	const insert = `
INSERT INTO events (station, key, kind, transaction_id, at, received_at, digest, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (key, station) DO NOTHING`
	return exec(t.c, insert, func(b *binder) {
		b.text(station)
		for range eventValues {
			b.take(s)
		}
	})
}
