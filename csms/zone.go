package csms

import (
	"context"
	"time"

	"leyden/ocpp"
)

// zoneSlack is how far ahead of ours a clock may be for a time to be now rather
// than later.
const zoneSlack = 5 * time.Minute

// A zone reads the timestamps of one message that tell none: in the station's
// time zone, by its quirks, else as UTC.
type zone struct {
	session *session
	where   *time.Location // nil: not looked up yet
}

// local returns the time that a clock means which would mean t in UTC. The
// registry is asked once for a message, and only for those that need it.
func (z *zone) local(t time.Time) time.Time {
	if z.where == nil {
		z.where = z.session.location()
	}
	return shown(t, z.where, z.session.srv.ledger.Now())
}

// location returns what a station's timestamps without a zone are in. When the
// registry does not say, storage will not take the message either.
func (s *session) location() *time.Location {
	ctx, cancel := context.WithTimeout(context.Background(), backgroundLimit)
	defer cancel()
	q, err := s.srv.ledger.Quirks(ctx, s.station)
	if err != nil {
		s.srv.log.Warn("time zone not known", "station", s.station, "error", err)
		return time.UTC
	}
	if s.where != nil && s.where.String() == q.TimeZone {
		return s.where
	}
	where, err := time.LoadLocation(q.TimeZone)
	if err != nil {
		s.srv.log.Error("time zone not known", "station", s.station, "zone", q.TimeZone, "error", err)
		return time.UTC
	}
	s.where = where
	return where
}

// shown returns when clocks at a place showed what UTC shows at t. An hour that
// comes twice, as summer time ends, is the later one if that is not after now. One
// that never comes, as it begins, is read as if it had not begun.
func shown(t time.Time, where *time.Location, now time.Time) time.Time {
	const far = 24 * time.Hour // from any change, and on the other side of it
	east := func(at time.Time) time.Duration {
		_, seconds := at.In(where).Zone()
		return time.Duration(seconds) * time.Second
	}
	early, late := t.Add(-east(t.Add(-far))), t.Add(-east(t.Add(far)))
	shows := func(at time.Time) bool { return at.Add(east(at)).Equal(t) }
	switch {
	case !shows(late):
		return early
	case !shows(early):
		return late
	case late.After(early) && !late.After(now.Add(zoneSlack)):
		return late
	}
	return early
}

// noteZone notes what a message shows of the station's timestamps.
func (s *session) noteZone(v *ocpp.Violations) {
	if v.Zoneless > 0 && s.conn != nil { // nil: an operator replays what it once sent
		s.srv.ledger.NoticedMissingZone(s.station)
	}
}

// setZone tells the event how far ahead of UTC its time was read, if it was told
// without a zone: the key of a report rests on what the station sent, whatever its
// zone is said to be by the time it sends it again.
func (r *report) setZone(v *ocpp.Violations) {
	if v.Zoneless == 0 {
		return
	}
	if sent, ok := ocpp.ParseTime(textIn(r.payload, "timestamp")); ok {
		r.Event.Zone = sent.Sub(r.Event.At)
	}
}
