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

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		payload string
		ours    ocpp.Request
		plain   any
	}{
		{startPayload, new(v16.StartTransaction), new(plainStart)},
		{stopPayload, new(v16.StopTransaction), new(plainStop)},
		{meterPayload, new(v16.MeterValues), new(plainMeterValues)},
	} {
		b.Run(c.ours.Action()+"/v16", func(b *testing.B) { decodeOurs(b, c.ours, c.payload) })
		b.Run(c.ours.Action()+"/encoding-json", func(b *testing.B) { decodePlain(b, c.plain, c.payload) })
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

func decodePlain(b *testing.B, m any, payload string) {
	data := []byte(payload)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := json.Unmarshal(data, m); err != nil {
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
