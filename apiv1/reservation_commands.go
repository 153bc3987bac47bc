package apiv1

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"leyden"
	"leyden/rest"
)

// Reservations is the part of [Stations] that keeps connectors for idTags. With
// an error the reservation is the one that was recorded, if there is one.
type Reservations interface {
	// Reserve asks a station to keep a connector, or with 0 any of them.
	Reserve(ctx context.Context, q leyden.ReservationRequest) (leyden.Reservation, error)
	// CancelReservation asks a station to give up a reservation.
	CancelReservation(ctx context.Context, id leyden.StationID, number int, by string) (leyden.Reservation, error)
}

type reserveInput struct {
	ChargerPath
	Body struct {
		ConnectorID int       `json:"connectorId" minimum:"0" maximum:"65535" doc:"0 is any connector of the charger." example:"1"`
		IDTag       string    `json:"idTag" minLength:"1" maxLength:"20" doc:"For whom it is; its group may use it, too." example:"USER123"`
		ExpiryDate  rest.Time `json:"expiryDate" nullable:"false" doc:"Until when it is kept." example:"2026-02-06T13:00:00.000Z"`
	} `nameHint:"V1NewReservation"`
}

type cancelReservationInput struct {
	ChargerPath
	ReservationID int `path:"reservationId" minimum:"-2147483648" maximum:"2147483647" doc:"Its number at the charger." example:"17"`
}

func (a *api) serveReservationCommands() {
	command(a, rest.Operation{
		Path: "/reservations", ID: "v1Reserve", Summary: "Reserve a connector", Status: http.StatusCreated,
		Description: "OCPP ReserveNow. The reservation has its number before the charger is asked. Any answer but Accepted (Occupied, Faulted, Unavailable, Rejected) " +
			"is 409 `REJECTED_BY_CHARGER`, with that word as `status` in the details. After a 504 it stays pending until its end: the charger may keep it.",
	}, a.reserve)
	command(a, rest.Operation{
		Path: "/reservations/{reservationId}/cancel", ID: "v1CancelReservation", Summary: "Cancel a reservation",
		Description: "OCPP CancelReservation. A charger that knows of no such reservation answers Rejected, 409 `REJECTED_BY_CHARGER`: then it ends here, too, and `status` in the details is cancelled. " +
			"One that was cancelled before is answered alike, without asking the charger; one that ended otherwise is 409 `CONFLICT`.",
	}, a.cancelReservation)
}

func (a *api) reserve(ctx context.Context, in *reserveInput) (*bodied[Reservation], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	if !in.Body.ExpiryDate.After(a.Ledger.Now()) {
		return nil, rest.Invalid("expiryDate", "is not in the future")
	}
	r, err := a.Stations.Reserve(ctx, leyden.ReservationRequest{
		Station: s.ID, Connector: in.Body.ConnectorID, Token: leyden.IDToken{Value: in.Body.IDTag},
		ExpiresAt: in.Body.ExpiryDate.Time, By: rest.PrincipalOf(ctx).ID,
	})
	if err != nil {
		return nil, aboutReservation(&r, r.Answer, err)
	}
	return &bodied[Reservation]{presentReservation(&r)}, nil
}

func (a *api) cancelReservation(ctx context.Context, in *cancelReservationInput) (*bodied[Reservation], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	r, err := a.Stations.CancelReservation(ctx, s.ID, in.ReservationID, rest.PrincipalOf(ctx).ID)
	if err != nil {
		return nil, aboutReservation(&r, string(r.Status), err)
	}
	return &bodied[Reservation]{presentReservation(&r)}, nil
}

// aboutReservation adds to a refusal which reservation records it, and if the
// charger refused the word for how it stands.
func aboutReservation(r *leyden.Reservation, status string, err error) error {
	e := explain(err)
	if e == nil || r.Version == 0 {
		return err
	}
	e.Details = append(e.Details, rest.Detail{Field: "reservationId", Reason: strconv.Itoa(r.ID)})
	if errors.Is(err, leyden.ErrRefused) && status != "" {
		e.Details = append(e.Details, rest.Detail{Field: "status", Reason: status})
	}
	return e
}
