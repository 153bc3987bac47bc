package auth

import (
	"context"
	"time"

	"leyden"
)

// A Store keeps credentials. What a method wrote is durable when it returns
// and is seen by the next call, in this process at once and in others within a
// second. Times are kept to the microsecond; the zero time is absent. A Store
// that cannot answer returns [leyden.ErrUnavailable].
//
// Records carry a Version that guards them: what is saved must have the Version
// one above the stored one, 1 when there is none; otherwise Save fails with
// [ErrStale]. A Save that failed changed nothing. What is read shares no memory
// with what was saved.
type Store interface {
	KeyStore
	ClientStore
	StationStore
}

// A KeyStore keeps API keys.
type KeyStore interface {
	// SaveKey adds or replaces k, all but its LastUsedAt: a new key was never
	// used. It fails with [leyden.ErrExists] if another key has k's Hash as
	// its own or its former one.
	SaveKey(ctx context.Context, k KeyRecord) error
	// Key returns the key with that ID, revoked or not, or [leyden.ErrNotFound].
	Key(ctx context.Context, id string) (KeyRecord, error)
	// KeyByHash returns the key whose text hashes to h, or whose former text
	// does (OldHash), revoked or not, or [leyden.ErrNotFound]. It is called for every request: an indexed lookup.
	KeyByHash(ctx context.Context, h Hash) (KeyRecord, error)
	// Keys returns all keys, revoked ones too, by CreatedAt, then ID.
	Keys(ctx context.Context) ([]KeyRecord, error)
	// TouchKey moves a key's LastUsedAt forward to at, and never back. The
	// Version stays. An ID that no key has is no error.
	TouchKey(ctx context.Context, id string, at time.Time) error
}

// A ClientStore keeps OAuth2 clients and the access tokens that were revoked
// before their time.
type ClientStore interface {
	// SaveClient adds or replaces c with its secrets, all but LastUsedAt of
	// both.
	SaveClient(ctx context.Context, c ClientRecord) error
	// Client returns the client with that ID, revoked or not, its secrets in
	// the order in which they were saved, or [leyden.ErrNotFound].
	Client(ctx context.Context, id string) (ClientRecord, error)
	// Clients returns all clients, revoked ones too, by CreatedAt, then ID.
	Clients(ctx context.Context) ([]ClientRecord, error)
	// TouchClient is TouchKey for clients.
	TouchClient(ctx context.Context, id string, at time.Time) error
	// TouchSecret is TouchClient for a secret of a client. A secret that the
	// client has not is no error.
	TouchSecret(ctx context.Context, client, secret string, at time.Time) error

	// SaveRevocation remembers r; a second one of the same access token
	// changes nothing. Revocations whose ExpiresAt lies before r.RevokedAt may
	// be forgotten.
	SaveRevocation(ctx context.Context, r Revocation) error
	// Revoked reports whether the access token with that ID is revoked.
	Revoked(ctx context.Context, accessTokenID string) (bool, error)
}

// A StationStore keeps how stations prove who they are.
type StationStore interface {
	// SaveStationCredential adds or replaces c.
	SaveStationCredential(ctx context.Context, c StationCredential) error
	// StationCredential returns how a station proves who it is, or
	// [leyden.ErrNotFound] for a station that is not registered. Identities
	// are case-sensitive.
	StationCredential(ctx context.Context, id leyden.StationID) (StationCredential, error)
	// DeleteStationCredential forgets it; the station may be registered anew
	// from Version 1. It fails with [leyden.ErrNotFound].
	DeleteStationCredential(ctx context.Context, id leyden.StationID) error
	// LastRemoved returns when a station of that identity was last removed, as
	// [leyden.Registry] has it; the zero time for never.
	LastRemoved(ctx context.Context, id leyden.StationID) (time.Time, error)
	// StationsAt returns the identities of the stations of these sites, in
	// order, of removed ones too: their facts stay. It is called for every
	// request with a credential that is limited to sites: an indexed lookup.
	StationsAt(ctx context.Context, sites []string) ([]leyden.StationID, error)
}

// A KeyRecord is an API key as it is kept.
type KeyRecord struct {
	ID         string // key_ + 26 characters
	Name       string
	Scopes     Scopes
	Prefix     string    // begin of the text, for lists; "" when it was given to us
	Hash       Hash      // of the text, unique
	OldHash    Hash      // of the text before it was rotated; zero for none
	OldUntil   time.Time // until when that one is good too
	LimitedTo  *Limit    // nil: it reaches all
	ExpiresAt  time.Time // zero: never
	DisabledAt time.Time // zero: it is enabled
	CreatedAt  time.Time
	LastUsedAt time.Time // to the minute; changed by TouchKey alone
	RevokedAt  time.Time
	Version    int
}

// A ClientRecord is an OAuth2 client as it is kept.
type ClientRecord struct {
	ID         string // the clientId: cli_ + 26 characters
	Name       string
	Scopes     Scopes
	Secrets    []ClientSecret // one or two, oldest first
	LimitedTo  *Limit         // nil: it reaches all
	ExpiresAt  time.Time      // zero: never
	DisabledAt time.Time      // zero: it is enabled
	CreatedAt  time.Time
	LastUsedAt time.Time // to the minute; changed by TouchClient alone
	RevokedAt  time.Time
	Version    int
}

// A ClientSecret is one secret of a client. Two may live at once, so that a
// client is rotated without an interruption.
type ClientSecret struct {
	ID         string    // sec_ + 26 characters
	Prefix     string    // begin of the text, for lists; "" for one from before there were any
	Hash       Hash      // of the text
	ExpiresAt  time.Time // zero: never
	CreatedAt  time.Time
	LastUsedAt time.Time // to the minute; changed by TouchSecret alone
}

// A Revocation ends an access token before it expires.
type Revocation struct {
	AccessTokenID string // its jti
	ExpiresAt     time.Time
	RevokedAt     time.Time
}

// A StationCredential says how a registered station proves who it is.
type StationCredential struct {
	Station   leyden.StationID
	Profile   Profile // the least that lets it in
	Proven    Profile // the highest above Profile that it came with: since then the least; "" for none
	Hash      Hash    // of the password; zero for a station without one
	Next      []Hash  // of passwords that it was sent and has not used yet, oldest first; at most MaxNextPasswords
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int
}
