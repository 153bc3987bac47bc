package leyden

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// A MeterKey is a public key with which a meter signs what it says, as an
// operator registered it. A station may have several: one for each meter, and
// those of meters that were replaced, for what they signed stays.
type MeterKey struct {
	ID        string // of all that it is; see [MeterKey.Fingerprint]
	Station   StationID
	Connector int    // whose meter it is of; 0: of any
	Serial    string // of the meter, as it says it; "": of any
	Public    []byte // SubjectPublicKeyInfo, in DER
	Curve     string // what it is on, e.g. secp256r1
	Note      string
	AddedAt   time.Time
	By        string // who registered it: a credential's id
}

// MaxMeterKeys is how many keys a station may have.
const MaxMeterKeys = 100

// Fingerprint returns the ID that the key has: of the same key for the same
// meter it is the same.
func (k *MeterKey) Fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d|%q|%x", k.Connector, k.Serial, k.Public))
	return hex.EncodeToString(sum[:16])
}

// A ReportedKey is a public key that a station told by itself. It says nothing
// about who signed, for whoever signs in a meter's place can tell a key as well:
// it is what an operator may compare with the meter's label, and register.
type ReportedKey struct {
	Connector int       `json:"connector,omitempty"` // 0: the station did not say
	Text      string    `json:"text"`                // as the station told it
	Source    string    `json:"source"`              // a setting's name, or MeterValues
	SeenAt    time.Time `json:"seenAt"`
}

// maxReportedKeys is how many keys of a station are remembered that it told by
// itself.
const maxReportedKeys = 16

// KeyReported notes that a station told a public key of a meter.
func (l *Ledger) KeyReported(s StationID, k ReportedKey) {
	d := l.sit(s)
	defer l.rise(d)
	k.SeenAt = l.Now()
	d.sighting.ReportedKeys, d.dirty = withKey(d.sighting.ReportedKeys, k), true
}

// withKey returns the list with k in it, the latest last, each key of a
// connector once. The list is copied: others may hold the old one.
func withKey(list []ReportedKey, k ReportedKey) []ReportedKey {
	kept := make([]ReportedKey, 0, len(list)+1)
	for _, o := range list {
		if o.Connector != k.Connector || o.Text != k.Text {
			kept = append(kept, o)
		}
	}
	kept = append(kept, k)
	return kept[max(0, len(kept)-maxReportedKeys):]
}
