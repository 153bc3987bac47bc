package device

import (
	"context"

	"leyden"
)

// A Store keeps what this package is about. The drivers memory and sqlite
// implement it; package storetest says what an implementation must do. What a
// method wrote is durable when it returns. A record that its Check refuses is
// refused with [leyden.ErrInvalid], and so is one whose ID another station has.
// A Store that cannot answer returns [leyden.ErrUnavailable].
type Store interface {
	CommandStore
	NotificationStore
	ProfileStore
	LocalListStore
	CertificateStore

	// ForgetStation forgets what a station has in itself, in one commit: its
	// installed profiles, its local list, and the certificates that it asked for.
	// What was done and told, commands and notifications, stays.
	ForgetStation(ctx context.Context, s leyden.StationID) error
}

// Limits of what is kept of one station. Beyond them the oldest is forgotten.
const (
	MaxCommands      = 10_000
	MaxNotifications = 10_000 // of each kind
	MaxCertificates  = 1_000
)

// A Page is the part of a list that a query asks for. Limit 0 means
// [leyden.MaxWorking]. Places are, of notifications, their Seq as ID; of all else the
// time that the list is sorted by as At, and the ID as Name.
type Page = leyden.Slice
