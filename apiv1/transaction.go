package apiv1

import (
	"context"
	"errors"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// A Transaction is how v1 shows a [leyden.Transaction]. The fields down to
// remoteStarted are those of the API's first description.
type Transaction struct {
	ID              string               `json:"id" doc:"Opaque and globally unique." example:"txn_123"`
	TransactionID   leyden.TransactionID `json:"transactionId" doc:"The number, the same in OCPP 1.6 and in both REST APIs." example:"12345"`
	ChargeBoxID     leyden.StationID     `json:"chargeBoxId" doc:"The charger's OCPP identity." example:"CHARGER-001"`
	ConnectorID     *int                 `json:"connectorId" doc:"The connector." example:"1"`
	IDTag           *string              `json:"idTag" doc:"Who started it, or shall start it." example:"USER123"`
	Status          string               `json:"status" enum:"pending,active,stopping,completed,failed,expired,cancelled,void" doc:"pending: the remote start was sent, the charger has not begun. active: charging. stopping: the remote stop was sent, the charger has not ended. completed: ended. failed, expired, cancelled: a remote start that never became a charge. void: joined into another transaction." example:"completed"`
	MeterStart      *leyden.WattHours    `json:"meterStart" doc:"The register at the start, in Wh, as the charger sent it." example:"1000"`
	MeterStop       *leyden.WattHours    `json:"meterStop" doc:"The register at the stop, in Wh, as the charger sent it; without a stop, as an operator read it who closed it." example:"15000"`
	EnergyDelivered rest.KWh             `json:"energyDelivered" doc:"In kWh, by the best evidence there is; while it runs, up to the last reading." example:"14.0"`
	DurationMinutes *int                 `json:"durationMinutes" doc:"Whole minutes from start to stop; while it runs, up to now." example:"45"`
	StartTime       rest.Time            `json:"startTime" doc:"By the charger's clock." example:"2026-02-06T12:00:00.000Z"`
	StopTime        rest.Time            `json:"stopTime" doc:"By the charger's clock." example:"2026-02-06T12:45:00.000Z"`
	StopReason      *string              `json:"stopReason" doc:"OCPP's reason; Local when the charger gave none, Incomplete when the ledger closed it." example:"Local"`
	RemoteStarted   bool                 `json:"remoteStarted" doc:"Whether it began with a remote start." example:"true"`

	VehicleID        *string           `json:"vehicleId" doc:"The vehicle that uses the idTag, else the idTag; fixed by the start. An operator may assign another."`
	RequestedAt      rest.Time         `json:"requestedAt" doc:"When the remote start was asked for, by the server's clock."`
	ExpiresAt        rest.Time         `json:"expiresAt" doc:"When a pending remote start gives up, by the server's clock."`
	StartReceivedAt  rest.Time         `json:"startReceivedAt" doc:"When the start was received, by the server's clock."`
	StopReceivedAt   rest.Time         `json:"stopReceivedAt" doc:"When the stop was received, by the server's clock."`
	InitialSoC       *float64          `json:"initialSoC" doc:"State of charge at the begin, in percent."`
	EndSoC           *float64          `json:"endSoC" doc:"Latest state of charge, in percent."`
	EnergySource     *string           `json:"energySource" enum:"signed,registers,rising,readings,lastSample,operator" doc:"The evidence behind energyDelivered."`
	Power            *float64          `json:"power" doc:"Last known power in W; null once it ended."`
	Flags            []string          `json:"flags" doc:"What a person should look at."`
	StopIDTag        *string           `json:"stopIdTag" doc:"Who stopped it, when the charger said so."`
	StopReasonText   *string           `json:"stopReasonText" doc:"The charger's reason as sent, when OCPP does not know it."`
	CloseReason      *string           `json:"closeReason" doc:"Why the ledger or an operator closed it, when they did."`
	SessionStartTime rest.Time         `json:"sessionStartTime" doc:"Plugged in, by the charger's clock."`
	SessionEndTime   rest.Time         `json:"sessionEndTime" doc:"Plugged out, by the charger's clock."`
	ReservationID    *int              `json:"reservationId" doc:"As the charger sent it."`
	Metadata         map[string]string `json:"metadata" doc:"What the client said at the remote start, as operators changed it."`
	UpdatedAt        rest.Time         `json:"updatedAt" nullable:"false" doc:"When something last happened to it, by the server's clock."`
	InsertedAt       rest.Time         `json:"insertedAt" doc:"When the final record, or its last revision, was committed."`
	Revision         int               `json:"revision" doc:"How often the final record was written; 0 while there is none."`
	Note             *string           `json:"note" doc:"An operator's."`
	Billable         bool              `json:"billable" doc:"False if an operator said that it must not be billed." example:"true"`
	NotBillable      *string           `json:"notBillableReason" doc:"Why it must not be billed."`
	CorrectedAt      rest.Time         `json:"correctedAt" doc:"When an operator last corrected it, by the server's clock."`
	Corrections      int               `json:"corrections" doc:"How often operators corrected it: the number of the last correction."`
}

// Present shows t as it is at now.
func Present(t *leyden.Transaction, now time.Time) Transaction {
	shown := Transaction{
		ID:              t.PublicID,
		TransactionID:   t.ID,
		ChargeBoxID:     t.Station,
		ConnectorID:     orNull(t.Connector),
		IDTag:           orNull(t.Token.Value),
		Status:          t.Status.String(),
		MeterStart:      t.MeterStart,
		MeterStop:       t.MeterStop,
		EnergyDelivered: rest.KWhOf(t.Energy),
		DurationMinutes: minutes(t, now),
		StartTime:       rest.Time{Time: t.StartedAt},
		StopTime:        rest.Time{Time: t.StoppedAt},
		StopReason:      orNull(t.EndResult()),
		RemoteStarted:   t.Remote,

		VehicleID:        orNull(t.VehicleID),
		RequestedAt:      rest.Time{Time: t.RequestedAt},
		ExpiresAt:        rest.Time{Time: t.ExpiresAt},
		StartReceivedAt:  rest.Time{Time: t.StartReceivedAt},
		StopReceivedAt:   rest.Time{Time: t.StopReceivedAt},
		InitialSoC:       t.InitialSoC,
		EndSoC:           t.EndSoC,
		EnergySource:     orNull(string(t.EnergySource)),
		Power:            t.Power,
		Flags:            t.Flags.Names(),
		StopIDTag:        orNull(t.StopToken.Value),
		StopReasonText:   orNull(t.StopReasonText),
		CloseReason:      orNull(t.CloseReason),
		SessionStartTime: rest.Time{Time: t.SessionStart},
		SessionEndTime:   rest.Time{Time: t.SessionEnd},
		ReservationID:    t.Reservation,
		Metadata:         orEmpty(t.Metadata),
		Note:             orNull(t.Note),
		Billable:         t.NotBillable == "",
		NotBillable:      orNull(t.NotBillable),
		CorrectedAt:      rest.Time{Time: t.CorrectedAt},
		Corrections:      t.Corrections(),
		UpdatedAt:        rest.Time{Time: t.UpdatedAt},
		InsertedAt:       rest.Time{Time: t.InsertedAt},
		Revision:         t.Revision,
	}
	if t.Status == leyden.Void { // the record that it was joined into has what flowed
		shown.EnergyDelivered, shown.EnergySource, shown.Power = rest.KWh{}, nil, nil
	}
	return shown
}

// minutes returns how long a charge lasts or lasted; nil while one of its ends
// is unknown that should be known.
func minutes(t *leyden.Transaction, now time.Time) *int {
	running := t.Status == leyden.Active || t.Status == leyden.Stopping
	if t.StartedAt.IsZero() || t.StoppedAt.IsZero() && !running {
		return nil
	}
	return new(int(t.Duration(now) / time.Minute))
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// A TransactionPath names a transaction in a path.
type TransactionPath struct {
	Ref string `path:"transactionId" pattern:"^([0-9]+|txn_[A-Za-z0-9_-]{1,64})$" patternDescription:"a number, or an id that begins with txn_" doc:"The number of the transaction or its id." example:"12345"`
}

// transaction returns what a path names.
func (a *api) transaction(ctx context.Context, p TransactionPath) (leyden.Transaction, error) {
	t, err := rest.FindTransaction(ctx, a.Ledger.Store(), "transactionId", p.Ref)
	if errors.Is(err, leyden.ErrNotFound) {
		return t, rest.Errorf(http.StatusNotFound, "there is no transaction %.80s", p.Ref)
	}
	rest.Concerns(ctx, t.Station, t.ID)
	return t, err
}

// history returns what a path names, and all that was recorded of it.
func (a *api) history(ctx context.Context, p TransactionPath) (leyden.Transaction, []leyden.Event, error) {
	t, err := a.transaction(ctx, p)
	if err != nil {
		return t, nil, err
	}
	events, err := a.Ledger.Store().Events(ctx, t.ID)
	return t, events, err
}

type getTransactionInput struct {
	TransactionPath
	Expand []string `query:"expand" enum:"meterValues,events" doc:"What else to show: meterValues, events, or both with a comma between them."`
}

// transactionDetails is a transaction with what was asked to be shown of it.
type transactionDetails struct {
	Transaction
	Signature   *string           `json:"signature" enum:"valid,invalid,unknown" doc:"Whether the signed meter values are signed by keys that are registered for the meter: valid if those of begin and end are, invalid if any is not; null when nothing was signed."`
	MeterValues []meterValue      `json:"meterValues,omitzero" doc:"With expand=meterValues: its readings."`
	Events      []transactionStep `json:"events,omitzero" doc:"With expand=events: its timeline."`
}

func (a *api) serveTransactions() {
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/transactions/{transactionId}", ID: "v1GetTransaction", Tag: tagTransactions,
		Summary: "Get transaction details",
		Description: "Full details of a transaction, including energy delivered and duration. " +
			"`expand` adds its meter values and its timeline.",
		Scope: auth.TransactionsRead, Errors: notFound(),
	}, a.getTransaction)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/transactions", ID: "v1ListTransactions", Tag: tagTransactions,
		Summary: "List transactions",
		Description: "Transactions that all the given filters select, the newest first. Windows are half-open: `[from, to)`.\n\n" +
			"`format` streams the whole result instead of a page; `limit` and `offset` do not apply then. " +
			"In CSV a text that a spreadsheet could take for a formula begins with an apostrophe.",
		Scope: auth.TransactionsRead, Limited: true,
	}, a.transactionListing())
}

func (a *api) getTransaction(ctx context.Context, in *getTransactionInput) (*tagged[transactionDetails], error) {
	t, err := a.transaction(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	out := transactionDetails{Transaction: Present(&t, a.Ledger.Now())}
	if len(in.Expand) == 0 && !t.HasSigned() {
		return &tagged[transactionDetails]{rest.Versioned{Edition: t.Edition()}, out}, nil
	}
	events, err := a.Ledger.Store().Events(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	check, err := a.verifier(ctx, &t)
	if err != nil {
		return nil, err
	}
	values := meterValues(events)
	if err := check.values(ctx, values); err != nil {
		return nil, err
	}
	out.Signature = check.overall(values)
	for _, part := range in.Expand {
		switch part {
		case "meterValues":
			out.MeterValues = values
		case "events":
			out.Events = timeline(events)
		}
	}
	return &tagged[transactionDetails]{rest.Versioned{Edition: t.Edition()}, out}, nil
}
