package leyden

import "slices"

// Selects reports whether q selects t, whatever its order and part of the list.
func (q *Query) Selects(t *Transaction) bool {
	listed := t.Status != Void
	if len(q.Statuses) > 0 {
		listed = slices.Contains(q.Statuses, t.Status)
	}
	return listed &&
		(q.Within == nil || slices.Contains(q.Within, t.Station)) &&
		(q.Station == "" || t.Station == q.Station) &&
		(q.Connector == 0 || t.Connector == q.Connector) &&
		(q.Token == "" || t.Token.Fold() == IDToken{Value: q.Token}.Fold()) &&
		(q.Vehicle == "" || t.VehicleID == q.Vehicle) &&
		(q.Remote == nil || t.Remote == *q.Remote) &&
		(!q.Charged || t.Status.Charged() && t.HasStart()) &&
		(q.Started.IsZero() || q.Started.Contains(t.StartedAt)) &&
		(q.Stopped.IsZero() || q.Stopped.Contains(t.StoppedAt)) &&
		(q.Inserted.IsZero() || q.Inserted.Contains(t.InsertedAt)) &&
		q.Overlaps.overlaps(t)
}

// Mirror makes a query that is restricted by InsertedAt, and names no status,
// select all that is final or was, with what was joined into another record:
// whoever has that learns of it. It leaves other queries as they are.
func (q *Query) Mirror() {
	if len(q.Statuses) == 0 && !q.Inserted.IsZero() {
		q.Statuses = []Status{Active, Stopping, Completed, Void}
	}
}

// overlaps reports whether t may have run in w.
func (w Window) overlaps(t *Transaction) bool {
	begun := w.To.IsZero() || !t.StartedAt.IsZero() && t.StartedAt.Before(w.To)
	ended := !t.StoppedAt.IsZero() && !t.StoppedAt.After(w.From)
	return begun && !ended
}
