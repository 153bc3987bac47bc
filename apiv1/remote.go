package apiv1

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// Limits of what a client may note with a remote start.
const (
	maxMetadata      = 20  // entries
	maxMetadataName  = 40  // characters
	maxMetadataValue = 500 // characters
)

// How to find out what became of a request that was interrupted.
const (
	findOutStart = "If the charger was asked, GET /api/v1/transactions?remoteStarted=true&chargeBoxId=… has the transaction, " +
		"which is pending before the charger is; else use another key"
	findOutCommand = "If the charger was asked, GET /api/v1/chargers/{chargeBoxId}/commands tells what became of it; else use another key"
)

type remoteStartInput struct {
	ChargerPath
	Body remoteStart
}

// remoteStart asks a charger to begin.
type remoteStart struct {
	ConnectorID int               `json:"connectorId" minimum:"1" maximum:"65535" doc:"The connector to start charging on." example:"1"`
	IDTag       string            `json:"idTag" minLength:"1" maxLength:"20" doc:"User or RFID identifier for the session." example:"USER123"`
	VehicleID   string            `json:"vehicleId,omitempty" minLength:"1" maxLength:"64" doc:"The vehicle that will charge; else the one that uses the idTag."`
	Metadata    map[string]string `json:"metadata,omitempty" maxProperties:"20" doc:"Kept with the transaction: up to 20 texts of 500 characters, with names of 40."`

	ProfileChoice
}

type startInput struct{ Body start }

// start is remoteStart in its second spelling.
type start struct {
	ChargeBoxID string            `json:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"The charger's OCPP identity, or its id." example:"CHARGER-001"`
	ConnectorID int               `json:"connectorId" minimum:"1" maximum:"65535" doc:"The connector to start charging on." example:"1"`
	IDTag       string            `json:"idTag,omitempty" minLength:"1" maxLength:"20" doc:"User or RFID identifier for the session; may be left out when the server has a default." example:"USER123"`
	VehicleID   string            `json:"vehicleId,omitempty" minLength:"1" maxLength:"64" doc:"The vehicle that will charge; else the one that uses the idTag."`
	Metadata    map[string]string `json:"metadata,omitempty" maxProperties:"20" doc:"Kept with the transaction: up to 20 texts of 500 characters, with names of 40."`

	ProfileChoice
}

// A ProfileChoice limits the transaction of a remote start.
type ProfileChoice struct {
	ChargingProfile   *profileInput `json:"chargingProfile,omitempty" doc:"Sent with the remote start: a TxProfile without transactionId."`
	ChargingProfileID string        `json:"chargingProfileId,omitempty" maxLength:"40" doc:"The id of a template, in its stead." example:"prf_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
}

// startAccepted answers a remote start.
type startAccepted struct {
	Message       string               `json:"message" example:"Remote start accepted by charger"`
	TransactionID leyden.TransactionID `json:"transactionId" example:"12345"`
	ChargeBoxID   leyden.StationID     `json:"chargeBoxId" example:"CHARGER-001"`
	ConnectorID   int                  `json:"connectorId" example:"1"`
	Status        string               `json:"status" doc:"As the charger accepted it: pending, however quickly the charge began; cancelled if somebody cancelled it meanwhile." example:"pending"`
	Note          string               `json:"note" example:"Transaction will start when vehicle is connected and ready"`
}

// stopAccepted answers a remote stop.
type stopAccepted struct {
	Message       string               `json:"message" example:"Remote stop accepted by charger"`
	TransactionID leyden.TransactionID `json:"transactionId" example:"12345"`
	ChargeBoxID   leyden.StationID     `json:"chargeBoxId" example:"CHARGER-001"`
	Status        string               `json:"status" doc:"As the charger accepted it: stopping, however quickly the charge ended; cancelled for a transaction that was pending." example:"stopping"`
	Note          string               `json:"note" example:"Transaction will stop shortly. Final details available after StopTransaction is received."`
}

func (a *api) serveRemote() {
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/chargers/{chargeBoxId}/remote-start", ID: "v1RemoteStart", Tag: tagTransactions,
		Summary: "Remote start transaction",
		Description: "Starts a charging session on a connector. The transaction is pending, and its number fixed, before the charger is asked; " +
			"poll it at `Location`.\n\nNothing is sent and nothing recorded when the charger is not connected (503), or when the connector is known to be " +
			"in no state to begin (409 `CONNECTOR_NOT_READY`), charges already (`TRANSACTION_ACTIVE`) or waits for another remote start " +
			"(`TRANSACTION_PENDING`, with its number in the details). After a 504 the transaction stays pending until it expires: the charger may still begin.",
		Scope: auth.TransactionsControl, Status: http.StatusAccepted, Errors: ofStations(), Timeout: stationTimeout, FindOut: findOutStart,
	}, a.remoteStart)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/transactions/start", ID: "v1StartTransaction", Tag: tagTransactions,
		Summary: "Remote start transaction (second spelling)",
		Description: "Does what `POST /chargers/{chargeBoxId}/remote-start` does, with the charger in the body. " +
			"`idTag` may be left out when the server has a default one.",
		Scope: auth.TransactionsControl, Limited: true, Status: http.StatusAccepted, Errors: ofStations(), Timeout: stationTimeout, FindOut: findOutStart,
	}, a.startTransaction)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/transactions/{transactionId}/stop", ID: "v1RemoteStop", Tag: tagTransactions,
		Summary: "Remote stop transaction",
		Description: "Stops an active charging session. A pending one is cancelled; should the charger begin all the same, it is stopped at once. " +
			"One that is stopping already is answered alike. One that has ended is 409 `TRANSACTION_NOT_ACTIVE`.",
		Scope: auth.TransactionsControl, Status: http.StatusAccepted, Errors: ofStations(), Timeout: stationTimeout,
	}, a.remoteStop)
}

func (a *api) remoteStart(ctx context.Context, in *remoteStartInput) (*created[startAccepted], error) {
	return a.start(ctx, in.Ref, leyden.StartRequest{
		Connector: in.Body.ConnectorID,
		Token:     leyden.IDToken{Value: in.Body.IDTag},
		VehicleID: in.Body.VehicleID,
		Metadata:  in.Body.Metadata,
	}, in.Body.ProfileChoice)
}

func (a *api) startTransaction(ctx context.Context, in *startInput) (*created[startAccepted], error) {
	tag := in.Body.IDTag
	if tag == "" {
		tag = a.DefaultIDTag
	}
	if tag == "" {
		return nil, rest.Invalid("idTag", "is required: the server has no default")
	}
	return a.start(ctx, in.Body.ChargeBoxID, leyden.StartRequest{
		Connector: in.Body.ConnectorID,
		Token:     leyden.IDToken{Value: tag},
		VehicleID: in.Body.VehicleID,
		Metadata:  in.Body.Metadata,
	}, in.Body.ProfileChoice)
}

func (a *api) start(ctx context.Context, charger string, r leyden.StartRequest, with ProfileChoice) (*created[startAccepted], error) {
	if err := cmp.Or(checkName("vehicleId", r.VehicleID), checkMetadata(r.Metadata)); err != nil {
		return nil, err
	}
	profile, err := a.oneProfile(ctx, chosenProfile{"chargingProfile", with.ChargingProfile, "chargingProfileId", with.ChargingProfileID}, r.Connector)
	if err != nil {
		return nil, err
	}
	station, err := a.charger(ctx, charger)
	if err != nil {
		return nil, err
	}
	r.Station, r.By = station.ID, rest.PrincipalOf(ctx).ID
	t, err := a.Stations.RemoteStartWith(ctx, r, profile)
	rest.Concerns(ctx, station.ID, t.ID)
	err = within("chargingProfile", err)
	if err != nil {
		return nil, about(&t, err)
	}
	out := startAccepted{
		Message:       "Remote start accepted by charger",
		TransactionID: t.ID,
		ChargeBoxID:   t.Station,
		ConnectorID:   t.Connector,
		Status:        leyden.Pending.String(),
		Note:          "Transaction will start when vehicle is connected and ready",
	}
	if t.Status == leyden.Cancelled {
		out.Status, out.Note = t.Status.String(), "The remote start was cancelled meanwhile. "+noteCancelled
	}
	return &created[startAccepted]{Location: fmt.Sprintf("%s/transactions/%d", prefix, t.ID), Body: out}, nil
}

// noteCancelled is in the replies to a cancelled remote start.
const noteCancelled = "Should the charger begin all the same, it will be stopped at once."

// about adds to a refusal which transaction records it: after silence it waits
// for the charger still.
func about(t *leyden.Transaction, err error) error {
	e := explain(err)
	if e == nil || t.ID == 0 {
		return err
	}
	e.Details = append(e.Details, transactionDetail(t.ID))
	return e
}

func (a *api) remoteStop(ctx context.Context, in *TransactionPath) (*created[stopAccepted], error) {
	t, err := a.transaction(ctx, *in)
	if err != nil {
		return nil, err
	}
	if t, err = a.Stations.RemoteStop(ctx, t.ID, rest.PrincipalOf(ctx).ID); err != nil {
		return nil, err
	}
	out := stopAccepted{
		Message:       "Remote stop accepted by charger",
		TransactionID: t.ID,
		ChargeBoxID:   t.Station,
		Status:        leyden.Stopping.String(),
		Note:          "Transaction will stop shortly. Final details available after StopTransaction is received.",
	}
	if t.Status == leyden.Cancelled {
		out.Message, out.Status, out.Note = "Pending remote start cancelled", t.Status.String(), noteCancelled
	}
	return &created[stopAccepted]{Location: fmt.Sprintf("%s/transactions/%d", prefix, t.ID), Body: out}, nil
}
