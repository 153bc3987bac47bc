package leyden

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// A ReservationStatus is a stage in the life of a reservation.
type ReservationStatus string

// The stages of a reservation: pending and active ones are open.
const (
	ReservationPending   ReservationStatus = "pending"   // asked for; the station has not answered
	ReservationActive    ReservationStatus = "active"    // the station accepted it
	ReservationUsed      ReservationStatus = "used"      // a transaction began on it
	ReservationCancelled ReservationStatus = "cancelled" // given up
	ReservationExpired   ReservationStatus = "expired"   // nobody came in time
	ReservationRefused   ReservationStatus = "refused"   // the station answered anything but Accepted
)

var reservationStatuses = []ReservationStatus{
	ReservationPending, ReservationActive, ReservationUsed, ReservationCancelled, ReservationExpired, ReservationRefused,
}

// Open reports whether a charge may still begin on the reservation.
func (s ReservationStatus) Open() bool { return s == ReservationPending || s == ReservationActive }

// openReservations are the stages in which a reservation is open.
func openReservations() []ReservationStatus {
	return []ReservationStatus{ReservationPending, ReservationActive}
}

// A Reservation keeps a connector of a station free for an idTag (OCPP 1.6
// §5.13). It is known by its number together with its station.
type Reservation struct {
	ID          int // reservationId; ours come from the sequence of transaction numbers
	Station     StationID
	Connector   int // 0: any of the station
	Token       IDToken
	Parent      string // the group of the idTag when it was made; "" without one
	ExpiresAt   time.Time
	Status      ReservationStatus
	Answer      string        // the station's word, or the code of its error; "" before
	By          string        // who asked: a credential's id
	Transaction TransactionID // which used it; 0: none
	CreatedAt   time.Time     // our clock
	EndedAt     time.Time     // our clock: when it ceased to be open; zero before
	Version     int           // number of changes; guards concurrent writers
}

// Check returns an error if r breaks an invariant of its record. Stores check
// what they write and what they read back.
func (r *Reservation) Check() error {
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{r.Station == "", "it has no station"},
		{r.Connector < 0, "its connector is negative"},
		{!slices.Contains(reservationStatuses, r.Status), "its status is unknown"},
		{(r.Status == ReservationUsed) != (r.Transaction > 0), "a transaction used it, or none did"},
		{r.Status.Open() != r.EndedAt.IsZero(), "it is open and has ended, or neither"},
		{r.ExpiresAt.IsZero(), "it has no end"},
		{r.Version < 1, "its version is not positive"},
	} {
		if rule.broken {
			return fmt.Errorf("reservation %d of %s: %s: %w", r.ID, r.Station, rule.text, ErrInvalid)
		}
	}
	return nil
}

// A ReservationQuery selects reservations. Zero fields do not restrict.
type ReservationQuery struct {
	Station   StationID
	Connector *int
	Statuses  []ReservationStatus // none: all
	Due       time.Time           // only those whose ExpiresAt is not after it
	After     *Cursor             // At is CreatedAt, ID the number, Name the station
	Limit     int                 // 0: MaxWorking
	Offset    int
}

const (
	// maxReservations is how many reservations of a station are open at once.
	maxReservations = 100
	// reservationGrace is how long after its end a reservation is taken to have
	// expired: the start that uses it may be on its way.
	reservationGrace = time.Minute
)

// accepted is the word of a station that does what it was asked to.
const accepted = "Accepted"

// A ReservationRequest asks for a reservation.
type ReservationRequest struct {
	Station   StationID
	Connector int // 0: any of the station
	Token     IDToken
	ExpiresAt time.Time
	By        string // id of the credential that asked
}

// BookConnector records that a reservation is about to be sent: it is pending,
// and its number drawn, before the station hears of it. It fails with
// [ErrInvalid] without an idTag or with an end that is not to come, with
// [ErrToken] for an idTag that may not charge, and with [ErrLimit] when too many
// are open at the station; then nothing was recorded.
func (l *Ledger) BookConnector(ctx context.Context, q ReservationRequest) (Reservation, error) {
	var r Reservation
	err := l.atDesk(ctx, q.Station, func(d *desk) error {
		now := l.Now()
		r = Reservation{
			Station: q.Station, Connector: q.Connector, Token: q.Token, ExpiresAt: storable(q.ExpiresAt), By: q.By,
			Status: ReservationPending, CreatedAt: now, Version: 1,
		}
		switch {
		case q.Token.Value == "":
			return fmt.Errorf("a reservation is for an idTag: %w", ErrInvalid)
		case !r.ExpiresAt.After(now):
			return fmt.Errorf("a reservation ends in the future, not at %s: %w", stamp(r.ExpiresAt), ErrInvalid)
		}
		info, err := l.authorize(ctx, q.Token, new(holder))
		if err == nil && !info.Accepted() {
			err = fmt.Errorf("idTag %s is %s: %w", q.Token.Value, info.Status, ErrToken)
		}
		if err != nil {
			return err
		}
		r.Parent = info.Parent
		if r.ID, err = l.reservationNumber(ctx, q.Station); err != nil {
			return err
		}
		return l.append(ctx, d, &Entry{Reservations: []Reservation{r}})
	})
	if err != nil {
		return Reservation{}, fmt.Errorf("reserve connector %d of %s: %w", q.Connector, q.Station, err)
	}
	return r, nil
}

// reservationNumber draws the number of a new reservation. Somebody may have
// used it at the station on his own.
func (l *Ledger) reservationNumber(ctx context.Context, s StationID) (int, error) {
	_, open, err := l.store.Reservations(ctx, ReservationQuery{Station: s, Statuses: openReservations(), Limit: 1})
	if err == nil && open >= maxReservations {
		err = fmt.Errorf("%d reservations are open: %w", open, ErrLimit)
	}
	for err == nil {
		var id TransactionID
		if id, err = l.store.NextID(ctx); err != nil {
			break
		}
		_, err = l.store.Reservation(ctx, s, int(id))
		if errors.Is(err, ErrNotFound) {
			return int(id), nil
		}
	}
	return 0, err
}

// AnswerReservation records what the station answered to a reservation: after
// Accepted it is active, after any other word or the code of an error refused.
// The first answer counts. A station that was silent may have reserved: leave
// it pending, and it expires.
func (l *Ledger) AnswerReservation(ctx context.Context, s StationID, id int, answer string) (Reservation, error) {
	return l.changeReservation(ctx, s, id, func(r *Reservation) error {
		if r.Answer != "" {
			return nil
		}
		r.Answer = answer
		switch {
		case r.Status != ReservationPending: // it was quicker to be used, or to end
		case answer == accepted:
			r.Status = ReservationActive
		default:
			r.Status, r.EndedAt = ReservationRefused, l.Now()
		}
		return nil
	})
}

// CancelReservation records that a station gave up a reservation, or answered
// that it has none with that number. It fails with [ErrReservation] if it ended
// otherwise.
func (l *Ledger) CancelReservation(ctx context.Context, s StationID, id int, by string) (Reservation, error) {
	return l.changeReservation(ctx, s, id, func(r *Reservation) error {
		switch {
		case r.Status == ReservationCancelled:
			return nil
		case !r.Status.Open():
			return fmt.Errorf("it is %s: %w", r.Status, ErrReservation)
		}
		r.Status, r.EndedAt, r.By = ReservationCancelled, l.Now(), orBy(by, r.By)
		return nil
	})
}

func orBy(by, was string) string {
	if by == "" {
		return was
	}
	return by
}

// NoteReservation records a reservation that a station accepted with a number
// of somebody else. It replaces the one with that number, as the station does
// (OCPP 1.6 §5.13). Status, Answer and times of our clock are filled in. It is
// recorded however many are open, for the station has it: only BookConnector,
// which is asked before the station is, fails with [ErrLimit].
func (l *Ledger) NoteReservation(ctx context.Context, n Reservation) error {
	err := l.atDesk(ctx, n.Station, func(d *desk) error {
		if n.ID < math.MinInt32 || n.ID > math.MaxInt32 {
			return fmt.Errorf("a station keeps no such number: %w", ErrInvalid)
		}
		old, err := l.store.Reservation(ctx, n.Station, n.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		info, err := l.authorize(ctx, n.Token, new(holder))
		if err != nil {
			return err
		}
		n.Parent = orBy(n.Parent, info.Parent)
		n.Status, n.Answer, n.ExpiresAt = ReservationActive, accepted, storable(n.ExpiresAt)
		n.Transaction, n.CreatedAt, n.EndedAt, n.Version = 0, l.Now(), time.Time{}, old.Version+1
		return l.append(ctx, d, &Entry{Reservations: []Reservation{n}})
	})
	if err != nil {
		return fmt.Errorf("note reservation %d of %s: %w", n.ID, n.Station, err)
	}
	return nil
}

// changeReservation writes what f makes of a reservation, if it changes it.
func (l *Ledger) changeReservation(ctx context.Context, s StationID, id int, f func(*Reservation) error) (Reservation, error) {
	var r Reservation
	err := l.atDesk(ctx, s, func(d *desk) error {
		var err error
		if r, err = l.store.Reservation(ctx, s, id); err != nil {
			return err
		}
		was := r
		if err := f(&r); err != nil || r == was {
			return err
		}
		r.Version++
		return l.append(ctx, d, &Entry{Reservations: []Reservation{r}})
	})
	if err != nil {
		return Reservation{}, fmt.Errorf("reservation %d of %s: %w", id, s, err)
	}
	return r, nil
}

// claim lets the reservation that a start names be used by it, in the commit of
// the start. One that is not there or cannot be read, is used, had ended before, or is another's
// marks the start; a start that is refused changes nothing about it.
func (c *change) claim(ctx context.Context, start *Event, by TransactionID) error {
	if start.Reservation == nil {
		return nil
	}
	r, err := c.ledger.store.Reservation(ctx, c.desk.station, *start.Reservation)
	if errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("reservation %d: %w", *start.Reservation, err)
	}
	if err != nil || !r.serves(start) {
		start.Flags |= ReservationUnknown
		return nil
	}
	if !start.Auth.Accepted() {
		return nil
	}
	r.Status, r.Transaction, r.EndedAt = ReservationUsed, by, c.ledger.Now()
	r.Version++
	c.entry.Reservations = append(c.entry.Reservations, r)
	return nil
}

// serves reports whether a start may be the one that the reservation was made
// for. That a station says so is evidence that it has it, also of one that it
// seemed to refuse; one that expired or was cancelled it may have used before
// that, and told late.
func (r *Reservation) serves(start *Event) bool {
	if !r.belongs(start.Token, start.Auth.Parent) {
		return false
	}
	switch r.Status {
	case ReservationPending, ReservationActive, ReservationRefused:
		return true
	case ReservationExpired:
		return beganBefore(start, r.ExpiresAt)
	case ReservationCancelled:
		return beganBefore(start, r.EndedAt)
	}
	return false
}

// belongs reports whether a reservation is for that idTag, or for its group.
func (r *Reservation) belongs(tok IDToken, parent string) bool {
	return same(r.Token, tok) || parent != "" && same(IDToken{Value: r.Parent}, IDToken{Value: parent})
}

// beganBefore reports whether a start began by then. Of one whose clock says
// nothing only its coming tells.
func beganBefore(start *Event, then time.Time) bool {
	if start.Flags.Has(ClockImplausible) {
		return !start.ReceivedAt.After(then.Add(reviveBlind))
	}
	return !start.At.After(then)
}

// reservedFor reports why a remote start cannot be tried on a connector that is
// reserved: no open reservation there is for its idTag or its group.
func (l *Ledger) reservedFor(ctx context.Context, r *StartRequest, parent string) error {
	open, _, err := l.store.Reservations(ctx, ReservationQuery{Station: r.Station, Statuses: openReservations()})
	if err != nil {
		return fmt.Errorf("reservations: %w", err)
	}
	for i := range open {
		here := open[i].Connector == 0 || open[i].Connector == r.Connector
		if here && open[i].belongs(r.Token, parent) {
			return nil
		}
	}
	return fmt.Errorf("%w: it is %s for another idTag", ErrConnector, reserved)
}

// expire ends a reservation that nobody used in time, and returns 1 if it did.
func (l *Ledger) expire(ctx context.Context, due *Reservation) (int, error) {
	expired := 0
	_, err := l.changeReservation(ctx, due.Station, due.ID, func(r *Reservation) error {
		expired = 0
		if now := l.Now(); r.Status.Open() && !r.ExpiresAt.Add(reservationGrace).After(now) {
			r.Status, r.EndedAt = ReservationExpired, now
			expired = 1
		}
		return nil
	})
	return expired, err
}
