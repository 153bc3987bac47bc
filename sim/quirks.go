package sim

import (
	"regexp"
	"slices"
)

// A Quirk is a way in which stations do not do as OCPP says.
type Quirk string

// The quirks that a fleet may have.
const (
	// SessionRegister begins the register of each charge at 0.
	SessionRegister Quirk = "session-register"
	// OfflineIDs has charges that began without a connection speak of transaction
	// −1, though their start was answered before.
	OfflineIDs Quirk = "offline-ids"
	// FractionalMeters puts a fraction into meterStop.
	FractionalMeters Quirk = "fractional-meters"
	// NoZone leaves the time zone out of timestamps, which are in UTC.
	NoZone Quirk = "no-zone"
)

// Quirks returns all quirks that there are.
func Quirks() []Quirk { return []Quirk{SessionRegister, OfflineIDs, FractionalMeters, NoZone} }

var (
	zonedPattern     = regexp.MustCompile(`("\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?)Z"`)
	meterStopPattern = regexp.MustCompile(`("meterStop":\d+)`)
)

func (o *Options) has(q Quirk) bool { return slices.Contains(o.Quirks, q) }

// payload returns what is sent of m: what OCPP would have, or not.
func (s *station) payload(m *message) []byte {
	p := m.build().AppendJSON(nil)
	if s.opt.has(NoZone) {
		p = zonedPattern.ReplaceAll(p, []byte(`${1}"`))
	}
	if s.opt.has(FractionalMeters) && m.action == "StopTransaction" {
		p = meterStopPattern.ReplaceAll(p, []byte(`${1}.4`))
	}
	return p
}

// number returns the transactionId that the messages of a charge have.
func (s *station) number(ch *charge) int {
	if ch.offline && s.opt.has(OfflineIDs) {
		return -1
	}
	return ch.id
}
