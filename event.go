package leyden

import "time"

// An EventKind says what an event tells. Values are stored: never renumber.
type EventKind uint8

// What stations report. OCPP 1.6 sends StartTransaction, MeterValues and
// StopTransaction; OCPP 2.x sends TransactionEvent.
const (
	Started EventKind = 1
	Updated EventKind = 2
	Ended   EventKind = 3
)

// What the ledger decided, or noted as evidence, on its own.
const (
	Requested       EventKind = 10 // a remote start was asked for
	StartAnswered   EventKind = 11 // the station accepted the remote start
	StartRefused    EventKind = 12 // the station answered Rejected
	StartErrored    EventKind = 13 // the station answered with an error
	StartUnanswered EventKind = 14 // the station was silent, or left
	StartExpired    EventKind = 15 // no start came in time
	StartCancelled  EventKind = 16 // stop was called while pending

	StopRequested   EventKind = 20 // a remote stop was asked for
	StopAnswered    EventKind = 21 // the station accepted the remote stop
	StopDenied      EventKind = 22 // the station answered Rejected or with an error
	StopOverdue     EventKind = 23 // no stop followed an accepted remote stop
	StopLapsed      EventKind = 24 // energy flows on after a remote stop
	StopUnanswered  EventKind = 25 // the station was silent, or left
	Superseded      EventKind = 30 // closed: another transaction began on its connector
	PluggedOut      EventKind = 31 // the vehicle left the connector
	Rebooted        EventKind = 32 // the station booted while the transaction was open
	WentStale       EventKind = 33 // still open long after a boot
	Contradicted    EventKind = 34 // a known fact was sent again with different content
	JoinedElsewhere EventKind = 35 // an orphan stop was joined into another transaction

	Corrected EventKind = 36 // an operator set a vehicle, a note, metadata, or whether it is billed
	Reverted  EventKind = 37 // an operator undid a correction, or undid that
	Closed    EventKind = 38 // an operator closed it without a stop
	Joined    EventKind = 39 // an operator joined an orphan stop into it
)

var eventNames = [...]string{
	Started: "started", Updated: "updated", Ended: "ended",
	Requested: "remoteStart.requested", StartAnswered: "remoteStart.accepted", StartRefused: "remoteStart.rejected",
	StartErrored: "remoteStart.error", StartUnanswered: "remoteStart.unanswered", StartExpired: "remoteStart.expired",
	StartCancelled: "remoteStart.cancelled",
	StopRequested:  "remoteStop.requested", StopAnswered: "remoteStop.accepted", StopDenied: "remoteStop.rejected",
	StopOverdue: "remoteStop.overdue", StopLapsed: "remoteStop.lapsed", StopUnanswered: "remoteStop.unanswered",
	Superseded: "superseded", PluggedOut: "pluggedOut", Rebooted: "station.rebooted", WentStale: "stale",
	Contradicted: "contradicted", JoinedElsewhere: "joined",
	Corrected: "corrected", Reverted: "reverted", Closed: "closed", Joined: "stop.joined",
}

// String returns the word under which the timeline of a transaction shows it.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return ""
}

// Reported reports whether a station said it, rather than the ledger.
func (k EventKind) Reported() bool { return k >= Started && k <= Ended }

// An Event is one fact about a transaction. Stations resend events, send them
// late, and send them out of order; Key makes a resend recognisable. An event
// never changes once it is recorded.
type Event struct {
	Seq         int64         `json:"-"` // place in the ledger, in commit order; the Store assigns it
	Transaction TransactionID `json:"-"` // the transaction it belongs to; 0: the station's series
	Station     StationID     `json:"-"`
	Key         string        `json:"-"` // unique per station; the ledger makes it of 1.6 reports (key.go)
	Kind        EventKind     `json:"-"`
	At          time.Time     `json:"-"` // station's clock; zero when it gave none that can be read
	ReceivedAt  time.Time     `json:"-"` // our clock

	// What a station reports.
	Number      *int64     `json:"number,omitempty"` // the transactionId as sent; nil when the message has none
	Connector   int        `json:"connector,omitempty"`
	Token       IDToken    `json:"token,omitzero"`
	Register    *WattHours `json:"register,omitempty"` // meterStart, meterStop; for Superseded the new meterStart; for Closed where it stood
	Samples     []Sample   `json:"samples,omitempty"`
	Reason      string     `json:"reason,omitempty"`      // as OCPP names it; for our own decisions, why
	ReasonText  string     `json:"reasonText,omitempty"`  // as sent, when OCPP does not know it
	Reservation *int       `json:"reservation,omitempty"` // reservationId as sent
	Digest      string     `json:"-"`                     // hash of the payload; the key of Updated is made of it
	Raw         string     `json:"raw,omitempty"`         // payload as sent, when not all of it could be read

	// Zone is how far ahead of UTC At was read, by the station's quirks, when it was
	// sent without a zone.
	Zone time.Duration `json:"zone,omitempty"`

	// What the ledger added when it recorded the event.
	Auth      TokenInfo         `json:"auth,omitzero"`      // the answer about the token; replays repeat it
	Flags     Flags             `json:"flags,omitempty"`    // found at receipt
	Vehicle   string            `json:"vehicle,omitempty"`  // Started, Requested: the vehicle that uses the token
	PluggedAt time.Time         `json:"pluggedAt,omitzero"` // Started: plug-in, by the station's clock
	Before    *WattHours        `json:"before,omitempty"`   // Started: tells 0 of a register that stood there, and by its quirks counts on
	Model     RegisterModel     `json:"model,omitempty"`    // Ended: the register's by its quirks, where the energy rests on that
	Expires   time.Time         `json:"expires,omitzero"`   // Requested: when a pending start gives up
	Metadata  map[string]string `json:"metadata,omitempty"` // Requested: what the client said
	Round     int               `json:"round,omitempty"`    // which remote stop; of what an operator does, which correction
	By        string            `json:"by,omitempty"`       // who asked: a credential's id
	Other     TransactionID     `json:"other,omitempty"`    // Superseded, JoinedElsewhere: by which; Joined: which

	// What an operator did.
	Fix    Fix       `json:"fix,omitzero"`     // Corrected
	Undoes int       `json:"undoes,omitempty"` // Reverted: the number of a correction
	Twin   int       `json:"twin,omitempty"`   // Joined, JoinedElsewhere: the number of the correction there
	Stop   *lentStop `json:"stop,omitempty"`   // Joined: the orphan; Samples are those that came with it
}

// A TokenInfo is the answer about an idTag, in OCPP's words (IdTagInfo).
type TokenInfo struct {
	Status string    `json:"status,omitempty"` // Accepted, Blocked, Expired, Invalid, ConcurrentTx
	Expiry time.Time `json:"expiry,omitzero"`
	Parent string    `json:"parent,omitempty"`
}

// Accepted reports whether the token may charge.
func (i TokenInfo) Accepted() bool { return i.Status == TokenAccepted }

// The answers about an idTag (OCPP 1.6 §7.2, AuthorizationStatus).
const (
	TokenAccepted     = "Accepted"
	TokenBlocked      = "Blocked"
	TokenExpired      = "Expired"
	TokenInvalid      = "Invalid"
	TokenConcurrentTx = "ConcurrentTx"
)
