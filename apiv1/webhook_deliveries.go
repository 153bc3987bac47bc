package apiv1

import (
	"context"
	"errors"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/feed"
	"leyden/rest"
)

// delivery is how v1 shows a [feed.Delivery].
type delivery struct {
	ID             string                `json:"id" example:"dlv_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	MessageID      string                `json:"messageId" doc:"The header webhook-id: the same at every attempt." example:"evt_17"`
	Seq            int64                 `json:"seq" doc:"Place of the event among all." example:"17"`
	Event          string                `json:"event" example:"transaction.stopped"`
	ChargeBoxID    *leyden.StationID     `json:"chargeBoxId" example:"CHARGER-001"`
	TransactionID  *leyden.TransactionID `json:"transactionId" example:"12345"`
	Status         string                `json:"status" enum:"pending,delivered,dead" doc:"dead: it was given up; it can be replayed." example:"delivered"`
	Attempts       int                   `json:"attempts" doc:"How often it was tried, since the last replay." example:"1"`
	NextAttemptAt  rest.Time             `json:"nextAttemptAt" doc:"When it is tried next, unless it waits for an earlier event of the same transaction; null unless it is pending."`
	CreatedAt      rest.Time             `json:"createdAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
	EndedAt        rest.Time             `json:"endedAt" doc:"When it was delivered or given up."`
	LastStatusCode *int                  `json:"lastStatusCode" doc:"HTTP status of the last answer; null when none came." example:"204"`
	LastError      *string               `json:"lastError" doc:"Why the last attempt failed." example:"503 Service Unavailable"`
}

func presentDelivery(d *feed.Delivery) delivery {
	last := d.Last()
	return delivery{
		ID: d.ID, MessageID: feed.MessageID(d.Seq), Seq: d.Seq, Event: d.Event, ChargeBoxID: orNull(d.Station),
		TransactionID: orNull(d.Transaction), Status: string(d.Status), Attempts: d.Attempts, NextAttemptAt: rest.Time{Time: d.NextAt},
		CreatedAt: rest.Time{Time: d.CreatedAt}, EndedAt: rest.Time{Time: d.EndedAt},
		LastStatusCode: orNull(last.Code), LastError: orNull(last.Error),
	}
}

// deliveryDetail is a delivery with its log.
type deliveryDetail struct {
	delivery
	Log []deliveryAttempt `json:"log" doc:"The last 20 attempts, the oldest first."`
}

type deliveryAttempt struct {
	At         rest.Time `json:"at" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
	DurationMs int64     `json:"durationMs" example:"48"`
	StatusCode *int      `json:"statusCode" doc:"HTTP status; null when there was no answer." example:"204"`
	Error      *string   `json:"error" doc:"Why it failed; null when it succeeded." example:"503 Service Unavailable"`
	Answer     *string   `json:"answer" doc:"Begin of the answer." example:"busy"`
}

func presentAttempt(a *feed.Attempt) deliveryAttempt {
	return deliveryAttempt{rest.Time{Time: a.At}, a.Duration.Milliseconds(), orNull(a.Code), orNull(a.Error), orNull(a.Excerpt)}
}

type deliveryList struct {
	Deliveries []delivery `json:"deliveries"`
	Pagination pagination `json:"pagination"`
}

type listDeliveriesInput struct {
	WebhookPath
	Status        string `query:"status" enum:"pending,delivered,dead" doc:"Only those."`
	Event         string `query:"event" maxLength:"50" doc:"Only of this event." example:"transaction.stopped"`
	TransactionID int    `query:"transactionId" minimum:"1" maximum:"2147483647" doc:"Only of this transaction." example:"12345"`
	rest.Window
}

type deliveryPath struct {
	WebhookPath
	Delivery string `path:"deliveryId" maxLength:"100" doc:"Id of the delivery." example:"dlv_01jm2v8xkq4w7c5n3t6y9b2d4f"`
}

// webhookTest is what came of a test.
type webhookTest struct {
	MessageID string `json:"messageId" doc:"The header webhook-id." example:"evt_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Delivered bool   `json:"delivered" doc:"Whether the receiver answered with a status of 200 to 299." example:"true"`
	deliveryAttempt
}

// testMessage is the body of a test: like that of an event, with the number of none.
type testMessage struct {
	ID        string    `json:"id"`
	Event     string    `json:"event"`
	Timestamp rest.Time `json:"timestamp"`
	Seq       int64     `json:"seq"`
	Data      struct {
		WebhookID string `json:"webhookId"`
	} `json:"data"`
}

const eventTest = "webhook.test"

// replayed says how many deliveries are sent again.
type replayed struct {
	Replayed int  `json:"replayed" example:"12"`
	More     bool `json:"more" doc:"Whether there are more: ask again." example:"false"`
}

// maxReplayed is how many dead letters are replayed by one request.
const maxReplayed = 500

type replayDeadInput struct {
	WebhookPath
	Body *struct {
		Event string `json:"event,omitempty" maxLength:"50" doc:"Only of this event." example:"transaction.stopped"`
	} `nameHint:"V1ReplayDead"`
}

func (a *api) serveDeliveries() {
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/webhooks/{webhookId}/test", ID: "v1TestWebhook", Tag: tagWebhooks,
		Summary: "Test a webhook",
		Description: "Sends the event `webhook.test`, with `seq` 0, right now, once, and answers with what came of it, a paused webhook's too. " +
			"If it is delivered, what waits for another attempt is due.",
		Scope: auth.WebhooksWrite, Limited: true, Errors: notFound(),
	}, a.testWebhook)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/webhooks/{webhookId}/deliveries", ID: "v1ListDeliveries", Tag: tagWebhooks,
		Summary: "List the deliveries of a webhook",
		Description: "Every event that it was to be sent, and what became of it, the newest first. Those that were delivered are kept for as long " +
			"as changes are (--feed-age), dead ones for 30 days. They are counted up to 100,000.",
		Scope: auth.WebhooksWrite, Limited: true, Errors: notFound(),
	}, inParts("deliveries", partRows, a.listDeliveries, func(l *deliveryList) []delivery { return l.Deliveries }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/webhooks/{webhookId}/deliveries/{deliveryId}", ID: "v1GetDelivery", Tag: tagWebhooks,
		Summary:     "Get a delivery with its log",
		Description: "One delivery with its last 20 attempts.",
		Scope:       auth.WebhooksWrite, Limited: true, Errors: notFound(),
	}, a.getDelivery)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/webhooks/{webhookId}/deliveries/{deliveryId}/replay", ID: "v1ReplayDelivery", Tag: tagWebhooks,
		Summary: "Replay a delivery",
		Description: "Sends an event again that was delivered or given up, with the same `webhook-id`, and retries it for 72 hours. " +
			"It waits for no other event, and none waits for it.",
		Scope: auth.WebhooksWrite, Limited: true, Status: http.StatusAccepted, Errors: notFoundOrConflict(),
	}, a.replayDelivery)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/webhooks/{webhookId}/replay", ID: "v1ReplayDeadDeliveries", Tag: tagWebhooks,
		Summary:     "Replay what was given up",
		Description: "Replays dead deliveries, the newest first, at most 500 by one request.",
		Scope:       auth.WebhooksWrite, Limited: true, Status: http.StatusAccepted, Errors: notFound(),
	}, a.replayDead)
}

func (a *api) testWebhook(ctx context.Context, in *WebhookPath) (*bodied[webhookTest], error) {
	w, err := a.webhook(ctx, *in)
	if err != nil {
		return nil, err
	}
	if a.Dispatcher == nil {
		return nil, rest.Errorf(http.StatusServiceUnavailable, "this server sends nothing to webhooks")
	}
	m := NewWebhookTest(w.ID, a.Ledger.Now())
	answer, err := a.Dispatcher.Test(ctx, &w, m.ID, m.Body)
	if err != nil {
		return nil, err
	}
	return &bodied[webhookTest]{webhookTest{m.ID, answer.Error == "", presentAttempt(&answer.Attempt)}}, nil
}

// A WebhookTest is the message that tests a webhook.
type WebhookTest struct {
	ID   string
	Body []byte
}

// NewWebhookTest returns the message that tests a webhook.
func NewWebhookTest(webhook string, now time.Time) WebhookTest {
	m := testMessage{ID: leyden.NewPublicID("evt_", now), Event: eventTest, Timestamp: rest.Time{Time: now}}
	m.Data.WebhookID = webhook
	body, err := rest.Encode(m)
	if err != nil {
		panic(err) // our own types always encode
	}
	return WebhookTest{m.ID, body}
}

func (a *api) listDeliveries(ctx context.Context, in *listDeliveriesInput) (*bodied[deliveryList], error) {
	w, err := a.webhook(ctx, in.WebhookPath)
	if err != nil {
		return nil, err
	}
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	q := feed.DeliveryQuery{
		Webhook: w.ID, Status: feed.DeliveryStatus(in.Status), Event: in.Event, Transaction: leyden.TransactionID(in.TransactionID),
		Limit: part.Limit, Offset: part.Offset,
	}
	if part.After != nil {
		q.Before = part.After.ID
	}
	list, total, err := a.Webhooks.Store.Deliveries(ctx, q)
	if err != nil {
		return nil, err
	}
	out := new(bodied[deliveryList])
	out.Body.Deliveries, out.Body.Pagination = paged(ctx, in.Window, list, min(total, feed.MaxCounted), func(d *feed.Delivery) leyden.Cursor {
		return leyden.Cursor{ID: d.Seq}
	}, presentDelivery)
	out.Body.Pagination.TotalIsLowerBound = total > feed.MaxCounted
	return out, nil
}

// delivery returns the one that a path names, for who may manage its webhook.
func (a *api) delivery(ctx context.Context, p deliveryPath) (feed.Delivery, error) {
	w, err := a.webhook(ctx, p.WebhookPath)
	if err != nil {
		return feed.Delivery{}, err
	}
	d, err := a.Webhooks.Store.Delivery(ctx, p.Delivery)
	if err == nil && d.Webhook != w.ID {
		err = leyden.ErrNotFound
	}
	return d, named("delivery", p.Delivery, err)
}

func (a *api) getDelivery(ctx context.Context, in *deliveryPath) (*bodied[deliveryDetail], error) {
	d, err := a.delivery(ctx, *in)
	if err != nil {
		return nil, err
	}
	out := &bodied[deliveryDetail]{deliveryDetail{presentDelivery(&d), []deliveryAttempt{}}}
	for i := range d.Log {
		out.Body.Log = append(out.Body.Log, presentAttempt(&d.Log[i]))
	}
	return out, nil
}

func (a *api) replayDelivery(ctx context.Context, in *deliveryPath) (*bodied[delivery], error) {
	d, err := a.delivery(ctx, *in)
	if err != nil {
		return nil, err
	}
	if d, err = a.Webhooks.Store.ReplayDelivery(ctx, d.ID, a.Ledger.Now()); err != nil {
		return nil, replayRefused(err)
	}
	a.pokeWebhooks()
	return &bodied[delivery]{presentDelivery(&d)}, nil
}

// replayRefused says that what waits still need not be replayed.
func replayRefused(err error) error {
	if errors.Is(err, leyden.ErrState) {
		return refusal("", err)
	}
	return err
}

func (a *api) replayDead(ctx context.Context, in *replayDeadInput) (*bodied[replayed], error) {
	w, err := a.webhook(ctx, in.WebhookPath)
	if err != nil {
		return nil, err
	}
	q := feed.DeliveryQuery{Webhook: w.ID, Status: feed.DeliveryDead, Limit: maxReplayed}
	if in.Body != nil {
		q.Event = in.Body.Event
	}
	n, more, err := feed.ReplayDead(ctx, a.Webhooks.Store, q, a.Ledger.Now())
	if err != nil {
		return nil, err
	}
	a.pokeWebhooks()
	return &bodied[replayed]{replayed{n, more}}, nil
}
