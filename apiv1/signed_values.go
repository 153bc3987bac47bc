package apiv1

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/rest"
)

const (
	formatSigned = "SignedData"
	unverified   = "unknown"
	// maxVerified is how many different signatures are verified for one reply:
	// each takes up to some milliseconds. Further ones are unknown.
	maxVerified = 1000
)

// A verifier says whether the signed values of a transaction are signed, by the
// keys that are registered now.
type verifier struct {
	keys      []leyden.MeterKey
	connector int
	known     map[string]csms.Signed
}

func (a *api) verifier(ctx context.Context, t *leyden.Transaction) (*verifier, error) {
	keys, err := a.Ledger.Registry().MeterKeys(ctx, t.Station)
	return &verifier{keys: keys, connector: t.Connector, known: map[string]csms.Signed{}}, err
}

// signed returns what is found of a value.
func (v *verifier) signed(value string) csms.Signed {
	s, known := v.known[value]
	if known {
		return s
	}
	keys := v.keys
	if len(v.known) >= maxVerified {
		keys = nil
	}
	s = csms.VerifySigned(value, v.connector, keys)
	v.known[value] = s
	return s
}

// values fills in what is found of those that are signed.
func (v *verifier) values(ctx context.Context, list []meterValue) error {
	for i := range list {
		if list[i].Format != formatSigned {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		list[i].Signature = new(verdictOf(v.signed(list[i].Value)))
	}
	return nil
}

func verdictOf(s csms.Signed) string { return cmp.Or(string(s.Verdict), unverified) }

// overall sums up the values of a transaction: nil when nothing was signed.
func (v *verifier) overall(list []meterValue) *string {
	var sum *string
	var begun, ended bool
	for i := range list {
		s := &list[i]
		if s.Signature == nil {
			continue
		}
		sum = cmp.Or(sum, new(unverified))
		switch leyden.Verdict(*s.Signature) {
		case leyden.SignatureInvalid:
			return s.Signature
		case leyden.SignatureValid:
			begin, end := s.sample.SignedRegisters()
			begun, ended = begun || begin != nil, ended || end != nil
		}
	}
	if begun && ended {
		return new(string(leyden.SignatureValid))
	}
	return sum
}

// signedValue is one signed sample.
type signedValue struct {
	Timestamp   rest.Time         `json:"timestamp" doc:"By the charger's clock." example:"2026-02-06T12:15:00.000Z"`
	ReceivedAt  rest.Time         `json:"receivedAt" nullable:"false" doc:"By the server's clock." example:"2026-02-06T12:15:01.000Z"`
	Context     string            `json:"context" example:"Transaction.Begin"`
	Value       string            `json:"value" doc:"The text as the charger sent it." example:"OCMF|{}|{}"`
	Text        *string           `json:"text" doc:"What the meter signed with its signature: value, or what is inside of it. null when that is no text." example:"OCMF|{}|{}"`
	Encoding    *string           `json:"encoding" doc:"How the text is written; null when the charger does not say and we do not know." example:"OCMF"`
	Signature   string            `json:"signature" enum:"valid,invalid,unknown" doc:"valid: a key that is registered for the meter signed it. invalid: none of them did. unknown: none is registered, or it is in a form that we do not know." example:"valid"`
	Reason      *string           `json:"reason" doc:"Why it is invalid."`
	MeterKeyID  *string           `json:"meterKeyId" doc:"The key that signed it." example:"3f786850e387550fdab836ed7e6dc881"`
	ReportedKey *string           `json:"reportedKey" doc:"The public key that the charger sent along. It proves nothing: whoever signs in the meter's place can send a key as well."`
	Algorithm   *string           `json:"algorithm" doc:"As the text names it." example:"ECDSA-secp256r1-SHA256"`
	MeterSerial *string           `json:"meterSerial" doc:"As the text names it." example:"1EMH0012345678"`
	BeginWh     *leyden.WattHours `json:"beginWh" doc:"The register at the begin, if the text tells one, in Wh." example:"1000"`
	EndWh       *leyden.WattHours `json:"endWh" doc:"The register at the end, if the text tells one, in Wh." example:"15000"`
}

func presentSigned(v *meterValue, s csms.Signed) signedValue {
	out := signedValue{
		Timestamp: v.Timestamp, ReceivedAt: v.ReceivedAt, Context: v.Context, Value: v.Value,
		Encoding: orNull(s.Encoding), Signature: verdictOf(s), Reason: orNull(s.Reason), MeterKeyID: orNull(s.Key.ID),
		ReportedKey: orNull(s.PublicKey), Algorithm: orNull(s.Record.Algorithm), MeterSerial: orNull(s.Record.Content.MeterSerial),
	}
	if utf8.ValidString(s.Text) {
		out.Text = new(strings.Clone(s.Text))
	}
	out.BeginWh, out.EndWh = v.sample.SignedRegisters()
	return out
}

type listSignedValuesInput struct {
	TransactionPath
	rest.Window
}

type signedValueList struct {
	Signature  *string       `json:"signature" enum:"valid,invalid,unknown" doc:"Of the transaction: valid if begin and end are, invalid if any value is; null when nothing was signed." example:"valid"`
	Items      []signedValue `json:"items"`
	Pagination pagination    `json:"pagination"`
}

func (a *api) serveSignedValues() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/transactions/{transactionId}/signed-values", ID: "v1ListSignedValues", Tag: tagTransactions,
		Summary: "List the signed meter values of a transaction",
		Description: "What the charger's meter signed, byte for byte as the charger sent it, by time, each once, " +
			"and whether the keys that are registered now signed it.",
		Scope: auth.TransactionsRead, Errors: notFound(),
	}, inParts("signed-values", atOnce, a.listSignedValues, func(l *signedValueList) []signedValue { return l.Items }))
}

func (a *api) listSignedValues(ctx context.Context, in *listSignedValuesInput) (*bodied[signedValueList], error) {
	t, events, err := a.history(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	check, err := a.verifier(ctx, &t)
	if err != nil {
		return nil, err
	}
	values := slices.DeleteFunc(meterValues(events), func(v meterValue) bool { return v.Format != formatSigned })
	if err := check.values(ctx, values); err != nil {
		return nil, err
	}
	page, pages, err := pageOfValues(ctx, in.Window, values)
	if err != nil {
		return nil, err
	}
	out := signedValueList{Signature: check.overall(values), Items: []signedValue{}, Pagination: pages}
	for i := range page {
		out.Items = append(out.Items, presentSigned(&page[i], check.signed(page[i].Value)))
	}
	return &bodied[signedValueList]{out}, nil
}
