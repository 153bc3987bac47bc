package device

import (
	"context"
	"time"

	"leyden"
)

// A Kind says what a notification is about.
type Kind string

// The kinds of notifications.
const (
	Security    Kind = "security"    // SecurityEventNotification, or a security event that we saw ourselves
	Firmware    Kind = "firmware"    // FirmwareStatusNotification and its signed sister
	Diagnostics Kind = "diagnostics" // DiagnosticsStatusNotification
	Log         Kind = "log"         // LogStatusNotification
)

// A Notification is what a station wanted known, or what we noticed about it.
type Notification struct {
	Seq        int64 // place in the order of receipt; the Store assigns it
	Station    leyden.StationID
	Kind       Kind
	Type       string    // a security event's type, else the status, as sent
	Info       string    // techInfo and the like
	RequestID  *int      // which request it belongs to, when it says so
	Own        bool      // the server noticed it, the station did not say it
	At         time.Time // station's clock; zero when it gave none
	ReceivedAt time.Time // our clock
}

// A NotificationQuery selects notifications. Zero fields do not restrict.
type NotificationQuery struct {
	Station   leyden.StationID
	Within    []leyden.StationID // only of these stations; nil: of all
	Kind      Kind
	Type      string
	RequestID *int // only those that belong to this request
	Received  leyden.Window
	Page
}

// A NotificationStore keeps notifications.
type NotificationStore interface {
	// AddNotification adds n and fills in its Seq.
	AddNotification(ctx context.Context, n *Notification) error
	// Notifications returns a part of those that q selects, the last first, and
	// how many there are.
	Notifications(ctx context.Context, q NotificationQuery) ([]Notification, int, error)
}
