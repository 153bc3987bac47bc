package apiv1

import (
	"context"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// joint is where one transaction follows another on a connector.
type joint struct {
	ConnectorID           int                  `json:"connectorId" example:"1"`
	PreviousTransactionID leyden.TransactionID `json:"previousTransactionId" example:"12344"`
	TransactionID         leyden.TransactionID `json:"transactionId" example:"12345"`
	PreviousMeterStop     *leyden.WattHours    `json:"previousMeterStop" doc:"The register at the stop of the first, in Wh, as the charger sent it." example:"15000"`
	MeterStart            *leyden.WattHours    `json:"meterStart" doc:"The register at the start of the second, in Wh, as the charger sent it." example:"15200"`
	GapWh                 *leyden.WattHours    `json:"gapWh" doc:"What the register counted between them, in Wh." example:"200"`
	GapKWh                rest.KWh             `json:"gapKWh" doc:"The same in kWh." example:"0.2"`
	Verdict               string               `json:"verdict" enum:"continuous,gap,reset,overlap,unknown" doc:"continuous: the register had not moved. gap: it had moved on. reset: it had fallen. overlap: the second began before the first had ended. unknown: a register is not known, or begins anew with each charge." example:"gap"`
	At                    rest.Time            `json:"at" nullable:"false" doc:"When the second began, by the charger's clock." example:"2026-02-06T12:00:00.000Z"`
}

// jointSummary counts all that the filters select.
type jointSummary struct {
	GapWh    leyden.WattHours `json:"gapWh" doc:"Energy that no transaction accounts for, in Wh." example:"200"`
	GapKWh   rest.KWh         `json:"gapKWh" doc:"The same in kWh." example:"0.2"`
	Gaps     int              `json:"gaps" example:"1"`
	Resets   int              `json:"resets" example:"0"`
	Overlaps int              `json:"overlaps" example:"0"`
	Unknown  int              `json:"unknown" example:"0"`
}

type continuity struct {
	Items      []joint      `json:"items"`
	Summary    jointSummary `json:"summary" doc:"Of all that the filters select, not only of this page."`
	Pagination pagination   `json:"pagination"`
}

type continuityInput struct {
	ChargerPath
	ConnectorID int       `query:"connectorId" minimum:"1" doc:"Only this one." example:"1"`
	From        rest.Time `query:"from" doc:"Only where the second began from then on, by the charger's clock."`
	To          rest.Time `query:"to" doc:"Only where it began before then."`
	rest.Window
}

func (a *api) serveContinuity() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/continuity", ID: "v1AuditCharger", Tag: tagChargers,
		Summary: "Audit the continuity of a charger's registers",
		Description: "What the register of each connector counted between one transaction and the next: energy that nobody accounts for. " +
			"In the order in which the later transaction began, by the charger's clock. " +
			"Of a charger whose register begins anew with each charge (`quirks.registerModel`) nothing is compared.",
		Scope: auth.TransactionsRead, Errors: notFound(),
	}, inParts("continuity", atOnce, a.auditCharger, func(l *continuity) []joint { return l.Items }))
}

func (a *api) auditCharger(ctx context.Context, in *continuityInput) (*bodied[continuity], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	q := leyden.AuditQuery{
		Station: s.ID, Connector: in.ConnectorID, Model: s.RegisterModel(),
		Window: leyden.Window{From: in.From.Time, To: in.To.Time},
	}
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	var joints []leyden.Joint
	behind := 0 // the place that the page begins at
	var sum leyden.AuditSummary
	for j, err := range leyden.Audit(ctx, a.Ledger.Store(), q) {
		if err != nil {
			return nil, err
		}
		sum.Add(&j)
		if part.After != nil && placeOfJoint(&j).Compare(*part.After) <= 0 {
			continue
		}
		if behind++; behind > part.Offset && len(joints) < part.Limit {
			joints = append(joints, j)
		}
	}
	var out continuity
	out.Items, out.Pagination = paged(ctx, in.Window, joints, sum.Joints, placeOfJoint, presentJoint)
	out.Summary = jointSummary{
		GapWh: sum.Gap, GapKWh: rest.KWhOf(&sum.Gap), Gaps: sum.Gaps, Resets: sum.Resets, Overlaps: sum.Overlaps, Unknown: sum.Unknown,
	}
	return &bodied[continuity]{out}, nil
}

func placeOfJoint(j *leyden.Joint) leyden.Cursor { return leyden.Cursor{At: j.At, ID: int64(j.After)} }

func presentJoint(j *leyden.Joint) joint {
	return joint{
		ConnectorID: j.Connector, PreviousTransactionID: j.Before, TransactionID: j.After,
		PreviousMeterStop: j.MeterStop, MeterStart: j.MeterStart, GapWh: j.Gap, GapKWh: rest.KWhOf(j.Gap),
		Verdict: string(j.Continuity), At: rest.Time{Time: j.At},
	}
}
