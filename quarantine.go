package leyden

import (
	"context"
	"fmt"
	"time"
)

// A QuarantineStatus says what became of a [Quarantined] message.
type QuarantineStatus string

// The states of a quarantined message.
const (
	QuarantineWaiting   QuarantineStatus = "waiting"
	QuarantineReleased  QuarantineStatus = "released"  // it was made good: replayed, or by a later message
	QuarantineDismissed QuarantineStatus = "dismissed" // somebody decided that nothing shall come of it
)

// A Quarantined message is one that had to be refused or could not be
// attributed. It is kept as sent until somebody repairs or dismisses it, and
// also after that.
type Quarantined struct {
	ID         int64 // the Store assigns it
	Station    StationID
	Key        string // business key of the message; "" when it has none
	Action     string
	Frame      string // the whole message as sent; if Aside without secrets
	Reason     string
	Aside      bool // it tells of no transaction: it can only be dismissed
	ReceivedAt time.Time

	// What became of it.
	ReleasedAt  time.Time     // when it was made good; zero while it was not
	DismissedAt time.Time     // when it was dismissed; zero unless it was
	By          string        // id of the credential that replayed or dismissed it; "" when a later message made it good
	Note        string        // why it was dismissed
	Transaction TransactionID // to which a replay led; 0 when that is not known
}

// Status returns what became of q.
func (q *Quarantined) Status() QuarantineStatus {
	switch {
	case !q.DismissedAt.IsZero():
		return QuarantineDismissed
	case !q.ReleasedAt.IsZero():
		return QuarantineReleased
	}
	return QuarantineWaiting
}

// A Settlement is what a person decides about a quarantined message.
type Settlement struct {
	ID          int64 // of the message
	Dismissed   bool  // otherwise it was made good by a replay
	By          string
	Note        string
	Transaction TransactionID
}

// A QuarantineQuery selects quarantined messages. Zero fields do not restrict.
type QuarantineQuery struct {
	ID      int64
	Station StationID
	Within  []StationID // only of these stations; nil: of all
	Key     string
	Status  QuarantineStatus
	Aside   bool    // only those that tell of no transaction
	After   *Cursor // ID is that of a message
	Limit   int     // 0: MaxWorking
	Offset  int
}

func (e *Entry) checkSettle() error {
	ids := make(map[int64]bool, len(e.Settle))
	for i := range e.Settle {
		if s := &e.Settle[i]; s.By == "" || ids[s.ID] || s.Dismissed && s.Transaction != 0 {
			return fmt.Errorf("entry of %s settles message %d by %q: %w", e.Station, s.ID, s.By, ErrInvalid)
		}
		ids[e.Settle[i].ID] = true
	}
	return nil
}

// Quarantine keeps a message that cannot be recorded.
func (l *Ledger) Quarantine(ctx context.Context, q Quarantined) error {
	q.ReceivedAt = l.Now()
	e := Entry{Station: q.Station, Quarantine: []Quarantined{q}, Notices: []Notice{{
		Topic: TopicQuarantined, Station: q.Station, At: q.ReceivedAt,
	}}}
	if err := l.store.Append(ctx, &e); err != nil {
		return fmt.Errorf("quarantine %s of %s: %w", q.Action, q.Station, err)
	}
	return nil
}

// Release marks quarantined messages of a station as made good.
func (l *Ledger) Release(ctx context.Context, s StationID, key string) error {
	if err := l.store.Append(ctx, &Entry{Station: s, Release: []string{key}}); err != nil {
		return fmt.Errorf("release %s of %s: %w", key, s, err)
	}
	return nil
}

// Settle notes what somebody decided about a quarantined message of a station.
// It fails with [ErrState] for one that does not wait any more, unless it was
// made good just by what is noted here.
func (l *Ledger) Settle(ctx context.Context, s StationID, settlement Settlement) error {
	if err := l.store.Append(ctx, &Entry{Station: s, Settle: []Settlement{settlement}}); err != nil {
		return fmt.Errorf("settle quarantined message %d of %s: %w", settlement.ID, s, err)
	}
	return nil
}
