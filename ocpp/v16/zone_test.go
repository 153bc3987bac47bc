package v16_test

import (
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// Timestamps without a zone are counted, and are what the reader says they are.
func TestTimestampsWithoutAZone(t *testing.T) {
	const payload = `{"transactionId":1,"meterStop":2,"timestamp":"2026-07-01T12:00:00","transactionData":[` +
		`{"timestamp":"2026-07-01T11:00:00Z","sampledValue":[]},{"timestamp":"20260701T1130","sampledValue":[]},{"timestamp":"2026-07-01T12:00:00+03:00","sampledValue":[]}]}`
	for name, local := range map[string]func(time.Time) time.Time{
		"UTC":  nil,
		"east": func(t time.Time) time.Time { return t.Add(-2 * time.Hour) },
	} {
		v := ocpp.Violations{Local: local}
		var m v16.StopTransaction
		if err := m.Decode(payload, &v); err != nil || len(v.List) > 0 || v.Zoneless != 2 {
			t.Fatalf("%s: %v, %+v; want 2 without a zone", name, err, v)
		}
		east := 0
		if local != nil {
			east = 2
		}
		at := func(hour, minute int) time.Time { return time.Date(2026, 7, 1, hour, minute, 0, 0, time.UTC) }
		for i, want := range []time.Time{at(12-east, 0), at(11, 0), at(11-east, 30), at(9, 0)} {
			got := m.Timestamp
			if i > 0 {
				got = m.TransactionData[i-1].Timestamp
			}
			if !got.Equal(want) {
				t.Errorf("%s: timestamp %d is %v, want %v", name, i, got, want)
			}
		}
		if v.Reset(); v.Zoneless != 0 || (v.Local == nil) != (local == nil) {
			t.Errorf("%s: after Reset: %+v", name, v)
		}
	}
}
