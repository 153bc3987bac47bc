package apiv1

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/rest"
)

// Quarantine is the side of stations that repairs what had to be refused.
type Quarantine interface {
	// Replay records a message after all, with a repaired payload unless that is "".
	Replay(ctx context.Context, id int64, repaired string) (leyden.Quarantined, error)
	// Dismiss notes that nothing shall come of a message.
	Dismiss(ctx context.Context, id int64, note string) (leyden.Quarantined, error)
}

// quarantined is how v1 shows a [leyden.Quarantined] message.
type quarantined struct {
	ID            int64            `json:"id" example:"1"`
	ChargeBoxID   leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Action        *string          `json:"action" doc:"The OCPP action, when it could be read." example:"StartTransaction"`
	Reason        string           `json:"reason" doc:"Why it was refused or could not be attributed." example:"a transaction is active on this connector"`
	Frame         string           `json:"frame" doc:"The message as the charger sent it." example:"[2,\"17\",\"StartTransaction\",{}]"`
	Replayable    bool             `json:"replayable" doc:"Whether it waits, and tells of a transaction: others can only be dismissed." example:"true"`
	ReceivedAt    rest.Time        `json:"receivedAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
	Status        string           `json:"status" enum:"waiting,released,dismissed" doc:"released: it was made good, by a replay or by a later message. dismissed: nothing comes of it." example:"waiting"`
	ReleasedAt    rest.Time        `json:"releasedAt" doc:"When it was made good."`
	DismissedAt   rest.Time        `json:"dismissedAt" doc:"When it was dismissed."`
	By            *string          `json:"by" doc:"The id of the credential that replayed or dismissed it; null when a later message made it good." example:"key_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	DismissReason *string          `json:"dismissReason" doc:"Why it was dismissed."`
	TransactionID *int             `json:"transactionId" doc:"The transaction that its replay led to." example:"12345"`
}

func presentQuarantined(q *leyden.Quarantined) quarantined {
	status := q.Status()
	return quarantined{
		ID:            q.ID,
		ChargeBoxID:   q.Station,
		Action:        orNull(q.Action),
		Reason:        q.Reason,
		Frame:         q.Frame,
		Replayable:    status == leyden.QuarantineWaiting && !q.Aside,
		ReceivedAt:    rest.Time{Time: q.ReceivedAt},
		Status:        string(status),
		ReleasedAt:    rest.Time{Time: q.ReleasedAt},
		DismissedAt:   rest.Time{Time: q.DismissedAt},
		By:            orNull(q.By),
		DismissReason: orNull(q.Note),
		TransactionID: orNull(int(q.Transaction)),
	}
}

type quarantineList struct {
	Quarantine []quarantined `json:"quarantine"`
	Pagination pagination    `json:"pagination"`
}

type listQuarantineInput struct {
	ChargeBoxID string `query:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"Only those of this charger."`
	Status      string `query:"status" enum:"waiting,released,dismissed" doc:"Only those in this state."`
	Waiting     bool   `query:"waiting" doc:"An older spelling of status=waiting."`
	rest.Window
}

// QuarantinePath names a quarantined message in a path.
type QuarantinePath struct {
	ID int64 `path:"quarantineId" minimum:"1" doc:"The number of the message." example:"1"`
}

type replayInput struct {
	QuarantinePath
	Body *struct {
		Payload json.RawMessage `json:"payload,omitempty" doc:"The repaired payload of the message, an object; as it was sent when absent."`
	} `nameHint:"V1Replay"`
}

type dismissInput struct {
	QuarantinePath
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for whoever wonders later." example:"sent by a test bench"`
	} `nameHint:"V1Dismiss"`
}

func (a *api) serveQuarantine() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/quarantine", ID: "v1ListQuarantine", Tag: tagQuarantine,
		Summary:     "List quarantined messages",
		Description: "Messages that had to be refused or could not be attributed, as they were sent, the newest first.",
		Scope:       auth.TransactionsRead, Limited: true,
	}, inParts("quarantine", partLarge, a.listQuarantine, func(l *quarantineList) []quarantined { return l.Quarantine }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/quarantine/{quarantineId}", ID: "v1GetQuarantined", Tag: tagQuarantine,
		Summary:     "Get a quarantined message",
		Description: "One message, as it was sent, why it is here, and what became of it.",
		Scope:       auth.TransactionsRead, Limited: true, Errors: notFound(),
	}, a.getQuarantined)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/quarantine/{quarantineId}/replay", ID: "v1ReplayQuarantined", Tag: tagQuarantine,
		Summary: "Replay a quarantined message",
		Description: "Records the message after all, as if the charger had sent it now, with a repaired payload if there is one; the charger hears nothing of it. " +
			"A start on a connector where another transaction runs ends that one. 400 says why it still cannot be recorded, and changes nothing; " +
			"409 that it does not wait, or tells of no transaction.",
		Scope: auth.Admin, Errors: notFoundOrConflict(), MaxBody: maxLargeBody,
	}, a.replayQuarantined)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/quarantine/{quarantineId}/dismiss", ID: "v1DismissQuarantined", Tag: tagQuarantine,
		Summary:     "Dismiss a quarantined message",
		Description: "Notes that nothing shall come of it; it stays readable. 409 when it does not wait.",
		Scope:       auth.Admin, Errors: notFoundOrConflict(),
	}, a.dismissQuarantined)
}

func (a *api) listQuarantine(ctx context.Context, in *listQuarantineInput) (*bodied[quarantineList], error) {
	station, err := a.stationFilter(ctx, in.ChargeBoxID)
	if err != nil {
		return nil, err
	}
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	q := leyden.QuarantineQuery{
		Station: station, Within: reached(ctx), Status: leyden.QuarantineStatus(in.Status), After: part.After, Limit: part.Limit, Offset: part.Offset,
	}
	if in.Waiting {
		if in.Status != "" && q.Status != leyden.QuarantineWaiting {
			return nil, rest.Invalid("waiting", "contradicts status")
		}
		q.Status = leyden.QuarantineWaiting
	}
	total, err := a.Ledger.Store().CountQuarantined(ctx, q)
	if err != nil {
		return nil, err
	}
	found, err := a.Ledger.Store().Quarantined(ctx, q)
	if err != nil {
		return nil, err
	}
	out := new(bodied[quarantineList])
	out.Body.Quarantine, out.Body.Pagination = paged(ctx, in.Window, found, total,
		func(q *leyden.Quarantined) leyden.Cursor { return leyden.Cursor{ID: q.ID} }, presentQuarantined)
	return out, nil
}

func (a *api) getQuarantined(ctx context.Context, in *QuarantinePath) (*bodied[quarantined], error) {
	found, err := a.Ledger.Store().Quarantined(ctx, leyden.QuarantineQuery{ID: in.ID, Within: reached(ctx), Limit: 1})
	if err == nil && len(found) == 0 {
		err = leyden.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("quarantined message %d: %w", in.ID, err)
	}
	return &bodied[quarantined]{presentQuarantined(&found[0])}, nil
}

func (a *api) replayQuarantined(ctx context.Context, in *replayInput) (*bodied[quarantined], error) {
	var payload string
	if in.Body != nil && len(in.Body.Payload) > 0 {
		if !bytes.HasPrefix(in.Body.Payload, []byte("{")) {
			return nil, rest.Invalid("payload", "is not an object")
		}
		payload = string(in.Body.Payload)
	}
	q, err := a.Stations.Replay(csms.As(ctx, rest.PrincipalOf(ctx).ID), in.ID, payload)
	return settled(ctx, &q, err)
}

func (a *api) dismissQuarantined(ctx context.Context, in *dismissInput) (*bodied[quarantined], error) {
	var reason string
	if in.Body != nil {
		reason = in.Body.Reason
	}
	q, err := a.Stations.Dismiss(csms.As(ctx, rest.PrincipalOf(ctx).ID), in.ID, reason)
	return settled(ctx, &q, err)
}

// settled shows a message after a decision about it, or says why that could not
// be made.
func settled(ctx context.Context, q *leyden.Quarantined, err error) (*bodied[quarantined], error) {
	rest.Concerns(ctx, q.Station, q.Transaction)
	if errors.Is(err, leyden.ErrState) {
		return nil, refusal("", err)
	}
	if err != nil {
		return nil, err
	}
	return &bodied[quarantined]{presentQuarantined(q)}, nil
}
