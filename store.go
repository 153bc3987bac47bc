package leyden

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

// An Entry is one change to the ledger, written whole or not at all.
type Entry struct {
	Events       []Event  // new facts
	Transactions []Change // new states of all transactions that the facts change
	Notices      []Notice // announcements for the feeds (outbox rows)
	Quarantine   []Quarantined
	Release      []string      // keys of this station's quarantined messages that the facts make good
	Settle       []Settlement  // what is decided about this station's quarantined messages
	Reservations []Reservation // new states of reservations that the facts change; like transactions guarded by Version
	Station      StationID

	// Fresh promises that no event of the entry is recorded, and that a transaction
	// whose Version is 1 is new, if the versions of all others are right: a Store
	// that has found them to be so need not look.
	Fresh bool
}

// Check returns an error if e breaks an invariant of the ledger. Stores check
// what they are about to write: such an entry is a bug of ours, and [ErrInvalid].
func (e *Entry) Check() error {
	if e.Station == "" {
		return fmt.Errorf("entry without a station: %w", ErrInvalid)
	}
	for i := range e.Events {
		if v := &e.Events[i]; v.Station != e.Station || v.Key == "" || v.Kind.String() == "" || e.keyBefore(i) {
			return fmt.Errorf("entry of %s: event %q of %q, kind %d: %w", e.Station, v.Key, v.Station, v.Kind, ErrInvalid)
		}
	}
	for i := range e.Transactions {
		c := &e.Transactions[i]
		if err := c.check(e.Station); err != nil {
			return err
		}
		for j := range i {
			if e.Transactions[j].Transaction.ID == c.Transaction.ID {
				return fmt.Errorf("entry of %s changes transaction %d twice: %w", e.Station, c.Transaction.ID, ErrInvalid)
			}
		}
	}
	for i := range e.Quarantine {
		if q := &e.Quarantine[i]; q.Station != e.Station {
			return fmt.Errorf("entry of %s: quarantined message of %q: %w", e.Station, q.Station, ErrInvalid)
		}
	}
	if err := e.checkNotices(); err != nil {
		return err
	}
	if err := e.checkSettle(); err != nil {
		return err
	}
	return e.checkReservations()
}

// keyBefore reports whether an event before the i-th has its key.
func (e *Entry) keyBefore(i int) bool {
	for j := range i {
		if e.Events[j].Key == e.Events[i].Key {
			return true
		}
	}
	return false
}

func (e *Entry) checkReservations() error {
	for i := range e.Reservations {
		r := &e.Reservations[i]
		if r.Station != e.Station {
			return fmt.Errorf("entry of %s: reservation %d of %q: %w", e.Station, r.ID, r.Station, ErrInvalid)
		}
		if slices.ContainsFunc(e.Reservations[:i], func(o Reservation) bool { return o.ID == r.ID }) {
			return fmt.Errorf("entry of %s changes reservation %d twice: %w", e.Station, r.ID, ErrInvalid)
		}
		if err := r.Check(); err != nil {
			return err
		}
	}
	return nil
}

// A Change is the new state of one transaction. Its Version is one above the
// stored one; 1 for a new transaction.
type Change struct {
	Transaction Transaction
	Stamp       bool // a new revision of the final record: the Store assigns InsertedAt
}

func (c *Change) check(s StationID) error {
	t := &c.Transaction
	if t.Station != s {
		return fmt.Errorf("entry of %s changes transaction %d of %q: %w", s, t.ID, t.Station, ErrInvalid)
	}
	if t.Status == Completed && !c.Stamp && t.InsertedAt.IsZero() {
		return fmt.Errorf("transaction %d is completed without a stamp: %w", t.ID, ErrInvalid)
	}
	return t.Check()
}

// Check returns an error if t breaks an invariant of its record. Stores check
// what they write and what they read back.
func (t *Transaction) Check() error {
	if broken := t.broken(); broken != "" {
		return fmt.Errorf("transaction %d: %s: %w", t.ID, broken, ErrInvalid)
	}
	return nil
}

// broken returns which invariant of its record t breaks, or "".
func (t *Transaction) broken() string {
	switch {
	case t.ID < 1:
		return "its number is not positive"
	case t.PublicID == "":
		return "it has no public id"
	case t.Station == "":
		return "it has no station"
	case t.Status == StatusUnknown || t.Status > Void:
		return "its status is unknown"
	case t.Version < 1:
		return "its version is not positive"
	case t.Energy != nil && *t.Energy < 0:
		return "its energy is negative"
	case !finite(t.Power) || !finite(t.InitialSoC) || !finite(t.EndSoC):
		return "a gauge is not a number"
	}
	return ""
}

func finite(f *float64) bool { return f == nil || !math.IsNaN(*f) && !math.IsInf(*f, 0) }

// A Store keeps the ledger. The drivers memory and sqlite implement it;
// package storetest says what an implementation must do. All errors but those
// named, [ErrInvalid] for what can never be written (what [Entry.Check] finds,
// the PublicID of another transaction, a change to another station's) and the
// context's own mean that storage failed, and are ErrUnavailable if it may
// recover. What is returned is a copy. Times are kept in microseconds; empty and
// nil are the same.
type Store interface {
	// NextID returns a number that no transaction has or will be given again.
	NextID(ctx context.Context) (TransactionID, error)

	// Append makes e durable before it returns and fills in what the Store
	// assigns: InsertedAt of stamped changes (our clock, in microseconds, never
	// decreasing in commit order), what [Entry.FillNotices] says, and, unless e is
	// Fresh, Seq of events and notices: of a fresh entry they may be given later,
	// but before anybody can read it. Nothing
	// of e is kept after it returns, neither strings, slices nor what it points to. It refuses e whole with
	//   - ErrReplay, if an event of e has the key of a recorded one of the same station;
	//   - ErrStale, if a stored version is not the one before the change's;
	//   - ErrPending, if a second transaction became Pending on a connector;
	//   - ErrState, if a message that it settles was settled before, or is none of
	//     the station's.
	// If several hold, the first of them wins. An error of the context
	// means that nothing was written: once the commit began, Append waits for it.
	Append(ctx context.Context, e *Entry) error

	// Transaction returns the transaction with that number, or ErrNotFound.
	Transaction(ctx context.Context, id TransactionID) (Transaction, error)

	// ByPublicID returns the transaction with that public id, or ErrNotFound.
	ByPublicID(ctx context.Context, id string) (Transaction, error)

	// ByKey returns the event of a station with that key, or ErrNotFound.
	ByKey(ctx context.Context, s StationID, key string) (Event, error)

	// Working returns the transactions of a station that a new report may
	// concern, by number: those that are open, and those updated since then
	// that have no start (unused remote starts, orphan stops). At most
	// MaxWorking, the newest.
	Working(ctx context.Context, s StationID, since time.Time) ([]Transaction, error)

	// LastOn returns the started transaction with the highest number on a
	// connector, or ErrNotFound.
	LastOn(ctx context.Context, s StationID, connector int) (Transaction, error)

	// Due returns up to limit transactions whose DueAt is not after now, the
	// longest due first.
	Due(ctx context.Context, now time.Time, limit int) ([]Transaction, error)

	// OpenWith counts the transactions in Active or Stopping that the token (in
	// folded form) started, or one whose group it is.
	OpenWith(ctx context.Context, folded string) (int, error)

	// Transactions returns a page of those that q selects. Its Total counts them
	// all, also those before q.After.
	Transactions(ctx context.Context, q Query) (Page, error)

	// Scan yields all that q selects, behind q.After, ignoring its Limit and
	// Offset, in constant memory. It need not be one snapshot.
	Scan(ctx context.Context, q Query) iter.Seq2[Transaction, error]

	// Events returns the events of a transaction in the order of their Seq;
	// those of the station's series are of none.
	Events(ctx context.Context, id TransactionID) ([]Event, error)

	// Quarantined returns quarantined messages, the newest first.
	Quarantined(ctx context.Context, q QuarantineQuery) ([]Quarantined, error)

	// CountQuarantined returns how many q selects, whatever its Limit and Offset.
	CountQuarantined(ctx context.Context, q QuarantineQuery) (int, error)

	// Reservation returns the reservation of a station with that number, or
	// ErrNotFound.
	Reservation(ctx context.Context, s StationID, id int) (Reservation, error)

	// Reservations returns those that q selects, the newest first, and how many
	// there are.
	Reservations(ctx context.Context, q ReservationQuery) ([]Reservation, int, error)
}

// MaxWorking limits what Working returns.
const MaxWorking = 1000

// A Query selects transactions. Zero fields do not restrict. Windows are
// half-open. A query that names Inserted is answered only after every commit
// whose InsertedAt could lie before its end (or before now) is visible.
type Query struct {
	Station   StationID
	Within    []StationID // only of these stations; nil: of all. An empty list selects nothing
	Connector int
	Token     string // compared in folded form
	Vehicle   string
	Statuses  []Status // none: all but Void
	Remote    *bool
	Charged   bool // only charging events with a known start: what v2 lists

	Started  Window // by StartedAt
	Stopped  Window // by StoppedAt
	Inserted Window // by InsertedAt
	Overlaps Window // StartedAt before its end, StoppedAt unknown or after its begin

	Order     Order
	Ascending bool
	After     *Cursor // only what is sorted behind it: At is what Order sorts by, ID the number
	Limit     int     // 0: none
	Offset    int

	// Brief leaves it to the Store whether the Evidence has more than StartKey,
	// StopKey and Corrections: that is all that lists show.
	Brief bool
}

// A Window is the time from From up to but not including To. A zero bound does
// not restrict.
type Window struct{ From, To time.Time }

// IsZero reports whether w restricts nothing.
func (w Window) IsZero() bool { return w.From.IsZero() && w.To.IsZero() }

// Contains reports whether t is known and in w.
func (w Window) Contains(t time.Time) bool {
	return !t.IsZero() && !t.Before(w.From) && (w.To.IsZero() || t.Before(w.To))
}

// An Order says by what transactions are sorted. Ties follow the number in the
// same direction; an unknown time is the newest.
type Order uint8

// The orders of a Query.
const (
	ByID Order = iota
	ByStart
	ByStop
	ByInserted
)

// A Page is a part of what a Query selects.
type Page struct {
	Transactions []Transaction
	Total        int  // of all that the query selects
	LowerBound   bool // Total is at least that many
}
