package apiv1

import (
	"context"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/calls"
	"leyden/rest"
)

// auditRecord is how v1 shows a [calls.Record].
type auditRecord struct {
	ID            int64                 `json:"id" doc:"Its place in the order of commits." example:"17"`
	At            rest.Time             `json:"at" nullable:"false" doc:"When it was answered." example:"2026-02-06T12:00:00.000Z"`
	By            string                `json:"by" doc:"The id of the API key or OAuth2 client; of a command the user of the operating system." example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Kind          string                `json:"kind" enum:"key,client,cli" doc:"What by is; cli is the command line." example:"key"`
	Name          *string               `json:"name" doc:"How the credential was named then." example:"Billing"`
	From          *string               `json:"from" doc:"The address that the request came from; of a command the name of the host." example:"192.0.2.17"`
	RequestID     *string               `json:"requestId" doc:"As in X-Request-ID; null for a command."`
	Method        *string               `json:"method" doc:"Null for a command." example:"POST"`
	Operation     string                `json:"operation" doc:"The operationId of this document, or the command." example:"v1Reset"`
	Path          *string               `json:"path" doc:"As it was asked for, without the query; null for a command." example:"/api/v1/chargers/CHARGER-001/reset"`
	ChargeBoxID   *leyden.StationID     `json:"chargeBoxId" doc:"The charger that it was about." example:"CHARGER-001"`
	TransactionID *leyden.TransactionID `json:"transactionId" doc:"The transaction that it was about." example:"12345"`
	Status        int                   `json:"status" doc:"Of the reply; 499 when the client left before it; of a command 200, or 500 when it failed." example:"200"`
	Code          *string               `json:"code" doc:"Why it was refused; null when it was carried out." example:"FORBIDDEN"`
	Replayed      bool                  `json:"replayed" doc:"Whether it was answered with the reply to an earlier request with the same Idempotency-Key." example:"false"`
	Request       *string               `json:"request" doc:"The begin of the body, secrets masked." example:"{\"type\":\"Soft\"}"`
}

func presentRecord(r *calls.Record) auditRecord {
	return auditRecord{
		ID:            r.Seq,
		At:            rest.Time{Time: r.At},
		By:            r.By,
		Kind:          string(r.Kind),
		Name:          orNull(r.Name),
		From:          orNull(r.From),
		RequestID:     orNull(r.RequestID),
		Method:        orNull(r.Method),
		Operation:     r.Operation,
		Path:          orNull(r.Path),
		ChargeBoxID:   orNull(r.Station),
		TransactionID: orNull(r.Transaction),
		Status:        r.Status,
		Code:          orNull(r.Code),
		Replayed:      r.Replayed,
		Request:       orNull(r.Body),
	}
}

type auditList struct {
	Records    []auditRecord `json:"records"`
	Pagination pagination    `json:"pagination"`
}

type listAuditInput struct {
	By            string               `query:"by" maxLength:"100" doc:"Only what this API key, OAuth2 client or user of the command line did." example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Operation     string               `query:"operation" maxLength:"100" doc:"Only this operationId, or command." example:"v1Reset"`
	ChargeBoxID   string               `query:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"Only what was about this charger."`
	TransactionID leyden.TransactionID `query:"transactionId" minimum:"1" maximum:"2147483647" doc:"Only what was about the transaction with this number." example:"12345"`
	Status        int                  `query:"status" minimum:"200" maximum:"599" doc:"Only what was answered so." example:"403"`
	From          rest.Time            `query:"from" doc:"Only what was answered then or later."`
	To            rest.Time            `query:"to" doc:"Only what was answered before."`
	rest.Window
}

func (a *api) serveAudit() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/audit", ID: "v1ListAudit", Tag: tagAudit,
		Summary: "List who changed what",
		Description: "Every request that may have changed something, with any method but GET, the last first: by whom, from where, with what result. " +
			"Refused ones too, once their credential was known; but for those that were too many. So are commands that write to the data folder. " +
			"The record of a request is durable before its reply is sent. Secrets are masked. Kept for `--audit-age`, 400 days unless set.",
		Scope: auth.Admin,
	}, inParts("audit", partRows, a.listAudit, func(l *auditList) []auditRecord { return l.Records }))
}

func (a *api) listAudit(ctx context.Context, in *listAuditInput) (*bodied[auditList], error) {
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	station, err := a.stationFilter(ctx, in.ChargeBoxID)
	if err != nil {
		return nil, err
	}
	var found []calls.Record
	var total int
	if a.Calls != nil {
		found, total, err = a.Calls.Records(ctx, calls.RecordQuery{
			By: in.By, Operation: in.Operation, Station: station, Transaction: in.TransactionID, Status: in.Status,
			At: leyden.Window{From: in.From.Time, To: in.To.Time}, Slice: part,
		})
	}
	if err != nil {
		return nil, err
	}
	out := new(bodied[auditList])
	out.Body.Records, out.Body.Pagination = paged(ctx, in.Window, found, min(total, calls.MaxCounted),
		func(r *calls.Record) leyden.Cursor { return leyden.Cursor{At: r.At, ID: r.Seq} }, presentRecord)
	out.Body.Pagination.TotalIsLowerBound = total > calls.MaxCounted
	return out, nil
}
