package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/feed"
)

// RunWebhooks tests the webhook stores that open returns. Each call must return
// an empty one, and may close it by t.Cleanup.
func RunWebhooks(t *testing.T, open func(*testing.T) feed.WebhookStore) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, feed.WebhookStore)
	}{
		{"WebhookReadBack", webhookReadBack},
		{"WebhookReplaced", webhookReplaced},
		{"WebhookRefused", webhookRefused},
		{"WebhooksInOrder", webhooksInOrder},
		{"WebhookRemoved", webhookRemoved},
		{"WebhookOneWriterWins", webhookOneWriterWins},
		{"Enqueue", enqueue},
		{"EnqueueRefused", enqueueRefused},
		{"EnqueueTwice", enqueueTwice},
		{"Heads", heads},
		{"HeadsOfLatecomers", headsOfLatecomers},
		{"HeadsLimit", headsLimit},
		{"Settle", settleDelivery},
		{"SettleKeepsLog", settleKeepsLog},
		{"SettleNothing", settleNothing},
		{"Wake", wakeDeliveries},
		{"Expire", expireDeliveries},
		{"Replay", replayDelivery},
		{"DeliveryQueries", deliveryQueries},
		{"DeliveryPages", deliveryPages},
		{"Forget", forgetDeliveries},
		{"Cancelled", webhooksCancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
}

// webhook returns version 1 of one with every field filled that SaveWebhook keeps.
func webhook(n int) feed.Webhook {
	return feed.Webhook{
		ID: fmt.Sprintf("wh_%02d", n), URL: "https://example.com/hööks?a=1&b='\"", Events: []string{"transaction.started", "charger.boot"},
		Description: "büro\"; --", Secret: []byte{0, 1, 255}, Former: []byte("\x00former"), FormerUntil: minute(60),
		Paused: "gone", PausedAt: minute(5), Cursor: 7, By: "key_1",
		Reach:     &feed.Reach{Stations: []leyden.StationID{"S", "T"}, Sites: []string{"depot é"}},
		CreatedAt: minute(n), UpdatedAt: minute(n + 1), Version: 1,
	}
}

// delivery returns a pending one of webhook wh_01.
func delivery(seq int64, line string) feed.Delivery {
	return feed.Delivery{
		ID: fmt.Sprintf("dlv_%03d", seq), Webhook: "wh_01", Seq: seq, Event: "transaction.started", Station: "S", Transaction: 9,
		Line: line, Status: feed.DeliveryPending, Since: minute(int(seq)), NextAt: minute(int(seq)), CreatedAt: minute(int(seq)),
	}
}

// withDeliveries adds webhook wh_01 and its deliveries.
func withDeliveries(t *testing.T, s feed.WebhookStore, list ...feed.Delivery) {
	t.Helper()
	w := webhook(1)
	w.Cursor = 0
	wantErr(t, "SaveWebhook", s.SaveWebhook(t.Context(), w), nil)
	wantErr(t, "EnqueueDeliveries", s.EnqueueDeliveries(t.Context(), w.ID, 0, 1000, list), nil)
}

func failure(d string, at, next time.Time) feed.Settlement {
	return feed.Settlement{
		Delivery: d, Status: feed.DeliveryPending, NextAt: next, Body: []byte(`{"seq":1}`),
		Attempt: feed.Attempt{At: at, Duration: 12 * time.Millisecond, Code: 503, Error: "503 \"busy\"", Excerpt: "later\x00, é"},
	}
}

func ending(d string, status feed.DeliveryStatus, at time.Time) feed.Settlement {
	return feed.Settlement{Delivery: d, Status: status, Attempt: feed.Attempt{At: at, Code: 204}, Body: []byte("kept")}
}

func mustSettle(t *testing.T, s feed.WebhookStore, list ...feed.Settlement) {
	t.Helper()
	for _, one := range list {
		if err := s.SettleDelivery(t.Context(), one); err != nil {
			t.Fatalf("SettleDelivery of %s: %v", one.Delivery, err)
		}
	}
}

func seqs(list []feed.Delivery) []int64 {
	var found []int64
	for i := range list {
		found = append(found, list[i].Seq)
	}
	return found
}

func headSeqs(t *testing.T, s feed.WebhookStore) []int64 {
	t.Helper()
	return seqs(must[[]feed.Delivery](t)(s.DeliveryHeads(t.Context(), "wh_01", 100)))
}

func webhookReadBack(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	full := webhook(1)
	bare := feed.Webhook{ID: "wh_02", URL: "https://e", Secret: []byte{1}, CreatedAt: base, UpdatedAt: base, Version: 1}
	empty := bare
	empty.ID, empty.Reach = "wh_03", &feed.Reach{}
	for _, w := range []feed.Webhook{full, bare, empty} {
		wantErr(t, "SaveWebhook", s.SaveWebhook(ctx, w), nil)
		same(t, "Webhook", must[feed.Webhook](t)(s.Webhook(ctx, w.ID)), w)
	}
	got := must[feed.Webhook](t)(s.Webhook(ctx, full.ID))
	got.Secret[0], got.Events[0], got.Reach.Sites[0] = 9, "x", "x"
	same(t, "Webhook after a copy was changed", must[feed.Webhook](t)(s.Webhook(ctx, full.ID)), full)
	full.Secret[0] = 9
	if must[feed.Webhook](t)(s.Webhook(ctx, full.ID)).Secret[0] == 9 {
		t.Error("the store keeps memory of its caller")
	}
}

func webhookReplaced(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	wantErr(t, "SaveWebhook", s.SaveWebhook(ctx, webhook(1)), nil)
	wantErr(t, "EnqueueDeliveries", s.EnqueueDeliveries(ctx, "wh_01", 7, 20, nil), nil)
	wantErr(t, "MarkFailing", s.MarkFailing(ctx, "wh_01", minute(3)), nil)
	next := feed.Webhook{
		ID: "wh_01", URL: "https://other.example", Secret: []byte("s"), Cursor: 1, FailingSince: minute(9),
		CreatedAt: minute(1), UpdatedAt: minute(8), Version: 2,
	}
	wantErr(t, "SaveWebhook of the second version", s.SaveWebhook(ctx, next), nil)
	next.Cursor, next.FailingSince = 20, minute(3)
	same(t, "replaced webhook", must[feed.Webhook](t)(s.Webhook(ctx, "wh_01")), next)
	wantErr(t, "MarkFailing, no more", s.MarkFailing(ctx, "wh_01", time.Time{}), nil)
	next.FailingSince = time.Time{}
	same(t, "webhook that fails no more", must[feed.Webhook](t)(s.Webhook(ctx, "wh_01")), next)
	wantErr(t, "MarkFailing of another", s.MarkFailing(ctx, "wh_02", base), nil)
}

func webhookRefused(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	w := webhook(1)
	wantErr(t, "SaveWebhook", s.SaveWebhook(ctx, w), nil)
	for _, version := range []int{1, 3} {
		again := webhook(1)
		again.Version, again.URL = version, "https://again"
		wantErr(t, fmt.Sprintf("SaveWebhook of version %d over 1", version), s.SaveWebhook(ctx, again), leyden.ErrStale)
	}
	late := webhook(2)
	late.Version = 2
	wantErr(t, "SaveWebhook of version 2 of a new one", s.SaveWebhook(ctx, late), leyden.ErrStale)
	for name, spoil := range map[string]func(*feed.Webhook){
		"no id":          func(w *feed.Webhook) { w.ID = "" },
		"no URL":         func(w *feed.Webhook) { w.URL = "" },
		"no secret":      func(w *feed.Webhook) { w.Secret = nil },
		"endless former": func(w *feed.Webhook) { w.FormerUntil = time.Time{} },
		"broken event":   func(w *feed.Webhook) { w.Events = []string{"a b"} },
		"version 0":      func(w *feed.Webhook) { w.Version = 0 },
	} {
		broken := webhook(3)
		spoil(&broken)
		wantErr(t, name, s.SaveWebhook(ctx, broken), leyden.ErrInvalid)
	}
	same(t, "Webhooks after refusals", must[[]feed.Webhook](t)(s.Webhooks(ctx)), []feed.Webhook{w})
	_, err := s.Webhook(ctx, "wh_02")
	wantErr(t, "Webhook of another id", err, leyden.ErrNotFound)
}

func webhooksInOrder(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	same(t, "Webhooks of an empty store", must[[]feed.Webhook](t)(s.Webhooks(ctx)), nil)
	a, b, c := webhook(1), webhook(2), webhook(3)
	c.CreatedAt = a.CreatedAt
	for _, w := range []feed.Webhook{b, c, a} {
		wantErr(t, "SaveWebhook", s.SaveWebhook(ctx, w), nil)
	}
	same(t, "Webhooks", must[[]feed.Webhook](t)(s.Webhooks(ctx)), []feed.Webhook{a, c, b})
}

func webhookRemoved(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	withDeliveries(t, s, delivery(1, "a"), delivery(2, "a"))
	other := webhook(2)
	other.Cursor = 0
	theirs := delivery(1, "a")
	theirs.Webhook, theirs.ID = "wh_02", "dlv_other"
	wantErr(t, "SaveWebhook", s.SaveWebhook(ctx, other), nil)
	wantErr(t, "EnqueueDeliveries", s.EnqueueDeliveries(ctx, "wh_02", 0, 1, []feed.Delivery{theirs}), nil)
	w, before := must[feed.Webhook](t)(s.Webhook(ctx, "wh_01")), headSeqs(t, s)
	for _, version := range []int{w.Version - 1, w.Version + 1} {
		if version == 0 {
			continue // which is any
		}
		wantErr(t, "RemoveWebhook of another version", s.RemoveWebhook(ctx, "wh_01", version), leyden.ErrStale)
	}
	same(t, "Webhook that stayed", must[feed.Webhook](t)(s.Webhook(ctx, "wh_01")), w)
	same(t, "heads of a webhook that stayed", headSeqs(t, s), before)
	wantErr(t, "RemoveWebhook", s.RemoveWebhook(ctx, "wh_01", w.Version), nil)
	wantErr(t, "RemoveWebhook again", s.RemoveWebhook(ctx, "wh_01", 0), leyden.ErrNotFound)
	_, err := s.Webhook(ctx, "wh_01")
	wantErr(t, "Webhook that was removed", err, leyden.ErrNotFound)
	_, err = s.Delivery(ctx, "dlv_001")
	wantErr(t, "Delivery of a removed webhook", err, leyden.ErrNotFound)
	same(t, "heads of a removed webhook", headSeqs(t, s), nil)
	same(t, "Delivery of another", must[feed.Delivery](t)(s.Delivery(ctx, "dlv_other")), theirs)
	same(t, "tallies", must[map[string]feed.DeliveryTally](t)(s.DeliveryTallies(ctx)), map[string]feed.DeliveryTally{"wh_02": {Pending: 1}})
}

// webhookOneWriterWins: of several that change the same version one does.
func webhookOneWriterWins(t *testing.T, s feed.WebhookStore) {
	wantErr(t, "SaveWebhook", s.SaveWebhook(t.Context(), webhook(1)), nil)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			w := webhook(1)
			w.Version, w.URL = 2, fmt.Sprintf("https://%d", i)
			errs[i] = s.SaveWebhook(t.Context(), w)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantErr(t, "SaveWebhook that lost", err, leyden.ErrStale)
	}
	same(t, "writers that won", won, 1)
}

func enqueue(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	full := delivery(3, "a")
	full.Attempts, full.Body = 2, []byte("\x00{}é")
	full.Log = []feed.Attempt{failure("", minute(1), minute(2)).Attempt, {At: minute(2)}}
	bare := feed.Delivery{
		ID: "dlv_bare", Webhook: "wh_01", Seq: 5, Event: "e", Line: "b", Status: feed.DeliveryPending,
		Since: base, NextAt: base, CreatedAt: base,
	}
	withDeliveries(t, s, full, bare)
	same(t, "Delivery", must[feed.Delivery](t)(s.Delivery(ctx, full.ID)), full)
	same(t, "bare Delivery", must[feed.Delivery](t)(s.Delivery(ctx, bare.ID)), bare)
	same(t, "Cursor", must[feed.Webhook](t)(s.Webhook(ctx, "wh_01")).Cursor, 1000)
	same(t, "DeliveryHeads", must[[]feed.Delivery](t)(s.DeliveryHeads(ctx, "wh_01", 9)), []feed.Delivery{bare, full})
	_, err := s.Delivery(ctx, "dlv_none")
	wantErr(t, "Delivery of another id", err, leyden.ErrNotFound)
}

func enqueueRefused(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	withDeliveries(t, s)
	one := []feed.Delivery{delivery(1, "a")}
	wantErr(t, "EnqueueDeliveries from elsewhere", s.EnqueueDeliveries(ctx, "wh_01", 999, 1001, one), leyden.ErrStale)
	wantErr(t, "EnqueueDeliveries of no webhook", s.EnqueueDeliveries(ctx, "wh_02", 0, 1, nil), leyden.ErrNotFound)
	broken := []feed.Delivery{delivery(1, "a"), delivery(2, "")}
	wantErr(t, "EnqueueDeliveries without a line", s.EnqueueDeliveries(ctx, "wh_01", 1000, 1001, broken), leyden.ErrInvalid)
	ended := delivery(2, "a")
	ended.Expire(base)
	wantErr(t, "EnqueueDeliveries of another webhook's", s.EnqueueDeliveries(ctx, "wh_02", 0, 1, one), leyden.ErrInvalid)
	same(t, "heads after refusals", headSeqs(t, s), nil)
	same(t, "Cursor after refusals", must[feed.Webhook](t)(s.Webhook(ctx, "wh_01")).Cursor, 1000)
	wantErr(t, "EnqueueDeliveries of a dead one", s.EnqueueDeliveries(ctx, "wh_01", 1000, 1001, []feed.Delivery{ended}), nil)
	same(t, "heads with a dead one", headSeqs(t, s), nil)
	same(t, "dead one", must[feed.Delivery](t)(s.Delivery(ctx, ended.ID)), ended)
}

// enqueueTwice: a notice makes one delivery of a webhook, whatever happens.
func enqueueTwice(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	withDeliveries(t, s, delivery(1, "a"))
	again := delivery(1, "a")
	again.ID = "dlv_again"
	wantErr(t, "EnqueueDeliveries again", s.EnqueueDeliveries(ctx, "wh_01", 1000, 1001, []feed.Delivery{again, delivery(2, "a")}), nil)
	_, err := s.Delivery(ctx, "dlv_again")
	wantErr(t, "second Delivery of a notice", err, leyden.ErrNotFound)
	_, n, err := s.Deliveries(ctx, feed.DeliveryQuery{Webhook: "wh_01"})
	wantErr(t, "Deliveries", err, nil)
	same(t, "deliveries", n, 2)
}

func heads(t *testing.T, s feed.WebhookStore) {
	withDeliveries(t, s, delivery(4, "b"), delivery(1, "a"), delivery(2, "a"), delivery(3, "a"), delivery(5, "c"))
	same(t, "heads", headSeqs(t, s), []int64{1, 4, 5})
	mustSettle(t, s, failure("dlv_001", minute(6), minute(7)))
	same(t, "heads after a failure", headSeqs(t, s), []int64{4, 5, 1})
	mustSettle(t, s, ending("dlv_004", feed.DeliveryDelivered, minute(6)))
	same(t, "heads after a line ended", headSeqs(t, s), []int64{5, 1})
	mustSettle(t, s, ending("dlv_001", feed.DeliveryDead, minute(10)))
	same(t, "heads after a death", headSeqs(t, s), []int64{5, 2})
	next := must[feed.Delivery](t)(s.Delivery(t.Context(), "dlv_002"))
	same(t, "NextAt of who waited", next.NextAt, minute(10))
	mustSettle(t, s, ending("dlv_002", feed.DeliveryDelivered, minute(4)))
	same(t, "heads in order", headSeqs(t, s), []int64{3, 5})
	same(t, "heads of another", must[[]feed.Delivery](t)(s.DeliveryHeads(t.Context(), "wh_02", 9)), nil)
}

// headsOfLatecomers: a line that waits already lets nobody in front.
func headsOfLatecomers(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	withDeliveries(t, s, delivery(1, "a"))
	mustSettle(t, s, failure("dlv_001", minute(1), minute(600)))
	wantErr(t, "EnqueueDeliveries", s.EnqueueDeliveries(ctx, "wh_01", 1000, 1002, []feed.Delivery{delivery(2, "a"), delivery(3, "b")}), nil)
	same(t, "heads", headSeqs(t, s), []int64{3, 1})
	mustSettle(t, s, ending("dlv_001", feed.DeliveryDelivered, minute(600)), ending("dlv_003", feed.DeliveryDelivered, minute(600)))
	wantErr(t, "EnqueueDeliveries", s.EnqueueDeliveries(ctx, "wh_01", 1002, 1003, []feed.Delivery{delivery(4, "a"), delivery(5, "b")}), nil)
	same(t, "heads of lines that go on", headSeqs(t, s), []int64{5, 2})
}

func headsLimit(t *testing.T, s feed.WebhookStore) {
	var list []feed.Delivery
	for i := range 20 {
		list = append(list, delivery(int64(i+1), fmt.Sprint(i)))
	}
	withDeliveries(t, s, list...)
	got := must[[]feed.Delivery](t)(s.DeliveryHeads(t.Context(), "wh_01", 3))
	same(t, "heads", seqs(got), []int64{1, 2, 3})
}

func settleDelivery(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	first, second := delivery(1, "a"), delivery(2, "b")
	withDeliveries(t, s, first, second)
	for i, one := range []feed.Settlement{
		failure(first.ID, minute(2), minute(3)), failure(first.ID, minute(3), minute(5)), ending(first.ID, feed.DeliveryDelivered, minute(5)),
	} {
		mustSettle(t, s, one)
		first.Settle(&one)
		same(t, fmt.Sprintf("delivery after attempt %d", i+1), must[feed.Delivery](t)(s.Delivery(ctx, first.ID)), first)
	}
	end := ending(second.ID, feed.DeliveryDead, minute(9))
	mustSettle(t, s, end)
	second.Settle(&end)
	same(t, "dead letter", must[feed.Delivery](t)(s.Delivery(ctx, second.ID)), second)
	same(t, "body of a dead letter", string(second.Body), "kept")
}

func settleKeepsLog(t *testing.T, s feed.WebhookStore) {
	withDeliveries(t, s, delivery(1, "a"))
	for i := range feed.MaxAttemptsKept + 3 {
		mustSettle(t, s, failure("dlv_001", minute(i), minute(i+1)))
	}
	got := must[feed.Delivery](t)(s.Delivery(t.Context(), "dlv_001"))
	same(t, "attempts", got.Attempts, feed.MaxAttemptsKept+3)
	same(t, "kept of them", len(got.Log), feed.MaxAttemptsKept)
	same(t, "the oldest kept", got.Log[0].At, minute(3))
}

// settleNothing: what ended meanwhile, or is gone, stays as it is.
func settleNothing(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	withDeliveries(t, s, delivery(1, "a"), delivery(2, "a"), delivery(3, "a"))
	mustSettle(t, s, ending("dlv_001", feed.DeliveryDelivered, minute(5)))
	want := must[feed.Delivery](t)(s.Delivery(ctx, "dlv_001"))
	mustSettle(t, s, ending("dlv_001", feed.DeliveryDead, minute(6)), failure("dlv_001", minute(6), minute(7)), ending("dlv_none", feed.DeliveryDead, base))
	same(t, "delivery that had ended", must[feed.Delivery](t)(s.Delivery(ctx, "dlv_001")), want)
	same(t, "heads", headSeqs(t, s), []int64{2})
}

func wakeDeliveries(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	withDeliveries(t, s, delivery(1, "a"), delivery(2, "a"), delivery(3, "b"))
	mustSettle(t, s, failure("dlv_001", minute(1), minute(60)))
	wake := func(webhook string, at time.Time, limit, want int) {
		t.Helper()
		n, err := s.WakeDeliveries(ctx, webhook, at, limit)
		wantErr(t, "WakeDeliveries", err, nil)
		same(t, "woken", n, want)
	}
	wake("wh_01", minute(30), 0, 0)
	wake("wh_01", minute(30), 10, 1)
	wake("wh_02", minute(0), 10, 0)
	for id, want := range map[string]time.Time{"dlv_001": minute(30), "dlv_002": minute(2), "dlv_003": minute(3)} {
		same(t, "NextAt of "+id, must[feed.Delivery](t)(s.Delivery(ctx, id)).NextAt, want)
	}
	same(t, "heads", headSeqs(t, s), []int64{3, 1})
	wake("wh_01", minute(0), 1, 1)
	wake("wh_01", minute(0), 10, 1)
}

func expireDeliveries(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	first, second := delivery(1, "a"), delivery(2, "a")
	withDeliveries(t, s, first, second, delivery(3, "b"), delivery(4, "a"), delivery(5, "b"))
	expire := func(before time.Time, limit, want int) {
		t.Helper()
		n, err := s.ExpireDeliveries(ctx, "wh_01", before, minute(90), limit)
		wantErr(t, "ExpireDeliveries", err, nil)
		same(t, "expired", n, want)
	}
	expire(minute(1), 10, 0)
	expire(minute(3), 1, 1)
	same(t, "heads", headSeqs(t, s), []int64{3, 2})
	expire(minute(3), 10, 1)
	same(t, "heads", headSeqs(t, s), []int64{3, 4})
	second.Expire(minute(90))
	same(t, "expired delivery", must[feed.Delivery](t)(s.Delivery(ctx, second.ID)), second)
	same(t, "NextAt of who waited", must[feed.Delivery](t)(s.Delivery(ctx, "dlv_004")).NextAt, minute(90))
	expire(minute(60), 2, 2)
	same(t, "heads", headSeqs(t, s), []int64{5})
	expire(minute(60), 10, 1)
	same(t, "heads", headSeqs(t, s), nil)
	same(t, "tallies", must[map[string]feed.DeliveryTally](t)(s.DeliveryTallies(ctx)), map[string]feed.DeliveryTally{"wh_01": {Dead: 5}})
}

func replayDelivery(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	first := delivery(1, "a")
	withDeliveries(t, s, first, delivery(2, "a"), delivery(3, "a"))
	_, err := s.ReplayDelivery(ctx, "dlv_002", base)
	wantErr(t, "ReplayDelivery of a pending one", err, leyden.ErrState)
	_, err = s.ReplayDelivery(ctx, "dlv_none", base)
	wantErr(t, "ReplayDelivery of none", err, leyden.ErrNotFound)
	end := ending("dlv_001", feed.DeliveryDead, minute(9))
	mustSettle(t, s, end, failure("dlv_002", minute(9), minute(80)))
	got := must[feed.Delivery](t)(s.ReplayDelivery(ctx, "dlv_001", minute(70)))
	first.Settle(&end)
	first.Replay(minute(70))
	same(t, "replayed delivery", got, first)
	same(t, "replayed delivery, read back", must[feed.Delivery](t)(s.Delivery(ctx, "dlv_001")), first)
	same(t, "heads", headSeqs(t, s), []int64{1, 2})
	mustSettle(t, s, ending("dlv_001", feed.DeliveryDelivered, minute(71)))
	same(t, "heads", headSeqs(t, s), []int64{2})
}

func deliveryQueries(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	var list []feed.Delivery
	for i := range 9 {
		d := delivery(int64(i+1), fmt.Sprint(i))
		d.Transaction = leyden.TransactionID(i % 3)
		d.Event = []string{"transaction.started", "transaction.stopped"}[i%2]
		list = append(list, d)
	}
	withDeliveries(t, s, list...)
	for i := range 6 {
		status := []feed.DeliveryStatus{feed.DeliveryDelivered, feed.DeliveryDead}[i/4]
		mustSettle(t, s, ending(list[i].ID, status, minute(20)))
	}
	for _, test := range []struct {
		q     feed.DeliveryQuery
		total int
		want  []int64
	}{
		{feed.DeliveryQuery{}, 9, []int64{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{feed.DeliveryQuery{Status: feed.DeliveryPending}, 3, []int64{9, 8, 7}},
		{feed.DeliveryQuery{Status: feed.DeliveryDead}, 2, []int64{6, 5}},
		{feed.DeliveryQuery{Status: feed.DeliveryDelivered}, 4, []int64{4, 3, 2, 1}},
		{feed.DeliveryQuery{Status: "no'such"}, 0, nil},
		{feed.DeliveryQuery{Event: "transaction.stopped"}, 4, []int64{8, 6, 4, 2}},
		{feed.DeliveryQuery{Transaction: 2}, 3, []int64{9, 6, 3}},
		{feed.DeliveryQuery{Transaction: 2, Status: feed.DeliveryDead, Event: "transaction.stopped"}, 1, []int64{6}},
	} {
		test.q.Webhook = "wh_01"
		got, total, err := s.Deliveries(ctx, test.q)
		wantErr(t, "Deliveries", err, nil)
		same(t, fmt.Sprintf("deliveries of %+v", test.q), seqs(got), test.want)
		same(t, fmt.Sprintf("total of %+v", test.q), total, test.total)
	}
	_, total, err := s.Deliveries(ctx, feed.DeliveryQuery{Webhook: "wh_02"})
	wantErr(t, "Deliveries of another", err, nil)
	same(t, "deliveries of another", total, 0)
	same(t, "tallies", must[map[string]feed.DeliveryTally](t)(s.DeliveryTallies(ctx)), map[string]feed.DeliveryTally{"wh_01": {Pending: 3, Dead: 2}})
}

func deliveryPages(t *testing.T, s feed.WebhookStore) {
	var list []feed.Delivery
	for i := range 7 {
		list = append(list, delivery(int64(i+1), "a"))
	}
	withDeliveries(t, s, list...)
	mustSettle(t, s, failure("dlv_001", minute(1), minute(2)))
	for _, test := range []struct {
		q    feed.DeliveryQuery
		want []int64
	}{
		{feed.DeliveryQuery{Limit: 2}, []int64{7, 6}},
		{feed.DeliveryQuery{Limit: 2, Offset: 6}, []int64{1}},
		{feed.DeliveryQuery{Limit: 2, Offset: 7}, nil},
		{feed.DeliveryQuery{Limit: 3, Before: 5}, []int64{4, 3, 2}},
		{feed.DeliveryQuery{Before: 1}, nil},
	} {
		test.q.Webhook = "wh_01"
		got, total, err := s.Deliveries(t.Context(), test.q)
		wantErr(t, "Deliveries", err, nil)
		same(t, fmt.Sprintf("deliveries of %+v", test.q), seqs(got), test.want)
		same(t, "total, wherever the page is", total, 7)
	}
	got, _, err := s.Deliveries(t.Context(), feed.DeliveryQuery{Webhook: "wh_01", Before: 2})
	wantErr(t, "Deliveries", err, nil)
	if len(got) != 1 || len(got[0].Body) != 0 || len(got[0].Log) != 1 {
		t.Errorf("listed delivery with its log and without its body: %+v", got)
	}
}

func forgetDeliveries(t *testing.T, s feed.WebhookStore) {
	ctx := t.Context()
	var list []feed.Delivery
	for i := range 6 {
		list = append(list, delivery(int64(i+1), fmt.Sprint(i)))
	}
	withDeliveries(t, s, list...)
	for i := range 4 {
		status := []feed.DeliveryStatus{feed.DeliveryDelivered, feed.DeliveryDead}[i%2]
		mustSettle(t, s, ending(list[i].ID, status, minute(10+i)))
	}
	forget := func(delivered, dead time.Time, limit, want int, left ...int64) {
		t.Helper()
		n, err := s.ForgetDeliveries(ctx, delivered, dead, limit)
		wantErr(t, "ForgetDeliveries", err, nil)
		same(t, "forgotten", n, want)
		got, _, err := s.Deliveries(ctx, feed.DeliveryQuery{Webhook: "wh_01"})
		wantErr(t, "Deliveries", err, nil)
		same(t, "left", seqs(got), left)
	}
	forget(minute(10), minute(11), 10, 0, 6, 5, 4, 3, 2, 1)
	forget(minute(13), minute(11), 1, 1, 6, 5, 4, 3, 2)
	forget(minute(13), minute(12), 10, 2, 6, 5, 4)
	forget(minute(99), minute(99), 10, 1, 6, 5)
	_, err := s.Delivery(ctx, "dlv_001")
	wantErr(t, "Delivery that was forgotten", err, leyden.ErrNotFound)
}

func webhooksCancelled(t *testing.T, s feed.WebhookStore) {
	withDeliveries(t, s, delivery(1, "a"))
	ctx := done(t.Context())
	_, webhookErr := s.Webhook(ctx, "wh_01")
	_, listErr := s.Webhooks(ctx)
	_, wakeErr := s.WakeDeliveries(ctx, "wh_01", base, 1)
	_, headsErr := s.DeliveryHeads(ctx, "wh_01", 1)
	_, expireErr := s.ExpireDeliveries(ctx, "wh_01", minute(9), minute(9), 1)
	_, replayErr := s.ReplayDelivery(ctx, "dlv_001", base)
	_, deliveryErr := s.Delivery(ctx, "dlv_001")
	_, _, deliveriesErr := s.Deliveries(ctx, feed.DeliveryQuery{Webhook: "wh_01"})
	_, talliesErr := s.DeliveryTallies(ctx)
	_, forgetErr := s.ForgetDeliveries(ctx, minute(9), minute(9), 1)
	for name, err := range map[string]error{
		"SaveWebhook": s.SaveWebhook(ctx, webhook(2)), "Webhook": webhookErr, "Webhooks": listErr,
		"RemoveWebhook": s.RemoveWebhook(ctx, "wh_01", 0), "MarkFailing": s.MarkFailing(ctx, "wh_01", base),
		"EnqueueDeliveries": s.EnqueueDeliveries(ctx, "wh_01", 1000, 1001, nil), "DeliveryHeads": headsErr,
		"SettleDelivery": s.SettleDelivery(ctx, ending("dlv_001", feed.DeliveryDead, base)),
		"WakeDeliveries": wakeErr, "ExpireDeliveries": expireErr, "ReplayDelivery": replayErr,
		"Delivery": deliveryErr, "Deliveries": deliveriesErr, "DeliveryTallies": talliesErr, "ForgetDeliveries": forgetErr,
	} {
		wantErr(t, name+", cancelled", err, ctx.Err())
	}
	same(t, "heads after that", headSeqs(t, s), []int64{1})
	got := must[feed.Webhook](t)(s.Webhook(t.Context(), "wh_01"))
	if !strings.HasPrefix(got.URL, "https://") || got.Cursor != 1000 {
		t.Errorf("webhook after that: %+v", got)
	}
}
