package device

import (
	"cmp"
	"fmt"
	"math"

	"leyden"
)

// Check returns why a Store refuses c, or nil.
func (c *Command) Check() error {
	return identified("a command", c.ID, string(c.Station))
}

// Check returns why a Store refuses n, or nil.
func (n *Notification) Check() error {
	return identified("a notification", string(n.Station), string(n.Kind))
}

// Check returns why a Store refuses p, or nil.
func (p *InstalledProfile) Check() error {
	return cmp.Or(identified("an installed profile", string(p.Station), p.Profile.Purpose), p.Profile.finite())
}

// Check returns why a Store refuses t, or nil.
func (t *ProfileTemplate) Check() error {
	return cmp.Or(identified("a profile template", t.ID), t.Profile.finite())
}

// Check returns why a Store refuses l, or nil.
func (l *LocalList) Check() error {
	return identified("a local list", string(l.Station))
}

// Check returns why a Store refuses c, or nil.
func (c *Certificate) Check() error {
	return identified("a certificate", c.ID, string(c.Station))
}

// identified fails if one of what tells a record from others is missing.
func identified(what string, names ...string) error {
	for _, name := range names {
		if name == "" {
			return fmt.Errorf("%s that is not named: %w", what, leyden.ErrInvalid)
		}
	}
	return nil
}

// finite fails if a limit is no number.
func (p *ChargingProfile) finite() error {
	for _, period := range p.Schedule.Periods {
		if !isFinite(period.Limit) {
			return fmt.Errorf("a limit of %v: %w", period.Limit, leyden.ErrInvalid)
		}
	}
	if !isFinite(p.Schedule.MinRate) {
		return fmt.Errorf("a rate of %v: %w", p.Schedule.MinRate, leyden.ErrInvalid)
	}
	return nil
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
