package feed

import (
	"context"
	"time"

	"leyden"
)

// A WebhookStore keeps webhooks and what is on its way to them. What a method
// wrote is durable when it returns; what fails has changed nothing. Times are kept
// to the microsecond, and what is returned is a copy. It never sees a secret in
// clear.
type WebhookStore interface {
	// SaveWebhook adds w with its Cursor, or replaces all of it but Cursor and
	// FailingSince. It fails with [leyden.ErrStale] unless w's Version is the one
	// above the stored one, and 1 for a new webhook.
	SaveWebhook(ctx context.Context, w Webhook) error
	// Webhook returns the webhook with that id, or [leyden.ErrNotFound].
	Webhook(ctx context.Context, id string) (Webhook, error)
	// Webhooks returns all of them by CreatedAt, then ID.
	Webhooks(ctx context.Context) ([]Webhook, error)
	// RemoveWebhook removes it with its deliveries. It fails with
	// [leyden.ErrNotFound], and with [leyden.ErrStale] if it has another version; 0
	// is any.
	RemoveWebhook(ctx context.Context, id string, version int) error
	// MarkFailing notes since when no attempt succeeds; zero: they do. A webhook
	// that is not there is no error.
	MarkFailing(ctx context.Context, webhook string, since time.Time) error

	// EnqueueDeliveries adds pending deliveries of a webhook, and moves its Cursor
	// from one Seq to another, all at once. It fails with [leyden.ErrStale] if the
	// Cursor is not at from, and [leyden.ErrNotFound] without that webhook. A
	// delivery of a Seq that the webhook has one for already is left out.
	EnqueueDeliveries(ctx context.Context, webhook string, from, to int64, list []Delivery) error
	// DeliveryHeads returns the first pending delivery of every line of a webhook
	// with its Body, by NextAt, then Seq; at most limit of them.
	DeliveryHeads(ctx context.Context, webhook string, limit int) ([]Delivery, error)
	// SettleDelivery notes what came of an attempt. When it ended the delivery, the
	// next of its line may be sent from then on: its NextAt is the attempt's At.
	// One that is not there, or not pending, is no error and changes nothing.
	SettleDelivery(ctx context.Context, s Settlement) error
	// WakeDeliveries moves the NextAt of heads of a webhook back to at, of those
	// that are later, at most limit of them, and returns of how many.
	WakeDeliveries(ctx context.Context, webhook string, at time.Time, limit int) (int, error)
	// ExpireDeliveries gives up pending deliveries of a webhook that began before a
	// time, at most limit of them, the oldest first, and returns how many.
	ExpireDeliveries(ctx context.Context, webhook string, before, at time.Time, limit int) (int, error)
	// ReplayDelivery makes one pending again. It fails with [leyden.ErrNotFound],
	// and [leyden.ErrState] for one that is pending.
	ReplayDelivery(ctx context.Context, id string, at time.Time) (Delivery, error)

	// Delivery returns the one with that id and its Body, or [leyden.ErrNotFound].
	Delivery(ctx context.Context, id string) (Delivery, error)
	// Deliveries returns those that q selects without their Body, the highest Seq
	// first, and how many there are: at most [MaxCounted], and one more when there
	// are more.
	Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, int, error)
	// DeliveryTallies counts what is pending and dead, by webhook; one that has
	// neither is left out.
	DeliveryTallies(ctx context.Context) (map[string]DeliveryTally, error)
	// ForgetDeliveries forgets those that were delivered before a time and those
	// that died before another, at most limit, and returns how many.
	ForgetDeliveries(ctx context.Context, delivered, dead time.Time, limit int) (int, error)
}

// MaxCounted is how far deliveries are counted.
const MaxCounted = 100_000

// A DeliveryQuery selects deliveries of a webhook. Zero fields do not restrict.
type DeliveryQuery struct {
	Webhook     string // required
	Status      DeliveryStatus
	Event       string
	Transaction leyden.TransactionID
	Before      int64 // only with a lower Seq
	Limit       int   // 0: [leyden.MaxWorking]
	Offset      int
}

// A DeliveryTally counts deliveries.
type DeliveryTally struct{ Pending, Dead int }
