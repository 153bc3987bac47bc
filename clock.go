package leyden

import "time"

// How the clocks of stations are compared with ours. A message that waited on its
// way makes a clock look slower than it is, and never faster.
const (
	// clockAgree is how far two looks at one clock may lie apart: timestamps are
	// in whole seconds, and messages take a while.
	clockAgree = 5 * time.Second
	// clockApart is how long after the first a second look must come to confirm
	// it: what waited comes all at once.
	clockApart = 30 * time.Second
	// clockLive is how far behind a timestamp may be that cannot have waited long.
	clockLive = 10 * time.Second
	// clockSane is how far off a clock may be: a timestamp that is further away is a
	// mistake, and tells nothing of it.
	clockSane = 10 * 365 * 24 * time.Hour
)

// A clock is one look at a station's clock.
type clock struct {
	off time.Duration // the station's minus ours
	at  time.Time     // our clock
}

// noteClock compares the clocks by a timestamp of a message that came at received.
// One that came before what is known already tells nothing new. One
// that is behind and from before the connection, by the station's own clock, may
// have waited for it. What says that the clock is slower than was thought counts
// once another message that came a while later agrees; never, unless mayLower,
// for messages that are late by habit, as batches of readings are.
func (d *desk) noteClock(at, received time.Time, mayLower bool) {
	off := at.Sub(received)
	if at.Before(implausibleBefore) || off.Abs() > clockSane || received.Before(d.sighting.ClockAt) || off < -clockLive && !at.After(d.sighting.ConnectedAt) {
		return
	}
	known := !d.sighting.ClockAt.IsZero()
	if known && off < d.sighting.ClockSkew-clockAgree || !known && off < -clockLive {
		if !mayLower || !d.confirms(clock{off, received}) {
			return
		}
	}
	d.doubt = clock{}
	d.sighting.ClockSkew, d.sighting.ClockAt, d.dirty = off.Round(time.Second), received, true
}

// confirms reports whether a look at the clock agrees with one that was doubted,
// and doubts it otherwise.
func (d *desk) confirms(c clock) bool {
	first := d.doubt
	if first.at.IsZero() || (c.off-first.off).Abs() > clockAgree {
		d.doubt = c
		return false
	}
	return c.at.Sub(first.at) >= clockApart
}
