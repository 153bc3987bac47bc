package memory

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"leyden"
)

// Transaction implements [leyden.Store].
func (s *Store) Transaction(ctx context.Context, id leyden.TransactionID) (leyden.Transaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return leyden.Transaction{}, err
	}
	t := s.transactions[id]
	if t == nil {
		return leyden.Transaction{}, leyden.ErrNotFound
	}
	return detach(*t), nil
}

// ByPublicID implements [leyden.Store].
func (s *Store) ByPublicID(ctx context.Context, id string) (leyden.Transaction, error) {
	s.mu.Lock()
	number := s.byPublicID[id]
	s.mu.Unlock()
	return s.Transaction(ctx, number)
}

// Working implements [leyden.Store].
func (s *Store) Working(ctx context.Context, station leyden.StationID, since time.Time) ([]leyden.Transaction, error) {
	found, err := s.pick(ctx, station, func(t *leyden.Transaction) bool {
		return t.Status.Open() || !t.HasStart() && !t.UpdatedAt.Before(since)
	})
	return copies(found[max(0, len(found)-leyden.MaxWorking):]), err
}

// LastOn implements [leyden.Store].
func (s *Store) LastOn(ctx context.Context, station leyden.StationID, connector int) (leyden.Transaction, error) {
	found, err := s.pick(ctx, station, func(t *leyden.Transaction) bool {
		return t.Connector == connector && t.HasStart()
	})
	if err != nil {
		return leyden.Transaction{}, err
	}
	if len(found) == 0 {
		return leyden.Transaction{}, leyden.ErrNotFound
	}
	return detach(*found[len(found)-1]), nil
}

// Due implements [leyden.Store].
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]leyden.Transaction, error) {
	found, err := s.pick(ctx, "", func(t *leyden.Transaction) bool {
		return !t.DueAt.IsZero() && !t.DueAt.After(now)
	})
	slices.SortStableFunc(found, func(a, b *leyden.Transaction) int { return a.DueAt.Compare(b.DueAt) })
	return copies(found[:min(limit, len(found))]), err
}

// OpenWith implements [leyden.Store].
func (s *Store) OpenWith(ctx context.Context, folded string) (int, error) {
	found, err := s.pick(ctx, "", func(t *leyden.Transaction) bool {
		running := t.Status == leyden.Active || t.Status == leyden.Stopping
		return running && (t.Token.Fold() == folded || fold(s.tokens[t.Token.Fold()].Parent) == folded)
	})
	return len(found), err
}

// Transactions implements [leyden.Store].
func (s *Store) Transactions(ctx context.Context, q leyden.Query) (leyden.Page, error) {
	found, err := s.query(ctx, q)
	page := behind(found, q.After, q.Ascending, q.Order.PlaceOf)
	page = page[min(max(q.Offset, 0), len(page)):]
	if q.Limit > 0 {
		page = page[:min(q.Limit, len(page))]
	}
	return leyden.Page{Transactions: copies(page), Total: len(found)}, err
}

// Scan implements [leyden.Store].
func (s *Store) Scan(ctx context.Context, q leyden.Query) iter.Seq2[leyden.Transaction, error] {
	return func(yield func(leyden.Transaction, error) bool) {
		found, err := s.query(ctx, q)
		for _, t := range behind(found, q.After, q.Ascending, q.Order.PlaceOf) {
			if err = ctx.Err(); err != nil || !yield(detach(*t), nil) {
				break
			}
		}
		if err != nil {
			yield(leyden.Transaction{}, err)
		}
	}
}

func (s *Store) query(ctx context.Context, q leyden.Query) ([]*leyden.Transaction, error) {
	found, err := s.pick(ctx, q.Station, func(t *leyden.Transaction) bool { return q.Selects(t) })
	slices.SortFunc(found, func(a, b *leyden.Transaction) int {
		if !q.Ascending {
			a, b = b, a
		}
		return q.Order.PlaceOf(a).Compare(q.Order.PlaceOf(b))
	})
	return found, err
}

// pick returns the transactions of a station, or of all, that keep accepts, by
// number.
func (s *Store) pick(ctx context.Context, station leyden.StationID, keep func(*leyden.Transaction) bool) ([]*leyden.Transaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Whoever polls by InsertedAt takes what lies before now to be complete, and
	// the clock may be set back.
	s.stamp = latest(s.stamp, s.now().UTC().Truncate(time.Microsecond))
	var found []*leyden.Transaction
	if station != "" {
		for id := range s.ofStation[station] {
			found = append(found, s.transactions[id])
		}
	}
	if station == "" {
		for _, t := range s.transactions {
			found = append(found, t)
		}
	}
	found = slices.DeleteFunc(found, func(t *leyden.Transaction) bool { return !keep(t) })
	slices.SortFunc(found, func(a, b *leyden.Transaction) int { return cmp.Compare(a.ID, b.ID) })
	return found, nil
}

func copies(ts []*leyden.Transaction) []leyden.Transaction {
	var c []leyden.Transaction
	for _, t := range ts {
		c = append(c, detach(*t))
	}
	return c
}

// within reports whether a list that restricts, unless it is nil, has s.
func within(list []leyden.StationID, s leyden.StationID) bool {
	return list == nil || slices.Contains(list, s)
}
