package leyden

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Connected notes that a station has a new connection. Registers of the ledger
// that another process may have changed are read again.
func (l *Ledger) Connected(ctx context.Context, s StationID, protocol string) error {
	return l.atDesk(ctx, s, func(d *desk) error {
		d.sighting.ConnectedAt, d.sighting.SeenAt, d.sighting.Protocol, d.dirty = l.Now(), l.Now(), protocol, true
		d.forget()
		return l.load(ctx, d)
	})
}

// Seen notes that a station sent something, and how far its clock is off ours
// if the message said so.
func (l *Ledger) Seen(s StationID, heartbeat bool) {
	d := l.desk(s)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sighting.SeenAt, d.dirty = l.Now(), true
	if heartbeat {
		d.sighting.HeartbeatAt = d.sighting.SeenAt
	}
}

// Told notes that a station told its ConnectionTimeOut: how long a remote start
// waits there for a vehicle.
func (l *Ledger) Told(s StationID, startTimeout time.Duration) {
	d := l.desk(s)
	d.mu.Lock()
	defer d.mu.Unlock()
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
		c := l.change(d)
		for _, t := range d.running() {
			key := ownKey(Rebooted, t.ID, int(now.Unix()))
			if _, err := c.apply(ctx, t, Event{Kind: Rebooted, Key: key}); err != nil {
				return err
			}
		}
		if len(c.entry.Events) == 0 {
			return nil
		}
		if err := c.write(ctx); err != nil && !errors.Is(err, ErrReplay) {
			return fmt.Errorf("boot of %s: %w", s, err)
		}
		return nil
	})
}

func (d *desk) running() []Transaction {
	var ts []Transaction
	for _, t := range d.working {
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
		c.UpdatedAt = l.Now()
		if c.At.IsZero() {
			c.At = c.UpdatedAt
		}
		c.At = c.At.UTC().Truncate(time.Microsecond)
		old := d.connector(c.Number)
		d.sighting.SeenAt = c.UpdatedAt
		if !c.At.Before(c.UpdatedAt.Add(-skewLimit)) || d.sighting.ClockSkew != 0 {
			d.sighting.ClockSkew = c.At.Sub(c.UpdatedAt).Round(time.Second)
		}
		switch {
		case c.Status == "Available":
			d.setConnector(c)
			if c.Number > 0 && old.Status != "Available" {
				return l.plugOut(ctx, d, c)
			}
			return nil
		case plugged(c.Status) && old.PluggedAt.IsZero() && !plugged(old.Status):
			c.PluggedAt = c.At
		case plugged(c.Status):
			c.PluggedAt = old.PluggedAt
		}
		d.setConnector(c)
		return nil
	})
}

func plugged(status string) bool {
	switch status {
	case "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing":
		return true
	}
	return false
}

// plugOut records when the vehicle of the last charge on a connector left. If
// that charge has not ended yet, its stop will tell.
func (l *Ledger) plugOut(ctx context.Context, d *desk, c Connector) error {
	trace := d.charged[c.Number]
	var t Transaction
	var err error
	if trace.last != 0 {
		t, err = l.current(ctx, d, trace.last)
	} else {
		t, err = l.store.LastOn(ctx, d.station, c.Number)
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !t.SessionEnd.IsZero() || c.At.Before(t.StartedAt) {
		return nil
	}
	if t.Status != Completed {
		trace.last, trace.unplugged = t.ID, c.At
		d.charged[c.Number] = trace
		return nil
	}
	change := l.change(d)
	if _, err := change.apply(ctx, t, pluggedOut(&t, c.At)); err != nil {
		return err
	}
	if err := change.write(ctx); err != nil && !errors.Is(err, ErrReplay) {
		return fmt.Errorf("plug-out of transaction %d: %w", t.ID, err)
	}
	return nil
}

func pluggedOut(t *Transaction, at time.Time) Event {
	return Event{Kind: PluggedOut, Key: ownKey(PluggedOut, t.ID, 0), At: at}
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

// Stations returns a part of all stations, up to their last messages, and how
// many there are.
func (l *Ledger) Stations(ctx context.Context, part Slice) ([]Station, int, error) {
	list, n, err := l.registry.Stations(ctx, part)
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
	s.Sighting = mergeSighting(s.Sighting, d.sighting)
}

// Flush writes behind what stations said of themselves and which tokens were
// seen. What it cannot write it keeps for the next time.
func (l *Ledger) Flush(ctx context.Context) error {
	seen := make(map[StationID]Sighting)
	l.mu.Lock()
	desks := make([]*desk, 0, len(l.desks))
	for _, d := range l.desks {
		desks = append(desks, d)
	}
	l.mu.Unlock()
	for _, d := range desks {
		d.mu.Lock()
		if d.dirty && d.charged != nil {
			seen[d.station], d.dirty = d.sighting, false
		}
		d.mu.Unlock()
	}
	tokens := l.takeSeen()
	var errSeen, errTokens error
	if len(seen) > 0 {
		if errSeen = l.registry.SaveSightings(ctx, seen); errSeen != nil {
			for id := range seen {
				l.touch(id)
			}
		}
	}
	if len(tokens) > 0 {
		if errTokens = l.registry.SeeTokens(ctx, tokens); errTokens != nil {
			for _, t := range tokens {
				l.remember(t)
			}
		}
	}
	return errors.Join(errSeen, errTokens)
}

func (l *Ledger) touch(s StationID) {
	d := l.desk(s)
	d.mu.Lock()
	d.dirty = true
	d.mu.Unlock()
}
