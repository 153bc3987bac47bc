package sqlite_test

import (
	"testing"
	"time"

	"leyden/calls"
)

// BenchmarkSettle tells what a record costs a call: alone, and among others that
// share its commit.
//
//	go test ./sqlite -run '^$' -bench Settle
func BenchmarkSettle(b *testing.B) {
	record := calls.Record{
		At: time.Now(), By: "key_2akzuhfmghx3p3dpxhkbpmo5dw", Kind: calls.ByKey, Name: "billing", From: "192.0.2.1", RequestID: "6QF7IQ2ZSMBQ4V3JXTHNKRK5QM",
		Method: "POST", Operation: "v1Reset", Path: "/api/v1/chargers/CHARGER-001/reset", Station: "CHARGER-001", Status: 200, Body: `{"type":"Soft"}`,
	}
	b.Run("Alone", func(b *testing.B) {
		db := closeAtEnd(b, open(b, b.TempDir(), nil))
		for b.Loop() {
			if err := db.Settle(b.Context(), &calls.Settlement{Record: new(record)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Together", func(b *testing.B) {
		db := closeAtEnd(b, open(b, b.TempDir(), nil))
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := db.Settle(b.Context(), &calls.Settlement{Record: new(record)}); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
