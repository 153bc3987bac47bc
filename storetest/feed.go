package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/feed"
)

// A FeedStore is a driver with what writes notices.
type FeedStore interface {
	leyden.Store
	leyden.Registry
	feed.Store
}

// RunFeed tests the feeds of the stores that open returns. Each call must return
// an empty one.
func RunFeed(t *testing.T, open func(*testing.T) FeedStore) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, FeedStore)
	}{
		{"Empty", feedEmpty},
		{"ReadBack", noticesReadBack},
		{"States", noticeStates},
		{"Stamped", noticesStamped},
		{"Quarantined", noticesOfQuarantine},
		{"Sightings", noticesOfSightings},
		{"RefusedEntry", noticesOfRefused},
		{"Selects", noticesSelected},
		{"Looks", noticesLookedAt},
		{"Forget", noticesForgotten},
		{"ForgetInOrder", noticesForgottenInOrder},
		{"Tells", noticesTold},
		{"Cancelled", noticesCancelled},
		{"WithoutGaps", noticesWithoutGaps},
		{"WithoutGapsWhileForgetting", noticesWithoutGapsWhileForgetting},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
}

// notice returns the n-th notice of station S: one that shows nothing.
func notice(n int) leyden.Notice {
	return leyden.Notice{Topic: leyden.TopicUpdated, Station: "S", Transaction: leyden.TransactionID(n), Version: n, At: minute(n)}
}

// announce writes notices in one entry, and returns them as they are kept.
func announce(t *testing.T, s leyden.Store, notices ...leyden.Notice) []leyden.Notice {
	t.Helper()
	e := &leyden.Entry{Station: notices[0].Station, Notices: notices}
	mustAppend(t, s, e)
	return e.Notices
}

func noticesOf(t *testing.T, s feed.Store, q feed.Query) feed.Page {
	t.Helper()
	return must[feed.Page](t)(s.Notices(t.Context(), q))
}

func wantBounds(t *testing.T, s feed.Store, oldest, last int64) {
	t.Helper()
	o, l, err := s.NoticeBounds(t.Context())
	if o != oldest || l != last || err != nil {
		t.Errorf("NoticeBounds = %d, %d, %v; want %d, %d", o, l, err, oldest, last)
	}
}

func feedEmpty(t *testing.T, s FeedStore) {
	wantBounds(t, s, 1, 0)
	for _, after := range []int64{0, feed.Oldest} {
		same(t, "page of nothing", noticesOf(t, s, feed.Query{After: after}), feed.Page{})
	}
	_, err := s.Notices(t.Context(), feed.Query{After: 1})
	wantForgotten(t, err, feed.ForgottenError{After: 1, Oldest: 1, Last: 0})
}

func wantForgotten(t *testing.T, err error, want feed.ForgottenError) {
	t.Helper()
	got, ok := errors.AsType[*feed.ForgottenError](err)
	if !ok || *got != want {
		t.Errorf("got %v, want %+v", err, want)
	}
}

func noticesReadBack(t *testing.T, s FeedStore) {
	status := leyden.Connector{
		Number: 2, Status: "Charging", ErrorCode: "NoError", Info: "é", At: minute(1), UpdatedAt: minute(2), PluggedAt: fine(3),
	}
	first := announce(t, s, notice(1), leyden.Notice{
		Topic: leyden.TopicStatus, Station: "S", At: fine(2), Detail: &leyden.NoticeDetail{Connector: &status, Before: "Available"},
	})
	second := announce(t, s, leyden.Notice{
		Topic: leyden.TopicBoot, Station: "T", At: minute(3),
		Detail: &leyden.NoticeDetail{Vendor: "v", Model: "m", Serial: "s", Firmware: "f", Reason: "r", Protocol: "p"},
	})
	want := feed.Page{Notices: append(first, second...), Last: 3}
	same(t, "all", noticesOf(t, s, feed.Query{}), want)
	for i, n := range want.Notices {
		if n.Seq != int64(i)+1 {
			t.Errorf("notice %d has Seq %d", i, n.Seq)
		}
	}
	page := noticesOf(t, s, feed.Query{After: 1, Limit: 1})
	same(t, "a part", page, feed.Page{Notices: first[1:], Last: 2, More: true})
	page.Notices[0].Detail.Connector.Status = "changed"
	same(t, "the part after a copy was changed", noticesOf(t, s, feed.Query{After: 1, Limit: 1}).Notices[0].Detail.Connector.Status, "Charging")
	same(t, "the end", noticesOf(t, s, feed.Query{After: 3}), feed.Page{Last: 3})
	wantBounds(t, s, 1, 3)
}

// noticeStates: a notice shows the transaction as it was, whatever became of it.
func noticeStates(t *testing.T, s FeedStore) {
	tx := transaction(1)
	tx.Metadata = map[string]string{"a": "b"}
	tx.MeterStart, tx.Flags, tx.EndSoC = new(leyden.WattHours(0)), leyden.Offline|leyden.Stale, new(0.0)
	e := entry(tx)
	shown := tx
	shown.Evidence = leyden.Evidence{StartKey: "start"}
	e.Notices = []leyden.Notice{{Topic: leyden.TopicStarted, Station: "S", Transaction: 1, Version: 1, At: base, State: &shown}}
	mustAppend(t, s, e)
	later := tx
	later.Version, later.Connector = 2, 9
	mustAppend(t, s, entry(later))
	page := noticesOf(t, s, feed.Query{})
	same(t, "State", page.Notices[0].State, &shown)
	page.Notices[0].State.Metadata["a"] = "changed"
	same(t, "State after a copy was changed", noticesOf(t, s, feed.Query{}).Notices[0].State, &shown)

	other := transaction(2)
	bad := &leyden.Entry{Station: "S", Notices: []leyden.Notice{{Topic: leyden.TopicStarted, Station: "S", Transaction: 1, State: &other}}}
	wantErr(t, "notice that shows another transaction", s.Append(t.Context(), bad), leyden.ErrInvalid)
}

// noticesStamped: the stamp of a final record is in the notices of it.
func noticesStamped(t *testing.T, s FeedStore) {
	tx := transaction(1)
	mustAppend(t, s, entry(tx))
	tx.Version, tx.Status, tx.Revision = 2, leyden.Completed, 1
	e := entry(tx)
	e.Transactions[0].Stamp = true
	before := transaction(1)
	done := tx
	e.Notices = []leyden.Notice{
		{Topic: leyden.TopicStopping, Station: "S", Transaction: 1, At: base, State: &before},
		{Topic: leyden.TopicStopped, Station: "S", Transaction: 1, At: base, State: &done},
	}
	mustAppend(t, s, e)
	stored := must[leyden.Transaction](t)(s.Transaction(t.Context(), 1))
	page := noticesOf(t, s, feed.Query{})
	same(t, "notices", page.Notices, e.Notices)
	same(t, "final record", *page.Notices[1].State, stored)
	if !page.Notices[0].State.InsertedAt.IsZero() || stored.InsertedAt.IsZero() {
		t.Errorf("InsertedAt %v, then %v", page.Notices[0].State.InsertedAt, stored.InsertedAt)
	}
	stored.Version, stored.EndSoC = 3, new(5.0)
	e = entry(stored)
	e.Notices = []leyden.Notice{{Topic: leyden.TopicCorrected, Station: "S", Transaction: 1, At: base, State: &stored}}
	mustAppend(t, s, e)
	same(t, "change without a stamp", *noticesOf(t, s, feed.Query{After: 2}).Notices[0].State, stored)
}

func noticesOfQuarantine(t *testing.T, s FeedStore) {
	quarantined := func(n int) *leyden.Entry {
		e := &leyden.Entry{Station: "S"}
		for range n {
			e.Quarantine = append(e.Quarantine, leyden.Quarantined{Station: "S", Frame: "f", ReceivedAt: base})
			e.Notices = append(e.Notices, notice(7), leyden.Notice{Topic: leyden.TopicQuarantined, Station: "S", At: base})
		}
		mustAppend(t, s, e)
		return e
	}
	first, second := quarantined(1), quarantined(2)
	for _, e := range []*leyden.Entry{first, second} {
		for i := range e.Quarantine {
			same(t, "Quarantined", e.Notices[2*i+1].Quarantined, e.Quarantine[i].ID)
			same(t, "Quarantined of another", e.Notices[2*i].Quarantined, 0)
		}
	}
	same(t, "notices", noticesOf(t, s, feed.Query{}).Notices, append(first.Notices, second.Notices...))
}

// noticesOfSightings: what happens to a station is announced with what it said.
func noticesOfSightings(t *testing.T, s FeedStore) {
	told := make(chan int64, 10)
	s.OnNotices(func(last int64) { told <- last })
	wantErr(t, "AddStation", s.AddStation(t.Context(), station("S")), nil)
	list := []leyden.Notice{
		{Topic: leyden.TopicConnected, Station: "S", At: fine(1), Detail: &leyden.NoticeDetail{Protocol: "ocpp1.6"}},
		{Topic: leyden.TopicDisconnected, Station: "nobody", At: fine(2), Detail: &leyden.NoticeDetail{Reason: "r"}},
	}
	seen := map[leyden.StationID]leyden.Sighting{"S": sighting(7), "nobody": sighting(8)}
	wantErr(t, "SaveSightings of a context that is done", s.SaveSightings(done(t.Context()), seen, list), context.Canceled)
	wantBounds(t, s, 1, 0)
	wantErr(t, "SaveSightings", s.SaveSightings(t.Context(), seen, list), nil)
	wantErr(t, "SaveSightings without notices", s.SaveSightings(t.Context(), seen, nil), nil)
	list[0].Seq, list[1].Seq = 1, 2
	same(t, "notices", noticesOf(t, s, feed.Query{}).Notices, list)
	same(t, "Vendor", must[leyden.Station](t)(s.Station(t.Context(), "S")).Vendor, sighting(7).Vendor)
	if got := <-told; got != 2 || len(told) > 0 {
		t.Errorf("told of %d, and %d times more", got, len(told))
	}
}

// noticesOfRefused: a refused entry announces nothing and leaves no hole.
func noticesOfRefused(t *testing.T, s FeedStore) {
	mustAppend(t, s, with(entry(transaction(1)), "k"))
	announce(t, s, notice(1))
	e := with(entry(transaction(2)), "k")
	e.Notices = []leyden.Notice{notice(2)}
	wantErr(t, "replay", s.Append(t.Context(), e), leyden.ErrReplay)
	wantBounds(t, s, 1, 1)
	announce(t, s, notice(3))
	wantBounds(t, s, 1, 2)
}

// noticesSelected holds every combination of filters against a plain loop.
func noticesSelected(t *testing.T, s FeedStore) {
	topics := feed.Topics()
	var all []leyden.Notice
	for i := range 60 {
		n := notice(i%4 + 1)
		n.Topic, n.Station = topics[i%len(topics)], []leyden.StationID{"S", "s", "T"}[i%3]
		all = append(all, announce(t, s, n)...)
	}
	for n := range 1 << 6 {
		q := feed.Query{}
		put(&q.After, 20, n&1)
		put(&q.Limit, 3, n&2)
		put(&q.Topics, []string{leyden.TopicStarted, leyden.TopicBoot, "nothing"}, n&4)
		put(&q.Stations, []leyden.StationID{"S", "T"}, n&8)
		put(&q.Stations, []leyden.StationID{}, n&32)
		put(&q.Transaction, 3, n&16)
		var want []leyden.Notice
		for i := range all {
			if all[i].Seq > q.After && q.Selects(&all[i]) && (q.Limit == 0 || len(want) < q.Limit) {
				want = append(want, all[i])
			}
		}
		page := noticesOf(t, s, q)
		same(t, fmt.Sprintf("notices of %+v", q), page.Notices, want)
		last := int64(60)
		if len(want) == q.Limit && len(want) > 0 {
			last = want[len(want)-1].Seq
		}
		if page.Last != last || page.More != (last < 60) {
			t.Errorf("%+v: Last %d, More %v; want %d", q, page.Last, page.More, last)
		}
	}
}

// noticesLookedAt: a page costs no more than its bounds, whatever is selected.
func noticesLookedAt(t *testing.T, s FeedStore) {
	const all = feed.MaxLook + 10
	for done := 0; done < all; done += feed.MaxLook/4 + 5 {
		batch := make([]leyden.Notice, feed.MaxLook/4+5)
		for i := range batch {
			batch[i] = notice(done + i + 1)
		}
		announce(t, s, batch...)
	}
	_, last, err := s.NoticeBounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if page := noticesOf(t, s, feed.Query{}); len(page.Notices) != feed.MaxPage || page.Last != feed.MaxPage || !page.More {
		t.Errorf("a page of %d, Last %d, More %v", len(page.Notices), page.Last, page.More)
	}
	nothing := feed.Query{Topics: []string{"nothing"}}
	same(t, "page of nothing", noticesOf(t, s, nothing), feed.Page{Last: feed.MaxLook, More: true})
	nothing.After = feed.MaxLook
	same(t, "next page of nothing", noticesOf(t, s, nothing), feed.Page{Last: last})
}

func noticesForgotten(t *testing.T, s FeedStore) {
	for n := range 10 {
		announce(t, s, notice(n+1))
	}
	forget := func(before time.Time, keepAfter int64, limit, want int) {
		t.Helper()
		n, err := s.ForgetNotices(t.Context(), before, keepAfter, limit)
		if n != want || err != nil {
			t.Errorf("ForgetNotices before %v, up to %d, %d at most: %d, %v; want %d", before, keepAfter, limit, n, err, want)
		}
	}
	forget(minute(1), math.MaxInt64, 100, 0)
	forget(minute(6), math.MaxInt64, 2, 2)
	wantBounds(t, s, 3, 10)
	forget(minute(6), 3, 100, 1)
	forget(minute(6), 3, 100, 0)
	forget(minute(6), math.MaxInt64, 100, 2)
	wantBounds(t, s, 6, 10)
	for _, after := range []int64{0, 4} {
		_, err := s.Notices(t.Context(), feed.Query{After: after})
		wantForgotten(t, err, feed.ForgottenError{After: after, Oldest: 6, Last: 10})
	}
	_, err := s.Notices(t.Context(), feed.Query{After: 11})
	wantForgotten(t, err, feed.ForgottenError{After: 11, Oldest: 6, Last: 10})
	for _, after := range []int64{5, feed.Oldest} {
		if page := noticesOf(t, s, feed.Query{After: after}); len(page.Notices) != 5 || page.Notices[0].Seq != 6 {
			t.Errorf("after %d: %+v", after, page)
		}
	}
	forget(minute(60), math.MaxInt64, 100, 5)
	wantBounds(t, s, 11, 10)
	same(t, "nothing", noticesOf(t, s, feed.Query{After: 10}), feed.Page{Last: 10})
	same(t, "nothing from the oldest", noticesOf(t, s, feed.Query{After: feed.Oldest}), feed.Page{Last: 10})
	same(t, "Seq of the next", announce(t, s, notice(11))[0].Seq, 11)
	wantBounds(t, s, 11, 11)
}

// noticesForgottenInOrder: a clock that is set back makes no hole.
func noticesForgottenInOrder(t *testing.T, s FeedStore) {
	for _, at := range []int{1, 9, 2, 3} {
		announce(t, s, notice(at))
	}
	if n, err := s.ForgetNotices(t.Context(), minute(5), math.MaxInt64, 100); n != 1 || err != nil {
		t.Errorf("%d were forgotten, %v; want 1", n, err)
	}
	wantBounds(t, s, 2, 4)
}

// noticesTold: who follows is told of every commit of notices, and of no other.
func noticesTold(t *testing.T, s FeedStore) {
	told := make(chan int64, 10)
	s.OnNotices(func(last int64) { told <- last })
	announce(t, s, notice(1), notice(2))
	mustAppend(t, s, entry(transaction(1)))
	announce(t, s, notice(3))
	for _, want := range []int64{2, 3} {
		if got := <-told; got != want {
			t.Errorf("told of %d, want %d", got, want)
		}
	}
	if len(told) > 0 {
		t.Errorf("told of %d", <-told)
	}
}

func noticesCancelled(t *testing.T, s FeedStore) {
	announce(t, s, notice(1))
	ctx := done(t.Context())
	_, err := s.Notices(ctx, feed.Query{})
	wantErr(t, "Notices", err, context.Canceled)
	_, _, err = s.NoticeBounds(ctx)
	wantErr(t, "NoticeBounds", err, context.Canceled)
	_, err = s.ForgetNotices(ctx, minute(9), 9, 9)
	wantErr(t, "ForgetNotices", err, context.Canceled)
	wantBounds(t, s, 1, 1)
}

const feedWriters = 8

// write appends notices from many sides at once, and returns when all are there.
func writeNotices(t *testing.T, s leyden.Store, each int) {
	var wg sync.WaitGroup
	for w := range feedWriters {
		wg.Go(func() {
			for i := range each {
				station := leyden.StationID(fmt.Sprint("S", w))
				list := make([]leyden.Notice, i%3+1)
				for k := range list {
					list[k] = leyden.Notice{Topic: leyden.TopicUpdated, Station: station, Version: i, At: base}
				}
				if err := s.Append(t.Context(), &leyden.Entry{Station: station, Notices: list}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// noticesWithoutGaps: a poller beside writers sees every Seq once, in order, and
// none that comes to be below one that it saw.
func noticesWithoutGaps(t *testing.T, s FeedStore) {
	const each = 60 // notices: 1, 2, 3, 1, 2, 3 …
	written := make(chan struct{})
	go func() {
		defer close(written)
		writeNotices(t, s, each)
	}()
	next, versions := int64(1), map[leyden.StationID]int{}
	for ended := false; ; {
		page := noticesOf(t, s, feed.Query{After: next - 1, Limit: 50})
		for _, n := range page.Notices {
			if n.Seq != next {
				t.Fatalf("Seq %d where %d comes next", n.Seq, next)
			}
			if n.Version < versions[n.Station] {
				t.Fatalf("notice %d of %s after %d", n.Version, n.Station, versions[n.Station])
			}
			next, versions[n.Station] = next+1, n.Version
		}
		if ended && len(page.Notices) == 0 {
			break
		}
		select {
		case <-written:
			ended = true
		default:
		}
	}
	if want := int64(feedWriters*each*2) + 1; next != want {
		t.Errorf("%d notices were seen, want %d", next-1, want-1)
	}
}

// noticesWithoutGapsWhileForgetting: who falls behind is told, and sees no gap.
func noticesWithoutGapsWhileForgetting(t *testing.T, s FeedStore) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		writeNotices(t, s, 30)
	}()
	after, forgotten := int64(0), 0
	for ended := false; !ended; {
		select {
		case <-written:
			ended = true
		default:
		}
		if _, err := s.ForgetNotices(t.Context(), minute(1), math.MaxInt64, 7); err != nil {
			t.Fatal(err)
		}
		page, err := s.Notices(t.Context(), feed.Query{After: after, Limit: 5})
		if behind, ok := errors.AsType[*feed.ForgottenError](err); ok && behind.Oldest > after+1 {
			after = behind.Oldest - 1
			forgotten++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range page.Notices {
			if n.Seq != after+1 {
				t.Fatalf("Seq %d where %d comes next", n.Seq, after+1)
			}
			after = n.Seq
		}
	}
	if forgotten == 0 {
		t.Log("nothing was forgotten before it was read")
	}
}
