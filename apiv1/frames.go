package apiv1

import (
	"context"
	"fmt"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// frame is how v1 shows a [leyden.Frame].
type frame struct {
	Seq           int64                 `json:"seq" doc:"Its place in the journal, rising." example:"17"`
	ChargeBoxID   leyden.StationID      `json:"chargeBoxId" example:"CHARGER-001"`
	Timestamp     rest.Time             `json:"timestamp" nullable:"false" doc:"When it came, or was about to leave, by the server's clock." example:"2026-02-06T12:00:00.000Z"`
	Direction     string                `json:"direction" enum:"in,out" doc:"in: the charger sent it; out: the server did." example:"in"`
	Type          string                `json:"type" enum:"call,result,error,broken" doc:"A request, an answer to one, an answer that says why a request was not processed, or what cannot be read." example:"call"`
	Action        *string               `json:"action" doc:"The OCPP action; of an answer that of the request." example:"MeterValues"`
	MessageID     *string               `json:"messageId" doc:"As sent; an answer has that of its request." example:"19223201"`
	TransactionID *leyden.TransactionID `json:"transactionId" doc:"The transaction that it is about." example:"12345"`
	Frame         string                `json:"frame" doc:"The whole message as it was sent; of secrets only *** is left." example:"[2,\"19223201\",\"Heartbeat\",{}]"`
}

func presentFrame(f *leyden.Frame) frame {
	out := frame{
		Seq:           f.Seq,
		ChargeBoxID:   f.Station,
		Timestamp:     rest.Time{Time: f.At},
		Direction:     frameIn,
		Type:          string(f.Type),
		Action:        orNull(f.Action),
		MessageID:     orNull(f.MessageID),
		TransactionID: orNull(f.Transaction),
		Frame:         f.Text,
	}
	if f.Sent {
		out.Direction = frameOut
	}
	return out
}

const (
	frameIn  = "in"
	frameOut = "out"
	oldest   = "asc" // first
)

type frameList struct {
	Frames    []frame `json:"frames"`
	NextAfter *int64  `json:"nextAfter" doc:"As after it continues the list; in ascending order also once there are newer frames. null: there is no more, or nothing yet." example:"17"`
}

// A FrameFilter is what frames can be selected by, wherever they are listed.
type FrameFilter struct {
	Action    string    `query:"action" maxLength:"255" doc:"Only requests of this action, and answers to them." example:"MeterValues"`
	Type      string    `query:"type" enum:"call,result,error,broken" doc:"Only those of this type."`
	Direction string    `query:"direction" enum:"in,out" doc:"Only those that the charger sent (in), or the server (out)."`
	From      rest.Time `query:"from" doc:"Only from then on, by the server's clock."`
	To        rest.Time `query:"to" doc:"Only before then."`
	Order     string    `query:"order" enum:"asc,desc" default:"desc" doc:"asc: the oldest first."`
	After     int64     `query:"after" minimum:"0" doc:"Only those that follow this seq in the order; 0 is none."`
	Limit     int       `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"How many at most."`
	Format    string    `query:"format" enum:"csv,ndjson,json,parquet" doc:"All from after on, up to now, as a file in this form, whatever limit is. Accept can ask for it too."`
}

func (f *FrameFilter) query() leyden.FrameQuery {
	q := leyden.FrameQuery{
		Action: f.Action, Type: leyden.FrameType(f.Type), At: leyden.Window{From: f.From.Time, To: f.To.Time},
		Ascending: f.Order == oldest, After: f.After, Limit: f.Limit,
	}
	if f.Direction != "" {
		q.Sent = new(f.Direction == frameOut)
	}
	return q
}

type listFramesInput struct {
	ChargerPath
	FrameFilter
	TransactionID int64 `query:"transactionId" minimum:"1" maximum:"2147483647" doc:"Only those about this transaction." example:"12345"`
}

type listTransactionFramesInput struct {
	TransactionPath
	FrameFilter
}

func (a *api) serveFrames() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/frames", ID: "v1ListFrames", Tag: tagChargers,
		Summary: "List the OCPP messages of a charger",
		Description: "The messages between charger and server that the journal still has, both ways, the newest first. " +
			"To follow a charger, ask with `order=asc` and the last `nextAfter` as `after` again and again. " +
			"Passwords and keys are masked. 409 when the server keeps no journal.",
		Scope: auth.ChargersRead, Errors: notFoundOrConflict(),
	}, framesOf(a.listFrames, func(in *listFramesInput) *FrameFilter { return &in.FrameFilter }))
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/transactions/{transactionId}/frames", ID: "v1ListTransactionFrames", Tag: tagTransactions,
		Summary: "List the OCPP messages about a transaction",
		Description: "The messages from which the transaction was made, remote start and stop and all answers included, " +
			"as far as the journal still has them; see the messages of a charger. 409 when the server keeps no journal.",
		Scope: auth.TransactionsRead, Errors: notFoundOrConflict(),
	}, framesOf(a.listTransactionFrames, func(in *listTransactionFramesInput) *FrameFilter { return &in.FrameFilter }))
}

// framesOf returns a list of frames whose input has a filter.
func framesOf[I any](page func(context.Context, *I) (*bodied[frameList], error), filter func(*I) *FrameFilter) listing[I, frameList, frame] {
	return listing[I, frameList, frame]{
		name: "frames", page: page,
		rows:   func(l *frameList) []frame { return l.Frames },
		format: func(in *I) string { return filter(in).Format },
		first:  func(in *I) { filter(in).Limit = partLarge },
		next: func(in *I, l *frameList) bool {
			f, more := filter(in), len(l.Frames) == partLarge
			if more {
				f.After = l.Frames[partLarge-1].Seq
			}
			l.NextAfter = nil // a file is all
			return more
		},
	}
}

func (a *api) listFrames(ctx context.Context, in *listFramesInput) (*bodied[frameList], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	q := in.query()
	q.Station, q.Transaction = s.ID, leyden.TransactionID(in.TransactionID)
	return a.frames(ctx, q)
}

func (a *api) listTransactionFrames(ctx context.Context, in *listTransactionFramesInput) (*bodied[frameList], error) {
	t, err := a.transaction(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	q := in.query()
	q.Station, q.Transaction = t.Station, t.ID
	return a.frames(ctx, q)
}

func (a *api) frames(ctx context.Context, q leyden.FrameQuery) (*bodied[frameList], error) {
	if a.Journal == nil {
		return nil, rest.Errorf(http.StatusConflict, "this server keeps no journal of messages")
	}
	found, err := a.Journal.Frames(ctx, q)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", leyden.ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	out := frameList{Frames: make([]frame, len(found)), NextAfter: nextAfter(&q, found)}
	for i := range found {
		out.Frames[i] = presentFrame(&found[i])
	}
	return &bodied[frameList]{out}, nil
}

// nextAfter returns where a list goes on: one that ascends never ends.
func nextAfter(q *leyden.FrameQuery, found []leyden.Frame) *int64 {
	switch {
	case len(found) == q.Limit, q.Ascending && len(found) > 0:
		return &found[len(found)-1].Seq
	case q.Ascending:
		return orNull(q.After)
	}
	return nil
}
