package apiv2

import (
	"context"
	"io"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/export"
	"leyden/rest"
)

// transaction is how v2 shows a charging event.
type transaction struct {
	TransactionID    leyden.TransactionID `json:"TransactionID" doc:"The same number in v1 and in OCPP." example:"10203"`
	ChargerID        leyden.StationID     `json:"ChargerID" example:"xyz"`
	ConnectorID      int                  `json:"ConnectorID" example:"1"`
	StartAt          rest.Time            `json:"StartAt" nullable:"false" doc:"By the charger's clock."`
	EndAt            rest.Time            `json:"EndAt" doc:"By the charger's clock; null while it runs."`
	InitialSoC       *float64             `json:"InitialSoC" doc:"State of charge at the start, in percent; null when unknown."`
	VehicleID        string               `json:"VehicleID" doc:"The vehicle that used the idTag when the charge began, else the idTag."`
	Initiator        string               `json:"Initiator" doc:"The idTag that started it."`
	EndSoC           *float64             `json:"EndSoC" doc:"State of charge at the end, in percent; null when unknown."`
	EnergyDelivered  *leyden.WattHours    `json:"EnergyDelivered" doc:"In Wh; null when unknown, never negative."`
	EndResult        *string              `json:"EndResult" doc:"The stop reason of OCPP, or Incomplete when it was closed without a stop; null while it runs." example:"Local"`
	ExtraInfo        extraInfo            `json:"ExtraInfo"`
	SessionStartTime rest.Time            `json:"SessionStartTime" doc:"Plugged in, by the charger's clock; null when not seen."`
	SessionEndTime   rest.Time            `json:"SessionEndTime" doc:"Plugged out, by the charger's clock; null when not seen."`
	InsertedAt       rest.Time            `json:"InsertedAt" doc:"When the final record, or its last correction, was stored, by the server's clock; null while it runs, unless an operator opened a final record again."`
}

type extraInfo struct {
	Initiator string   `json:"Initiator"`
	Flags     []string `json:"Flags,omitempty" doc:"What a human should look at."`

	NotBillable string `json:"NotBillable,omitempty" doc:"Why it must not be billed, when an operator said so."`
}

// present shows t.
func present(t *leyden.Transaction) transaction {
	shown := transaction{
		TransactionID:    t.ID,
		ChargerID:        t.Station,
		ConnectorID:      t.Connector,
		StartAt:          rest.Time{Time: t.StartedAt},
		EndAt:            rest.Time{Time: t.StoppedAt},
		InitialSoC:       t.InitialSoC,
		VehicleID:        t.VehicleID,
		Initiator:        t.Token.Value,
		EndSoC:           t.EndSoC,
		EnergyDelivered:  t.Energy,
		ExtraInfo:        extraInfo{Initiator: t.Token.Value, Flags: t.Flags.Names(), NotBillable: t.NotBillable},
		SessionStartTime: rest.Time{Time: t.SessionStart},
		SessionEndTime:   rest.Time{Time: t.SessionEnd},
		InsertedAt:       rest.Time{Time: t.InsertedAt},
	}
	if result := t.EndResult(); result != "" {
		shown.EndResult = &result
	}
	return shown
}

type listInput struct {
	ChargerID   string    `query:"chargerId" doc:"Only of this charger."`
	ConnectorID int       `query:"connectorId" minimum:"1" maximum:"2147483647" doc:"Only on connectors with this number."`
	VehicleID   string    `query:"vehicleId" doc:"Only of this vehicle."`
	From        rest.Time `query:"from" doc:"Begin of the window; belongs to it."`
	To          rest.Time `query:"to" doc:"End of the window; does not belong to it."`
	FilterBy    string    `query:"filterBy" enum:"StartAt,EndAt,InsertedAt,Overlapping" default:"StartAt" doc:"Which time must lie in the window. EndAt and InsertedAt leave out what runs. Overlapping: the charge ran at some time of the window."`
	OrderBy     string    `query:"orderBy" enum:"TransactionID,StartAt,EndAt,InsertedAt" default:"TransactionID" doc:"What to sort by; ties follow the TransactionID in the same direction, an EndAt of null is the newest."`
	Order       string    `query:"order" enum:"desc,asc" default:"desc"`
	Page        int       `query:"page" minimum:"1" default:"1" doc:"Beyond the last page the list is empty."`
	Limit       int       `query:"limit" minimum:"1" maximum:"2000" default:"100" doc:"How many a page has."`
	Cursor      string    `query:"cursor" maxLength:"1000" doc:"Goes on where the page before ended, or ends where the one after begins: from a Link. All other parameters but limit stay as they were; page does not go with it."`
}

type listOutput struct {
	rest.File
	Total      int    `header:"X-Total-Count" doc:"How many there are on all pages."`
	LowerBound string `header:"X-Total-Count-Is-Lower-Bound" doc:"true when there may be more than X-Total-Count."`
	Link       string `header:"Link" doc:"The next and the previous page (RFC 8288), by cursor: they show every charging event once, also while others are added."`
	Body       []transaction
}

type getInput struct {
	ID string `path:"TransactionID" doc:"The number, leading zeros or not, or the txn_ id of v1." example:"10203"`
}

type getOutput struct {
	rest.Versioned
	Body transaction
}

func registerTransactions(api *rest.API, store leyden.Store) {
	v2 := facade()
	rest.Handle(api, v2, rest.Operation{
		Method:  http.MethodGet,
		Path:    "/v2/transactions",
		ID:      "v2ListTransactions",
		Summary: "List charging events",
		Description: "Whoever fetches periodically filters by `InsertedAt`: half-open windows that follow each other then show every " +
			"final record exactly once, also those that a charger reported late.\n\n" +
			"With `Accept: text/csv`, `application/x-ndjson` or `application/vnd.apache.parquet` the reply is a file of all that is " +
			"selected, whatever page and limit are; the trailer `X-Row-Count` follows one that is whole.",
		Tag:     tagTransactions,
		Scope:   auth.TransactionsRead,
		Limited: true,
		Streams: rest.FileTypes(),
		Timeout: -1, // a file takes its time
	}, func(ctx context.Context, in *listInput) (*listOutput, error) { return list(ctx, store, in) })
	rest.Handle(api, v2, rest.Operation{
		Method:  http.MethodGet,
		Path:    "/v2/transactions/{TransactionID}",
		ID:      "v2GetTransaction",
		Summary: "One charging event",
		Description: "The same object as in the list. A remote start that never became a charge, and a stop whose start never came, are no charging " +
			"events: 404.",
		Tag:     tagTransactions,
		Scope:   auth.TransactionsRead,
		Limited: true,
		Errors:  []int{http.StatusNotFound},
	}, func(ctx context.Context, in *getInput) (*getOutput, error) { return get(ctx, store, in) })
}

func get(ctx context.Context, store leyden.Store, in *getInput) (*getOutput, error) {
	t, err := rest.FindTransaction(ctx, store, "TransactionID", in.ID)
	if err != nil {
		return nil, err
	}
	if !t.Status.Charged() || !t.HasStart() || !rest.PrincipalOf(ctx).Reach.Covers(t.Station) {
		return nil, leyden.ErrNotFound
	}
	return &getOutput{rest.Versioned{Edition: t.Edition()}, present(&t)}, nil
}

func list(ctx context.Context, store leyden.Store, in *listInput) (*listOutput, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	q.Within, q.Brief = rest.PrincipalOf(ctx).Reach.Within(), true
	if f, ok := rest.FileAsked(ctx, ""); ok {
		return file(ctx, store, q, f)
	}
	ctx, cancel := context.WithTimeout(ctx, rest.RequestTimeout)
	defer cancel()
	back, err := in.place(ctx, &q)
	if err != nil {
		return nil, err
	}
	page, err := store.Transactions(ctx, q)
	if err != nil {
		return nil, err
	}
	found, links := in.cut(ctx, &q, page, back)
	out := &listOutput{Total: page.Total, Link: links, Body: make([]transaction, 0, len(found))}
	if page.LowerBound {
		out.LowerBound = "true"
	}
	for i := range found {
		out.Body = append(out.Body, present(&found[i]))
	}
	return out, nil
}

// file answers with all that q selects.
func file(ctx context.Context, store leyden.Store, q leyden.Query, f export.Format) (*listOutput, error) {
	counting, cancel := context.WithTimeout(ctx, rest.RequestTimeout)
	defer cancel()
	one := q
	one.Limit = 1
	page, err := store.Transactions(counting, one)
	if err != nil {
		return nil, err
	}
	out := &listOutput{Total: page.Total}
	if page.LowerBound {
		out.LowerBound = "true"
	}
	out.SendFile("transactions", f, func(w io.Writer) (int64, error) {
		return export.Copy(w, f, func(yield func(transaction, error) bool) {
			for t, err := range store.Scan(ctx, q) {
				if !yield(present(&t), err) {
					return
				}
			}
		}, nil)
	})
	return out, nil
}

// query says what is asked for in the words of the ledger.
func (in *listInput) query() (leyden.Query, error) {
	q := leyden.Query{
		Station:   leyden.StationID(in.ChargerID),
		Connector: in.ConnectorID,
		Vehicle:   in.VehicleID,
		Charged:   true,
		Ascending: in.Order == "asc",
	}
	window := leyden.Window{From: in.From.Time, To: in.To.Time}
	if !window.To.IsZero() && window.To.Before(window.From) {
		return q, rest.Invalid("to", "lies before from")
	}
	switch in.FilterBy {
	case "StartAt":
		q.Started = window
	case "EndAt":
		q.Stopped = known(window)
	case "InsertedAt":
		q.Inserted = known(window)
	case "Overlapping":
		q.Overlaps = window
	}
	switch in.OrderBy {
	case "StartAt":
		q.Order = leyden.ByStart
	case "EndAt":
		q.Order = leyden.ByStop
	case "InsertedAt":
		q.Order = leyden.ByInserted
	}
	return q, nil
}

// known returns a window without bounds as one that begins before all that ever
// was: a charge that runs has no such time, and lies in none.
func known(w leyden.Window) leyden.Window {
	if w.IsZero() {
		w.From = time.Time{}.Add(time.Microsecond)
	}
	return w
}
