// Package memory keeps the ledger, the registry, credentials and what is known
// of stations apart from charging in maps, and forgets them when the process
// ends. It is for tests and demonstrations, and the shortest correct driver to
// read: what package storetest asks of a driver is done here in the plainest
// way, one lock around everything.
package memory

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"leyden"
	"leyden/calls"
	"leyden/daily"
)

// A Store implements [leyden.Store], [leyden.Registry], [auth.Store] and
// [device.Store]. It is safe for concurrent use.
type Store struct {
	now func() time.Time

	mu    sync.Mutex // guards all below
	last  leyden.TransactionID
	stamp time.Time // no InsertedAt may lie before it

	transactions map[leyden.TransactionID]*leyden.Transaction // what is pointed to never changes
	ofStation    map[leyden.StationID]map[leyden.TransactionID]bool
	byPublicID   map[string]leyden.TransactionID
	events       []leyden.Event // at Seq-1
	byKey        map[eventKey]int64
	ofID         map[leyden.TransactionID][]int64
	notices      []leyden.Notice // at Seq-1-forgotten
	forgotten    int64           // how many notices are kept no more
	onNotices    func(last int64)
	quarantine   []leyden.Quarantined // at ID-1
	reservations map[reservationKey]leyden.Reservation

	stations  map[leyden.StationID]leyden.Station
	removed   map[leyden.StationID]time.Time // when last
	meterKeys map[meterKeyID]leyden.MeterKey
	tokens    map[string]leyden.Token // by folded value
	vehicles  map[string]leyden.Vehicle
	cred      credentials
	devices   devices
	webhooks  webhooks
	dailyRuns []daily.Run // by day
	asked     asked
}

type eventKey struct {
	station leyden.StationID
	key     string
}

var (
	_ leyden.Store    = (*Store)(nil)
	_ leyden.Registry = (*Store)(nil)
)

// New returns an empty store whose clock is now.
func New(now func() time.Time) *Store {
	return &Store{
		now:          now,
		transactions: make(map[leyden.TransactionID]*leyden.Transaction),
		ofStation:    make(map[leyden.StationID]map[leyden.TransactionID]bool),
		byPublicID:   make(map[string]leyden.TransactionID),
		byKey:        make(map[eventKey]int64),
		ofID:         make(map[leyden.TransactionID][]int64),
		reservations: make(map[reservationKey]leyden.Reservation),
		stations:     make(map[leyden.StationID]leyden.Station),
		removed:      make(map[leyden.StationID]time.Time),
		meterKeys:    make(map[meterKeyID]leyden.MeterKey),
		tokens:       make(map[string]leyden.Token),
		vehicles:     make(map[string]leyden.Vehicle),
		cred:         newCredentials(),
		devices:      newDevices(),
		webhooks:     newWebhooks(),
		asked:        asked{claims: make(map[calls.Key]calls.Claim)},
	}
}

// NextID implements [leyden.Store].
func (s *Store) NextID(ctx context.Context) (leyden.TransactionID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if s.last == math.MaxInt32 {
		return 0, errors.New("all transaction numbers are used")
	}
	s.last++
	return s.last, nil
}

// Append implements [leyden.Store].
func (s *Store) Append(ctx context.Context, e *leyden.Entry) error {
	if err := e.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.refuse(e); err != nil {
		return err
	}
	s.write(e)
	return nil
}

// refuse returns why e may not be written, or nil.
func (s *Store) refuse(e *leyden.Entry) error {
	for i := range e.Events {
		if s.byKey[eventKey{e.Station, e.Events[i].Key}] != 0 {
			return leyden.ErrReplay
		}
	}
	for i := range e.Transactions {
		t := &e.Transactions[i].Transaction
		if old := s.transactions[t.ID]; old != nil && old.Station != t.Station {
			return fmt.Errorf("transaction %d is not of station %s: %w", t.ID, t.Station, leyden.ErrInvalid)
		}
		if s.version(t.ID) != t.Version-1 {
			return leyden.ErrStale
		}
	}
	if err := s.refuseReservations(e); err != nil {
		return err
	}
	if err := s.refusePending(e); err != nil {
		return err
	}
	for i := range e.Transactions {
		t := &e.Transactions[i].Transaction
		if other := s.byPublicID[t.PublicID]; other != 0 && other != t.ID {
			return fmt.Errorf("transaction %d has the public id of %d: %w", t.ID, other, leyden.ErrInvalid)
		}
	}
	return s.refuseSettled(e)
}

func (s *Store) version(id leyden.TransactionID) int {
	if t := s.transactions[id]; t != nil {
		return t.Version
	}
	return 0
}

// refusePending compares what would be pending after e: e may end one remote
// start and begin another on the same connector.
func (s *Store) refusePending(e *leyden.Entry) error {
	begins := func(c leyden.Change) bool { return c.Transaction.Status == leyden.Pending }
	if !slices.ContainsFunc(e.Transactions, begins) {
		return nil
	}
	pending := make(map[int]leyden.TransactionID)
	changes := func(id leyden.TransactionID) bool {
		return slices.ContainsFunc(e.Transactions, func(c leyden.Change) bool { return c.Transaction.ID == id })
	}
	for id := range s.ofStation[e.Station] {
		if t := s.transactions[id]; t.Status == leyden.Pending && !changes(id) {
			pending[t.Connector] = id
		}
	}
	for i := range e.Transactions {
		t := &e.Transactions[i].Transaction
		if t.Status != leyden.Pending {
			continue
		}
		if id := pending[t.Connector]; id != 0 {
			return &leyden.PendingError{ID: id}
		}
		pending[t.Connector] = t.ID
	}
	return nil
}

// write fills in what the store assigns and keeps a copy of e.
func (s *Store) write(e *leyden.Entry) {
	now := s.now().UTC().Truncate(time.Microsecond)
	s.release(e, now)
	s.settle(e, now)
	for i := range e.Events {
		v := &e.Events[i]
		v.Seq = int64(len(s.events)) + 1
		s.events = append(s.events, *v)
		kept := &s.events[len(s.events)-1]
		detachAt(kept)
		s.byKey[eventKey{kept.Station, kept.Key}] = v.Seq
		s.ofID[v.Transaction] = append(s.ofID[v.Transaction], v.Seq)
	}
	for i := range e.Transactions {
		s.writeTransaction(&e.Transactions[i], now)
	}
	for i := range e.Reservations {
		s.writeReservation(&e.Reservations[i])
	}
	for i := range e.Quarantine {
		e.Quarantine[i].ID = int64(len(s.quarantine)) + 1
		s.quarantine = append(s.quarantine, detach(e.Quarantine[i]))
	}
	e.FillNotices()
	s.post(e.Notices)
}

func (s *Store) writeTransaction(c *leyden.Change, now time.Time) {
	t := &c.Transaction
	if c.Stamp {
		s.stamp = latest(s.stamp, now)
		t.InsertedAt = s.stamp
	}
	kept := new(*t)
	detachAt(kept)
	s.transactions[kept.ID] = kept
	s.byPublicID[kept.PublicID] = kept.ID
	if s.ofStation[kept.Station] == nil {
		s.ofStation[kept.Station] = make(map[leyden.TransactionID]bool)
	}
	s.ofStation[kept.Station][kept.ID] = true
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
