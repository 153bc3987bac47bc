package leyden

import (
	"context"
	"iter"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Registration says whether a station may work here (OCPP 1.6 §7.35).
type Registration string

// The answers to a BootNotification.
const (
	RegistrationAccepted Registration = "Accepted"
	RegistrationPending  Registration = "Pending"
	RegistrationRejected Registration = "Rejected"
)

var stationPattern = regexp.MustCompile(`^[A-Za-z0-9._:@|=*+-]{1,48}$`)

// Valid reports whether s may be the identity of a station: 1 to 48 of the
// characters that are safe in a URL, and not one of our own ids.
func (s StationID) Valid() bool {
	return stationPattern.MatchString(string(s)) && !strings.HasPrefix(string(s), "chg_")
}

// MaxSite is how many characters the name of a site has at most.
const MaxSite = 100

// ValidSite reports whether a text can name a site: 1 to MaxSite readable
// characters, without spaces around them.
func ValidSite(name string) bool {
	n := utf8.RuneCountInString(name)
	return n >= 1 && n <= MaxSite && utf8.ValidString(name) && strings.TrimSpace(name) == name && !strings.ContainsFunc(name, unicode.IsControl)
}

// A Station is a charging station and what is known of it.
type Station struct {
	// What an operator says.
	ID           StationID
	PublicID     string // chg_ + 26 characters
	Name         string
	Location     string
	Site         string // to which credentials may be limited; "" for none
	Registration Registration
	Listed       bool // registered by an operator, not merely admitted as it came
	RegisteredAt time.Time
	RemovedAt    time.Time // hidden and refused since; its facts stay
	Quirks       Quirks
	Version      int // number of changes to the above; the Registry counts them

	Sighting // What it said itself.
}

// A Sighting is what a station last said of itself. It is written behind: a
// crash may lose the last second of it.
type Sighting struct {
	Vendor      string
	Model       string
	Serial      string
	Firmware    string
	Protocol    string // e.g. ocpp1.6
	BootedAt    time.Time
	ConnectedAt time.Time
	// DisconnectedAt is when its last connection ended; before ConnectedAt while
	// there is one, and after a server ended abruptly until [Ledger.Recover].
	DisconnectedAt time.Time

	SeenAt       time.Time // last message
	HeartbeatAt  time.Time
	ClockSkew    time.Duration // station's clock minus ours, at its last live timestamp
	ClockAt      time.Time     // when that was; zero: never
	Connectors   []Connector   // by number; 0 is the station itself
	StartTimeout time.Duration // its ConnectionTimeOut, once it told it; 0 while unknown
	Habits       Habits
	ReportedKeys []ReportedKey // public keys of meters, the latest last
}

// Connected reports whether the station came and is not known to have left.
func (s *Sighting) Connected() bool { return s.ConnectedAt.After(s.DisconnectedAt) }

// A Connector is what a station last said of one of its connectors.
type Connector struct {
	Number    int
	Status    string // Available, Preparing, Charging, … (OCPP 1.6 §7.7)
	ErrorCode string
	Info      string
	At        time.Time // station's clock; zero when it gave none
	UpdatedAt time.Time // our clock
	PluggedAt time.Time // station's clock: since when a vehicle is plugged in; zero: none, or unknown
}

// A Token is an idTag that an operator listed, or that was merely seen.
type Token struct {
	Value     string // as first given; compared in folded form
	Status    string // TokenAccepted or TokenBlocked
	Expiry    time.Time
	Parent    string // parentIdTag: the group
	MaxActive int    // how many transactions at once; 0: no limit
	VehicleID string
	Note      string
	Listed    bool // an operator listed it; otherwise it was seen and is remembered
	CreatedAt time.Time
	SeenAt    time.Time
	Version   int // number of changes by operators; the Registry counts them
}

// A Vehicle is what idTags belong to. An idTag belongs to one at most.
type Vehicle struct {
	ID        string
	Name      string
	Tokens    []string // values as listed
	CreatedAt time.Time
	Version   int // number of changes, of its tokens too; the Registry counts them
}

// A Slice is a part of a list. Limit 0 means MaxWorking. After leaves out what is
// not sorted behind it; see the list for which of its fields it uses.
type Slice struct {
	Limit, Offset int
	After         *Cursor
}

// A StationQuery selects stations. Zero fields do not restrict.
type StationQuery struct {
	Site      string
	Within    []StationID // only these; nil: all. An empty list selects nothing
	Connected bool        // only those that were connected and are not known to have left
	After     *Cursor     // Name is an ID
	Limit     int         // 0: MaxWorking
	Offset    int
}

// A TokenQuery selects idTags. Zero fields do not restrict.
type TokenQuery struct {
	Listed *bool
	Status string  // TokenAccepted or TokenBlocked
	Parent string  // the group, whatever its case
	Text   string  // part of the value or the note, whatever its case; in notes only that of ASCII letters
	After  *Cursor // Name is a folded value
	Limit  int     // 0: MaxWorking
	Offset int
}

// A Registry keeps stations with the keys of their meters, idTags and vehicles. The drivers of [Store]
// implement it too. What it returns is a copy. Stations, idTags and vehicles have a
// Version; whoever saves or removes one with another than the stored Version gets
// ErrStale, and nothing is changed. With Version 0 he does not mind.
type Registry interface {
	// AddStation adds one, or fails with ErrExists if its ID or PublicID is
	// taken. A removed station is replaced, with a new PublicID.
	AddStation(ctx context.Context, s Station) error
	// SaveStation replaces what an operator says of one, or fails with ErrNotFound.
	SaveStation(ctx context.Context, s Station) error
	// SaveSightings replaces what stations said of themselves, and announces what
	// happened, in one commit. Stations that are not there are passed over; what
	// is announced of them is announced.
	SaveSightings(ctx context.Context, seen map[StationID]Sighting, notices []Notice) error
	// Station returns one that is not removed, or ErrNotFound.
	Station(ctx context.Context, id StationID) (Station, error)
	// RecentStation is Station for one that is looked up again and again: what another
	// process changed may take a second to show.
	RecentStation(ctx context.Context, id StationID) (Station, error)
	// StationByPublicID returns one that is not removed, or ErrNotFound.
	StationByPublicID(ctx context.Context, id string) (Station, error)
	// LastRemoved returns when a station with that ID was last removed, also if
	// another was added since; the zero time for never.
	LastRemoved(ctx context.Context, id StationID) (time.Time, error)
	// Stations returns those that q selects and are not removed, by ID, and how
	// many there are.
	Stations(ctx context.Context, q StationQuery) ([]Station, int, error)

	// SaveMeterKey adds one, or replaces the one of its station with that ID.
	// Without an ID, a station or the key itself it fails with ErrInvalid.
	SaveMeterKey(ctx context.Context, k MeterKey) error
	// RemoveMeterKey forgets one, or fails with ErrNotFound.
	RemoveMeterKey(ctx context.Context, s StationID, id string) error
	// MeterKeys returns those of a station by connector, serial and ID, also of
	// one that was removed: what it told of is still there to be verified.
	MeterKeys(ctx context.Context, s StationID) ([]MeterKey, error)

	// AddToken adds one, or fails with ErrExists if it is listed. One that was
	// merely seen is replaced but for its Value, CreatedAt and SeenAt. It returns
	// what is kept, also with ErrExists. VehicleID and Value as in SaveToken.
	AddToken(ctx context.Context, t Token) (Token, error)
	// SaveToken adds one, or replaces all but its Value. VehicleID must name a
	// vehicle or be "", and Value must not be "": otherwise ErrInvalid.
	SaveToken(ctx context.Context, t Token) error
	// SaveTokens is SaveToken for many, all or none, in one commit.
	SaveTokens(ctx context.Context, list []Token) error
	// SeeTokens remembers tokens that are not there yet, as not listed and of no
	// vehicle, and when all were last seen.
	SeeTokens(ctx context.Context, seen []Token) error
	// RemoveToken forgets one, or fails with ErrNotFound.
	RemoveToken(ctx context.Context, value string, version int) error
	// Token returns the one with that value, whatever its case, or ErrNotFound.
	Token(ctx context.Context, value string) (Token, error)
	// RecentToken is Token for what comes often: what another process changed may
	// take a second to show.
	RecentToken(ctx context.Context, value string) (Token, error)
	// Tokens returns those that q selects, by folded value, and how many there
	// are.
	Tokens(ctx context.Context, q TokenQuery) ([]Token, int, error)
	// ScanTokens yields all that q selects by folded value, ignoring its Limit
	// and Offset, in constant memory. It need not be one snapshot.
	ScanTokens(ctx context.Context, q TokenQuery) iter.Seq2[Token, error]

	// AddVehicle is SaveVehicle for a new one, or fails with ErrExists.
	AddVehicle(ctx context.Context, v Vehicle) error
	// SaveVehicle adds or replaces one with its tokens: listed tokens it names
	// move to it, others become listed and accepted, and those it no longer
	// names lose it. A vehicle or token without a name is ErrInvalid.
	SaveVehicle(ctx context.Context, v Vehicle) error
	// RemoveVehicle forgets one, or fails with ErrNotFound; its tokens stay.
	RemoveVehicle(ctx context.Context, id string, version int) error
	// Vehicle returns one, its tokens by folded value, or ErrNotFound.
	Vehicle(ctx context.Context, id string) (Vehicle, error)
	// Vehicles returns them by ID, which is the Name of a place, and how many there are.
	Vehicles(ctx context.Context, part Slice) ([]Vehicle, int, error)
}

// An Attempt is one try of a station to connect: what is known of it before
// the WebSocket upgrade.
type Attempt struct {
	Station  StationID
	HasBasic bool   // it sent Basic credentials
	User     string // of the Basic credentials
	Password string
	Addr     netip.Addr
	TLS      bool
	HasCert  bool      // it came with a client certificate, and that is verified
	CertName string    // its one common name (CN); "" when there is none, or several
	CertOrg  string    // its one organization (O); "" when there is none, or several
	CertFrom time.Time // from when it is good
}
