package apiv1

import (
	"context"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// A Reservation is how v1 shows a [leyden.Reservation].
type Reservation struct {
	ReservationID int              `json:"reservationId" doc:"Its number at the charger." example:"17"`
	ChargeBoxID   leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	ConnectorID   int              `json:"connectorId" doc:"0 is any connector of the charger." example:"1"`
	IDTag         string           `json:"idTag" doc:"For whom it is." example:"USER123"`
	ParentIDTag   *string          `json:"parentIdTag" doc:"The idTag's group when it was made: its members may use it too." example:"FLEET-7"`
	ExpiryDate    rest.Time        `json:"expiryDate" nullable:"false" doc:"Until when it is kept." example:"2026-02-06T13:00:00.000Z"`
	Status        string           `json:"status" enum:"pending,active,used,cancelled,expired,refused" doc:"pending: the charger has not answered; active: it accepted; used: a transaction began on it; refused: it answered anything but Accepted." example:"active"`
	Answer        *string          `json:"answer" doc:"The charger's word, or the code of its error; null before it answered." example:"Accepted"`
	RequestedBy   *string          `json:"requestedBy" doc:"The id of the credential that asked last."`
	TransactionID *int             `json:"transactionId" doc:"The transaction that used it."`
	CreatedAt     rest.Time        `json:"createdAt" nullable:"false" doc:"When it was asked for, by the server's clock." example:"2026-02-06T12:00:00.000Z"`
	EndedAt       rest.Time        `json:"endedAt" doc:"When it was used, cancelled, refused, or found to have expired."`
}

func presentReservation(r *leyden.Reservation) Reservation {
	return Reservation{
		ReservationID: r.ID,
		ChargeBoxID:   r.Station,
		ConnectorID:   r.Connector,
		IDTag:         r.Token.Value,
		ParentIDTag:   orNull(r.Parent),
		ExpiryDate:    rest.Time{Time: r.ExpiresAt},
		Status:        string(r.Status),
		Answer:        orNull(r.Answer),
		RequestedBy:   orNull(r.By),
		TransactionID: orNull(int(r.Transaction)),
		CreatedAt:     rest.Time{Time: r.CreatedAt},
		EndedAt:       rest.Time{Time: r.EndedAt},
	}
}

type reservationList struct {
	Reservations []Reservation `json:"reservations"`
	Pagination   pagination    `json:"pagination"`
}

type listReservationsInput struct {
	ChargerPath
	Status []string `query:"status" enum:"pending,active,used,cancelled,expired,refused,open" doc:"Only those in one of these states, with commas between them. open is pending and active."`
	rest.Window
}

func (a *api) serveReservations() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/reservations", ID: "v1ListReservations", Tag: tagChargers,
		Summary: "List the reservations of a charger",
		Description: "All of them, the newest first. One is closed by the transaction that begins on it, by a cancellation, " +
			"or a minute after its end.",
		Scope: auth.ChargersRead, Errors: notFound(),
	}, inParts("reservations", partRows, a.listReservations, func(l *reservationList) []Reservation { return l.Reservations }))
}

func (a *api) listReservations(ctx context.Context, in *listReservationsInput) (*bodied[reservationList], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	q := leyden.ReservationQuery{Station: s.ID, Limit: part.Limit, Offset: part.Offset, After: part.After}
	for _, word := range in.Status {
		if word == "open" {
			q.Statuses = append(q.Statuses, leyden.ReservationPending, leyden.ReservationActive)
			continue
		}
		q.Statuses = append(q.Statuses, leyden.ReservationStatus(word))
	}
	list, total, err := a.Ledger.Store().Reservations(ctx, q)
	if err != nil {
		return nil, err
	}
	out := new(bodied[reservationList])
	out.Body.Reservations, out.Body.Pagination = paged(ctx, in.Window, list, total, func(r *leyden.Reservation) leyden.Cursor {
		return leyden.Cursor{At: r.CreatedAt, ID: int64(r.ID), Name: string(r.Station)}
	}, presentReservation)
	return out, nil
}
