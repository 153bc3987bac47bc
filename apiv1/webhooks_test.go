package apiv1_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/auth"
	"leyden/feed"
)

// webhookRegistrar makes and changes webhooks of a world.
func webhookRegistrar(w *world) *feed.WebhookRegistrar {
	vault, err := feed.NewVault(make([]byte, feed.VaultKeySize))
	w.must(err)
	last := func(ctx context.Context) (int64, error) {
		_, last, err := w.store.NoticeBounds(ctx)
		return last, err
	}
	return &feed.WebhookRegistrar{Store: w.store, Vault: vault, Last: last, Now: w.now}
}

// An inbox is where all webhooks of a world lead. It answers with code.
type inbox struct {
	code atomic.Int64
	mu   sync.Mutex // guards what it got from what is sent meanwhile
	got  []*http.Request
	body []string
}

func (b *inbox) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	code := int(b.code.Load())
	if err != nil || code == 0 {
		return nil, errors.Join(err, errors.New("connection refused"))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got, b.body = append(b.got, r), append(b.body, string(body))
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader("said the receiver"))}, nil
}

// withWebhooks runs f in a world that sends what happens to an inbox.
func withWebhooks(t *testing.T, f func(w *world, in *inbox)) {
	t.Helper()
	in := new(inbox)
	in.code.Store(http.StatusOK)
	synctest.Test(t, func(t *testing.T) {
		var sends *feed.Dispatcher
		w := newWorld(t, func(c *apiv1.Config) {
			sends = feed.NewDispatcher(feed.DispatcherConfig{
				Store: c.Webhooks.Store, Feed: feed.New(c.Webhooks.Store.(feed.Store), feed.Options{}), Vault: c.Webhooks.Vault,
				Render: func(_ context.Context, n *leyden.Notice) ([]byte, error) {
					return fmt.Appendf(nil, `{"seq":%d}`, n.Seq), nil
				},
				Within: func(context.Context, *feed.Reach) ([]leyden.StationID, error) { return nil, nil },
				Sender: &feed.Sender{Transport: in, Now: c.Webhooks.Now, Agent: "test"}, Age: feed.DefaultAge, Now: c.Webhooks.Now,
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Chance: func() float64 { return 0 },
			})
			c.Dispatcher = sends
		})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			sends.Run(ctx)
		}()
		f(w, in)
		cancel()
		<-ended
		w.must(w.stations.Drain(t.Context()))
	})
}

// hook adds a webhook and returns its id.
func (w *world) hook(body string) string {
	w.t.Helper()
	return field(w.t, w.want(http.StatusCreated, "POST /webhooks", body), "id")
}

// happen announces something about transaction 7 of station S.
func (w *world) happen(topic string) {
	w.t.Helper()
	e := &leyden.Entry{Station: "S", Notices: []leyden.Notice{{Topic: topic, Station: "S", Transaction: 7, At: w.now()}}}
	w.must(w.store.Append(w.t.Context(), e))
}

// rest lets everything happen that is due within a while.
func (w *world) rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

const toBilling = `{"url":"https://billing.example/hook","events":["transaction.stopped","transaction.started"],"description":"Billing"}`

func TestWebhookLife(t *testing.T) {
	withWebhooks(t, func(w *world, in *inbox) {
		out := w.do("POST /webhooks", toBilling)
		if out.Code != http.StatusCreated {
			t.Fatalf("got %d %s", out.Code, out.Body)
		}
		id := field(t, out.Body.String(), "id")
		wantHeader(t, out, "Location", "/api/v1/webhooks/"+id)
		secret, err := feed.ParseSigningSecret(field(t, out.Body.String(), "secret"))
		w.must(err)
		w.golden("webhook_new", strings.Replace(out.Body.String(), string(secret), "…", 1))

		w.happen(leyden.TopicStarted)
		w.happen(leyden.TopicStopping)
		w.happen(leyden.TopicStopped)
		w.rest(time.Second)
		if len(in.got) != 2 || in.body[0] != `{"seq":1}` || in.body[1] != `{"seq":3}` {
			t.Errorf("sent %q", in.body)
		}
		for i, r := range in.got {
			sum, err := secret.Sign(r.Header.Get(feed.HeaderID), w.now(), []byte(in.body[i]))
			w.must(err)
			if got := r.Header.Get(feed.HeaderSignature); !strings.HasPrefix(got, "v1,") || r.Header.Get(feed.HeaderTimestamp) == "" || len(got) != len(sum) {
				t.Errorf("signature %q", got)
			}
		}
		shown := w.want(http.StatusOK, "GET /webhooks/"+id, "")
		for _, bad := range []string{string(secret), "whsec_"} {
			if strings.Contains(shown+w.want(http.StatusOK, "GET /webhooks", ""), bad) {
				t.Errorf("the secret is shown: %s", shown)
			}
		}
		w.golden("webhook_list", w.want(http.StatusOK, "GET /webhooks", ""))

		paused := w.want(http.StatusOK, "PATCH /webhooks/"+id, `{"paused":true,"description":null,"events":[]}`)
		w.golden("webhook_paused", paused)
		w.happen(leyden.TopicFailed)
		w.rest(time.Minute)
		if len(in.got) != 2 {
			t.Errorf("a paused webhook was sent %q", in.body[2:])
		}
		w.want(http.StatusOK, "PATCH /webhooks/"+id, `{"paused":false,"url":"https://other.example/"}`)
		w.rest(time.Second)
		if len(in.got) != 3 || in.got[2].URL.Host != "other.example" || in.body[2] != `{"seq":4}` {
			t.Errorf("after it was resumed: %q", in.body[2:])
		}
		w.want(http.StatusOK, "DELETE /webhooks/"+id, "")
		w.want(http.StatusNotFound, "GET /webhooks/"+id, "")
		w.want(http.StatusNotFound, "DELETE /webhooks/"+id, "")
		w.happen(leyden.TopicFailed)
		w.rest(time.Minute)
		if len(in.got) != 3 {
			t.Errorf("a removed webhook was sent %q", in.body[3:])
		}
	})
}

func TestWebhookRefusals(t *testing.T) {
	withWebhooks(t, func(w *world, _ *inbox) {
		id := w.hook(toBilling)
		for _, test := range []struct{ line, body, message string }{
			{"POST /webhooks", `{"url":"http://billing.example/"}`, "url: must be https: http is for addresses that --webhooks-allow lists"},
			{"POST /webhooks", `{"url":"https://127.0.0.1/"}`, "url: the address is not allowed: it is none of the public internet, and --webhooks-allow does not list it"},
			{"POST /webhooks", `{"url":"https://a:b@billing.example/"}`, "url: must not hold a user or a password: verify the signature instead"},
			{"POST /webhooks", `{"url":"https://billing.example/","secret":"whsec_c2hvcnQ="}`, "secret: must be base64 of 24 to 64 bytes"},
			{"POST /webhooks", `{"url":"https://billing.example/","secret":"short"}`, "secret: must begin with whsec_"},
			{"POST /webhooks", `{"url":"https://billing.example/","description":"a\u0000b"}`, "description: must be readable text of at most 500 characters"},
			{"PATCH /webhooks/" + id, `{"url":"ftp://billing.example/"}`, "url: must be a URL, https://HOST/PATH"},
			{"PATCH /webhooks/" + id, `{"url":null}`, "url: must not be null"},
			{"POST /webhooks/" + id + "/rotate-secret", `{"secret":"whsec_-"}`, "secret: must be whsec_ and base64"},
		} {
			if details := w.wantError(test.line, test.body, http.StatusBadRequest, "VALIDATION_ERROR", test.message); len(details) != 1 {
				t.Errorf("%s %s: details %v", test.line, test.body, details)
			}
		}
		for _, body := range []string{`{}`, `{"url":"https://billing.example/","events":["no.such"]}`, `{"url":""}`, `{"url":"https://a/","more":1}`} {
			w.want(http.StatusBadRequest, "POST /webhooks", body)
		}
		for _, line := range []string{"GET ", "PATCH ", "DELETE ", "POST /test", "POST /rotate-secret", "POST /replay", "GET /deliveries", "GET /deliveries/dlv_1", "POST /deliveries/dlv_1/replay"} {
			method, rest, _ := strings.Cut(line, " ")
			body := map[string]string{"PATCH": `{"paused":true}`}[method]
			w.wantError(method+" /webhooks/wh_none"+rest, body, http.StatusNotFound, "NOT_FOUND", "webhook wh_none: not found")
		}
		w.wantError("GET /webhooks/"+id+"/deliveries/dlv_1", "", http.StatusNotFound, "NOT_FOUND", "delivery dlv_1: not found")
		for i := range feed.MaxWebhooks - 1 {
			w.must(w.store.SaveWebhook(w.t.Context(), feed.Webhook{ID: fmt.Sprintf("wh_%d", i), URL: "https://a", Secret: []byte{1}, Version: 1, Paused: "x"}))
		}
		w.wantError("POST /webhooks", toBilling, http.StatusConflict, "CONFLICT", "there are 200 webhooks already: there are too many")
	})
}

func TestWebhookTest(t *testing.T) {
	withWebhooks(t, func(w *world, in *inbox) {
		id := w.hook(toBilling)
		got := w.want(http.StatusOK, "POST /webhooks/"+id+"/test", "")
		w.golden("webhook_test", got)
		var sent struct {
			ID, Event string
			Timestamp time.Time
			Seq       int
			Data      struct{ WebhookID string }
		}
		w.must(json.Unmarshal([]byte(in.body[0]), &sent))
		if sent.ID != in.got[0].Header.Get(feed.HeaderID) || sent.Event != "webhook.test" || sent.Data.WebhookID != id || !sent.Timestamp.Equal(noon) {
			t.Errorf("sent %s", in.body[0])
		}
		in.code.Store(http.StatusFound)
		w.golden("webhook_test_failed", w.want(http.StatusOK, "POST /webhooks/"+id+"/test", ""))
		in.code.Store(0)
		if got := field(t, w.want(http.StatusOK, "POST /webhooks/"+id+"/test", ""), "error"); got != "connection refused" {
			t.Errorf("error %q", got)
		}
	})
	inWorld(t, func(w *world) { // of a server that sends nothing
		w.wantError("POST /webhooks/"+w.hook(toBilling)+"/test", "", http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "this server sends nothing to webhooks")
	})
}

func TestDeliveries(t *testing.T) {
	withWebhooks(t, func(w *world, in *inbox) {
		id := w.hook(`{"url":"https://billing.example/hook"}`)
		list := "/webhooks/" + id + "/deliveries"
		w.rest(time.Second)
		w.happen(leyden.TopicStarted)
		w.rest(time.Second)
		in.code.Store(http.StatusServiceUnavailable)
		w.happen(leyden.TopicStopping)
		w.happen(leyden.TopicStopped)
		w.rest(time.Second)
		w.golden("delivery_list", w.want(http.StatusOK, "GET "+list, ""))
		pending := w.deliveries(list + "?status=pending")
		w.golden("delivery", w.want(http.StatusOK, "GET "+list+"/"+pending[1], ""))
		w.wantError("POST "+list+"/"+pending[1]+"/replay", "", http.StatusConflict, "CONFLICT", "delivery "+pending[1]+" is pending: "+leyden.ErrState.Error())
		w.must(w.store.SettleDelivery(w.t.Context(), feed.Settlement{
			Delivery: pending[1], Status: feed.DeliveryDead, Attempt: feed.Attempt{At: w.now(), Error: "gone"}, Body: []byte("{}"),
		}))
		in.code.Store(http.StatusOK)
		w.rest(time.Hour)
		for query, want := range map[string]int{
			"": 3, "?status=dead": 1, "?status=delivered": 2, "?event=transaction.stopped": 1, "?transactionId=7": 3, "?transactionId=8": 0, "?limit=2": 2,
		} {
			if got := w.deliveries(list + query); len(got) != want {
				t.Errorf("%d deliveries of %q; want %d", len(got), query, want)
			}
		}
		dead := w.deliveries(list + "?status=dead")[0]
		other := w.hook(`{"url":"https://other.example/"}`)
		w.want(http.StatusNotFound, "GET /webhooks/"+other+"/deliveries/"+dead, "")
		before := len(in.got)
		w.golden("delivery_replayed", w.want(http.StatusAccepted, "POST "+list+"/"+dead+"/replay", ""))
		w.rest(time.Second)
		if len(in.got) != before+1 || in.got[before].Header.Get(feed.HeaderID) != "evt_2" {
			t.Errorf("replayed %q", in.body[before:])
		}
		if got := w.want(http.StatusAccepted, "POST /webhooks/"+id+"/replay", ""); got != `{"replayed":0,"more":false}` {
			t.Errorf("replay of none: %s", got)
		}
	})
}

func TestReplayDead(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.hook(toBilling)
		var list []feed.Delivery
		for i := range 503 {
			topic := []string{leyden.TopicStarted, leyden.TopicStopped}[i%2]
			d := feed.NewDelivery(id, &leyden.Notice{Seq: int64(i + 1), Topic: topic, Station: "S"}, w.now())
			d.Expire(w.now())
			list = append(list, d)
		}
		w.must(w.store.EnqueueDeliveries(w.t.Context(), id, 0, 503, list))
		for _, test := range []struct{ body, want string }{
			{`{"event":"transaction.stopped"}`, `{"replayed":251,"more":false}`},
			{``, `{"replayed":252,"more":false}`},
		} {
			if got := w.want(http.StatusAccepted, "POST /webhooks/"+id+"/replay", test.body); got != test.want {
				t.Errorf("replay %s: %s; want %s", test.body, got, test.want)
			}
		}
	})
}

// deliveries returns the ids of a list.
func (w *world) deliveries(target string) (ids []string) {
	w.t.Helper()
	var list struct{ Deliveries []struct{ ID string } }
	w.must(json.Unmarshal([]byte(w.want(http.StatusOK, "GET "+target, "")), &list))
	for _, d := range list.Deliveries {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestRotateWebhookSecret(t *testing.T) {
	withWebhooks(t, func(w *world, in *inbox) {
		out := w.want(http.StatusCreated, "POST /webhooks", `{"url":"https://a.example/","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}`)
		id, first := field(t, out, "id"), field(t, out, "secret")
		rotated := w.want(http.StatusOK, "POST /webhooks/"+id+"/rotate-secret", "")
		second := field(t, rotated, "secret")
		if first != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" || second == first {
			t.Errorf("secrets %q and %q", first, second)
		}
		if end := field(t, rotated, "oldSecretEndsAt"); end != "2026-02-07T12:00:00.000Z" {
			t.Errorf("the old one ends at %s", end)
		}
		w.want(http.StatusOK, "POST /webhooks/"+id+"/test", "")
		var want []string
		for _, text := range []string{second, first} {
			sum, err := feed.SigningSecret(text).Sign(in.got[0].Header.Get(feed.HeaderID), noon, []byte(in.body[0]))
			w.must(err)
			want = append(want, sum)
		}
		if got := in.got[0].Header.Get(feed.HeaderSignature); got != strings.Join(want, " ") {
			t.Errorf("signature %q; want %q", got, want)
		}
		w.want(http.StatusOK, "POST /webhooks/"+id+"/rotate-secret", `{"secret":"`+first+`"}`)
	})
}

// TestWebhookScopes: nobody is sent what they could not read.
func TestWebhookScopes(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.key
		ofAdmin := w.hook(toBilling)
		for _, test := range []struct {
			scopes []string
			events string
			status int
		}{
			{[]string{"transactions:read"}, `"transaction.started"`, 403},
			{[]string{"webhooks:write"}, `"transaction.started"`, 403},
			{[]string{"webhooks:write", "transactions:read"}, `"transaction.started","frame.quarantined"`, 201},
			{[]string{"webhooks:write", "transactions:read"}, `"transaction.started","charger.boot"`, 403},
			{[]string{"webhooks:write", "transactions:read"}, ``, 403},
			{[]string{"webhooks:write", "chargers:read"}, `"connector.status_changed"`, 201},
			{[]string{"webhooks:write", "chargers:read", "transactions:read"}, ``, 201},
		} {
			w.key = w.keyWith(test.scopes...)
			out := w.do("POST /webhooks", `{"url":"https://a.example/","events":[`+test.events+`]}`)
			if out.Code != test.status {
				t.Errorf("%v, events [%s]: got %d %s, want %d", test.scopes, test.events, out.Code, out.Body, test.status)
			}
		}
		w.key = w.keyWith("webhooks:write", "chargers:read")
		w.wantError("PATCH /webhooks/"+ofAdmin, `{"url":"https://thief.example/"}`, http.StatusForbidden, "FORBIDDEN",
			"the credential lacks the scope transactions:read, without which nobody is sent transaction.started")
		w.want(http.StatusForbidden, "PATCH /webhooks/"+ofAdmin, `{"url":"https://thief.example/","events":["charger.boot"]}`)
		w.want(http.StatusForbidden, "PATCH /webhooks/"+ofAdmin, `{"events":[]}`)
		w.want(http.StatusOK, "PATCH /webhooks/"+ofAdmin, `{"paused":true}`)
		w.key = admin
		if got := w.want(http.StatusOK, "GET /webhooks/"+ofAdmin, ""); strings.Contains(got, "thief") {
			t.Errorf("it leads elsewhere: %s", got)
		}
	})
}

// TestWebhookReach: what a limited credential makes is limited, and it sees no other.
func TestWebhookReach(t *testing.T) {
	inWorld(t, func(w *world) {
		ofAdmin := w.hook(toBilling)
		limited := func(chargers ...leyden.StationID) string {
			_, text, err := w.registrar.CreateKey(w.t.Context(), auth.Spec{
				Name: "limited", Scopes: []string{"webhooks:write", "transactions:read"}, LimitedTo: &auth.Limit{Chargers: chargers},
			})
			w.must(err)
			return string(text)
		}
		admin := w.key
		w.key = limited("S", "T")
		own := w.want(http.StatusCreated, "POST /webhooks", toBilling)
		if !strings.Contains(own, `"limitedTo":{"chargers":["S","T"],"sites":[]}`) {
			t.Errorf("made %s", own)
		}
		id := field(t, own, "id")
		kept, err := w.store.Webhook(w.t.Context(), id)
		w.must(err)
		if kept.Reach == nil || !slices.Equal(kept.Reach.Stations, []leyden.StationID{"S", "T"}) {
			t.Errorf("kept %+v", kept)
		}
		mine := w.want(http.StatusOK, "GET /webhooks", "")
		if strings.Contains(mine, ofAdmin) || !strings.Contains(mine, id) {
			t.Errorf("listed %s", mine)
		}
		for _, line := range []string{"GET ", "PATCH ", "DELETE ", "POST /test", "POST /rotate-secret", "POST /replay", "GET /deliveries"} {
			method, rest, _ := strings.Cut(line, " ")
			body := map[string]string{"PATCH": `{"paused":true}`}[method]
			w.wantError(method+" /webhooks/"+ofAdmin+rest, body, http.StatusNotFound, "NOT_FOUND", "webhook "+ofAdmin+": not found")
		}
		w.key = limited("S")
		w.want(http.StatusNotFound, "GET /webhooks/"+id, "")
		w.key = limited("S", "T", "U")
		w.want(http.StatusOK, "GET /webhooks/"+id, "")
		w.key = admin
		w.want(http.StatusOK, "GET /webhooks/"+id, "")
	})
}

// TestWebhookEventsAreAll: the document names all events that there are.
func TestWebhookEventsAreAll(t *testing.T) {
	inWorld(t, func(w *world) {
		text, err := json.Marshal(feed.WebhookEvents())
		w.must(err)
		w.want(http.StatusCreated, "POST /webhooks", `{"url":"https://a.example/","events":`+string(text)+`}`)
	})
}

// TestNoWebhooks: a server may have none.
func TestNoWebhooks(t *testing.T) {
	inWorld(t, func(w *world) {
		for line, body := range map[string]string{"GET /webhooks": "", "POST /webhooks": toBilling, "GET /webhooks/wh_1": "", "POST /webhooks/wh_1/rotate-secret": ""} {
			w.wantError(line, body, http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "this server has no webhooks")
		}
	}, func(c *apiv1.Config) { c.Webhooks = nil })
}
