package apiv1

import (
	"context"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// transactionStep is one entry of a transaction's timeline: what happened,
// when, why, and what state the transaction was in after it.
type transactionStep struct {
	Seq                  int64                 `json:"seq" doc:"Its place in the ledger." example:"17"`
	Kind                 string                `json:"kind" doc:"What happened: started, updated and ended are the charger's reports." example:"started"`
	At                   rest.Time             `json:"at" doc:"By the charger's clock, when it gave a time." example:"2026-02-06T12:00:00.000Z"`
	ReceivedAt           rest.Time             `json:"receivedAt" nullable:"false" doc:"By the server's clock." example:"2026-02-06T12:00:01.000Z"`
	Status               string                `json:"status" doc:"The state of the transaction after it." example:"active"`
	Cause                string                `json:"cause" enum:"charger,client,ledger" doc:"Whether the charger reported it, a client asked for it, or the ledger decided or noted it." example:"charger"`
	By                   *string               `json:"by" doc:"The id of the credential that asked for it."`
	Reason               *string               `json:"reason" doc:"Why: OCPP's reason, or the ledger's own."`
	ReasonText           *string               `json:"reasonText" doc:"The charger's reason as sent, when OCPP does not know it."`
	Round                *int                  `json:"round" doc:"Which remote stop it is about."`
	Correction           *int                  `json:"correction" doc:"The number of the correction that it is."`
	RelatedTransactionID *leyden.TransactionID `json:"relatedTransactionId" doc:"The transaction that replaced this one, or that it was joined with."`
	ConnectorID          *int                  `json:"connectorId"`
	IDTag                *string               `json:"idTag"`
	IDTagStatus          *string               `json:"idTagStatus" doc:"What the charger was told of the idTag."`
	Meter                *leyden.WattHours     `json:"meter" doc:"The register that came with it, in Wh."`
	MeterValues          int                   `json:"meterValues" doc:"How many sampled values came with it."`
	ExpiresAt            rest.Time             `json:"expiresAt" doc:"Of a remote start: when it gives up."`
	Flags                []string              `json:"flags" doc:"What was odd about it."`
}

// timeline shows events in the order in which they were recorded.
func timeline(events []leyden.Event) []transactionStep {
	steps := make([]transactionStep, len(events))
	var t leyden.Transaction
	for i := range events {
		e := &events[i]
		t = leyden.Apply(t, *e)
		steps[i] = transactionStep{
			Seq:                  e.Seq,
			Kind:                 e.Kind.String(),
			At:                   rest.Time{Time: e.At},
			ReceivedAt:           rest.Time{Time: e.ReceivedAt},
			Status:               t.Status.String(),
			Cause:                causeOf(e),
			By:                   orNull(e.By),
			Reason:               orNull(e.Reason),
			ReasonText:           orNull(e.ReasonText),
			Round:                roundOf(e),
			Correction:           correctionOf(e),
			RelatedTransactionID: orNull(e.Other),
			ConnectorID:          orNull(e.Connector),
			IDTag:                orNull(e.Token.Value),
			IDTagStatus:          orNull(e.Auth.Status),
			Meter:                e.Register,
			MeterValues:          len(e.Samples),
			ExpiresAt:            rest.Time{Time: e.Expires},
			Flags:                e.Flags.Names(),
		}
	}
	return steps
}

func roundOf(e *leyden.Event) *int {
	if e.Kind.Corrects() {
		return nil
	}
	return orNull(e.Round)
}

func correctionOf(e *leyden.Event) *int {
	if !e.Kind.Corrects() {
		return nil
	}
	return orNull(e.Round)
}

// causeOf says whose doing an event is.
func causeOf(e *leyden.Event) string {
	switch e.Kind {
	case leyden.Started, leyden.Updated, leyden.Ended, leyden.Contradicted,
		leyden.StartAnswered, leyden.StartRefused, leyden.StartErrored, leyden.StopAnswered, leyden.StopDenied,
		leyden.PluggedOut, leyden.Rebooted:
		return "charger"
	case leyden.Requested, leyden.StartCancelled, leyden.StopRequested,
		leyden.Corrected, leyden.Reverted, leyden.Closed, leyden.Joined, leyden.JoinedElsewhere:
		if e.By != "" {
			return "client"
		}
	}
	return "ledger"
}

type listEventsInput struct {
	TransactionPath
	rest.Window
}

type stepList struct {
	Events     []transactionStep `json:"events"`
	Pagination pagination        `json:"pagination"`
}

func (a *api) serveEvents() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/transactions/{transactionId}/events", ID: "v1ListTransactionEvents", Tag: tagTransactions,
		Summary: "Show the timeline of a transaction",
		Description: "All that was reported, asked for and decided about it, in the order in which it was recorded, " +
			"with cause, both clocks and the state that followed.",
		Scope: auth.TransactionsRead, Errors: notFound(),
	}, inParts("events", atOnce, a.listEvents, func(l *stepList) []transactionStep { return l.Events }))
}

func (a *api) listEvents(ctx context.Context, in *listEventsInput) (*bodied[stepList], error) {
	_, events, err := a.history(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	page, pages, err := pageByNumber(ctx, in.Window, timeline(events))
	return &bodied[stepList]{stepList{Events: page, Pagination: pages}}, err
}
