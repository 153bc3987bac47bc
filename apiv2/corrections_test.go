package apiv2_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"leyden"
)

// A poller walks half-open windows by InsertedAt and keeps what it is shown.
type poller struct {
	from time.Time
	seen map[leyden.TransactionID][]string // the bodies, in the order in which they came
}

func (p *poller) poll(w *world) {
	w.t.Helper()
	to := w.now
	line := fmt.Sprintf("GET /v2/transactions?filterBy=InsertedAt&orderBy=InsertedAt&order=asc&from=%s&to=%s",
		p.from.Format(time.RFC3339Nano), to.Format(time.RFC3339Nano))
	var list []json.RawMessage
	w.must(json.Unmarshal(w.get(line).Body.Bytes(), &list))
	for _, body := range list {
		var t struct{ TransactionID leyden.TransactionID }
		w.must(json.Unmarshal(body, &t))
		p.seen[t.TransactionID] = append(p.seen[t.TransactionID], string(body))
	}
	p.from = to
}

// charged records a charge that ended.
func (w *world) charged() leyden.TransactionID {
	w.t.Helper()
	id := w.started()
	w.now = w.now.Add(time.Minute)
	w.record(leyden.Event{Kind: leyden.Ended, At: w.now, Number: new(int64(id)), Register: new(leyden.WattHours(5000))})
	return id
}

func (w *world) started() leyden.TransactionID {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	out, err := w.ledger.Record(w.t.Context(), leyden.Event{
		Station: w.station, Kind: leyden.Started, At: w.now, Connector: 1, Token: leyden.IDToken{Value: "CARD"}, Register: new(leyden.WattHours(1000)),
	}, "{}")
	w.must(err)
	return out.Transaction.ID
}

// Whoever polls by InsertedAt sees every revision of a final record exactly once,
// and nothing else.
func TestPollerSeesEveryRevisionOnce(t *testing.T) {
	w := newWorld(t)
	w.station = "S"
	p := &poller{seen: map[leyden.TransactionID][]string{}}
	r := rand.New(rand.NewPCG(1, 2))
	revisions := map[leyden.TransactionID]int{}
	ids := []leyden.TransactionID{w.charged(), w.charged(), w.charged()}
	w.now = w.now.Add(time.Millisecond)
	p.poll(w)
	for range 200 {
		id := ids[r.IntN(len(ids))]
		before, err := w.store.Transaction(t.Context(), id)
		w.must(err)
		a := leyden.Act{By: "key_1", Reason: "because", Force: true}
		w.now = w.now.Add(time.Duration(r.IntN(2)) * time.Second)
		var n leyden.Transaction
		switch r.IntN(3) {
		case 0:
			n, err = w.ledger.Correct(t.Context(), id, leyden.Fix{Vehicle: new(fmt.Sprint("van ", r.IntN(3)))}, a)
		case 1:
			n, err = w.ledger.Correct(t.Context(), id, leyden.Fix{NotBillable: new([]string{"", "a test"}[r.IntN(2)])}, a)
		default:
			n = before
			if last := before.Corrections(); before.Counts(last) {
				n, err = w.ledger.Revert(t.Context(), id, last, a)
			}
		}
		w.must(err)
		w.now = w.now.Add(time.Millisecond) // a window ends behind what was written
		p.poll(w)
		if n.Revision != before.Revision {
			revisions[id]++
		}
	}
	for _, id := range ids {
		if got := len(p.seen[id]); got != revisions[id]+1 || revisions[id] < 10 {
			t.Errorf("transaction %d was shown %d times in %d revisions after the first", id, got, revisions[id])
		}
		now, err := w.store.Transaction(t.Context(), id)
		w.must(err)
		last := p.seen[id][len(p.seen[id])-1]
		var shown struct {
			VehicleID string
			ExtraInfo struct{ NotBillable string }
		}
		w.must(json.Unmarshal([]byte(last), &shown))
		if shown.VehicleID != now.VehicleID || shown.ExtraInfo.NotBillable != now.NotBillable {
			t.Errorf("transaction %d was last shown as %s, and is %q, %q", id, last, now.VehicleID, now.NotBillable)
		}
	}
}

// A charge that an operator closed, and opened again, is shown each time.
func TestPollerSeesWhatRunsAgain(t *testing.T) {
	w := newWorld(t)
	w.station = "S"
	p := &poller{seen: map[leyden.TransactionID][]string{}}
	id := w.started()
	a := leyden.Act{By: "key_1", Reason: "lost", Force: true}
	for _, change := range []func() (leyden.Transaction, error){
		func() (leyden.Transaction, error) {
			return w.ledger.CloseCharge(t.Context(), id, time.Time{}, nil, a)
		},
		func() (leyden.Transaction, error) { return w.ledger.Revert(t.Context(), id, 1, a) },
	} {
		_, err := change()
		w.must(err)
		w.now = w.now.Add(time.Second)
		p.poll(w)
	}
	var ends []any
	for _, body := range p.seen[id] {
		var shown map[string]any
		w.must(json.Unmarshal([]byte(body), &shown))
		ends = append(ends, shown["EndResult"])
	}
	if fmt.Sprint(ends) != "[Incomplete <nil>]" {
		t.Errorf("shown with the results %v", ends)
	}
}

func TestEntityTag(t *testing.T) {
	w := newWorld(t)
	w.station = "S"
	id := w.charged()
	line := fmt.Sprintf("GET /v2/transactions/%d", id)
	tag := w.get(line).Header().Get("ETag")
	known := func() int {
		return w.do(line, "", "Authorization: Bearer reader", "If-None-Match: "+tag).Code
	}
	if got := known(); tag == "" || got != http.StatusNotModified {
		t.Errorf("ETag %s: %d", tag, got)
	}
	_, err := w.ledger.Correct(t.Context(), id, leyden.Fix{Vehicle: new("van")}, leyden.Act{By: "key_1"})
	w.must(err)
	if got := known(); got != http.StatusOK {
		t.Errorf("after a correction: %d", got)
	}
}
