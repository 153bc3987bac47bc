package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"leyden"
	"leyden/sheet"
)

// A record is a transaction as the command line writes it: the columns of
// CSV, the members of NDJSON. Unknown is empty or null. Energy is in Wh.
type record struct {
	TransactionID  int      `json:"transactionId"`
	ID             string   `json:"id"`
	Station        string   `json:"station"`
	Connector      int      `json:"connector"`
	IDTag          string   `json:"idTag"`
	VehicleID      string   `json:"vehicleId"`
	Status         string   `json:"status"`
	StartedAt      string   `json:"startedAt"`
	StoppedAt      string   `json:"stoppedAt"`
	MeterStart     *int64   `json:"meterStartWh"`
	MeterStop      *int64   `json:"meterStopWh"`
	Energy         *int64   `json:"energyWh"`
	EnergySource   string   `json:"energySource"`
	InitialSoC     *float64 `json:"initialSoC"`
	EndSoC         *float64 `json:"endSoC"`
	EndResult      string   `json:"endResult"`
	StopReasonText string   `json:"stopReasonText"`
	CloseReason    string   `json:"closeReason"`
	RemoteStarted  bool     `json:"remoteStarted"`
	SessionStart   string   `json:"sessionStart"`
	SessionEnd     string   `json:"sessionEnd"`
	InsertedAt     string   `json:"insertedAt"`
	Revision       int      `json:"revision"`
	Flags          string   `json:"flags"`
}

func newRecord(t *leyden.Transaction) *record {
	return &record{
		TransactionID: int(t.ID), ID: t.PublicID, Station: string(t.Station), Connector: t.Connector,
		IDTag: t.Token.Value, VehicleID: t.VehicleID, Status: t.Status.String(),
		StartedAt: exact(t.StartedAt), StoppedAt: exact(t.StoppedAt),
		MeterStart: (*int64)(t.MeterStart), MeterStop: (*int64)(t.MeterStop),
		Energy: (*int64)(t.Energy), EnergySource: string(t.EnergySource),
		InitialSoC: t.InitialSoC, EndSoC: t.EndSoC,
		EndResult: t.EndResult(), StopReasonText: t.StopReasonText, CloseReason: t.CloseReason, RemoteStarted: t.Remote,
		SessionStart: exact(t.SessionStart), SessionEnd: exact(t.SessionEnd), InsertedAt: exact(t.InsertedAt),
		Revision: t.Revision, Flags: strings.Join(t.Flags.Names(), " "),
	}
}

func recordNames() []string {
	t := reflect.TypeFor[record]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("json")
	}
	return names
}

// cells returns the columns of CSV. A text that a spreadsheet would take for a
// formula gets an apostrophe in front.
func (r *record) cells() []string {
	v := reflect.ValueOf(*r)
	cells := r.texts()
	for i := range cells {
		if v.Field(i).Kind() == reflect.String {
			cells[i] = sheet.Harmless(cells[i])
		}
	}
	return cells
}

// texts returns the fields as they are, "" for what is unknown.
func (r *record) texts() []string {
	v := reflect.ValueOf(*r)
	texts := make([]string, v.NumField())
	for i := range texts {
		texts[i] = text(v.Field(i))
	}
	return texts
}

func text(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return text(v.Elem())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	}
	return v.String()
}

// lines returns the record for a person to read.
func (r *record) lines() []string {
	names, texts := recordNames(), r.texts()
	lines := make([]string, len(names))
	for i, name := range names {
		lines[i] = fmt.Sprintf("%-16s%s", name, shown(texts[i]))
	}
	return lines
}
