package apiv1

import (
	"context"
	"slices"
	"strings"

	"leyden"
	"leyden/rest"
)

type listTransactionsInput struct {
	TransactionFilter
	Sort string `query:"sort" enum:"transactionId,-transactionId,startTime,-startTime,stopTime,-stopTime,insertedAt,-insertedAt" default:"-transactionId" doc:"The order; a minus turns it round. An unknown time is the newest."`
	rest.Window
}

// A TransactionFilter selects transactions by a query.
type TransactionFilter struct {
	ChargeBoxID   string    `query:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"Only those of this charger."`
	Status        []string  `query:"status" enum:"pending,active,stopping,completed,failed,expired,cancelled,void,in_progress" doc:"Only those in one of these states, with commas between them. in_progress is active and stopping. Without it all but void are listed, and void too where insertedFrom or insertedTo is given."`
	ConnectorID   int       `query:"connectorId" minimum:"1" doc:"Only those of this connector."`
	IDTag         string    `query:"idTag" maxLength:"255" doc:"Only those that this idTag started, whatever its case."`
	VehicleID     string    `query:"vehicleId" maxLength:"255" doc:"Only those of this vehicle."`
	StartedFrom   rest.Time `query:"startedFrom" doc:"Only those that started then or later, by the charger's clock."`
	StartedTo     rest.Time `query:"startedTo" doc:"Only those that started earlier."`
	StoppedFrom   rest.Time `query:"stoppedFrom" doc:"Only those that stopped then or later, by the charger's clock."`
	StoppedTo     rest.Time `query:"stoppedTo" doc:"Only those that stopped earlier."`
	InsertedFrom  rest.Time `query:"insertedFrom" doc:"Only those whose final record was committed then or later."`
	InsertedTo    rest.Time `query:"insertedTo" doc:"Only those whose final record was committed earlier."`
	RemoteStarted string    `query:"remoteStarted" enum:"true,false" doc:"Only those that began with a remote start, or only the others."`
}

type transactionList struct {
	Transactions []Transaction `json:"transactions"`
	Pagination   pagination    `json:"pagination"`
}

// transactionListing lists transactions; a file is read without pages.
func (a *api) transactionListing() listing[listTransactionsInput, transactionList, Transaction] {
	l := inParts("transactions", partRows, a.listTransactions, func(l *transactionList) []Transaction { return l.Transactions })
	l.all = a.allTransactions
	return l
}

func (a *api) allTransactions(ctx context.Context, in *listTransactionsInput) (*whole[transactionList, Transaction], error) {
	in.Limit, in.Offset = 1, 0 // only how many there are
	first, err := timely(ctx, a.listTransactions, in)
	if err != nil {
		return nil, err
	}
	q, err := a.query(ctx, in)
	if err != nil {
		return nil, err
	}
	p, now := first.Body.Pagination, a.Ledger.Now()
	return &whole[transactionList, Transaction]{
		head: &first.Body, total: p.Total, least: p.TotalIsLowerBound,
		rows: func(yield func(Transaction, error) bool) {
			for t, err := range a.Ledger.Store().Scan(ctx, q) {
				if !yield(Present(&t, now), err) {
					return
				}
			}
		},
	}, nil
}

func (a *api) listTransactions(ctx context.Context, in *listTransactionsInput) (*bodied[transactionList], error) {
	q, err := a.query(ctx, in)
	if err != nil {
		return nil, err
	}
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	q.Limit, q.Offset, q.After = part.Limit, part.Offset, part.After
	page, err := a.Ledger.Store().Transactions(ctx, q)
	if err != nil {
		return nil, err
	}
	now := a.Ledger.Now()
	out := new(bodied[transactionList])
	out.Body.Transactions, out.Body.Pagination = paged(ctx, in.Window, page.Transactions, page.Total, q.Order.PlaceOf,
		func(t *leyden.Transaction) Transaction { return Present(t, now) })
	out.Body.Pagination.TotalIsLowerBound = page.LowerBound
	return out, nil
}

// query returns what selects and sorts the transactions that were asked for.
func (a *api) query(ctx context.Context, in *listTransactionsInput) (leyden.Query, error) {
	station, err := a.stationFilter(ctx, in.ChargeBoxID)
	if err != nil {
		return leyden.Query{}, err
	}
	q := leyden.Query{
		Station:   station,
		Within:    reached(ctx),
		Connector: in.ConnectorID,
		Token:     in.IDTag,
		Vehicle:   in.VehicleID,
		Statuses:  statusesOf(in.Status),
		Started:   leyden.Window{From: in.StartedFrom.Time, To: in.StartedTo.Time},
		Stopped:   leyden.Window{From: in.StoppedFrom.Time, To: in.StoppedTo.Time},
		Inserted:  leyden.Window{From: in.InsertedFrom.Time, To: in.InsertedTo.Time},
		Brief:     true,
	}
	if in.RemoteStarted != "" {
		q.Remote = new(in.RemoteStarted == "true")
	}
	q.Mirror()
	field, descending := strings.CutPrefix(in.Sort, "-")
	q.Order, q.Ascending = orderOf(field), !descending
	return q, nil
}

func orderOf(field string) leyden.Order {
	switch field {
	case "startTime":
		return leyden.ByStart
	case "stopTime":
		return leyden.ByStop
	case "insertedAt":
		return leyden.ByInserted
	}
	return leyden.ByID
}

// statusesOf returns the states with these words, each once.
func statusesOf(words []string) []leyden.Status {
	var statuses []leyden.Status
	for _, word := range words {
		found := []leyden.Status{leyden.Active, leyden.Stopping}
		if status, ok := leyden.ParseStatus(word); ok {
			found = []leyden.Status{status}
		}
		for _, status := range found {
			if !slices.Contains(statuses, status) {
				statuses = append(statuses, status)
			}
		}
	}
	return statuses
}
