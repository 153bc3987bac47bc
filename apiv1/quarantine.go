package apiv1

import (
	"context"
	"fmt"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// quarantined is how v1 shows a [leyden.Quarantined] message.
type quarantined struct {
	ID          int64            `json:"id" example:"1"`
	ChargeBoxID leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Action      *string          `json:"action" doc:"The OCPP action, when it could be read." example:"StartTransaction"`
	Reason      string           `json:"reason" doc:"Why it was refused or could not be attributed." example:"a transaction is active on this connector"`
	Frame       string           `json:"frame" doc:"The message as the charger sent it." example:"[2,\"17\",\"StartTransaction\",{}]"`
	ReceivedAt  rest.Time        `json:"receivedAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
	Status      string           `json:"status" enum:"waiting,released" doc:"released: a later message made it good." example:"waiting"`
	ReleasedAt  rest.Time        `json:"releasedAt" doc:"When it was made good."`
}

const (
	waiting  = "waiting"
	released = "released"
)

func presentQuarantined(q *leyden.Quarantined) quarantined {
	out := quarantined{
		ID:          q.ID,
		ChargeBoxID: q.Station,
		Action:      orNull(q.Action),
		Reason:      q.Reason,
		Frame:       q.Frame,
		ReceivedAt:  rest.Time{Time: q.ReceivedAt},
		Status:      waiting,
		ReleasedAt:  rest.Time{Time: q.ReleasedAt},
	}
	if !q.ReleasedAt.IsZero() {
		out.Status = released
	}
	return out
}

type quarantineList struct {
	Quarantine []quarantined `json:"quarantine"`
	Pagination pagination    `json:"pagination"`
}

type listQuarantineInput struct {
	ChargeBoxID string `query:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"Only those of this charger."`
	Waiting     bool   `query:"waiting" doc:"Only those that were not made good."`
	rest.Window
}

type quarantinePath struct {
	ID int64 `path:"quarantineId" minimum:"1" doc:"The number of the message." example:"1"`
}

func (a *api) serveQuarantine() {
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/quarantine", ID: "v1ListQuarantine", Tag: tagQuarantine,
		Summary: "List quarantined messages",
		Description: "Messages about transactions that had to be refused or could not be attributed, as they were sent, the newest first. " +
			"`total` is a lower bound when it says so.",
		Scope: auth.TransactionsRead,
	}, a.listQuarantine)
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/quarantine/{quarantineId}", ID: "v1GetQuarantined", Tag: tagQuarantine,
		Summary:     "Get a quarantined message",
		Description: "One message, as it was sent, and why it is here.",
		Scope:       auth.TransactionsRead, Errors: notFound(),
	}, a.getQuarantined)
}

func (a *api) listQuarantine(ctx context.Context, in *listQuarantineInput) (*bodied[quarantineList], error) {
	station, err := a.stationFilter(ctx, in.ChargeBoxID)
	if err != nil {
		return nil, err
	}
	found, err := a.Ledger.Store().Quarantined(ctx, leyden.QuarantineQuery{
		Station: station, Waiting: in.Waiting, Limit: in.Limit + 1, Offset: in.Offset,
	})
	if err != nil {
		return nil, err
	}
	out := quarantineList{Quarantine: []quarantined{}, Pagination: paginationOf(in.Window, in.Offset+len(found))}
	out.Pagination.TotalIsLowerBound = len(found) > in.Limit
	if len(found) == 0 && in.Offset > 0 { // beyond the end, wherever that is
		out.Pagination.Total, out.Pagination.TotalIsLowerBound = 0, true
	}
	for i := range found[:min(in.Limit, len(found))] {
		out.Quarantine = append(out.Quarantine, presentQuarantined(&found[i]))
	}
	return &bodied[quarantineList]{out}, nil
}

func (a *api) getQuarantined(ctx context.Context, in *quarantinePath) (*bodied[quarantined], error) {
	found, err := a.Ledger.Store().Quarantined(ctx, leyden.QuarantineQuery{ID: in.ID, Limit: 1})
	if err == nil && len(found) == 0 {
		err = leyden.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("quarantined message %d: %w", in.ID, err)
	}
	return &bodied[quarantined]{presentQuarantined(&found[0])}, nil
}
