package feed_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/feed"
)

func TestDelivery(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		seq := o.happen(leyden.TopicStarted, 7)
		after(time.Second)
		got, _ := to.letters()
		o.wantSeqs("letters", got, seq)
		if want := `{"seq":1,"event":"transaction.started","transaction":7}`; got[0].body != want {
			t.Errorf("body %s; want %s", got[0].body, want)
		}
		sum, err := secretOf("a").Sign(got[0].id, got[0].at, []byte(got[0].body))
		o.must(err)
		for name, want := range map[string]string{
			"Content-Type": "application/json", "User-Agent": "Leyden/test", feed.HeaderID: "evt_1",
			feed.HeaderTimestamp: strconv.FormatInt(got[0].at.Unix(), 10), feed.HeaderSignature: sum,
		} {
			if have := got[0].header.Get(name); have != want {
				t.Errorf("header %s is %q; want %q", name, have, want)
			}
		}
		d := o.delivery("a", seq)
		if d.Status != feed.DeliveryDelivered || d.Attempts != 1 || len(d.Body) != 0 || d.Last().Code != http.StatusNoContent {
			t.Errorf("delivery %+v", d)
		}
		after(time.Hour)
		if got, _ := to.letters(); len(got) != 1 {
			t.Errorf("it came %d times", len(got))
		}
	})
}

// TestRetries: 5 s doubling to an hour, for 72 hours, and then it is dead.
func TestRetries(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		to.set(always(http.StatusInternalServerError))
		begin := time.Now()
		seq := o.happen(leyden.TopicStarted, 7)
		after(73 * time.Hour)
		got, _ := to.letters()
		for i := 1; i < len(got)-1; i++ {
			want := min(time.Hour, 5*time.Second<<min(i-1, 20))
			if gap := got[i].at.Sub(got[i-1].at); gap != want {
				t.Errorf("gap %d is %v; want %v", i, gap, want)
			}
			if got[i].body != got[0].body || got[i].id != got[0].id || got[i].header.Get(feed.HeaderSignature) == got[0].header.Get(feed.HeaderSignature) {
				t.Errorf("attempt %d differs: %+v", i, got[i])
			}
		}
		if last := got[len(got)-1].at.Sub(begin); last.Round(time.Minute) != feed.RetryFor {
			t.Errorf("the last attempt came after %v", last)
		}
		d := o.delivery("a", seq)
		if d.Status != feed.DeliveryDead || d.Attempts != len(got) || len(d.Log) != feed.MaxAttemptsKept || string(d.Body) != got[0].body {
			t.Errorf("delivery after %d attempts: %+v", len(got), d)
		}
		if last := d.Last(); last.Code != http.StatusInternalServerError || last.Error != "500 Internal Server Error" {
			t.Errorf("last attempt %+v", last)
		}

		to.set(nil)
		_, err := o.store.ReplayDelivery(o.t.Context(), d.ID, time.Now())
		o.must(err)
		o.poke()
		after(time.Second)
		_, taken := to.letters()
		o.wantSeqs("replayed", taken, seq)
		if taken[0].body != got[0].body {
			t.Errorf("a replay sends %s", taken[0].body)
		}
	})
}

// TestOrder: a later event of a transaction waits; those of others do not.
func TestOrder(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		to.set(func(l letter) reply {
			if l.id == "evt_1" {
				return reply{code: http.StatusServiceUnavailable}
			}
			return reply{code: http.StatusOK}
		})
		o.happen(leyden.TopicStarted, 7)
		o.happen(leyden.TopicStopped, 7)
		o.happen(leyden.TopicStarted, 8)
		o.happen(leyden.TopicBoot, 0)
		o.happen(leyden.TopicConnected, 0)
		after(3 * time.Second)
		_, taken := to.letters()
		if got := seqsOf(taken); !slices.Equal(slices.Sorted(slices.Values(got)), []int64{3, 4, 5}) || slices.Index(got, 4) > slices.Index(got, 5) {
			t.Errorf("taken %v; want 3, 4 and 5, and 4 before 5", got)
		}
		after(73 * time.Hour)
		_, taken = to.letters()
		if got := seqsOf(taken); got[len(got)-1] != 2 || o.delivery("a", 1).Status != feed.DeliveryDead {
			t.Errorf("taken %v; want 2 after 1 is dead", got)
		}
	})
}

// TestUpdatesThinned: one of them for each transaction in 30 seconds.
func TestUpdatesThinned(t *testing.T) {
	inOffice(t, func(o *office) {
		to, other := o.subscribe("a"), o.subscribe("b", func(w *feed.Webhook) { w.Events = []string{leyden.TopicStopped} })
		for range 12 { // every 10 s
			o.happen(leyden.TopicUpdated, 7)
			o.happen(leyden.TopicUpdated, 8)
			after(10 * time.Second)
		}
		last := o.happen(leyden.TopicStopped, 7)
		after(time.Second)
		_, taken := to.letters()
		if len(taken) != 9 || seqsOf(taken)[8] != last {
			t.Errorf("%d letters %v; want 4 of each transaction, then %d", len(taken), seqsOf(taken), last)
		}
		_, taken = other.letters()
		o.wantSeqs("what b wants", taken, last)
	})
}

// TestRotation: both secrets sign for a day.
func TestRotation(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		fresh := feed.NewSigningSecret()
		o.change("wh_a", func(w *feed.Webhook) { w.Rotate(o.vault.Seal(w.ID, fresh), time.Now()) })
		o.happen(leyden.TopicStarted, 7)
		after(feed.SecretOverlap)
		o.happen(leyden.TopicStopped, 7)
		after(time.Second)
		got, _ := to.letters()
		o.wantSeqs("letters", got, 1, 2)
		for i, secrets := range [][]feed.SigningSecret{{fresh, secretOf("a")}, {fresh}} {
			var want []string
			for _, s := range secrets {
				sum, err := s.Sign(got[i].id, got[i].at, []byte(got[i].body))
				o.must(err)
				want = append(want, sum)
			}
			if have := got[i].header.Get(feed.HeaderSignature); have != strings.Join(want, " ") {
				t.Errorf("signature %d is %q; want %q", i, have, want)
			}
		}
	})
}

// TestGone: 410 pauses a webhook until somebody resumes it.
func TestGone(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		to.set(always(http.StatusGone))
		o.happen(leyden.TopicStarted, 7)
		after(time.Minute)
		w, err := o.store.Webhook(o.t.Context(), "wh_a")
		o.must(err)
		if got, _ := to.letters(); len(got) != 1 || w.Paused != feed.PausedGone || w.Version != 2 {
			t.Errorf("%d letters, webhook %+v", len(got), w)
		}
		to.set(nil)
		o.happen(leyden.TopicStopped, 7)
		after(time.Hour)
		if got, _ := to.letters(); len(got) != 1 {
			t.Errorf("a paused webhook got %d letters", len(got))
		}
		o.change("wh_a", func(w *feed.Webhook) { w.Resume() })
		after(time.Second)
		_, taken := to.letters()
		o.wantSeqs("after it was resumed", taken, 1, 2)
	})
}

// TestRetryAfter: a receiver may ask for more time, up to an hour.
func TestRetryAfter(t *testing.T) {
	for _, test := range []struct {
		text string
		want time.Duration
	}{
		{"600", 10 * time.Minute}, {"1", 5 * time.Second}, {"-9", 5 * time.Second}, {"99999999999999", time.Hour},
		{"86400", time.Hour}, {"soon", 5 * time.Second}, {"Sat, 01 Jan 2000 00:02:00 GMT", 2 * time.Minute},
	} {
		inOffice(t, func(o *office) {
			to := o.subscribe("a")
			to.set(func(letter) reply {
				return reply{code: http.StatusTooManyRequests, header: http.Header{"Retry-After": {test.text}}}
			})
			o.happen(leyden.TopicStarted, 7)
			after(2 * time.Hour)
			got, _ := to.letters()
			if gap := got[1].at.Sub(got[0].at).Round(time.Second); gap != test.want {
				t.Errorf("Retry-After %q: came again after %v; want %v", test.text, gap, test.want)
			}
		})
	}
}

// TestFailures: what is no success, and how the log says so.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		reply reply
		want  feed.Attempt
	}{
		{reply{code: 302, body: "elsewhere"}, feed.Attempt{Code: 302, Error: "302 Found: redirects are not followed", Excerpt: "elsewhere"}},
		{reply{code: 404, body: " a\nb\x00\xff "}, feed.Attempt{Code: 404, Error: "404 Not Found", Excerpt: "a b �"}},
		{reply{code: 599, body: strings.Repeat("é", 9999)}, feed.Attempt{Code: 599, Error: "599", Excerpt: strings.Repeat("é", feed.MaxExcerpt/2)}},
		{reply{err: errors.New("connection refused")}, feed.Attempt{Error: "connection refused"}},
		{reply{code: 200, delay: time.Hour}, feed.Attempt{Error: "no answer within 5s", Duration: 5 * time.Second}},
	} {
		inOffice(t, func(o *office) {
			to := o.subscribe("a")
			to.set(func(letter) reply { return test.reply })
			o.happen(leyden.TopicStarted, 7)
			after(7 * time.Second)
			d := o.delivery("a", 1)
			got := d.Log[0]
			got.At = time.Time{}
			if d.Status != feed.DeliveryPending || got != test.want {
				t.Errorf("%+v: %s, %+v; want %+v", test.reply, d.Status, got, test.want)
			}
		})
	}
}

// TestBoundsAndNeighbours: messages are under way in bounded number, and receivers
// that hang slow no other.
func TestBoundsAndNeighbours(t *testing.T) {
	inOffice(t, func(o *office) {
		var hanging []*receiver
		for i := range 8 {
			to := o.subscribe(fmt.Sprintf("hangs%d", i))
			to.set(func(letter) reply { return reply{delay: time.Hour} })
			hanging = append(hanging, to)
		}
		slow := o.subscribe("slow")
		slow.set(func(letter) reply { return reply{code: 200, delay: time.Second} })
		quick := o.subscribe("quick")
		const lines = 200
		for i := range lines {
			o.happen(leyden.TopicStarted, leyden.TransactionID(i+1))
		}
		after(20 * time.Second)
		if _, taken := quick.letters(); len(taken) != lines {
			t.Errorf("the quick one has %d of %d after 20 s", len(taken), lines)
		}
		if _, taken := slow.letters(); len(taken) != lines || slow.most != 16 {
			t.Errorf("the slow one has %d of %d after 20 s, %d at once", len(taken), lines, slow.most)
		}
		after(time.Hour)
		for i, to := range hanging {
			got, _ := to.letters()
			if len(got) > 100 || len(got) < 30 || to.most > 2 {
				t.Errorf("receiver %d, which hangs, was tried %d times in an hour, %d at once", i, len(got), to.most)
			}
		}
	})
}

// TestSlowNeighbours: many receivers that take their time, and all that may be under
// way for it, leave others their share.
func TestSlowNeighbours(t *testing.T) {
	inOffice(t, func(o *office) {
		for i := range 10 {
			o.subscribe(fmt.Sprintf("slow%d", i)).set(func(letter) reply { return reply{code: 200, delay: 4 * time.Second} })
		}
		const lines = 400
		for i := range lines {
			o.happen(leyden.TopicStarted, leyden.TransactionID(i+1))
		}
		after(30 * time.Second)
		quick := o.subscribe("quick")
		for i := range lines {
			o.happen(leyden.TopicStopped, leyden.TransactionID(i+1))
		}
		after(time.Second)
		if _, taken := quick.letters(); len(taken) != lines {
			t.Errorf("the quick one has %d of %d after a second", len(taken), lines)
		}
	})
}

// TestBacklogIsReadInParts: to send what gathered takes few looks for what is next.
func TestBacklogIsReadInParts(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		to.set(always(http.StatusBadGateway))
		const lines = 1000
		for i := range lines {
			o.happen(leyden.TopicStarted, leyden.TransactionID(i+1))
		}
		after(10 * time.Minute)
		to.set(func(letter) reply { // no two end at once
			got := time.Duration(len(to.taken))
			return reply{code: 200, delay: 5*time.Millisecond + got*time.Microsecond}
		})
		before := o.store.looks.Load()
		after(2 * time.Minute)
		if _, taken := to.letters(); len(taken) != lines {
			t.Errorf("%d of %d after two minutes", len(taken), lines)
		}
		if looks := o.store.looks.Load() - before; looks > lines/10 {
			t.Errorf("one looked %d times to send %d", looks, lines)
		}
	})
}

// TestRecovery: when a receiver is back after hours, its backlog drains quickly.
func TestRecovery(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		to.set(always(http.StatusBadGateway))
		const lines = 300
		for i := range lines {
			o.happen(leyden.TopicStarted, leyden.TransactionID(i+1))
			o.happen(leyden.TopicStopped, leyden.TransactionID(i+1))
		}
		after(10 * time.Hour)
		w, err := o.store.Webhook(o.t.Context(), "wh_a")
		o.must(err)
		if w.FailingSince.IsZero() || time.Since(w.FailingSince) < 9*time.Hour {
			t.Errorf("failing since %v", w.FailingSince)
		}
		to.set(nil)
		after(2 * time.Minute)
		if _, taken := to.letters(); len(taken) != 2*lines {
			t.Errorf("%d of %d after two minutes", len(taken), 2*lines)
		}
		w, err = o.store.Webhook(o.t.Context(), "wh_a")
		o.must(err)
		if !w.FailingSince.IsZero() {
			t.Errorf("failing since %v still", w.FailingSince)
		}
	})
}

// TestBacklogExpires: what is 72 hours old is dead when its receiver was down all
// the time, tried or not, and what is new lives.
func TestBacklogExpires(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		to.set(always(http.StatusBadGateway))
		const lines = 600
		for i := range lines {
			o.happen(leyden.TopicStarted, leyden.TransactionID(i+1))
			o.happen(leyden.TopicStopped, leyden.TransactionID(i+1))
		}
		after(73 * time.Hour)
		seq := o.happen(leyden.TopicStarted, 9999)
		after(time.Minute)
		tallies, err := o.store.DeliveryTallies(o.t.Context())
		o.must(err)
		if got := tallies["wh_a"]; got != (feed.DeliveryTally{Pending: 1, Dead: 2 * lines}) {
			t.Errorf("tally %+v", got)
		}
		to.set(nil)
		after(time.Minute + time.Second)
		_, taken := to.letters()
		o.wantSeqs("taken", taken, seq)
	})
}

// TestBacklogOutlivesPause: what waited while nothing was sent for days, be it that
// the webhook was paused or the server off, is sent before it is given up.
func TestBacklogOutlivesPause(t *testing.T) {
	for name, wait := range map[string]func(o *office, back func()){
		"paused": func(o *office, back func()) {
			o.change("wh_a", func(w *feed.Webhook) { w.Pause(feed.PausedByOperator, time.Now()) })
			after(100 * time.Hour)
			back()
			o.change("wh_a", func(w *feed.Webhook) { w.Resume() })
		},
		"off": func(o *office, back func()) {
			o.close()
			after(100 * time.Hour)
			back()
			o.open()
		},
	} {
		for _, well := range []bool{true, false} {
			inOffice(t, func(o *office) {
				to := o.subscribe("a")
				to.set(always(http.StatusBadGateway))
				for i := range leyden.TransactionID(20) {
					o.happen(leyden.TopicStarted, i+1)
				}
				after(time.Hour)
				tried, _ := to.letters()
				wait(o, func() {
					if well {
						to.set(always(http.StatusOK))
					}
				})
				after(time.Hour)
				got, taken := to.letters()
				if well && len(taken) != 20 {
					t.Errorf("%s: %d of 20 came", name, len(taken))
				}
				dead, _, err := o.store.Deliveries(t.Context(), feed.DeliveryQuery{Webhook: "wh_a", Status: feed.DeliveryDead, Limit: 100})
				if err != nil || !well && (len(dead) != 20 || len(got) == len(tried)) {
					t.Errorf("%s: %d of 20 are dead after %d more attempts, %v", name, len(dead), len(got)-len(tried), err)
				}
			})
		}
	}
}

// TestSweep: what was delivered is forgotten after a while.
func TestSweep(t *testing.T) {
	inOffice(t, func(o *office) {
		o.dispatcher.Age = time.Hour
		o.subscribe("a")
		for range 1200 {
			o.happen(leyden.TopicStarted, 1)
		}
		after(5 * time.Minute)
		kept := func() int {
			_, n, err := o.store.Deliveries(o.t.Context(), feed.DeliveryQuery{Webhook: "wh_a"})
			o.must(err)
			return n
		}
		if n := kept(); n != 1200 {
			t.Errorf("%d deliveries are kept; want 1200", n)
		}
		after(time.Hour)
		if n := kept(); n != 0 {
			t.Errorf("%d deliveries are kept after an hour", n)
		}
	})
}

// TestStorageTrouble: what could not be kept is kept later, and sent once.
func TestStorageTrouble(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		o.store.settling.Store(3)
		o.store.enqueuing.Store(5)
		o.happen(leyden.TopicStarted, 7)
		o.happen(leyden.TopicStopped, 7)
		after(30 * time.Second)
		got, _ := to.letters()
		o.wantSeqs("letters", got, 1, 2)
		if d := o.delivery("a", 2); d.Status != feed.DeliveryDelivered {
			t.Errorf("delivery %+v", d)
		}
	})
}

// TestForgotten: what a webhook missed while it was paused leaves a dead letter.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.age = feed.MinAge
		o.open()
		defer func() { o.close() }()
		to := o.subscribe("a")
		to.set(always(http.StatusBadGateway))
		untried := o.happen(leyden.TopicStarted, 7)
		o.happen(leyden.TopicStopped, 7)
		after(time.Second)
		o.change("wh_a", func(w *feed.Webhook) { w.Pause(feed.PausedByOperator, time.Now()) })
		for i := range 5 {
			o.happen(leyden.TopicStarted, leyden.TransactionID(i+10))
		}
		after(feed.MinAge + 2*time.Minute)
		to.set(nil)
		seq := o.happen(leyden.TopicStarted, 99)
		o.change("wh_a", func(w *feed.Webhook) { w.Resume() })
		after(10 * time.Second)
		_, taken := to.letters()
		o.wantSeqs("taken", taken, untried, seq)
		if d := o.delivery("a", 2); d.Status != feed.DeliveryDead || !strings.Contains(d.Last().Error, "forgotten") {
			t.Errorf("delivery of an event that was forgotten: %+v", d)
		}
		gap := o.delivery("a", 7)
		if gap.Status != feed.DeliveryDead || gap.Event != feed.EventGap || gap.Last().Error != "the events from 3 to 7 were forgotten before they could be sent" {
			t.Errorf("gap: %+v", gap)
		}
	})
}

// TestReach: a webhook of a limited credential is sent what that one may see.
func TestReach(t *testing.T) {
	inOffice(t, func(o *office) {
		limited := o.subscribe("a", func(w *feed.Webhook) { w.Reach = &feed.Reach{Stations: []leyden.StationID{"T", "S"}} })
		none := o.subscribe("b", func(w *feed.Webhook) { w.Reach = &feed.Reach{Sites: []string{"nowhere"}} })
		other := o.subscribe("c", func(w *feed.Webhook) { w.Reach = &feed.Reach{Stations: []leyden.StationID{"T"}} })
		seq := o.happen(leyden.TopicStarted, 7)
		after(time.Minute)
		_, taken := limited.letters()
		o.wantSeqs("of one that may see S", taken, seq)
		for _, to := range []*receiver{none, other} {
			if got, _ := to.letters(); len(got) > 0 {
				t.Errorf("sent to who must not see it: %v", seqsOf(got))
			}
		}
	})
}

// TestRemoved: a webhook that is gone is sent nothing, and one that is changed is
// sent to its new URL.
func TestRemoved(t *testing.T) {
	inOffice(t, func(o *office) {
		gone, old, other := o.subscribe("a"), o.subscribe("b"), o.subscribe("c", func(w *feed.Webhook) { w.Events = []string{"none"} })
		old.set(always(http.StatusBadGateway))
		o.must(o.store.RemoveWebhook(o.t.Context(), "wh_a", 0))
		o.poke()
		o.happen(leyden.TopicStarted, 7)
		after(time.Hour)
		before, _ := old.letters()
		o.change("wh_b", func(w *feed.Webhook) { w.URL = "https://c/" })
		after(time.Second)
		if got, _ := gone.letters(); len(got) > 0 {
			t.Errorf("a removed webhook was sent %v", seqsOf(got))
		}
		if got, _ := old.letters(); len(got) != len(before) {
			t.Errorf("the old URL was sent %v", seqsOf(got[len(before):]))
		}
		_, taken := other.letters()
		o.wantSeqs("the new URL", taken, 1)
	})
}

// TestTest: a test is sent at once, and if it arrives what waits is due.
func TestTest(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a")
		to.set(always(http.StatusBadGateway))
		o.happen(leyden.TopicStarted, 7)
		after(10 * time.Hour)
		w, err := o.store.Webhook(o.t.Context(), "wh_a")
		o.must(err)
		a, err := o.dispatcher.Test(o.t.Context(), &w, "evt_test", []byte("{}"))
		if err != nil || a.Code != http.StatusBadGateway || a.Error != "502 Bad Gateway" {
			t.Errorf("test of a broken receiver: %+v, %v", a, err)
		}
		to.set(nil)
		a, err = o.dispatcher.Test(o.t.Context(), &w, "evt_test", []byte("{}"))
		if err != nil || a.Code != http.StatusNoContent || a.Error != "" {
			t.Errorf("test: %+v, %v", a, err)
		}
		after(time.Second)
		got, _ := to.letters()
		if last := got[len(got)-1]; last.id != "evt_1" || got[len(got)-2].id != "evt_test" || got[len(got)-2].body != "{}" {
			t.Errorf("after the test came %q", last.id)
		}
	})
}

// TestWrongKey: with another key nothing is sent unsigned.
func TestWrongKey(t *testing.T) {
	inOffice(t, func(o *office) {
		to := o.subscribe("a", func(w *feed.Webhook) { w.Secret[len(w.Secret)-1] ^= 1 })
		o.happen(leyden.TopicStarted, 7)
		after(time.Minute)
		d := o.delivery("a", 1)
		if got, _ := to.letters(); len(got) > 0 || !strings.Contains(d.Last().Error, "cannot be read") {
			t.Errorf("%d letters, %+v", len(got), d)
		}
	})
}

// TestNothingMissed: whatever receivers answer and whenever the process ends, every
// event arrives, those of a transaction in order but for repeats.
func TestNothingMissed(t *testing.T) {
	for seed := range 12 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { nothingMissed(t, newDice(uint64(seed))) }) })
	}
}

func nothingMissed(t *testing.T, dice *dice) {
	o := newOffice(t)
	o.chance = dice.float
	o.open()
	receivers := []*receiver{o.subscribe("a"), o.subscribe("b")}
	faults := dice.int(80)
	for _, to := range receivers {
		to.set(func(letter) reply {
			out := reply{code: 200, delay: time.Duration(dice.int(3000)) * time.Millisecond}
			if dice.int(100) < faults {
				out.code = []int{500, 429, 302, 503}[dice.int(4)]
				out.delay = time.Duration(dice.int(8)) * time.Second
			}
			return out
		})
	}
	const transactions = 12
	var want []int64
	for range 150 {
		want = append(want, o.happen(leyden.TopicStarted, leyden.TransactionID(dice.int(transactions))))
		if dice.int(3) > 0 {
			continue
		}
		after(time.Duration(dice.int(10_000)) * time.Millisecond)
		if dice.int(4) == 0 { // it ends, and another begins after a while
			o.close()
			after(time.Duration(dice.int(5)) * time.Minute)
			o.open()
		}
	}
	for _, to := range receivers {
		to.set(nil)
	}
	after(3 * time.Hour)
	o.close()
	for i, to := range receivers {
		_, taken := to.letters()
		wantEach(t, fmt.Sprintf("receiver %d, faults %d %%", i, faults), taken, want)
	}
}

// wantEach fails unless every Seq was taken, and the first time in the order of its
// transaction.
func wantEach(t *testing.T, who string, taken []letter, want []int64) {
	t.Helper()
	seen := make(map[int64]bool)
	newest := make(map[string]int64)
	for i, seq := range seqsOf(taken) {
		line := taken[i].body[strings.LastIndex(taken[i].body, ":"):]
		if !seen[seq] && seq < newest[line] {
			t.Errorf("%s: %d came for the first time after %d of the same transaction", who, seq, newest[line])
		}
		seen[seq] = true
		newest[line] = max(newest[line], seq)
	}
	for _, seq := range want {
		if !seen[seq] {
			t.Errorf("%s: %d never came", who, seq)
		}
	}
}
