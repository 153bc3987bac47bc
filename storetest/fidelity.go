package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"leyden"
)

// fullFidelity writes transactions and events with every field filled, and with
// every other field left out, and wants them back as they were. Fields are found
// by reflection: a new one is tested without a change here.
func fullFidelity(t *testing.T, s leyden.Store) {
	for seed := range uint64(40) {
		r := &filler{rand.New(rand.NewPCG(seed, 1)), seed == 0}
		id := leyden.TransactionID(seed + 1)
		e := &leyden.Entry{
			Station:      "S",
			Events:       []leyden.Event{r.event(id, 0), r.event(id, 1)},
			Transactions: []leyden.Change{{Transaction: r.transaction(id)}},
		}
		mustAppend(t, s, e)
		what := fmt.Sprintf("seed %d: ", seed)
		want := e.Transactions[0].Transaction
		same(t, what+"transaction", must[leyden.Transaction](t)(s.Transaction(t.Context(), id)), want)
		same(t, what+"events", must[[]leyden.Event](t)(s.Events(t.Context(), id)), e.Events)
		for _, v := range e.Events {
			same(t, what+"event by key", must[leyden.Event](t)(s.ByKey(t.Context(), "S", v.Key)), v)
		}
		page := must[leyden.Page](t)(s.Transactions(t.Context(), leyden.Query{Limit: 1, Statuses: allStatuses()}))
		same(t, what+"page", page.Transactions, []leyden.Transaction{want})
	}
}

// everyFieldAlone changes one field after another and wants each change back,
// alone: a driver may write only what differs.
func everyFieldAlone(t *testing.T, s leyden.Store) {
	r := &filler{rand.New(rand.NewPCG(7, 1)), true}
	tx := r.transaction(1)
	mustAppend(t, s, entry(tx))
	fields := reflect.TypeFor[leyden.Transaction]()
	for i := range fields.NumField() {
		for _, clear := range []bool{false, true, false} {
			next := r.transaction(1)
			if clear && fields.Field(i).Name != "PublicID" && fields.Field(i).Name != "Status" {
				reflect.ValueOf(&next).Elem().Field(i).SetZero()
			}
			changed := tx
			reflect.ValueOf(&changed).Elem().Field(i).Set(reflect.ValueOf(next).Field(i))
			changed.ID, changed.Station, changed.Version = 1, "S", tx.Version+1
			if changed.InsertedAt.IsZero() {
				changed.Status = leyden.Active
			}
			mustAppend(t, s, entry(changed))
			tx = changed
			same(t, fields.Field(i).Name, must[leyden.Transaction](t)(s.Transaction(t.Context(), 1)), tx)
		}
	}
}

// longTexts: what a meter signed comes back byte for byte, however long and odd.
func longTexts(t *testing.T, s leyden.Store) {
	long := strings.Repeat("OCMF|{\"ä\\\x00\u2028\x7f<&>漢🚗\":1}|\t\r\n", 4000)
	e := with(entry(transaction(1)), "m")
	e.Events[0].Samples = []leyden.Sample{{At: base, Value: long, Format: "SignedData", Signature: leyden.SignatureInvalid}, {Value: " "}}
	mustAppend(t, s, e)
	same(t, "event", must[leyden.Event](t)(s.ByKey(t.Context(), "S", "m")), e.Events[0])
}

// A filler makes values with random content.
type filler struct {
	*rand.Rand
	whole bool // leave nothing out
}

func (r *filler) transaction(id leyden.TransactionID) leyden.Transaction {
	var t leyden.Transaction
	r.fill(reflect.ValueOf(&t).Elem())
	t.ID, t.Station, t.Version = id, "S", 1
	t.PublicID = fmt.Sprintf("txn_%d", id)
	t.Status = allStatuses()[r.IntN(len(allStatuses()))]
	t.Connector = int(id) // one remote start on each
	if t.InsertedAt.IsZero() {
		t.InsertedAt = base
	}
	if t.Energy != nil {
		*t.Energy = max(*t.Energy, -*t.Energy)
	}
	return t
}

func (r *filler) event(id leyden.TransactionID, n int) leyden.Event {
	var e leyden.Event
	r.fill(reflect.ValueOf(&e).Elem())
	e.Transaction, e.Station = id, "S"
	e.Key = fmt.Sprint(id, "|", n, "|", r.text())
	e.Kind = []leyden.EventKind{leyden.Started, leyden.Ended, leyden.Requested, leyden.JoinedElsewhere}[r.IntN(4)]
	return e
}

func allStatuses() []leyden.Status {
	var all []leyden.Status
	for s := leyden.Pending; s <= leyden.Void; s++ {
		all = append(all, s)
	}
	return all
}

// fill fills v with random content; unless r.whole, about half of it stays zero.
func (r *filler) fill(v reflect.Value) {
	if !r.whole && v.Kind() != reflect.Struct && r.IntN(2) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(r.text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1 + r.Int64N(1<<31-1))
	case reflect.Uint8:
		v.SetUint(1 + r.Uint64N(8))
	case reflect.Uint32:
		v.SetUint(1 + r.Uint64N(1<<32-1))
	case reflect.Float64:
		v.SetFloat(r.NormFloat64() * 1e4)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.fill(v.Elem())
	default:
		r.fillMany(v)
	}
}

func (r *filler) fillMany(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(r.time()))
			return
		}
		for i := range v.NumField() {
			r.fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 3))
		for i := range v.Len() {
			r.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(r.text()), reflect.ValueOf(r.text()))
	default:
		panic(fmt.Sprintf("storetest: fill has no case for %v", v.Type()))
	}
}

// text returns 1 to 12 characters, among them those that trouble JSON, SQL and
// C strings.
func (r *filler) text() string {
	const letters = "aZ09 _-|'\"\\\x00\n\u2028<&é漢🚗"
	runes := []rune(letters)
	text := make([]rune, 1+r.IntN(12))
	for i := range text {
		text[i] = runes[r.IntN(len(runes))]
	}
	return string(text)
}

// time returns an instant between 1900 and 2100, with microseconds.
func (r *filler) time() time.Time {
	if !r.whole && r.IntN(4) == 0 {
		return time.Time{}
	}
	const century = int64(100 * 365.25 * 24 * 3600 * 1e6)
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	return time.UnixMicro(from - century + r.Int64N(2*century)).UTC()
}
