package sim

import (
	"slices"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// A task is something that a station does at a moment, apart from visits.
type task struct {
	at time.Time
	do func(now time.Time)
}

// at has the station do f at a moment, or as soon as it can after it.
func (s *station) at(t time.Time, f func(now time.Time)) {
	s.agenda = append(s.agenda, task{t, f})
}

// after has the station do f when d of simulated time has passed.
func (s *station) after(d time.Duration, now time.Time, f func(now time.Time)) {
	s.at(now.Add(s.scale(d)), f)
}

// attend does the tasks that are due, the earliest first. A task may add others.
func (s *station) attend(now time.Time) {
	for {
		i := s.earliest()
		if i < 0 || s.agenda[i].at.After(now) {
			return
		}
		f := s.agenda[i].do
		s.agenda = slices.Delete(s.agenda, i, i+1)
		f(now)
	}
}

// earliest returns which task is due first, −1 for none.
func (s *station) earliest() int {
	first := -1
	for i, t := range s.agenda {
		if first < 0 || t.at.Before(s.agenda[first].at) {
			first = i
		}
	}
	return first
}

// tellSurely queues a message that is told once, but kept over a lost connection
// until it could be told.
func (s *station) tellSurely(req ocpp.Request, now time.Time) {
	m := &message{action: req.Action(), build: func() ocpp.Request { return req }, extension: isExtension(req)}
	m.dropped = func(_ time.Time, cutOff bool) {
		if cutOff && len(s.later) < maxUrgent {
			s.later = append(s.later, m)
		}
	}
	s.tell(m, now)
}

// tellKept tells what waited for a connection.
func (s *station) tellKept(now time.Time) {
	kept := s.later
	s.later = nil
	for _, m := range kept {
		s.tell(m, now)
	}
}

// isExtension reports whether a central system may not know a message: those of
// the security whitepaper are no part of OCPP 1.6 itself.
func isExtension(req ocpp.Request) bool {
	switch req.(type) {
	case *v16.SecurityEventNotification, *v16.SignCertificate, *v16.LogStatusNotification, *v16.SignedFirmwareStatusNotification:
		return true
	}
	return false
}

// securityEvent tells that something happened that matters to security (security
// whitepaper, A04).
func (s *station) securityEvent(kind, info string, now time.Time) {
	s.tellSurely(&v16.SecurityEventNotification{
		Type: kind, Timestamp: now, TechInfo: ocpp.Opt[string]{Value: info, Set: info != ""},
	}, now)
}
