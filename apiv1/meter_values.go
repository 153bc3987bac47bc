package apiv1

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// meterValue is one sampled value, as the station sent it. What it left out is
// filled in with the defaults of OCPP 1.6 §7.43.
type meterValue struct {
	Timestamp  rest.Time `json:"timestamp" doc:"By the charger's clock." example:"2026-02-06T12:15:00.000Z"`
	ReceivedAt rest.Time `json:"receivedAt" nullable:"false" doc:"By the server's clock." example:"2026-02-06T12:15:01.000Z"`
	Measurand  string    `json:"measurand" example:"Energy.Active.Import.Register"`
	Value      string    `json:"value" doc:"The text as sent, also when it is no number." example:"4500"`
	Unit       *string   `json:"unit" example:"Wh"`
	Phase      *string   `json:"phase" example:"L1"`
	Context    string    `json:"context" example:"Sample.Periodic"`
	Location   string    `json:"location" example:"Outlet"`
	Format     string    `json:"format" doc:"Raw or SignedData." example:"Raw"`
	Signature  *string   `json:"signature" enum:"valid,invalid,unknown" doc:"Of a value with format SignedData: whether a key that is registered for the meter signed it. null of others."`

	sample *leyden.Sample
}

const defaultMeasurand = "Energy.Active.Import.Register"

func presentSample(s *leyden.Sample, received time.Time) meterValue {
	v := meterValue{
		Timestamp:  rest.Time{Time: s.At},
		ReceivedAt: rest.Time{Time: received},
		Measurand:  cmp.Or(s.Measurand, defaultMeasurand),
		Value:      s.Value,
		Unit:       orNull(s.Unit),
		Phase:      orNull(s.Phase),
		Context:    cmp.Or(s.Context, "Sample.Periodic"),
		Location:   cmp.Or(s.Location, "Outlet"),
		Format:     cmp.Or(s.Format, "Raw"),
		sample:     s,
	}
	if v.Unit == nil && strings.HasPrefix(v.Measurand, "Energy.Active.") {
		v.Unit = new("Wh")
	}
	return v
}

// sampleKey is what makes two samples the same one: stations send some of them
// in MeterValues and again with the stop. One that says something else of the
// same instant is another one, and which of them is right a person may want to
// see.
type sampleKey struct {
	at                                                         time.Time
	measurand, context, phase, location, encoding, value, unit string
}

func (v *meterValue) key() sampleKey {
	return sampleKey{
		v.Timestamp.UTC(), v.Measurand, v.Context, valueOr(v.Phase, ""), v.Location, v.Format, v.Value, valueOr(v.Unit, ""),
	}
}

// meterValues returns the samples of all events by their time. Of those that
// are the same the first counts; those without a time stand where they were
// received.
func meterValues(events []leyden.Event) []meterValue {
	values := []meterValue{}
	seen := map[sampleKey]bool{}
	for i := range events {
		for j := range events[i].Samples {
			v := presentSample(&events[i].Samples[j], events[i].ReceivedAt)
			if key := v.key(); !v.Timestamp.IsZero() {
				if seen[key] {
					continue
				}
				seen[key] = true
			}
			values = append(values, v)
		}
	}
	slices.SortStableFunc(values, func(a, b meterValue) int { return a.moment().Compare(b.moment()) })
	return values
}

func (v *meterValue) moment() time.Time {
	if v.Timestamp.IsZero() {
		return v.ReceivedAt.Time
	}
	return v.Timestamp.Time
}

// pageOfValues returns the page that w asks for; one that was received late comes
// between the others without moving their places.
func pageOfValues(ctx context.Context, w rest.Window, values []meterValue) ([]meterValue, pagination, error) {
	all := make([]numbered[meterValue], len(values))
	for i, v := range values {
		all[i].item = v
		if i > 0 && v.moment().Equal(values[i-1].moment()) {
			all[i].n = all[i-1].n + 1
		}
	}
	some, pages, err := pageOf(ctx, w, all, func(n *numbered[meterValue]) leyden.Cursor {
		return leyden.Cursor{At: n.item.moment(), ID: n.n}
	})
	return items(some), pages, err
}

type listMeterValuesInput struct {
	TransactionPath
	Measurand string    `query:"measurand" maxLength:"50" doc:"Only this one." example:"Energy.Active.Import.Register"`
	Phase     string    `query:"phase" maxLength:"20" doc:"Only this one." example:"L1"`
	From      rest.Time `query:"from" doc:"Only from then on, by the charger's clock."`
	To        rest.Time `query:"to" doc:"Only before then."`
	rest.Window
}

type meterValueList struct {
	Items      []meterValue `json:"items"`
	Pagination pagination   `json:"pagination"`
}

func (a *api) serveMeterValues() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/transactions/{transactionId}/meter-values", ID: "v1ListMeterValues", Tag: tagTransactions,
		Summary: "List the meter values of a transaction",
		Description: "Everything the charger's meter said of it, by time, each sample once. " +
			"`value` is the text as sent; what could not be read as a number is listed too. " +
			"Signed values are verified with the meter keys that are registered now.",
		Scope: auth.TransactionsRead, Errors: notFound(),
	}, inParts("meter-values", atOnce, a.listMeterValues, func(l *meterValueList) []meterValue { return l.Items }))
}

func (a *api) listMeterValues(ctx context.Context, in *listMeterValuesInput) (*bodied[meterValueList], error) {
	t, events, err := a.history(ctx, in.TransactionPath)
	if err != nil {
		return nil, err
	}
	window := leyden.Window{From: in.From.Time, To: in.To.Time}
	values := slices.DeleteFunc(meterValues(events), func(v meterValue) bool {
		return in.Measurand != "" && v.Measurand != in.Measurand ||
			in.Phase != "" && valueOr(v.Phase, "") != in.Phase ||
			!window.IsZero() && !window.Contains(v.Timestamp.Time)
	})
	page, pages, err := pageOfValues(ctx, in.Window, values)
	if err != nil {
		return nil, err
	}
	check, err := a.verifier(ctx, &t)
	if err == nil {
		err = check.values(ctx, page)
	}
	if err != nil {
		return nil, err
	}
	return &bodied[meterValueList]{meterValueList{Items: page, Pagination: pages}}, nil
}
