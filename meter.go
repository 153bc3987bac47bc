package leyden

import "time"

// A Sample is one sampled value of a meter, as the station sent it. Empty
// texts mean the defaults of OCPP 1.6 §7.43: Energy.Active.Import.Register, Wh,
// Sample.Periodic, Outlet, Raw.
type Sample struct {
	At        time.Time `json:"at,omitzero"` // station's clock
	Value     string    `json:"value"`
	Measurand string    `json:"measurand,omitempty"`
	Unit      string    `json:"unit,omitempty"`
	Context   string    `json:"context,omitempty"`
	Phase     string    `json:"phase,omitempty"`
	Location  string    `json:"location,omitempty"`
	Format    string    `json:"format,omitempty"`

	// Signature is no part of what was sent: it is what we found, when we received
	// it, of a sample with format SignedData.
	Signature Verdict `json:"signature,omitempty"`
}

// A Verdict says whether something was signed with a key that an operator
// registered ([MeterKey]).
type Verdict string

// What may be found of a signature.
const (
	SignatureUnknown Verdict = ""        // no key is known for it, or how it is encoded is not
	SignatureValid   Verdict = "valid"   // by a key that is registered for the meter
	SignatureInvalid Verdict = "invalid" // by none of them, though there are any
)

// A Reading is a register reading of the import meter, in Wh.
type Reading struct {
	At time.Time `json:"at"`
	Wh WattHours `json:"wh"`
}

// A Gauge is a reading that is no register: power in W, state of charge in percent.
type Gauge struct {
	At    time.Time `json:"at"`
	Value float64   `json:"value"`
}

// Evidence is what Apply remembers of the events it has seen. It does not grow
// with their number.
type Evidence struct {
	// Both come first: Store implementations read no more of it for lists.
	StartKey string `json:"startKey,omitempty"` // key of the start that counts
	StopKey  string `json:"stopKey,omitempty"`  // key of the stop that counts
	AskedKey string `json:"askedKey,omitempty"` // key of the remote start that counts
	Numbered bool   `json:"numbered,omitempty"` // that stop named our number
	Updated  bool   `json:"updated,omitempty"`  // readings were reported
	Signed   bool   `json:"signed,omitempty"`   // signed samples are among the readings
	Noted    Flags  `json:"noted,omitempty"`    // flags of the events

	Started Origin `json:"started,omitzero"` // what the start said
	Asked   Origin `json:"asked,omitzero"`   // what the remote start said
	Guess   Origin `json:"guess,omitzero"`   // what other events said

	Outcome     Status    `json:"outcome,omitempty"`    // of a remote start without a start: Failed, Expired, Cancelled
	Errored     bool      `json:"errored,omitempty"`    // the remote start was answered with an error, or not at all
	LeftAt      time.Time `json:"leftAt,omitzero"`      // station's clock: the connector was last told to be free
	StopStep    EventKind `json:"stopStep,omitempty"`   // how far the last remote stop got
	StopAskedAt time.Time `json:"stopAskedAt,omitzero"` // our clock: the last remote stop was asked for, or answered
	ReportedAt  time.Time `json:"reportedAt,omitzero"`  // our clock: last report of the station
	BootedAt    time.Time `json:"bootedAt,omitzero"`    // our clock: first boot of the station since the last report
	StaleAt     time.Time `json:"staleAt,omitzero"`     // our clock: found open long after a boot

	Before *WattHours    `json:"before,omitempty"` // of the start that counts: Event.Before
	Model  RegisterModel `json:"model,omitempty"`  // of the stop that counts: Event.Model

	ClosedKey   string     `json:"closedKey,omitempty"`   // key of the decision that closed it
	ClosedEnd   time.Time  `json:"closedEnd,omitzero"`    // closed by us: the end, by the station's clock
	ClosedLimit *WattHours `json:"closedLimit,omitempty"` // closed by us: the register was not higher then

	First      *Reading  `json:"first,omitempty"`      // earliest reading
	Last       *Reading  `json:"last,omitempty"`       // latest reading
	Peak       *Reading  `json:"peak,omitempty"`       // highest reading
	Begin      *Reading  `json:"begin,omitempty"`      // earliest reading with context Transaction.Begin
	BeginPlace int       `json:"beginPlace,omitempty"` // rank of the location that Begin is from
	Place      int       `json:"place,omitempty"`      // rank of the location that First, Last and Rising are from
	Rising     WattHours `json:"rising,omitempty"`     // sum of the plausible rises between consecutive readings
	Rises      int       `json:"rises,omitempty"`      // how many there were, those of 0 Wh included
	Disordered bool      `json:"disordered,omitempty"` // readings came out of order: only Fold knows Rising

	SignedBegin *signedReading `json:"signedBegin,omitempty"` // earliest in the charge
	SignedEnd   *signedReading `json:"signedEnd,omitempty"`   // latest in the charge
	SignedSpan  span           `json:"signedSpan,omitzero"`   // from the earliest to the latest of begins and ends, in the charge or not
	SignedIn    span           `json:"signedIn,omitzero"`     // when the charge was taken to be as they were chosen
	SignedOpen  bool           `json:"signedOpen,omitempty"`  // others may have to be chosen: only Fold knows

	Power    *Gauge    `json:"power,omitempty"`    // latest
	FirstSoC *Gauge    `json:"firstSoC,omitempty"` // earliest
	LastSoC  *Gauge    `json:"lastSoC,omitempty"`  // latest
	FlowAt   time.Time `json:"flowAt,omitzero"`    // our clock: a reading last rose or showed power

	Corrections []correction `json:"corrections,omitempty"` // what operators did, by number
	Plain       plain        `json:"plain,omitzero"`        // what they may have changed, as it would be without them
	Borrowed    *lentStop    `json:"borrowed,omitempty"`    // the stop that counts, if it was joined into the transaction
}

// An Origin is where and for whom a transaction runs, as one event said it.
type Origin struct {
	Connector int     `json:"connector,omitempty"`
	Token     IDToken `json:"token,omitzero"`
	Vehicle   string  `json:"vehicle,omitempty"`
}
