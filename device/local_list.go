package device

import (
	"context"
	"time"

	"leyden"
)

// A LocalList is the local authorization list that a station was sent last
// (OCPP 1.6 §3.5).
type LocalList struct {
	Station   leyden.StationID
	Version   int  // as the station last accepted or told it; 0: it is empty, -1: the station has no such list
	Known     bool // Entries are what the station has
	Entries   []LocalListEntry
	By        string // id of the credential that sent it
	UpdatedAt time.Time
}

// A LocalListEntry is one idTag of a [LocalList].
type LocalListEntry struct {
	IDTag string           `json:"idTag"`
	Info  leyden.TokenInfo `json:"info,omitzero"`
}

// A LocalListStore keeps local authorization lists.
type LocalListStore interface {
	// SaveLocalList adds or replaces the list of its station.
	SaveLocalList(ctx context.Context, l LocalList) error
	// LocalList returns that of a station, or [leyden.ErrNotFound]. Entries come in
	// the order in which they were saved.
	LocalList(ctx context.Context, s leyden.StationID) (LocalList, error)
}
