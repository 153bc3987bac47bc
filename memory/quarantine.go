package memory

import (
	"context"
	"slices"
	"time"

	"leyden"
)

// Quarantined implements [leyden.Store].
func (s *Store) Quarantined(ctx context.Context, q leyden.QuarantineQuery) ([]leyden.Quarantined, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []leyden.Quarantined
	for _, m := range slices.Backward(s.quarantine) {
		if selectsMessage(&q, &m) {
			found = append(found, m)
		}
	}
	found = behind(found, q.After, false, func(m leyden.Quarantined) leyden.Cursor { return leyden.Cursor{ID: m.ID} })
	return part(found, leyden.Slice{Limit: q.Limit, Offset: q.Offset}), nil
}

// CountQuarantined implements [leyden.Store].
func (s *Store) CountQuarantined(ctx context.Context, q leyden.QuarantineQuery) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n := 0
	for i := range s.quarantine {
		if selectsMessage(&q, &s.quarantine[i]) {
			n++
		}
	}
	return n, nil
}

func selectsMessage(q *leyden.QuarantineQuery, m *leyden.Quarantined) bool {
	return (q.ID == 0 || m.ID == q.ID) && within(q.Within, m.Station) && (q.Station == "" || m.Station == q.Station) && (q.Key == "" || m.Key == q.Key) &&
		(q.Status == "" || m.Status() == q.Status) && (!q.Aside || m.Aside)
}

// settles reports whether d can still be noted about m.
func settles(m *leyden.Quarantined, d *leyden.Settlement) bool {
	return m.Status() == leyden.QuarantineWaiting || m.Status() == leyden.QuarantineReleased && m.By == "" && !d.Dismissed
}

// refuseSettled returns why what e settles cannot be settled, or nil.
func (s *Store) refuseSettled(e *leyden.Entry) error {
	for i := range e.Settle {
		d := &e.Settle[i]
		if d.ID < 1 || d.ID > int64(len(s.quarantine)) {
			return leyden.ErrState
		}
		if m := &s.quarantine[d.ID-1]; m.Station != e.Station || !settles(m, d) {
			return leyden.ErrState
		}
	}
	return nil
}

// release marks the messages that e makes good.
func (s *Store) release(e *leyden.Entry, now time.Time) {
	for i := range s.quarantine {
		m := &s.quarantine[i]
		if m.Station == e.Station && m.Status() == leyden.QuarantineWaiting && m.Key != "" && slices.Contains(e.Release, m.Key) {
			m.ReleasedAt = now
		}
	}
}

// settle notes what is decided about messages.
func (s *Store) settle(e *leyden.Entry, now time.Time) {
	for i := range e.Settle {
		d := detach(e.Settle[i])
		m := &s.quarantine[d.ID-1]
		m.By, m.Note, m.Transaction = d.By, d.Note, d.Transaction
		switch {
		case d.Dismissed:
			m.DismissedAt = now
		case m.ReleasedAt.IsZero():
			m.ReleasedAt = now
		}
	}
}
