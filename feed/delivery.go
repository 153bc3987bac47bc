package feed

import (
	"fmt"
	"strconv"
	"time"

	"leyden"
)

// Limits of deliveries.
const (
	// RetryFor is for how long a delivery is tried again.
	RetryFor = 72 * time.Hour
	// DeadFor is how long dead letters are kept.
	DeadFor = 30 * 24 * time.Hour
	// MaxAttemptsKept is how many attempts the log of a delivery holds.
	MaxAttemptsKept = 20
	// MaxExcerpt is how much of an answer is kept, in bytes.
	MaxExcerpt = 500
)

// A DeliveryStatus says what became of a delivery.
type DeliveryStatus string

// What becomes of deliveries.
const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryDead      DeliveryStatus = "dead" // given up; it may be replayed
)

// A Delivery is an event on its way to a webhook.
type Delivery struct {
	ID          string // dlv_ + 26 characters
	Webhook     string
	Seq         int64 // of the notice; a webhook has one delivery for each
	Event       string
	Station     leyden.StationID
	Transaction leyden.TransactionID // 0 for none
	// Line says what it waits for: pending deliveries of one webhook and line are
	// sent one after the other, by Seq. The first of them is the head.
	Line string

	Status    DeliveryStatus
	Attempts  int       // since Since
	Since     time.Time // when it was made, or replayed last
	NextAt    time.Time // of the next attempt, while it is pending
	CreatedAt time.Time
	EndedAt   time.Time // zero while it is pending

	Log  []Attempt // the last MaxAttemptsKept, the oldest first
	Body []byte    // as it was sent first; kept from the first failure until it is delivered
}

// An Attempt is one try to deliver.
type Attempt struct {
	At       time.Time     `json:"at"`
	Duration time.Duration `json:"duration,omitempty"`
	Code     int           `json:"code,omitempty"`    // of HTTP; 0 when there was no answer
	Error    string        `json:"error,omitempty"`   // "" when it succeeded
	Excerpt  string        `json:"excerpt,omitempty"` // begin of the answer
}

// A Settlement is what came of an attempt.
type Settlement struct {
	Delivery string
	Attempt  Attempt
	Status   DeliveryStatus // pending: it is tried again at NextAt
	NextAt   time.Time
	Body     []byte // what was sent; kept unless it is delivered
}

// NewDelivery returns the delivery of a notice to a webhook.
func NewDelivery(webhook string, n *leyden.Notice, now time.Time) Delivery {
	return Delivery{
		ID: leyden.NewPublicID("dlv_", now), Webhook: webhook, Seq: n.Seq, Event: n.Topic, Station: n.Station,
		Transaction: n.Transaction, Line: lineOf(n), Status: DeliveryPending, Since: now, NextAt: now, CreatedAt: now,
	}
}

// lineOf returns what keeps its order: a transaction, or what a station reports
// beside them.
func lineOf(n *leyden.Notice) string {
	if n.Transaction != 0 {
		return "t" + strconv.Itoa(int(n.Transaction))
	}
	return "s" + string(n.Station)
}

// Check returns an error if d breaks an invariant of its record. Stores check what
// they write.
func (d *Delivery) Check() error {
	pending := d.Status == DeliveryPending
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{d.ID == "" || d.Webhook == "" || d.Line == "", "it has no id, webhook or line"},
		{d.Seq < 1 || d.Event == "", "it has no event"},
		{!pending && d.Status != DeliveryDelivered && d.Status != DeliveryDead, "its status is unknown"},
		{pending == d.NextAt.IsZero(), "it has another attempt while it is pending, and only then"},
		{pending != d.EndedAt.IsZero(), "it ended, and is pending"},
		{d.CreatedAt.IsZero() || d.Since.IsZero(), "it began at no time"},
		{len(d.Log) > MaxAttemptsKept, "its log is too long"},
	} {
		if rule.broken {
			return fmt.Errorf("delivery %q: %s: %w", d.ID, rule.text, leyden.ErrInvalid)
		}
	}
	return nil
}

// Settle changes a pending delivery as s says.
func (d *Delivery) Settle(s *Settlement) {
	d.Status, d.NextAt = s.Status, s.NextAt
	d.Attempts++
	d.Log = append(d.Log, s.Attempt)
	d.Log = d.Log[max(0, len(d.Log)-MaxAttemptsKept):]
	d.Body = s.Body
	if s.Status != DeliveryPending {
		d.NextAt, d.EndedAt = time.Time{}, s.Attempt.At
	}
	if s.Status == DeliveryDelivered {
		d.Body = nil
	}
}

// Replay makes an ended delivery pending again, in a line of its own: it waits for
// nothing, and nothing waits for it.
func (d *Delivery) Replay(at time.Time) {
	d.Status, d.Attempts, d.Since, d.NextAt, d.EndedAt, d.Line = DeliveryPending, 0, at, at, time.Time{}, "r"+d.ID
}

// Expire gives a pending delivery up.
func (d *Delivery) Expire(at time.Time) {
	d.Status, d.NextAt, d.EndedAt = DeliveryDead, time.Time{}, at
}

// Last returns the last attempt; the zero Attempt when there was none.
func (d *Delivery) Last() Attempt {
	if len(d.Log) == 0 {
		return Attempt{}
	}
	return d.Log[len(d.Log)-1]
}
