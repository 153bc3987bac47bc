package storetest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/calls"
)

// RunCalls tests the stores of package calls that open returns. Each call must
// return an empty one.
func RunCalls(t *testing.T, open func(*testing.T) calls.Store) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, calls.Store)
	}{
		{"RecordReadBack", recordReadBack},
		{"EveryRecordFieldAlone", everyRecordFieldAlone},
		{"RecordRefused", recordRefused},
		{"RecordList", recordList},
		{"RecordsCounted", recordsCounted},
		{"RecordsForgotten", recordsForgotten},
		{"Claims", claims},
		{"ClaimGivenUp", claimGivenUp},
		{"ClaimsExpire", claimsExpire},
		{"OneClaimWins", oneClaimWins},
		{"CallsCancelled", callsCancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
}

// record returns the record of a call in the nth minute.
func record(n int) calls.Record {
	return calls.Record{At: fine(n), By: "key_1", Kind: calls.ByKey, Operation: "v1Reset", Method: "POST", Status: 200}
}

func mustRecord(t *testing.T, s calls.Store, r *calls.Record) {
	t.Helper()
	if err := s.Settle(t.Context(), &calls.Settlement{Record: r}); err != nil {
		t.Fatalf("Settle: %v", err)
	}
}

// records returns the one page of records that q selects.
func records(t *testing.T, s calls.Store, q calls.RecordQuery) []calls.Record {
	t.Helper()
	found, total, err := s.Records(t.Context(), q)
	if err != nil || total != len(found) {
		t.Fatalf("Records(%+v): %d of %d, %v", q, len(found), total, err)
	}
	return found
}

func recordReadBack(t *testing.T, s calls.Store) {
	first, second := filled[calls.Record](), filled[calls.Record]()
	mustRecord(t, s, &first)
	mustRecord(t, s, &second)
	if first.Seq < 1 || second.Seq <= first.Seq {
		t.Errorf("Seq %d after %d", second.Seq, first.Seq)
	}
	same(t, "records", records(t, s, calls.RecordQuery{}), []calls.Record{second, first})
}

func everyRecordFieldAlone(t *testing.T, s calls.Store) {
	v := reflect.TypeFor[calls.Record]()
	for i := range v.NumField() {
		r := calls.Record{At: fine(i), By: "b", Operation: "o"}
		fillDevice(reflect.ValueOf(&r).Elem().Field(i))
		mustRecord(t, s, &r)
		found := records(t, s, calls.RecordQuery{})
		kept := calls.Record{}
		for _, f := range found {
			if f.Seq == r.Seq {
				kept = f
			}
		}
		same(t, "record with "+v.Field(i).Name+" alone", kept, r)
	}
}

func recordRefused(t *testing.T, s calls.Store) {
	for what, r := range map[string]calls.Record{
		"by nobody":  {At: base, Operation: "o"},
		"of nothing": {At: base, By: "b"},
		"at no time": {By: "b", Operation: "o"},
	} {
		wantErr(t, "record "+what, s.Settle(t.Context(), &calls.Settlement{Record: &r}), leyden.ErrInvalid)
	}
	if found := records(t, s, calls.RecordQuery{}); len(found) > 0 {
		t.Errorf("%d records that were refused", len(found))
	}
}

// recordList: filters restrict, alone and together; the newest comes first.
func recordList(t *testing.T, s calls.Store) {
	var all []calls.Record
	for n := range 40 {
		r := record(n / 2) // pairs at one time
		r.By = fmt.Sprintf("key_%d", n%2)
		r.Operation = fmt.Sprintf("op%d", n%3)
		r.Status = 200 + n%4
		if n%5 > 0 {
			r.Station = leyden.StationID(fmt.Sprintf("S%d", n%5))
			r.Transaction = leyden.TransactionID(n % 5)
		}
		mustRecord(t, s, &r)
		all = append([]calls.Record{r}, all...)
	}
	window := leyden.Window{From: fine(5), To: fine(15)}
	for _, q := range []calls.RecordQuery{
		{}, {By: "key_1"}, {Operation: "op2"}, {Station: "S3"}, {Transaction: 2}, {Status: 203}, {At: window},
		{At: leyden.Window{From: fine(5)}}, {At: leyden.Window{To: fine(5)}},
		{By: "key_1", Status: 203}, {By: "key_0", At: window}, {Operation: "op1", By: "key_1"}, {Station: "S1", Operation: "op0"},
		{Transaction: 4, Station: "S4", At: window}, {Status: 200, At: window}, {By: "nobody"}, {Station: "s1"},
	} {
		var want []calls.Record
		for _, r := range all {
			fits := (q.By == "" || q.By == r.By) && (q.Operation == "" || q.Operation == r.Operation) && (q.Station == "" || q.Station == r.Station) &&
				(q.Transaction == 0 || q.Transaction == r.Transaction) && (q.Status == 0 || q.Status == r.Status) &&
				(q.At.IsZero() || q.At.Contains(r.At))
			if fits {
				want = append(want, r)
			}
		}
		same(t, fmt.Sprintf("records by %+v", q), records(t, s, q), want)
	}
	page, total, err := s.Records(t.Context(), calls.RecordQuery{By: "key_1", Slice: leyden.Slice{Limit: 3, Offset: 2}})
	wantErr(t, "Records", err, nil)
	same(t, "page", page, []calls.Record{all[4], all[6], all[8]})
	if total != 20 {
		t.Errorf("total is %d; want 20", total)
	}
	recordsByCursor(t, s, all)
}

// recordsCounted: one learns that there are more than are counted, wherever the
// page begins and whatever is selected.
func recordsCounted(t *testing.T, s calls.Store) {
	for n := range 7 {
		r := record(n)
		r.Status = 200 + n%2
		mustRecord(t, s, &r)
	}
	window := leyden.Window{From: fine(1), To: fine(6)}
	for _, test := range []struct {
		q    calls.RecordQuery
		want int
	}{
		{calls.RecordQuery{}, 7}, {calls.RecordQuery{CountTo: 7}, 7}, {calls.RecordQuery{CountTo: 8}, 7},
		{calls.RecordQuery{CountTo: 6}, 7}, {calls.RecordQuery{CountTo: 5}, 6}, {calls.RecordQuery{CountTo: 2}, 3},
		{calls.RecordQuery{CountTo: 2, Status: 201}, 3}, {calls.RecordQuery{CountTo: 3, Status: 201}, 3},
		{calls.RecordQuery{CountTo: 1, Status: 404}, 0}, {calls.RecordQuery{CountTo: 4, At: window}, 5}, {calls.RecordQuery{CountTo: 5, At: window}, 5},
	} {
		test.q.Slice = leyden.Slice{Limit: 2, Offset: 1}
		page, total, err := s.Records(t.Context(), test.q)
		if err != nil || total != test.want || len(page) != min(2, max(0, test.want-1)) {
			t.Errorf("Records(%+v): %d of %d, %v; want %d", test.q, len(page), total, err, test.want)
		}
	}
}

// recordsByCursor walks a list in small steps.
func recordsByCursor(t *testing.T, s calls.Store, all []calls.Record) {
	var walked []calls.Record
	q := calls.RecordQuery{Slice: leyden.Slice{Limit: 7}}
	for {
		found, total, err := s.Records(t.Context(), q)
		if err != nil || total != len(all) {
			t.Fatalf("Records: %d, %v", total, err)
		}
		walked = append(walked, found...)
		if len(found) < q.Limit {
			break
		}
		last := found[len(found)-1]
		q.After = &leyden.Cursor{At: last.At, ID: last.Seq}
	}
	same(t, "records by cursor", walked, all)
}

// recordsForgotten: the oldest go, a few at a time.
func recordsForgotten(t *testing.T, s calls.Store) {
	for n := range 10 {
		r := record(n)
		mustRecord(t, s, &r)
	}
	for _, want := range []int{3, 3, 1, 0} {
		n, err := s.Forget(t.Context(), calls.Forgetting{Records: fine(7), Limit: 3})
		if n != want || err != nil {
			t.Errorf("forgot %d, %v; want %d", n, err, want)
		}
	}
	found := records(t, s, calls.RecordQuery{})
	if len(found) != 3 || !found[2].At.Equal(fine(7)) {
		t.Errorf("%d are left: %+v", len(found), found)
	}
	later := record(20)
	mustRecord(t, s, &later)
	if later.Seq <= found[0].Seq {
		t.Errorf("Seq %d after %d", later.Seq, found[0].Seq)
	}
}

func claim(credential, key string) calls.Claim {
	return calls.Claim{Key: calls.Key{Credential: credential, Text: key}, Digest: [32]byte{1, 2, 31: 3}, RequestID: "req", At: fine(1)}
}

func claims(t *testing.T, s calls.Store) {
	ctx := t.Context()
	c := claim("key_1", "k")
	_, err := s.Claimed(ctx, c.Key, base)
	wantErr(t, "Claimed before", err, leyden.ErrNotFound)
	same(t, "claim", must[calls.Claim](t)(s.Claim(ctx, c, base)), c)
	for _, other := range []calls.Claim{claim("key_2", "k"), claim("key_1", "K"), claim("key_1", "k "), claim("key_1", " k"), claim("", "key_1k")} {
		same(t, "another claim", must[calls.Claim](t)(s.Claim(ctx, other, base)), other)
	}
	again := claim("key_1", "k")
	again.Digest, again.At, again.RequestID = [32]byte{9}, fine(2), "later"
	kept, err := s.Claim(ctx, again, base)
	wantErr(t, "Claim of a taken key", err, leyden.ErrExists)
	same(t, "the claim that stays", kept, c)

	r := record(2)
	reply := []byte("sealed \x00\xff")
	wantErr(t, "Settle", s.Settle(ctx, &calls.Settlement{Record: &r, Claim: c.Key, Reply: reply}), nil)
	c.Reply = []byte("sealed \x00\xff")
	reply[0] = 'x'
	same(t, "settled claim", must[calls.Claim](t)(s.Claimed(ctx, c.Key, base)), c)
	kept, err = s.Claim(ctx, again, base)
	wantErr(t, "Claim of a settled key", err, leyden.ErrExists)
	same(t, "the settled claim", kept, c)
	same(t, "the record of the call", records(t, s, calls.RecordQuery{}), []calls.Record{r})
	other := must[calls.Claim](t)(s.Claimed(ctx, calls.Key{Credential: "key_2", Text: "k"}, base))
	if len(other.Reply) > 0 {
		t.Errorf("the reply is kept for another credential too: %q", other.Reply)
	}
}

// claimGivenUp: a key whose call may be tried again can be claimed again.
func claimGivenUp(t *testing.T, s calls.Store) {
	c := claim("key_1", "k")
	must[calls.Claim](t)(s.Claim(t.Context(), c, base))
	wantErr(t, "Settle", s.Settle(t.Context(), &calls.Settlement{Claim: c.Key}), nil)
	_, err := s.Claimed(t.Context(), c.Key, base)
	wantErr(t, "Claimed after it was given up", err, leyden.ErrNotFound)
	wantErr(t, "Settle again", s.Settle(t.Context(), &calls.Settlement{Claim: c.Key, Reply: []byte("r")}), nil)
	_, err = s.Claimed(t.Context(), c.Key, base)
	wantErr(t, "Claimed after a reply came late", err, leyden.ErrNotFound)
	c.Digest = [32]byte{7}
	same(t, "claim", must[calls.Claim](t)(s.Claim(t.Context(), c, base)), c)
}

func claimsExpire(t *testing.T, s calls.Store) {
	ctx := t.Context()
	c := claim("key_1", "k")
	must[calls.Claim](t)(s.Claim(ctx, c, base))
	wantErr(t, "Settle", s.Settle(ctx, &calls.Settlement{Claim: c.Key, Reply: []byte("old")}), nil)
	same(t, "claim of just then", must[calls.Claim](t)(s.Claimed(ctx, c.Key, c.At)).RequestID, "req")
	_, err := s.Claimed(ctx, c.Key, c.At.Add(time.Microsecond))
	wantErr(t, "Claimed when it is too old", err, leyden.ErrNotFound)
	next := claim("key_1", "k")
	next.At, next.RequestID = fine(5), "next"
	same(t, "claim in place of an old one", must[calls.Claim](t)(s.Claim(ctx, next, fine(2))), next)
	same(t, "it", must[calls.Claim](t)(s.Claimed(ctx, c.Key, base)), next)

	for n := range 5 {
		must[calls.Claim](t)(s.Claim(ctx, claim("key_3", fmt.Sprint(n)), base))
	}
	for _, want := range []int{3, 2, 0} {
		n, err := s.Forget(ctx, calls.Forgetting{Claims: fine(5), Limit: 3})
		if n != want || err != nil {
			t.Errorf("forgot %d, %v; want %d", n, err, want)
		}
	}
	same(t, "the young one", must[calls.Claim](t)(s.Claimed(ctx, c.Key, base)), next)
}

// oneClaimWins: of many who claim a key at once one has it, and all others see
// that one.
func oneClaimWins(t *testing.T, s calls.Store) {
	const callers = 50
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := map[string]bool{}
	seen := map[string]int{}
	for i := range callers {
		wg.Go(func() {
			c := claim("key_1", "k")
			c.RequestID = fmt.Sprint(i)
			kept, err := s.Claim(t.Context(), c, base)
			mu.Lock()
			defer mu.Unlock()
			seen[kept.RequestID]++
			if err == nil {
				won[c.RequestID] = true
				return
			}
			wantErr(t, "Claim", err, leyden.ErrExists)
		})
	}
	wg.Wait()
	if len(won) != 1 || len(seen) != 1 {
		t.Errorf("%d have the key, and %v are seen", len(won), seen)
	}
}

// callsCancelled: who has left gets no answer, and changes nothing.
func callsCancelled(t *testing.T, s calls.Store) {
	ctx := done(t.Context())
	r := record(1)
	_, noClaim := s.Claim(ctx, claim("key_1", "k"), base)
	_, noClaimed := s.Claimed(ctx, calls.Key{}, base)
	_, _, noRecords := s.Records(ctx, calls.RecordQuery{})
	_, noneForgotten := s.Forget(ctx, calls.Forgetting{Limit: 1})
	for what, err := range map[string]error{
		"Settle": s.Settle(ctx, &calls.Settlement{Record: &r}), "Claim": noClaim, "Claimed": noClaimed, "Records": noRecords, "Forget": noneForgotten,
	} {
		wantErr(t, what, err, context.Canceled)
	}
	if found := records(t, s, calls.RecordQuery{}); len(found) > 0 {
		t.Errorf("%d records of callers that had left", len(found))
	}
}

// RunCallsReopen tests durable stores of package calls: reopen opens the one in
// folder, and makes it when there is none.
func RunCallsReopen(t *testing.T, reopen func(t *testing.T, folder string) DurableCalls) {
	folder := t.TempDir()
	s := reopen(t, folder)
	r, c, open := record(1), claim("key_1", "k"), claim("key_1", "open")
	must[calls.Claim](t)(s.Claim(t.Context(), c, base))
	must[calls.Claim](t)(s.Claim(t.Context(), open, base))
	wantErr(t, "Settle", s.Settle(t.Context(), &calls.Settlement{Record: &r, Claim: c.Key, Reply: []byte("sealed")}), nil)
	wantErr(t, "Close", s.Close(), nil)

	s = reopen(t, folder)
	defer func() { wantErr(t, "Close", s.Close(), nil) }()
	c.Reply = []byte("sealed")
	same(t, "settled claim", must[calls.Claim](t)(s.Claimed(t.Context(), c.Key, base)), c)
	same(t, "open claim", must[calls.Claim](t)(s.Claimed(t.Context(), open.Key, base)), open)
	same(t, "records", records(t, s, calls.RecordQuery{}), []calls.Record{r})
}

// A DurableCalls is a [calls.Store] that outlives its process. Close ends it as a
// clean exit would.
type DurableCalls interface {
	calls.Store
	Close() error
}
