package csms_test

import (
	"testing"
	"time"

	"leyden"
	"leyden/memory"
	"leyden/ocpp"
)

// BenchmarkMessages measures a message of a station on its way through the
// server and back, over a pipe and without a disk.
func BenchmarkMessages(b *testing.B) {
	for name, frame := range map[string]string{
		"Heartbeat":          `[2,"1","Heartbeat",{}]`,
		"StatusNotification": `[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging"}]`,
		"Authorize":          `[2,"1","Authorize",{"idTag":"USER123"}]`,
		"MeterValuesResent":  `[2,"1","MeterValues",{"connectorId":1,"transactionId":1,"meterValue":[{"timestamp":"2026-02-06T12:10:00Z","sampledValue":[{"value":"1500","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},{"value":"7000","measurand":"Power.Active.Import","unit":"W"}]}]}]`,
	} {
		b.Run(name, func(b *testing.B) { benchmarkMessage(b, newWorld(b), frame) })
		b.Run(name+"Journaled", func(b *testing.B) {
			w := newWorld(b)
			w.options.Journal = memory.NewJournal(leyden.JournalLimits{MaxBytes: 1 << 20}, time.Now)
			benchmarkMessage(b, w, frame)
		})
	}
}

func benchmarkMessage(b *testing.B, w *world, frame string) {
	defer w.end()
	w.begin()
	ours, theirs := ocpp.Pipe()
	w.wg.Go(func() { _ = w.server.Serve(b.Context(), cp, "ocpp1.6", ours) })
	answered := func([]byte) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := theirs.Send([]byte(frame)); err != nil {
			b.Fatal(err)
		}
		if err := theirs.Receive(answered); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w.server.Counters().Unjournaled.Load())/float64(b.N), "lost/op")
	_ = theirs.Close(ocpp.CloseNormal, "")
}
