package leyden

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The words of StatusNotification that tell of a vehicle (OCPP 1.6 §4.9).
const (
	available = "Available"
	preparing = "Preparing"
	reserved  = "Reserved"
)

// Connected notes that a station has a new connection. What other processes may
// have changed of its transactions meanwhile is read again.
func (l *Ledger) Connected(ctx context.Context, s StationID, protocol string) error {
	return l.atDesk(ctx, s, func(d *desk) error {
		d.sighting.ConnectedAt, d.sighting.SeenAt, d.sighting.Protocol, d.dirty = l.Now(), l.Now(), protocol, true
		d.forget()
		if err := l.load(ctx, d); err != nil {
			return err
		}
		if !d.sighting.Connected() { // the clock was set back since it left
			d.sighting.DisconnectedAt = d.sighting.ConnectedAt.Add(-time.Microsecond)
		}
		d.tell(TopicConnected, l.Now(), NoticeDetail{Protocol: protocol})
		return nil
	})
}

// Disconnected notes that a connection of a station ended, and why. It announces
// nothing if the station is back by then: that is asked for where nothing else
// happens to the station.
func (l *Ledger) Disconnected(s StationID, reason string, back func() bool) {
	d := l.sit(s)
	defer l.rise(d)
	if back() {
		return
	}
	now := l.Now()
	d.sighting.DisconnectedAt, d.dirty = latest(now, d.sighting.ConnectedAt), true
	d.tell(TopicDisconnected, now, NoticeDetail{Reason: reason})
}

// serverEnded is why connections ended that a server had which ended abruptly.
const serverEnded = "the server ended"

// Recover announces that stations left whose connections a server had that ended
// abruptly over the same storage, once, and returns how many. Call it before the
// first station comes.
func (l *Ledger) Recover(ctx context.Context) (n int, err error) {
	q := StationQuery{Connected: true}
	for {
		list, _, err := l.registry.Stations(ctx, q)
		if err != nil {
			return n, fmt.Errorf("stations that were connected: %w", err)
		}
		if len(list) == 0 {
			return n, nil
		}
		seen, notices := make(map[StationID]Sighting, len(list)), make([]Notice, len(list))
		for i := range list {
			s, now := &list[i], l.Now()
			s.DisconnectedAt = latest(now, s.ConnectedAt)
			seen[s.ID] = s.Sighting
			notices[i] = Notice{Topic: TopicDisconnected, Station: s.ID, At: now, Detail: &NoticeDetail{Reason: serverEnded}}
		}
		if err := l.registry.SaveSightings(ctx, seen, notices); err != nil {
			return n, fmt.Errorf("announce that stations left: %w", err)
		}
		n += len(list)
		q.After = &Cursor{Name: string(list[len(list)-1].ID)}
	}
}

// Seen notes that a station sent something, and whether it was a heartbeat.
func (l *Ledger) Seen(s StationID, heartbeat bool) {
	d := l.sit(s)
	defer l.rise(d)
	d.sighting.SeenAt, d.dirty = l.Now(), true
	if heartbeat {
		d.sighting.HeartbeatAt = d.sighting.SeenAt
	}
}

// Told notes that a station told its ConnectionTimeOut: how long a remote start
// waits there for a vehicle.
func (l *Ledger) Told(s StationID, startTimeout time.Duration) {
	d := l.sit(s)
	defer l.rise(d)
	d.sighting.StartTimeout, d.dirty = startTimeout, true
}

// Booted notes what a station said of itself when it booted. Transactions that
// run on are not closed, but looked at again later.
func (l *Ledger) Booted(ctx context.Context, s StationID, boot Sighting) error {
	return l.atDesk(ctx, s, func(d *desk) error {
		now := l.Now()
		d.sighting.Vendor, d.sighting.Model = boot.Vendor, boot.Model
		d.sighting.Serial, d.sighting.Firmware = boot.Serial, boot.Firmware
		d.sighting.BootedAt, d.sighting.SeenAt, d.dirty = now, now, true
		c := l.change(d, now)
		for _, t := range d.running() {
			key := ownKey(Rebooted, t.ID, int(now.UnixMicro()))
			if _, err := c.applyTo(ctx, t, &Event{Kind: Rebooted, Key: key}); err != nil {
				return err
			}
		}
		if len(c.entry.Events) > 0 {
			if err := c.write(ctx); err != nil && !errors.Is(err, ErrReplay) {
				return fmt.Errorf("boot of %s: %w", s, err)
			}
		}
		d.tell(TopicBoot, now, NoticeDetail{Vendor: boot.Vendor, Model: boot.Model, Serial: boot.Serial, Firmware: boot.Firmware})
		return nil
	})
}

func (d *desk) running() []*Transaction {
	var ts []*Transaction
	for t := range d.working.all() {
		if t.Status == Active || t.Status == Stopping {
			ts = append(ts, t)
		}
	}
	return ts
}

// StatusReported notes what a station said of a connector. It is evidence
// only: it neither opens nor closes a transaction, but tells when a vehicle was
// plugged in and out.
func (l *Ledger) StatusReported(ctx context.Context, s StationID, c Connector) error {
	return l.atDesk(ctx, s, func(d *desk) error {
		c.At, c.UpdatedAt = storable(c.At), l.Now()
		when := c.At
		if when.IsZero() {
			when = c.UpdatedAt
		}
		old := d.connector(c.Number)
		if c.Status == available && old.Status != available && c.Number > 0 {
			if err := l.plugOut(ctx, d, &old, when); err != nil {
				return err
			}
		}
		c.PluggedAt = d.pluggedAt(&old, c.Status, when)
		d.noteClock(c.At, c.UpdatedAt, true)
		d.sighting.SeenAt = c.UpdatedAt
		d.setConnector(c)
		if c.Status != old.Status || c.ErrorCode != old.ErrorCode {
			d.tell(TopicStatus, c.UpdatedAt, NoticeDetail{Connector: &c, Before: old.Status})
		}
		return nil
	})
}

// pluggedAt returns since when a vehicle is plugged in, or zero, now that a
// connector that was old became status. A fault tells nothing of the vehicle. One
// that prepares after a time in which we could not see it is taken to be another.
func (d *desk) pluggedAt(old *Connector, status string, when time.Time) time.Time {
	unseen := latest(d.sighting.ConnectedAt, d.sighting.BootedAt).After(old.UpdatedAt)
	switch {
	case status == available, status == reserved:
		return time.Time{}
	case status == preparing && (old.PluggedAt.IsZero() || unseen && old.Status != preparing):
		return when
	case plugged(status) && old.PluggedAt.IsZero() && (old.Status == available || old.Status == reserved):
		return when
	}
	return old.PluggedAt
}

func plugged(status string) bool {
	switch status {
	case preparing, "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing":
		return true
	}
	return false
}

// plugOut records that a vehicle left the connector of the last charge there.
// While that has not ended it may be a moment's mistake: its end will tell.
func (l *Ledger) plugOut(ctx context.Context, d *desk, old *Connector, at time.Time) error {
	t, err := l.lastOn(ctx, d, old.Number)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("last transaction on connector %d: %w", old.Number, err)
	}
	another := t.Status == Completed && t.StoppedAt.Before(old.PluggedAt)
	if another || !t.SessionEnd.IsZero() || !t.mayLeave(at) {
		return nil
	}
	c := l.change(d, l.Now())
	key := ownKey(PluggedOut, t.ID, int(at.UnixMicro()))
	if _, err := c.apply(ctx, t, Event{Kind: PluggedOut, Key: key, At: at}); err != nil {
		return err
	}
	if err := c.write(ctx); err != nil && !errors.Is(err, ErrReplay) {
		return fmt.Errorf("plug-out of transaction %d: %w", t.ID, err)
	}
	return nil
}

// lastOn returns the last charge on a connector, or [ErrNotFound]: the one with
// the highest number, unless that was reported late and another began after it.
func (l *Ledger) lastOn(ctx context.Context, d *desk, connector int) (Transaction, error) {
	t, err := l.store.LastOn(ctx, d.station, connector)
	if err != nil || t.StartedAt.Before(implausibleBefore) {
		return t, err
	}
	since, err := l.store.Transactions(ctx, Query{
		Station: d.station, Connector: connector, Charged: true, Started: Window{From: t.StartedAt}, Order: ByStart, Limit: 1,
	})
	if err == nil && len(since.Transactions) == 1 && !since.Transactions[0].Flags.Has(ClockImplausible) {
		t = since.Transactions[0]
	}
	return t, err
}

// Station returns what is known of a station, up to its last message.
func (l *Ledger) Station(ctx context.Context, id StationID) (Station, error) {
	s, err := l.registry.Station(ctx, id)
	if err != nil {
		return Station{}, err
	}
	l.overlay(&s)
	return s, nil
}

// Stations returns a part of the stations that q selects, up to their last
// messages, and how many there are.
func (l *Ledger) Stations(ctx context.Context, q StationQuery) ([]Station, int, error) {
	list, n, err := l.registry.Stations(ctx, q)
	for i := range list {
		l.overlay(&list[i])
	}
	return list, n, err
}

func (l *Ledger) overlay(s *Station) {
	l.mu.Lock()
	d := l.desks[s.ID]
	l.mu.Unlock()
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known {
		s.Habits = Habits{} // the desk's are those, and what was learnt since
	}
	s.Sighting = mergeSighting(s.Sighting, d.sighting)
}

// maxNews is how much happens to a station at most that is not announced yet. If
// storage fails for long, the oldest of it is never announced.
const maxNews = 1000

// tell adds what Flush shall announce.
func (d *desk) tell(topic string, at time.Time, what NoticeDetail) {
	d.news = append(d.news[max(0, len(d.news)-maxNews+1):], Notice{Topic: topic, Station: d.station, At: at, Detail: &what})
}

// Flush writes behind what stations said of themselves, with the announcements of
// it, and which tokens were seen. What it cannot write it keeps for the next time.
func (l *Ledger) Flush(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	return errors.Join(l.flushSightings(ctx), l.flushTokens(ctx))
}

func (l *Ledger) flushSightings(ctx context.Context) error {
	l.mu.Lock()
	unsaved := l.unsaved
	l.unsaved = nil
	l.mu.Unlock()
	seen := make(map[StationID]Sighting, len(unsaved))
	var notices []Notice
	for _, d := range unsaved {
		d.mu.Lock()
		d.queued = false
		if d.dirty && d.known {
			seen[d.station], d.dirty = d.sighting, false
		}
		d.telling, d.news = d.news, nil
		notices = append(notices, d.telling...)
		d.mu.Unlock()
	}
	if len(seen) == 0 && len(notices) == 0 {
		return nil
	}
	err := l.registry.SaveSightings(ctx, seen, notices)
	for _, d := range unsaved {
		l.settleNews(d, err == nil)
	}
	if err == nil {
		return nil
	}
	for s := range seen {
		d := l.sit(s)
		d.dirty = true
		l.rise(d)
	}
	return fmt.Errorf("what stations said of themselves: %w", err)
}

// settleNews notes whether what Flush was about to announce of a station is.
func (l *Ledger) settleNews(d *desk, announced bool) {
	d.mu.Lock()
	if !announced {
		d.news = append(d.telling, d.news...)
	}
	d.telling = nil
	l.rise(d)
}

func (l *Ledger) flushTokens(ctx context.Context) error {
	tokens := l.takeSeen()
	if len(tokens) == 0 {
		return nil
	}
	err := l.registry.SeeTokens(ctx, tokens)
	if err == nil {
		return nil
	}
	for i := range tokens {
		l.remember(&tokens[i])
	}
	return fmt.Errorf("which idTags were seen: %w", err)
}

// saveSighting writes at once what a station said of itself, and announces it
// unless Flush is about to announce what was before. It does not keep Flush from
// writing it again, which may be about to write what was before.
func (l *Ledger) saveSighting(ctx context.Context, d *desk) error {
	if !d.dirty {
		return nil
	}
	var news []Notice
	if d.telling == nil {
		news = d.news
	}
	err := l.registry.SaveSightings(ctx, map[StationID]Sighting{d.station: d.sighting}, news)
	if err != nil {
		return fmt.Errorf("what %s said of itself: %w", d.station, err)
	}
	d.news = d.news[len(news):]
	return nil
}
