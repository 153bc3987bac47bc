package apiv1

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"leyden"
	"leyden/auth"
	"leyden/feed"
	"leyden/rest"
)

// Webhook is how v1 shows a [feed.Webhook]: never its secret.
type Webhook struct {
	ID           string       `json:"id" example:"wh_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	URL          string       `json:"url" example:"https://billing.example.com/leyden"`
	Events       []string     `json:"events" doc:"Which events it is sent; empty for all." example:"transaction.stopped"`
	Description  *string      `json:"description" example:"Billing"`
	Status       string       `json:"status" enum:"active,failing,paused" doc:"failing: no attempt succeeds; what waits is tried again. paused: nothing is sent." example:"active"`
	PausedReason *string      `json:"pausedReason" doc:"Why nothing is sent." example:"the receiver answered 410 Gone"`
	PausedAt     rest.Time    `json:"pausedAt"`
	FailingSince rest.Time    `json:"failingSince" doc:"Since when no attempt succeeds."`
	Pending      int          `json:"pending" doc:"Deliveries that wait." example:"0"`
	Dead         int          `json:"dead" doc:"Deliveries that were given up, and are kept to be replayed." example:"0"`
	LimitedTo    *shownLimits `json:"limitedTo" doc:"Of which chargers it is sent events: those of the credential that made it; null for all."`
	OldSecretEnd rest.Time    `json:"oldSecretEndsAt" doc:"Until when the secret from before the last rotation signs as well; null when it does not."`
	CreatedBy    *string      `json:"createdBy" doc:"Id of the credential that made it." example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	CreatedAt    rest.Time    `json:"createdAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
	UpdatedAt    rest.Time    `json:"updatedAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
}

func (a *api) presentWebhook(w *feed.Webhook, tally feed.DeliveryTally) Webhook {
	out := Webhook{
		ID: w.ID, URL: w.URL, Events: append([]string{}, w.Events...), Description: orNull(w.Description), Status: "active",
		PausedReason: orNull(w.Paused), PausedAt: rest.Time{Time: w.PausedAt}, FailingSince: rest.Time{Time: w.FailingSince},
		Pending: tally.Pending, Dead: tally.Dead, CreatedBy: orNull(w.By),
		CreatedAt: rest.Time{Time: w.CreatedAt}, UpdatedAt: rest.Time{Time: w.UpdatedAt},
	}
	if w.Reach != nil {
		out.LimitedTo = presentLimits(&auth.Limit{Chargers: w.Reach.Stations, Sites: w.Reach.Sites})
	}
	if a.Ledger.Now().Before(w.FormerUntil) {
		out.OldSecretEnd = rest.Time{Time: w.FormerUntil}
	}
	switch {
	case w.Paused != "":
		out.Status = "paused"
	case !w.FailingSince.IsZero():
		out.Status = "failing"
	}
	return out
}

// newWebhook is a webhook that has just been made, or given another secret.
type newWebhook struct {
	Webhook
	Secret string `json:"secret" doc:"What signs. Shown here and never again." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
}

type webhookList struct {
	Webhooks   []Webhook  `json:"webhooks"`
	Pagination pagination `json:"pagination"`
}

// WebhookPath names a webhook.
type WebhookPath struct {
	ID string `path:"webhookId" maxLength:"100" doc:"Id of the webhook." example:"wh_01jm2v8xkq4w7c5n3t6y9b2d4f"`
}

type addWebhookInput struct {
	Body struct {
		URL         string   `json:"url" minLength:"1" maxLength:"2000" doc:"Where events are sent, over https." example:"https://billing.example.com/leyden"`
		Events      []string `json:"events,omitempty" maxItems:"50" enum:"transaction.pending,transaction.started,transaction.updated,transaction.stopping,transaction.stopped,transaction.failed,transaction.expired,transaction.cancelled,transaction.corrected,frame.quarantined,charger.connected,charger.disconnected,charger.boot,connector.status_changed" doc:"Which; all when empty." example:"transaction.stopped"`
		Secret      string   `json:"secret,omitempty" maxLength:"100" doc:"What signs: whsec_ and base64 of 24 to 64 bytes. One is made when it is left out." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
		Description string   `json:"description,omitempty" maxLength:"500" doc:"What it is for." example:"Billing"`
	} `nameHint:"V1NewWebhookSpec"`
}

type changeWebhookInput struct {
	WebhookPath
	rest.Precondition
	Body webhookPatch
}

type removeWebhookInput struct {
	WebhookPath
	rest.Precondition
}

// webhookPatch changes what is given; null takes something away.
type webhookPatch struct {
	URL         *string   `json:"url,omitempty" minLength:"1" maxLength:"2000" doc:"Where events are sent, those that wait too." example:"https://billing.example.com/leyden"`
	Events      *[]string `json:"events,omitempty" maxItems:"50" enum:"transaction.pending,transaction.started,transaction.updated,transaction.stopping,transaction.stopped,transaction.failed,transaction.expired,transaction.cancelled,transaction.corrected,frame.quarantined,charger.connected,charger.disconnected,charger.boot,connector.status_changed" doc:"Which, from now on; all when empty." example:"transaction.stopped"`
	Description *string   `json:"description,omitempty" nullable:"true" maxLength:"500" doc:"What it is for." example:"Billing"`
	Paused      *bool     `json:"paused,omitempty" doc:"Whether sending stops. What happens meanwhile is sent when it goes on, as long as it is kept." example:"false"`

	given given
}

// UnmarshalJSON tells null from absent.
func (p *webhookPatch) UnmarshalJSON(data []byte) error {
	type plain webhookPatch
	return p.given.decode(data, (*plain)(p))
}

func (p *webhookPatch) edit() (feed.WebhookEdit, error) {
	e := feed.WebhookEdit{URL: p.URL, Events: p.Events, Description: p.Description, Paused: p.Paused}
	if p.given["description"] {
		e.Description = new("")
	}
	return e, p.given.keep("url", "events", "paused")
}

type rotateWebhookInput struct {
	WebhookPath
	Body *struct {
		Secret string `json:"secret,omitempty" maxLength:"100" doc:"The new secret: whsec_ and base64 of 24 to 64 bytes. One is made when it is left out." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	} `nameHint:"V1RotateWebhookSecret"`
}

func (a *api) serveWebhooks() {
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/webhooks", ID: "v1AddWebhook", Tag: tagWebhooks,
		Summary: "Add a webhook",
		Description: "Sends what happens from now on to a URL, signed as Standard Webhooks has it. The secret is shown in this reply only. " +
			"The credential must have the scopes that reading the events needs: `transactions:read` for those of transactions and frames, " +
			"`chargers:read` for those of chargers and connectors. A webhook that a limited credential makes is sent events of its chargers only.",
		Scope: auth.WebhooksWrite, Limited: true, Status: http.StatusCreated, Errors: conflict(),
	}, a.addWebhook)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/webhooks", ID: "v1ListWebhooks", Tag: tagWebhooks,
		Summary:     "List webhooks",
		Description: "All webhooks, the oldest first.",
		Scope:       auth.WebhooksWrite, Limited: true,
	}, inParts("webhooks", partRows, a.listWebhooks, func(l *webhookList) []Webhook { return l.Webhooks }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/webhooks/{webhookId}", ID: "v1GetWebhook", Tag: tagWebhooks,
		Summary:     "Get a webhook",
		Description: "What is kept of a webhook; not its secret.",
		Scope:       auth.WebhooksWrite, Limited: true, Errors: notFound(),
	}, a.getWebhook)
	handle(a, rest.Operation{
		Method: http.MethodPatch, Path: "/webhooks/{webhookId}", ID: "v1ChangeWebhook", Tag: tagWebhooks,
		Summary: "Change, pause or resume a webhook",
		Description: "Changes what is given, within a second. To change `url` or `events` the credential must have the scopes that reading " +
			"the events needs. What waits for another attempt is tried at once.",
		Scope: auth.WebhooksWrite, Limited: true, Errors: notFoundOrConflict(),
	}, a.changeWebhook)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/webhooks/{webhookId}", ID: "v1RemoveWebhook", Tag: tagWebhooks,
		Summary:     "Remove a webhook",
		Description: "Forgets a webhook and all its deliveries; what is on its way may still arrive. Answers with the webhook as it was.",
		Scope:       auth.WebhooksWrite, Limited: true, Errors: notFound(),
	}, a.removeWebhook)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/webhooks/{webhookId}/rotate-secret", ID: "v1RotateWebhookSecret", Tag: tagWebhooks,
		Summary: "Give a webhook a new secret",
		Description: "The new secret is shown in this reply only. For 24 hours the old one signs as well, so that `webhook-signature` holds two " +
			"signatures and no event is refused while the receiver learns the new one.",
		Scope: auth.WebhooksWrite, Limited: true, Errors: notFoundOrConflict(),
	}, a.rotateWebhookSecret)
	a.serveDeliveries()
}

// webhooks returns who makes and changes webhooks.
func (a *api) webhooks() (*feed.WebhookRegistrar, error) {
	if a.Webhooks == nil {
		return nil, rest.Errorf(http.StatusServiceUnavailable, "this server has no webhooks")
	}
	return a.Webhooks, nil
}

// manages refuses a limited credential a webhook that is sent more than it may see,
// as if that were not there.
func manages(ctx context.Context, w *feed.Webhook) error {
	reach := rest.PrincipalOf(ctx).Reach
	if reach == nil {
		return nil
	}
	more := w.Reach == nil ||
		slices.ContainsFunc(w.Reach.Stations, func(id leyden.StationID) bool { return !reach.Covers(id) }) ||
		slices.ContainsFunc(w.Reach.Sites, func(site string) bool { return !reach.CoversSite(site) })
	if more {
		return named("webhook", w.ID, leyden.ErrNotFound)
	}
	return nil
}

// mayRead refuses who lacks a scope that reading these events needs; none are all.
func mayRead(ctx context.Context, events []string) error {
	if len(events) == 0 {
		events = feed.WebhookEvents()
	}
	for _, event := range events {
		if scope := scopeOf(event); !rest.PrincipalOf(ctx).Allow(scope) {
			return rest.Errorf(http.StatusForbidden, "the credential lacks the scope %s, without which nobody is sent %s", scope, event)
		}
	}
	return nil
}

// webhook returns the webhook that a path names, for who may manage it.
func (a *api) webhook(ctx context.Context, p WebhookPath) (feed.Webhook, error) {
	r, err := a.webhooks()
	if err != nil {
		return feed.Webhook{}, err
	}
	w, err := r.Store.Webhook(ctx, p.ID)
	if err != nil {
		return w, named("webhook", p.ID, err)
	}
	return w, manages(ctx, &w)
}

// shownWebhook shows a webhook with what waits for it.
func (a *api) shownWebhook(ctx context.Context, w *feed.Webhook) (Webhook, error) {
	tallies, err := a.Webhooks.Store.DeliveryTallies(ctx)
	return a.presentWebhook(w, tallies[w.ID]), err
}

// pokeWebhooks says that webhooks or deliveries changed.
func (a *api) pokeWebhooks() {
	if a.Dispatcher != nil {
		a.Dispatcher.Poke()
	}
}

func (a *api) addWebhook(ctx context.Context, in *addWebhookInput) (*created[newWebhook], error) {
	r, err := a.webhooks()
	if err != nil {
		return nil, err
	}
	if err := mayRead(ctx, in.Body.Events); err != nil {
		return nil, err
	}
	caller := rest.PrincipalOf(ctx)
	spec := feed.WebhookSpec{
		URL: in.Body.URL, Events: in.Body.Events, Description: in.Body.Description, Secret: in.Body.Secret, By: caller.ID,
	}
	if caller.Reach != nil {
		spec.Reach = &feed.Reach{Stations: caller.Reach.Chargers, Sites: caller.Reach.Sites}
	}
	w, secret, err := r.Create(ctx, spec)
	if err != nil {
		return nil, err
	}
	a.pokeWebhooks()
	return &created[newWebhook]{
		Location: prefix + "/webhooks/" + w.ID,
		Body:     newWebhook{a.presentWebhook(&w, feed.DeliveryTally{}), string(secret)},
	}, nil
}

type listWebhooksInput struct{ rest.Window }

func (a *api) listWebhooks(ctx context.Context, in *listWebhooksInput) (*bodied[webhookList], error) {
	r, err := a.webhooks()
	if err != nil {
		return nil, err
	}
	list, err := r.Store.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	tallies, err := r.Store.DeliveryTallies(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(w feed.Webhook) bool { return manages(ctx, &w) != nil })
	page, pages, err := pageOf(ctx, in.Window, list, func(w *feed.Webhook) leyden.Cursor {
		return leyden.Cursor{At: w.CreatedAt, Name: w.ID}
	})
	if err != nil {
		return nil, err
	}
	out := &bodied[webhookList]{webhookList{[]Webhook{}, pages}}
	for _, w := range page {
		out.Body.Webhooks = append(out.Body.Webhooks, a.presentWebhook(&w, tallies[w.ID]))
	}
	return out, nil
}

func (a *api) getWebhook(ctx context.Context, in *WebhookPath) (*tagged[Webhook], error) {
	w, err := a.webhook(ctx, *in)
	if err != nil {
		return nil, err
	}
	return a.taggedWebhook(ctx, &w)
}

func (a *api) taggedWebhook(ctx context.Context, w *feed.Webhook) (*tagged[Webhook], error) {
	shown, err := a.shownWebhook(ctx, w)
	return &tagged[Webhook]{rest.Versioned{Edition: webhookEdition(w)}, shown}, err
}

func (a *api) changeWebhook(ctx context.Context, in *changeWebhookInput) (*tagged[Webhook], error) {
	r, err := a.webhooks()
	if err != nil {
		return nil, err
	}
	edit, err := in.Body.edit()
	if err != nil {
		return nil, err
	}
	w, err := r.Change(ctx, in.ID, edit, func(w *feed.Webhook) error {
		if err := cmp.Or(manages(ctx, w), in.Check(webhookEdition(w))); err != nil || edit.URL == nil && edit.Events == nil {
			return err
		}
		return mayRead(ctx, w.Events)
	})
	if err != nil {
		return nil, ofWebhook(in.ID, err)
	}
	a.pokeWebhooks()
	return a.taggedWebhook(ctx, &w)
}

// ofWebhook says of which webhook an error is, where that is all it says.
func ofWebhook(id string, err error) error {
	if err == leyden.ErrNotFound {
		return named("webhook", id, err)
	}
	return err
}

func (a *api) removeWebhook(ctx context.Context, in *removeWebhookInput) (*bodied[Webhook], error) {
	out := new(bodied[Webhook])
	read := func() (feed.Webhook, error) { return a.webhook(ctx, in.WebhookPath) }
	_, err := changed(in.Precondition, read, webhookEdition, func(w *feed.Webhook) (err error) {
		if out.Body, err = a.shownWebhook(ctx, w); err != nil {
			return err
		}
		if err := a.Webhooks.Store.RemoveWebhook(ctx, w.ID, w.Version); err != nil {
			return fmt.Errorf("webhook %s: %w", w.ID, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.pokeWebhooks()
	return out, nil
}

func (a *api) rotateWebhookSecret(ctx context.Context, in *rotateWebhookInput) (*bodied[newWebhook], error) {
	r, err := a.webhooks()
	if err != nil {
		return nil, err
	}
	text := ""
	if in.Body != nil {
		text = in.Body.Secret
	}
	w, secret, err := r.Rotate(ctx, in.ID, text, func(w *feed.Webhook) error { return manages(ctx, w) })
	if err != nil {
		return nil, ofWebhook(in.ID, err)
	}
	a.pokeWebhooks()
	shown, err := a.shownWebhook(ctx, &w)
	return &bodied[newWebhook]{newWebhook{shown, string(secret)}}, err
}
