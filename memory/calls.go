package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"leyden"
	"leyden/calls"
)

var _ calls.Store = (*Store)(nil)

// asked is what package calls keeps here.
type asked struct {
	records []calls.Record // in the order of Seq
	last    int64          // Seq given so far
	claims  map[calls.Key]calls.Claim
}

// find returns the claim of k that was made at since or later.
func (a *asked) find(k calls.Key, since time.Time) (calls.Claim, error) {
	c, ok := a.claims[k]
	if !ok || c.At.Before(since) {
		return calls.Claim{}, leyden.ErrNotFound
	}
	return detach(c), nil
}

// Claim implements [calls.Store].
func (s *Store) Claim(ctx context.Context, c calls.Claim, since time.Time) (calls.Claim, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return calls.Claim{}, err
	}
	if kept, err := s.asked.find(c.Key, since); err == nil {
		return kept, leyden.ErrExists
	}
	if len(s.asked.claims) >= calls.MaxClaims {
		return calls.Claim{}, leyden.ErrLimit
	}
	s.asked.claims[detach(c.Key)] = detach(c)
	return detach(c), nil
}

// Claimed implements [calls.Store].
func (s *Store) Claimed(ctx context.Context, k calls.Key, since time.Time) (calls.Claim, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.asked.find(k, since)
	return c, cmp.Or(ctx.Err(), err)
}

// Settle implements [calls.Store].
func (s *Store) Settle(ctx context.Context, settled *calls.Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if r := settled.Record; r != nil {
		if err := r.Check(); err != nil {
			return err
		}
		s.asked.last++
		r.Seq = s.asked.last
		s.asked.records = append(s.asked.records, detach(*r))
	}
	c, ok := s.asked.claims[settled.Claim]
	switch {
	case ok && len(settled.Reply) > 0:
		c.Reply = slices.Clone(settled.Reply)
		s.asked.claims[settled.Claim] = c
	case ok:
		delete(s.asked.claims, settled.Claim)
	}
	return nil
}

// Records implements [calls.Store].
func (s *Store) Records(ctx context.Context, q calls.RecordQuery) ([]calls.Record, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []calls.Record
	for i := range s.asked.records {
		if r := &s.asked.records[i]; fits(&q, r) {
			found = append(found, *r)
		}
	}
	slices.SortFunc(found, func(a, b calls.Record) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Seq, a.Seq)) })
	total := min(len(found), q.Counted()+1)
	if after := q.After; after != nil {
		found = slices.DeleteFunc(found, func(r calls.Record) bool { return cmp.Or(r.At.Compare(after.At), cmp.Compare(r.Seq, after.ID)) >= 0 })
	}
	return part(found, q.Slice), total, ctx.Err()
}

func fits(q *calls.RecordQuery, r *calls.Record) bool {
	return (q.By == "" || q.By == r.By) && (q.Operation == "" || q.Operation == r.Operation) &&
		(q.Station == "" || q.Station == r.Station) && (q.Transaction == 0 || q.Transaction == r.Transaction) &&
		(q.Status == 0 || q.Status == r.Status) && (q.At.IsZero() || q.At.Contains(r.At))
}

// Forget implements [calls.Store].
func (s *Store) Forget(ctx context.Context, f calls.Forgetting) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	records, claims := 0, 0
	s.asked.records = slices.DeleteFunc(s.asked.records, func(r calls.Record) bool {
		old := r.At.Before(f.Records) && records < f.Limit
		if old {
			records++
		}
		return old
	})
	maps.DeleteFunc(s.asked.claims, func(_ calls.Key, c calls.Claim) bool {
		old := c.At.Before(f.Claims) && claims < f.Limit
		if old {
			claims++
		}
		return old
	})
	return records + claims, nil
}
