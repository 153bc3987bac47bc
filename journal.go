package leyden

import (
	"cmp"
	"context"
	"time"
)

// A FrameType says what a [Frame] is.
type FrameType string

// The types of frames.
const (
	FrameCall   FrameType = "call"   // a request, of either side
	FrameResult FrameType = "result" // an answer
	FrameError  FrameType = "error"  // an answer that says why the request was not processed
	FrameBroken FrameType = "broken" // cannot be read, or is of a type that its OCPP version does not have
)

// A Frame is one message on the wire between a station and us, as the journal
// keeps it.
type Frame struct {
	Seq         int64 // place in the journal; the Journal assigns it
	Station     StationID
	At          time.Time // our clock: when it came, or when it was about to leave
	Sent        bool      // by us, otherwise by the station
	Type        FrameType
	MessageID   string        // "" when it cannot be read
	Action      string        // of an answer that of the request; "" when it is not known
	Transaction TransactionID // which it is about; 0: none, or not known
	Text        string        // the whole frame, secrets masked
}

// A FrameQuery selects frames. Zero fields do not restrict.
type FrameQuery struct {
	Station     StationID
	Action      string
	Transaction TransactionID
	Type        FrameType
	Sent        *bool
	At          Window

	Ascending bool  // the oldest first; otherwise the newest
	After     int64 // only those that follow this Seq in that order
	Limit     int   // 0: MaxWorking
}

// JournalLimits say how much a [Journal] keeps. Zero fields take the defaults in
// brackets.
type JournalLimits struct {
	MaxAge   time.Duration // older frames are forgotten [7 days]
	MaxBytes int64         // the oldest frames are forgotten beyond it; what it counts depends on the driver [512 MiB]
}

// OrDefaults returns l with its zero fields set.
func (l JournalLimits) OrDefaults() JournalLimits {
	return JournalLimits{
		MaxAge:   cmp.Or(l.MaxAge, 7*24*time.Hour),
		MaxBytes: cmp.Or(l.MaxBytes, 512<<20),
	}
}

// A Journal keeps the frames of stations for a while, for people who look for
// what went wrong. It is no part of the ledger: what is lost of it costs nobody
// a charge, and a Journal that fails must not keep anybody from work. The
// drivers memory and sqlite implement it; package storetest says what an
// implementation must do. It is safe for concurrent use. Times are kept in
// microseconds. All errors but the context's own mean that storage failed.
type Journal interface {
	// WriteFrames keeps frames in their order and fills in their Seq, which is
	// above that of all frames before, also over a restart. They need not survive
	// a loss of power. What exceeds the limits is forgotten, the oldest first. It
	// keeps all of frames or none, but for those that are beyond the limits.
	WriteFrames(ctx context.Context, frames []Frame) error

	// Frames returns frames that q selects, ordered by Seq. No frame appears below
	// a Seq that was seen: who asks Ascending, After the last Seq that came, misses
	// nothing but what was forgotten meanwhile.
	Frames(ctx context.Context, q FrameQuery) ([]Frame, error)
}
