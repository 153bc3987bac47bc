package leyden

import "time"

// Desks returns how many desks the ledger keeps, and how many transactions the
// one of a station has at hand.
func (l *Ledger) Desks(s StationID) (desks, working int) {
	l.mu.Lock()
	desks, d := len(l.desks), l.desks[s]
	l.mu.Unlock()
	if d == nil {
		return desks, 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return desks, len(d.working) + len(d.waiting)
}

// Lend makes e, which joins a stop into a transaction, tell of one.
func Lend(e *Event, at time.Time, register *WattHours) {
	e.Stop = &lentStop{Key: "lent " + e.Key, At: at, ReceivedAt: e.ReceivedAt, Register: register, Reason: "Local", Flags: Offline}
}
