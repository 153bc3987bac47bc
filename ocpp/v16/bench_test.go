package v16_test

import (
	"encoding/json"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

const (
	startPayload = `{"connectorId":1,"idTag":"AABBCCDD","meterStart":0,"timestamp":"2024-01-15T10:30:00Z"}`
	stopPayload  = `{"idTag":"AABBCCDD","meterStop":14000,"timestamp":"2024-01-15T11:30:00.000Z","transactionId":12345,"reason":"EVDisconnected"}`
	meterPayload = `{"connectorId":1,"transactionId":12345,"meterValue":[{"timestamp":"2024-01-15T10:31:00Z","sampledValue":[` +
		`{"value":"1500","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},` +
		`{"value":"11000","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"},` +
		`{"value":"16.0","context":"Sample.Periodic","measurand":"Current.Import","phase":"L1","unit":"A"},` +
		`{"value":"42","context":"Sample.Periodic","measurand":"SoC","unit":"Percent"}]}]}`
)

// The plain… types are what encoding/json decodes in comparison; it checks
// nothing but syntax and Go types.
type plainStart struct {
	ConnectorID   int       `json:"connectorId"`
	IDTag         string    `json:"idTag"`
	MeterStart    int       `json:"meterStart"`
	ReservationID *int      `json:"reservationId"`
	Timestamp     time.Time `json:"timestamp"`
}

type plainStop struct {
	IDTag           *string           `json:"idTag"`
	MeterStop       int               `json:"meterStop"`
	Timestamp       time.Time         `json:"timestamp"`
	TransactionID   int               `json:"transactionId"`
	Reason          *string           `json:"reason"`
	TransactionData []plainMeterValue `json:"transactionData"`
}

type plainMeterValues struct {
	ConnectorID   int               `json:"connectorId"`
	TransactionID *int              `json:"transactionId"`
	MeterValue    []plainMeterValue `json:"meterValue"`
}

type plainMeterValue struct {
	Timestamp    time.Time     `json:"timestamp"`
	SampledValue []plainSample `json:"sampledValue"`
}

type plainSample struct {
	Value     string  `json:"value"`
	Context   *string `json:"context"`
	Format    *string `json:"format"`
	Measurand *string `json:"measurand"`
	Phase     *string `json:"phase"`
	Location  *string `json:"location"`
	Unit      *string `json:"unit"`
}

// A contest is a message that a decoder of ours and encoding/json decode.
type contest struct {
	payload string
	ours    ocpp.Request
	plain   func() any // a new one: what is left in an old one would stay
}

func contests() []contest {
	return []contest{
		{startPayload, new(v16.StartTransaction), func() any { return new(plainStart) }},
		{stopPayload, new(v16.StopTransaction), func() any { return new(plainStop) }},
		{meterPayload, new(v16.MeterValues), func() any { return new(plainMeterValues) }},
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range contests() {
		b.Run(c.ours.Action()+"/v16", func(b *testing.B) { decodeOurs(b, c.ours, c.payload) })
		b.Run(c.ours.Action()+"/encoding-json", func(b *testing.B) { decodePlain(b, c.plain, c.payload) })
	}
}

// BenchmarkDecodeTimes tells how many times as fast as encoding/json the decoders
// are, which check the schema too. Both take turns, so that what else the machine
// does slows both.
func BenchmarkDecodeTimes(b *testing.B) {
	for _, c := range contests() {
		b.Run(c.ours.Action(), func(b *testing.B) {
			const turn = 20
			var v ocpp.Violations
			var ours, plain time.Duration
			data := []byte(c.payload)
			for b.Loop() {
				begun := time.Now()
				for range turn {
					if err := c.ours.Decode(c.payload, &v); err != nil {
						b.Fatal(err)
					}
				}
				between := time.Now()
				for range turn {
					if err := json.Unmarshal(data, c.plain()); err != nil {
						b.Fatal(err)
					}
				}
				ours, plain = ours+between.Sub(begun), plain+time.Since(between)
			}
			b.ReportMetric(plain.Seconds()/ours.Seconds(), "times")
			b.ReportMetric(float64(ours.Nanoseconds())/float64(turn*b.N), "ns/decode")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func decodeOurs(b *testing.B, m ocpp.Request, payload string) {
	var v ocpp.Violations
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if err := m.Decode(payload, &v); err != nil || len(v.List) > 0 {
			b.Fatal(err, v)
		}
	}
}

func decodePlain(b *testing.B, plain func() any, payload string) {
	data := []byte(payload)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := json.Unmarshal(data, plain()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		payload string
		m       ocpp.Request
	}{
		{startPayload, new(v16.StartTransaction)},
		{meterPayload, new(v16.MeterValues)},
	} {
		if err := c.m.Decode(c.payload, nil); err != nil {
			b.Fatal(err)
		}
		b.Run(c.m.Action(), func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = c.m.AppendJSON(dst[:0])
			}
		})
	}
}
