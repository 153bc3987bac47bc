package simtest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"leyden"
	"leyden/sim"
)

// A record is what must be the same wherever a charge is told of.
type record struct {
	Number, Connector     int
	Station, Tag, Result  string
	Start, Stop           int64 // by the station's clock, in ms
	Energy                int   // Wh; −1: unknown
	InitialSoC, EndSoC    float64
	MeterStart, MeterStop int
}

// A place is where and when a charge began.
type place struct {
	station   string
	connector int
	at        int64
}

func (r *record) place() place { return place{r.Station, r.Connector, r.Start} }

// recordOf returns what physically happened.
func recordOf(c *sim.Charge) record {
	r := record{
		Connector: c.Connector, Station: c.Station, Tag: c.IDTag, Result: c.Reason, Start: c.StartedAt.UnixMilli(), Stop: c.StoppedAt.UnixMilli(),
		Energy: c.Energy, InitialSoC: or(c.InitialSoC, -1), EndSoC: or(c.EndSoC, -1), MeterStart: c.MeterStart, MeterStop: c.MeterStop,
	}
	if len(c.TransactionIDs) == 1 {
		r.Number = c.TransactionIDs[0]
	}
	return r.believed()
}

// believed leaves out what readings tell that may be from more than a day to come: they
// are evidence of nothing.
func (r record) believed() record {
	if time.UnixMilli(r.Start).After(theBegin.Add(24 * time.Hour)) {
		r.InitialSoC, r.EndSoC = -1, -1
	}
	return r
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// A v1Row is what v1 tells of a transaction.
type v1Row struct {
	TransactionID        int
	ChargeBoxID          string
	ConnectorID          *int
	IDTag                *string
	Status               string
	MeterStart           *int
	MeterStop            *int
	EnergyDelivered      *float64
	StartTime, StopTime  time.Time
	StopReason           *string
	InitialSoC, EndSoC   *float64
	Flags                []string
	InsertedAt           time.Time
	EnergySource         *string
	CloseReason          *string
	DurationMinutes      *int
	RemoteStarted        bool
	StartReceivedAt      time.Time
	StopIDTag, VehicleID *string
}

func (v *v1Row) record() record {
	r := record{
		Number: v.TransactionID, Connector: or(v.ConnectorID, 0), Station: v.ChargeBoxID, Tag: or(v.IDTag, ""), Result: or(v.StopReason, ""),
		Start: v.StartTime.UnixMilli(), Stop: v.StopTime.UnixMilli(), Energy: -1,
		InitialSoC: or(v.InitialSoC, -1), EndSoC: or(v.EndSoC, -1), MeterStart: or(v.MeterStart, -1), MeterStop: or(v.MeterStop, -1),
	}
	if v.EnergyDelivered != nil {
		r.Energy = int(*v.EnergyDelivered*1000 + 0.5)
	}
	return r.believed()
}

// A v2Row is what v2 tells of one. It does not know registers.
type v2Row struct {
	TransactionID      int
	ChargerID          string
	ConnectorID        int
	StartAt, EndAt     time.Time
	InitialSoC, EndSoC *float64
	Initiator          string
	EnergyDelivered    *int
	EndResult          *string
	InsertedAt         time.Time
}

func (v *v2Row) record() record {
	r := record{
		Number: v.TransactionID, Connector: v.ConnectorID, Station: v.ChargerID, Tag: v.Initiator, Result: or(v.EndResult, ""),
		Start: v.StartAt.UnixMilli(), Stop: v.EndAt.UnixMilli(), Energy: or(v.EnergyDelivered, -1),
		InitialSoC: or(v.InitialSoC, -1), EndSoC: or(v.EndSoC, -1),
	}
	return r.believed()
}

// listV1 returns all transactions that v1 lists, page by page.
func (w *world) listV1() (rows []v1Row) {
	cursor := ""
	for {
		var list struct {
			Transactions []v1Row
			Pagination   struct{ NextCursor string }
		}
		if !w.get("/api/v1/transactions?limit=100"+cursor, &list) {
			w.wrong("v1 does not list")
			return rows
		}
		rows = append(rows, list.Transactions...)
		if list.Pagination.NextCursor == "" {
			return rows
		}
		cursor = "&cursor=" + url.QueryEscape(list.Pagination.NextCursor)
	}
}

// listV2 returns all charging events that v2 lists, page by page, or false if it cannot
// be asked now.
func (w *world) listV2(filter string) (rows []v2Row, ok bool) {
	for page := 1; ; page++ {
		var list []v2Row
		if !w.get(fmt.Sprintf("/v2/transactions?order=asc&limit=200&page=%d%s", page, filter), &list) {
			return nil, false
		}
		rows = append(rows, list...)
		if len(list) < 200 {
			return rows, true
		}
	}
}

// compare holds what happened against what both APIs tell, and what is stored.
func (w *world) compare(report *sim.Report) {
	if err := report.Err(); err != nil {
		w.wrong("%v\n%v", err, report)
	}
	v1, v2 := w.sorted()
	for i := range report.Charges {
		c := &report.Charges[i]
		want := recordOf(c)
		w.one("v1", want, v1)
		delete(v1, want.place())
		forV2 := want
		forV2.MeterStart, forV2.MeterStop = 0, 0
		w.one("v2", forV2, v2)
		delete(v2, want.place())
		if !c.StopAnswered || c.Deleted || len(c.TransactionIDs) != 1 {
			w.wrong("%s: stop answered %v, deleted %v, numbers %v", name(c), c.StopAnswered, c.Deleted, c.TransactionIDs)
			continue
		}
		w.stored(c)
	}
	for _, extra := range v1 {
		w.wrong("v1 has what did not happen: %+v", extra)
	}
	for _, extra := range v2 {
		w.wrong("v2 has what did not happen: %+v", extra)
	}
	w.quarantined()
}

func name(c *sim.Charge) string {
	return fmt.Sprintf("%s %d at %v", c.Station, c.Connector, c.StartedAt.Format(time.RFC3339Nano))
}

// sorted returns what both APIs list as charges, by place.
func (w *world) sorted() (v1, v2 map[place][]record) {
	v1, v2 = make(map[place][]record), make(map[place][]record)
	for _, row := range w.listV1() {
		r := row.record()
		switch row.Status {
		case "completed":
			v1[r.place()] = append(v1[r.place()], r)
		case "active", "stopping", "pending":
			w.wrong("v1 shows as %s: %+v", row.Status, row)
		}
		w.flags(&row)
	}
	rows, ok := w.listV2("")
	if !ok {
		w.wrong("v2 does not list")
	}
	for _, row := range rows {
		r := row.record()
		v2[r.place()] = append(v2[r.place()], r)
	}
	return v1, v2
}

// flags looks whether a transaction is marked with what cannot have been.
func (w *world) flags(row *v1Row) {
	may := []string{"OFFLINE", "UNAUTHORIZED"}
	f := &w.plan.fleet
	if f.ClockSkew > 0 || f.Faults.Offline > 0 {
		may = append(may, "CLOCK_SKEW")
	}
	if f.ClockSkew == noClock {
		may = append(may, "CLOCK_IMPLAUSIBLE")
	}
	if f.Faults.Reset > 0 {
		may = append(may, "METER_ROLLBACK")
	}
	if slices.Contains(f.Quirks, sim.FractionalMeters) {
		may = append(may, "UNREADABLE")
	}
	for _, flag := range row.Flags {
		if !slices.Contains(may, flag) {
			w.wrong("transaction %d of %s is marked %s: %+v", row.TransactionID, row.ChargeBoxID, flag, row)
		}
	}
}

// one wants a charge to be there just once, as it happened.
func (w *world) one(where string, want record, found map[place][]record) {
	got := found[want.place()]
	if len(got) != 1 || got[0] != want {
		w.wrong("%s has %+v,\nwant one %+v", where, got, want)
	}
}

// stored wants all that was answered of a charge to be an event, once, and the events to
// fold to the record.
func (w *world) stored(c *sim.Charge) {
	ctx, id := w.t.Context(), leyden.TransactionID(c.TransactionIDs[0])
	t, err := w.disk.driver().Transaction(ctx, id)
	if err != nil {
		w.wrong("%s: %v", name(c), err)
		return
	}
	events, err := w.disk.driver().Events(ctx, id)
	if err != nil {
		w.wrong("events of %s: %v", name(c), err)
	}
	if diff := leyden.Differences(leyden.Fold(events), t); len(diff) > 0 {
		w.wrong("%s: transaction %d differs from its events in %s", name(c), id, strings.Join(diff, ", "))
	}
	var got, want []string
	for i := range events {
		switch e := &events[i]; e.Kind {
		case leyden.Started, leyden.Updated, leyden.Ended:
			got = append(got, fmt.Sprint(e.Kind, " ", e.At.UnixMilli()))
		case leyden.Contradicted:
			w.wrong("%s: transaction %d is contradicted by %+v", name(c), id, e)
		}
	}
	kinds := map[string]leyden.EventKind{"StartTransaction": leyden.Started, "MeterValues": leyden.Updated, "StopTransaction": leyden.Ended}
	for _, a := range c.Answers {
		want = append(want, fmt.Sprint(kinds[a.Action], " ", a.At.UnixMilli()))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.wrong("%s: transaction %d has the events %v,\nanswered were %v", name(c), id, got, want)
	}
}

// quarantined wants nothing to wait for an operator.
func (w *world) quarantined() {
	list, err := w.disk.driver().Quarantined(w.t.Context(), leyden.QuarantineQuery{Status: leyden.QuarantineWaiting})
	if err != nil || len(list) > 0 {
		w.wrong("in quarantine: %+v, %v", list, err)
	}
}

// compare wants each final record to have been fetched in its last edition, and no
// edition twice.
func (p *poller) compare() {
	rows, _ := p.world.listV2("")
	for _, row := range rows {
		if p.seen[edition{row.TransactionID, row.InsertedAt.UnixMicro()}] != 1 {
			p.world.wrong("transaction %d, inserted at %v, was not fetched by window", row.TransactionID, row.InsertedAt)
		}
	}
	for e, n := range p.seen {
		if n > 1 {
			p.world.wrong("transaction %d, inserted at %v, was fetched %d times by window", e.id, time.UnixMicro(e.at).UTC(), n)
		}
	}
}
