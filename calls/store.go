package calls

import (
	"context"
	"time"
)

// Limits of what is kept of keys.
const (
	// KeyAge is how long a claim, and the reply to its call, is kept.
	KeyAge = 24 * time.Hour
	// MaxClaims is how many claims a store keeps at once.
	MaxClaims = 2_000_000
)

// A Store keeps records and claims. What a method wrote is durable when it
// returns, also when another process writes beside this one. Times are kept to
// the microsecond. A Store that cannot answer returns [leyden.ErrUnavailable].
type Store interface {
	// Claim keeps c. If its Key is claimed already, since then or later, that claim
	// is returned with [leyden.ErrExists]; an older one is replaced. It fails with
	// [leyden.ErrLimit] when there are [MaxClaims].
	Claim(ctx context.Context, c Claim, since time.Time) (Claim, error)
	// Claimed returns the claim of k that was made then or later, or
	// [leyden.ErrNotFound].
	Claimed(ctx context.Context, k Key, since time.Time) (Claim, error)
	// Settle keeps, in one commit, the record of a call, whose Seq it fills in, and
	// what became of its claim. A claim that is not there any more stays away.
	Settle(ctx context.Context, s *Settlement) error
	// Records returns the part of q that its Slice names, and how many q selects: at
	// most as many as it has counted, and one more when there are more.
	Records(ctx context.Context, q RecordQuery) ([]Record, int, error)
	// Forget forgets some of what is old, and returns how much that was.
	Forget(ctx context.Context, f Forgetting) (int, error)
}

// A Key is what a client made its call recognisable with. Each credential has
// keys of its own.
type Key struct {
	Credential string // id
	Text       string // of the header Idempotency-Key
}

// A Claim is a key in use.
type Claim struct {
	Key
	Digest    [32]byte // of the request
	RequestID string   // of the first request
	At        time.Time
	Reply     []byte // sealed; empty while there is none
}

// A Settlement ends a call.
type Settlement struct {
	Record *Record // nil: none is kept
	Claim  Key     // zero: the call had no key
	Reply  []byte  // sealed; empty: the claim is given up, and the call may be tried again
}

// A Forgetting says what may be forgotten.
type Forgetting struct {
	Records time.Time // those before; zero: none
	Claims  time.Time // those before; zero: none
	Limit   int       // of each at most so many
}
