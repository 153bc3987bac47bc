package device

import (
	"context"
	"time"

	"leyden"
)

// A ChargingProfile limits power or current over time (OCPP 1.6 §3.13, §7.8). Words
// are OCPP's.
type ChargingProfile struct {
	ID          int                  `json:"id"` // chargingProfileId
	StackLevel  int                  `json:"stackLevel"`
	Purpose     string               `json:"purpose"`               // ChargePointMaxProfile, TxDefaultProfile, TxProfile
	Kind        string               `json:"kind"`                  // Absolute, Recurring, Relative
	Recurrency  string               `json:"recurrency,omitempty"`  // Daily, Weekly; "" unless Recurring
	ValidFrom   time.Time            `json:"validFrom,omitzero"`    // zero: from now on
	ValidTo     time.Time            `json:"validTo,omitzero"`      // zero: until replaced
	Transaction leyden.TransactionID `json:"transaction,omitempty"` // only of a TxProfile; 0: whichever runs
	Schedule    ChargingSchedule     `json:"schedule"`
}

// A ChargingSchedule is the limits of a [ChargingProfile] over time.
type ChargingSchedule struct {
	Duration int              `json:"duration,omitempty"` // seconds; 0: as long as the profile is valid
	StartAt  time.Time        `json:"startAt,omitzero"`   // zero: relative to the start of charging
	Unit     string           `json:"unit"`               // of limits: W or A
	MinRate  float64          `json:"minRate,omitempty"`  // what the vehicle needs at least, in Unit; 0: not said
	Periods  []ChargingPeriod `json:"periods,omitempty"`
}

// A ChargingPeriod is one step of a [ChargingSchedule].
type ChargingPeriod struct {
	Start  int     `json:"start"`            // seconds from the start of the schedule
	Limit  float64 `json:"limit"`            // in the schedule's unit, at most one decimal
	Phases int     `json:"phases,omitempty"` // 0: not said, which means 3
}

// An InstalledProfile is a charging profile that a station accepted.
type InstalledProfile struct {
	Station     leyden.StationID
	Connector   int // 0: the whole station
	Profile     ChargingProfile
	By          string // id of the credential that sent it
	InstalledAt time.Time
}

// A ProfileTemplate is a charging profile that is kept here to be sent to
// stations, also with a remote start.
type ProfileTemplate struct {
	ID        string // prf_ + 26 characters
	Name      string
	Profile   ChargingProfile
	CreatedAt time.Time
	UpdatedAt time.Time
}

// A ProfileFilter selects installed profiles as ClearChargingProfile does (OCPP 1.6
// §6.9): by ID alone if it is given, else by all that is given; nil and "" do not
// restrict.
type ProfileFilter struct {
	ID         *int
	Connector  *int
	Purpose    string
	StackLevel *int
}

// A ProfileStore keeps charging profiles.
type ProfileStore interface {
	// InstallProfile keeps p as installed. It takes the place of profiles of the
	// station with the same ID, and of those on the same connector with the same
	// purpose and stack level (OCPP 1.6 §5.16).
	InstallProfile(ctx context.Context, p InstalledProfile) error
	// ClearProfiles forgets the installed profiles of a station that f selects.
	ClearProfiles(ctx context.Context, s leyden.StationID, f ProfileFilter) error
	// InstalledProfiles returns those of a station by connector, purpose and
	// stack level.
	InstalledProfiles(ctx context.Context, s leyden.StationID) ([]InstalledProfile, error)

	// SaveTemplate adds t, or replaces the one with its ID.
	SaveTemplate(ctx context.Context, t ProfileTemplate) error
	// RemoveTemplate forgets one, or fails with [leyden.ErrNotFound].
	RemoveTemplate(ctx context.Context, id string) error
	// Template returns one, or [leyden.ErrNotFound].
	Template(ctx context.Context, id string) (ProfileTemplate, error)
	// Templates returns a part of them by CreatedAt, then ID, and how many there are.
	Templates(ctx context.Context, part Page) ([]ProfileTemplate, int, error)
}
