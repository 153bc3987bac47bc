package leyden

import (
	"strings"
	"time"
)

// A StationID is the identity a station presents in its WebSocket URL. It is
// case-sensitive; see [StationID.Valid].
type StationID string

// A TransactionID is our number for a transaction, 1…2147483647. It is the
// transactionId of OCPP 1.6, the remoteStartId of OCPP 2.x and the
// TransactionID of both REST façades. Zero means none.
type TransactionID int32

// WattHours is an energy register or an amount of energy, in Wh.
type WattHours int64

// An IDToken says who wants to charge.
type IDToken struct {
	Value string `json:"value"`          // as sent
	Type  string `json:"type,omitempty"` // as in OCPP 2.x; "" is an idTag of 1.6
}

// Fold returns the value in the form in which two idTags are compared: they
// differ not by case (OCPP 1.6 §7.28, CiString20Type).
func (t IDToken) Fold() string { return strings.ToLower(t.Value) }

// A Status is a stage in the life of a transaction.
type Status uint8

// The stages of a transaction. Pending, Active, Stopping and Completed are the
// life of a charge; Failed, Expired and Cancelled end a remote start that
// never became one; Void is a record that was joined into another.
const (
	StatusUnknown Status = iota
	Pending              // remote start asked for, the station has not begun
	Active               // energy may flow
	Stopping             // remote stop asked for, the station has not ended
	Completed            // ended, by the station or by us
	Failed               // the station refused the remote start, or answered with an error
	Expired              // no start came in time
	Cancelled            // stopped while pending
	Void                 // joined into another transaction
)

var statusNames = [...]string{"unknown", "pending", "active", "stopping", "completed", "failed", "expired", "cancelled", "void"}

// String returns the word that both REST façades use.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return statusNames[0]
}

// ParseStatus returns the status with that word, or false.
func ParseStatus(word string) (Status, bool) {
	for i, name := range statusNames {
		if i > 0 && name == word {
			return Status(i), true
		}
	}
	return StatusUnknown, false
}

// Open reports whether the transaction has still to come to an end.
func (s Status) Open() bool { return s == Pending || s == Active || s == Stopping }

// Charged reports whether energy may have flowed: the transaction is a
// charging event.
func (s Status) Charged() bool { return s == Active || s == Stopping || s == Completed }

// An EnergySource names the evidence behind an energy figure.
type EnergySource string

// Evidence of energy, best first (docs/ocpp.md "Energy").
const (
	EnergyUnknown    EnergySource = ""           // no evidence: the figure is null
	EnergySigned     EnergySource = "signed"     // signed readings of begin and end
	EnergyRegisters  EnergySource = "registers"  // meterStop − meterStart
	EnergyRising     EnergySource = "rising"     // sum of the rising segments of the readings
	EnergyReadings   EnergySource = "readings"   // last reading − first reading
	EnergyLastSample EnergySource = "lastSample" // last reading − meterStart, while there is no stop
	EnergyOperator   EnergySource = "operator"   // what an operator who closed it read − meterStart
)

// A Transaction is one charging transaction, folded from its events. Times of
// the station's clock and of ours are kept apart; unknown is the zero value or
// nil, and left out of its JSON, in which stores keep a [Notice].State.
type Transaction struct {
	ID        TransactionID     `json:",omitzero"`
	PublicID  string            `json:",omitzero"` // txn_ + 26 characters
	Station   StationID         `json:",omitzero"`
	Connector int               `json:",omitzero"` // 0 while unknown
	Token     IDToken           `json:",omitzero"` // who started it, or shall start it
	VehicleID string            `json:",omitzero"` // fixed by the start's commit, unless an operator assigned one; "" before
	Status    Status            `json:",omitzero"`
	Remote    bool              `json:",omitzero"` // began with a remote start
	Metadata  map[string]string `json:",omitzero"` // what the client said at the remote start, as operators changed it

	RequestedAt time.Time `json:",omitzero"` // our clock: remote start asked for
	ExpiresAt   time.Time `json:",omitzero"` // our clock: when a pending remote start gives up

	StartedAt       time.Time  `json:",omitzero"` // station's clock
	StartReceivedAt time.Time  `json:",omitzero"` // our clock
	StoppedAt       time.Time  `json:",omitzero"` // station's clock; for a charge that we closed, of its last evidence
	StopReceivedAt  time.Time  `json:",omitzero"` // our clock
	MeterStart      *WattHours `json:",omitzero"`
	MeterStop       *WattHours `json:",omitzero"` // as the station sent it, even when it is no use; without a stop, what an operator read who closed it
	Reservation     *int       `json:",omitzero"` // as the station sent it

	StopToken      IDToken `json:",omitzero"` // who stopped it, when the station said so
	StopReason     string  `json:",omitzero"` // the station's reason as OCPP names it; "" when none was given
	StopReasonText string  `json:",omitzero"` // the station's reason as sent, when OCPP does not know it
	CloseReason    string  `json:",omitzero"` // our own reason, when we closed it; an operator's, when one did

	Energy       *WattHours   `json:",omitzero"` // never negative
	EnergySource EnergySource `json:",omitzero"`
	Power        *float64     `json:",omitzero"` // last known, in W
	InitialSoC   *float64     `json:",omitzero"` // percent
	EndSoC       *float64     `json:",omitzero"` // percent

	SessionStart time.Time `json:",omitzero"` // station's clock: plugged in
	SessionEnd   time.Time `json:",omitzero"` // station's clock: plugged out

	Note        string    `json:",omitzero"` // of an operator
	NotBillable string    `json:",omitzero"` // why it must not be billed, as an operator said; "": it may be
	CorrectedAt time.Time `json:",omitzero"` // our clock: last correction by an operator

	Flags      Flags     `json:",omitzero"`
	StopRound  int       `json:",omitzero"` // how many remote stops were asked for
	DueAt      time.Time `json:",omitzero"` // our clock: when the ledger must look again; zero: never
	UpdatedAt  time.Time `json:",omitzero"` // our clock: last event
	InsertedAt time.Time `json:",omitzero"` // our clock: commit of the final record, or of its last revision
	Revision   int       `json:",omitzero"` // how often the final record was written; 0 while there is none
	Version    int       `json:",omitzero"` // number of changes; guards concurrent writers

	Evidence Evidence `json:",omitzero"` // what Apply must remember; not for readers
}

// HasStart reports whether the station's start is known.
func (t *Transaction) HasStart() bool { return t.Evidence.StartKey != "" }

// HasStop reports whether the station's stop is known.
func (t *Transaction) HasStop() bool { return t.Evidence.StopKey != "" }

// Orphan reports whether this is a stop whose start never came.
func (t *Transaction) Orphan() bool { return t.HasStop() && !t.HasStart() && t.RequestedAt.IsZero() }

// EndResult says how a completed transaction ended: the station's stop reason,
// Local when it gave none (OCPP 1.6 §6.49), Incomplete when it was closed
// without a stop. It is "" while the transaction runs.
func (t *Transaction) EndResult() string {
	switch {
	case t.Status != Completed:
		return ""
	case !t.HasStop():
		return "Incomplete"
	case t.StopReason == "":
		return "Local"
	}
	return t.StopReason
}

// Duration returns the time from start to stop, or to now while it runs.
// It is zero when the start is unknown and never negative.
func (t *Transaction) Duration(now time.Time) time.Duration {
	if t.StartedAt.IsZero() {
		return 0
	}
	end := t.StoppedAt
	if end.IsZero() {
		end = now
	}
	return max(0, end.Sub(t.StartedAt))
}
