package apiv1

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

type correctInput struct {
	TransactionPath
	rest.Precondition
	Body correctionPatch
}

// correctionPatch corrects what is given; null takes something away.
type correctionPatch struct {
	VehicleID *string            `json:"vehicleId,omitempty" nullable:"true" minLength:"1" maxLength:"64" doc:"The vehicle that charged; with null the idTag stands for it." example:"VAN-12"`
	Note      *string            `json:"note,omitempty" nullable:"true" maxLength:"1000" example:"The driver used the wrong card."`
	Metadata  map[string]*string `json:"metadata,omitempty" nullable:"true" maxProperties:"20" doc:"Names to set, and with null to take away; null takes all away. There are 20 at most, with names of 40 and texts of 500 characters."`
	Billable  *bool              `json:"billable,omitempty" doc:"false says that it must not be billed, for the reason that is given." example:"false"`
	Reason    string             `json:"reason,omitempty" maxLength:"500" doc:"Why. It is required with billable false." example:"Test of the charger."`

	given given
}

// UnmarshalJSON tells null from absent.
func (p *correctionPatch) UnmarshalJSON(data []byte) error {
	type plain correctionPatch
	return p.given.decode(data, (*plain)(p))
}

// fix says what a patch sets in the words of the ledger.
func (p *correctionPatch) fix() (leyden.Fix, error) {
	if err := p.given.keep("billable", "reason"); err != nil {
		return leyden.Fix{}, err
	}
	var f leyden.Fix
	if p.given.has("vehicleId") {
		f.Vehicle = new(valueOr(p.VehicleID, ""))
	}
	if p.given.has("note") {
		f.Note = new(valueOr(p.Note, ""))
	}
	f.Clear = p.given["metadata"]
	for name, value := range p.Metadata {
		if value == nil {
			f.Unset = append(f.Unset, name)
			continue
		}
		if f.Set == nil {
			f.Set = make(map[string]string)
		}
		f.Set[name] = *value
	}
	slices.Sort(f.Unset)
	switch {
	case p.Billable == nil:
	case *p.Billable:
		f.NotBillable = new("")
	case strings.TrimSpace(p.Reason) == "":
		return f, rest.Invalid("reason", "is required to say that it must not be billed")
	default:
		f.NotBillable = &p.Reason
	}
	return f, cmp.Or(
		checkName("vehicleId", valueOr(f.Vehicle, "")), checkProse("note", valueOr(f.Note, "")), checkMetadata(f.Set), checkProse("reason", p.Reason),
	)
}

type closeInput struct {
	TransactionPath
	rest.Precondition
	Body struct {
		Reason    string            `json:"reason" minLength:"1" maxLength:"500" doc:"Why it is closed." example:"The charger was taken down during the charge."`
		EndTime   rest.Time         `json:"endTime,omitzero" doc:"When it ended, by the charger's clock; else when it was last known to run." example:"2026-02-06T12:45:00.000Z"`
		MeterStop *leyden.WattHours `json:"meterStop,omitempty" minimum:"0" doc:"The register at the end, in Wh, if somebody read it; else the energy goes up to the last reading." example:"15000"`
		Force     bool              `json:"force,omitempty" doc:"Closes it although nothing shows that it does not charge." example:"true"`
	} `nameHint:"V1Closing"`
}

type joinInput struct {
	TransactionPath
	rest.Precondition
	Body struct {
		Orphan transactionRef `json:"orphan" doc:"The stop without a start: its number, or its id."`
		Reason string         `json:"reason,omitempty" maxLength:"500" doc:"Why the two belong together." example:"Same card, same register."`
	} `nameHint:"V1Joining"`
}

// A transactionRef names a transaction in a body, by its number or its id.
type transactionRef string

// UnmarshalJSON reads a number or a text.
func (r *transactionRef) UnmarshalJSON(data []byte) error {
	if strings.HasPrefix(string(data), `"`) {
		return json.Unmarshal(data, (*string)(r))
	}
	*r = transactionRef(data)
	return nil
}

// Schema describes r in the document.
func (transactionRef) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeInteger, Format: "int32", Minimum: new(1.0)},
		{Type: huma.TypeString, Pattern: `^([0-9]+|txn_[A-Za-z0-9_-]{1,64})$`},
	}, Examples: []any{12346}}
}

type revertInput struct {
	TransactionPath
	Number int `path:"number" minimum:"1" doc:"The number of the correction." example:"1"`
	rest.Precondition
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why." example:"It was the right card after all."`
	} `nameHint:"V1Revert"`
}

// revision is one correction of a transaction.
type revision struct {
	Number               int                   `json:"number" doc:"Counts the corrections of the transaction." example:"1"`
	At                   rest.Time             `json:"at" nullable:"false" doc:"By the server's clock." example:"2026-02-06T14:00:00.000Z"`
	Kind                 string                `json:"kind" enum:"corrected,closed,stop.joined,joined,reverted" doc:"corrected: fields were set. closed: it was closed without a stop. stop.joined: the stop of another record was joined into it. joined: its stop was joined into another. reverted: a correction was undone." example:"corrected"`
	By                   *string               `json:"by" doc:"The id of the credential." example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Reason               *string               `json:"reason" example:"The driver used the wrong card."`
	Reverts              *int                  `json:"reverts" doc:"Of reverted: the number of the correction that it undoes."`
	RelatedTransactionID *leyden.TransactionID `json:"relatedTransactionId" doc:"The transaction that it was joined with."`
	Changes              []fieldChange         `json:"changes" doc:"What it changed at the time."`
	Reverted             bool                  `json:"reverted" doc:"It was undone, and does not count." example:"false"`
	Revertable           bool                  `json:"revertable" doc:"It counts, and may be undone." example:"true"`
}

// fieldChange is one field of a transaction before and after.
type fieldChange struct {
	Field string `json:"field" doc:"As in the transaction." example:"vehicleId"`
	From  any    `json:"from" doc:"What it was."`
	To    any    `json:"to" doc:"What it became."`
}

type revisionList struct {
	Revisions  []revision `json:"revisions"`
	Pagination pagination `json:"pagination"`
}

func (a *api) serveCorrections() {
	const revised = "\n\nIt is a correction with author, time and reason, and can be undone; what the charger reported stays. " +
		"Of a record that is final it makes a new revision: `insertedAt` moves, `transactionId` stays."
	handle(a, rest.Operation{
		Method: http.MethodPatch, Path: "/transactions/{transactionId}", ID: "v1CorrectTransaction", Tag: tagTransactions,
		Summary: "Correct a transaction",
		Description: "Changes what is given; null takes something away. What is so already is no correction. " +
			"What the charger reports later does not change it." + revised,
		Scope: auth.TransactionsControl, Errors: notFoundOrConflict(),
	}, a.correct)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/transactions/{transactionId}/close", ID: "v1CloseTransaction", Tag: tagTransactions,
		Summary: "Close a dead transaction",
		Description: "Ends a transaction whose stop will not come, as `Incomplete`. While nothing shows that it does not charge right now " +
			"(409 `TRANSACTION_ACTIVE`) it takes `force`. Should its stop come after all, that counts, and what else was corrected stays." + revised,
		Scope: auth.TransactionsControl, Errors: notFoundOrConflict(),
	}, a.closeTransaction)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/transactions/{transactionId}/join", ID: "v1JoinTransaction", Tag: tagTransactions,
		Summary: "Join an orphan stop to its start",
		Description: "Gives a transaction without a stop the stop that was recorded on its own (flag `ORPHAN`), with all readings that came with it. " +
			"The orphan becomes `void`: lists leave it out unless they ask for it. Both keep their numbers; to undo it on either undoes it on both." + revised,
		Scope: auth.TransactionsControl, Errors: notFoundOrConflict(),
	}, a.join)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/transactions/{transactionId}/revisions", ID: "v1ListRevisions", Tag: tagTransactions,
		Summary:     "List the corrections of a transaction",
		Description: "All that operators corrected, in this order: who, when, why, and which fields it changed from what to what.",
		Scope:       auth.TransactionsRead, Errors: notFound(),
	}, inParts("revisions", atOnce, a.listRevisions, func(l *revisionList) []revision { return l.Revisions }))
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/transactions/{transactionId}/revisions/{number}/revert", ID: "v1RevertRevision", Tag: tagTransactions,
		Summary: "Undo a correction",
		Description: "The record is then what it would be without that correction; later ones stay. To undo a `reverted` brings back what it had undone." +
			revised,
		Scope: auth.TransactionsControl, Errors: notFoundOrConflict(),
	}, a.revert)
}

// act says who corrects a record, on the condition that a client made.
func act(ctx context.Context, reason string, p rest.Precondition) leyden.Act {
	return leyden.Act{
		By: rest.PrincipalOf(ctx).ID, Reason: reason,
		When: func(t *leyden.Transaction) error { return p.Check(t.Edition()) },
	}
}

// amended answers with a corrected transaction.
func (a *api) amended(t *leyden.Transaction, err error) (*tagged[Transaction], error) {
	if errors.Is(err, leyden.ErrState) {
		err = refusal("", err)
	}
	if err != nil {
		return nil, err
	}
	return &tagged[Transaction]{rest.Versioned{Edition: t.Edition()}, Present(t, a.Ledger.Now())}, nil
}

func (a *api) correct(ctx context.Context, in *correctInput) (*tagged[Transaction], error) {
	fix, err := in.Body.fix()
	if err != nil {
		return nil, err
	}
	t, err := a.transaction(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	t, err = a.Ledger.Correct(ctx, t.ID, fix, act(ctx, in.Body.Reason, in.Precondition))
	return a.amended(&t, err)
}

func (a *api) closeTransaction(ctx context.Context, in *closeInput) (*tagged[Transaction], error) {
	t, err := a.transaction(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	if err := checkProse("reason", in.Body.Reason); err != nil {
		return nil, err
	}
	by := act(ctx, in.Body.Reason, in.Precondition)
	by.Force = in.Body.Force
	t, err = a.Ledger.CloseCharge(ctx, t.ID, in.Body.EndTime.Time, in.Body.MeterStop, by)
	if err != nil {
		return nil, err
	}
	return a.amended(&t, nil)
}

func (a *api) join(ctx context.Context, in *joinInput) (*tagged[Transaction], error) {
	t, err := a.transaction(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	if err := checkProse("reason", in.Body.Reason); err != nil {
		return nil, err
	}
	orphan, err := rest.FindTransaction(ctx, a.Ledger.Store(), "orphan", string(in.Body.Orphan))
	if errors.Is(err, leyden.ErrNotFound) || err == nil && orphan.Station != t.Station {
		return nil, rest.Invalid("orphan", fmt.Sprintf("there is no transaction %.80s of the charger", in.Body.Orphan))
	}
	if err != nil {
		return nil, err
	}
	t, err = a.Ledger.Join(ctx, t.ID, orphan.ID, act(ctx, in.Body.Reason, in.Precondition))
	return a.amended(&t, err)
}

func (a *api) revert(ctx context.Context, in *revertInput) (*tagged[Transaction], error) {
	t, err := a.transaction(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	if err := checkProse("reason", reason); err != nil {
		return nil, err
	}
	t, err = a.Ledger.Revert(ctx, t.ID, in.Number, act(ctx, reason, in.Precondition))
	return a.amended(&t, err)
}

func (a *api) listRevisions(ctx context.Context, in *listEventsInput) (*bodied[revisionList], error) {
	_, events, err := a.history(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	list, err := revisions(events)
	if err != nil {
		return nil, err
	}
	page, pages, err := pageByNumber(ctx, in.Window, list)
	return &bodied[revisionList]{revisionList{page, pages}}, err
}

// revisions returns the corrections among the events of a transaction, with what
// they changed.
func revisions(events []leyden.Event) ([]revision, error) {
	list := []revision{}
	var t leyden.Transaction
	for i := range events {
		e := &events[i]
		if !e.Kind.Corrects() {
			t = leyden.Apply(t, *e)
			continue
		}
		before := folded(t, events[:i])
		t = folded(leyden.Apply(before, *e), events[:i+1])
		changes, err := changesBetween(Present(&before, e.ReceivedAt), Present(&t, e.ReceivedAt))
		if err != nil {
			return nil, err
		}
		list = append(list, revision{
			Number: e.Round, At: rest.Time{Time: e.ReceivedAt}, Kind: e.Kind.String(), By: orNull(e.By), Reason: orNull(e.Reason),
			Reverts: orNull(e.Undoes), RelatedTransactionID: orNull(e.Other), Changes: changes,
		})
	}
	for i := range list {
		list[i].Revertable = t.Counts(list[i].Number)
		list[i].Reverted = !list[i].Revertable
	}
	return list, nil
}

// folded returns t with the figures that only all its events tell.
func folded(t leyden.Transaction, events []leyden.Event) leyden.Transaction {
	if t.NeedsFold() {
		return leyden.Fold(events)
	}
	return t
}

// keptByItself are fields that move with every correction, or with the time.
func keptByItself(field string) bool {
	return slices.Contains([]string{"updatedAt", "correctedAt", "insertedAt", "revision", "corrections", "durationMinutes"}, field)
}

// changesBetween returns the fields that differ, in the order in which they are
// shown.
func changesBetween(from, to Transaction) ([]fieldChange, error) {
	changes := []fieldChange{}
	a, b := reflect.ValueOf(from), reflect.ValueOf(to)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		before, err := rest.Encode(a.Field(i).Interface())
		if err != nil {
			return nil, err
		}
		after, err := rest.Encode(b.Field(i).Interface())
		if err != nil {
			return nil, err
		}
		if string(before) != string(after) && !keptByItself(name) {
			changes = append(changes, fieldChange{name, json.RawMessage(before), json.RawMessage(after)})
		}
	}
	return changes, nil
}
