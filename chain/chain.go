// Package chain makes rows that are only ever added evident of tampering. It knows
// no database: a driver gives it rows, and keeps what it says.
//
// Who writes rows numbers them without a gap and stores with each a hash of what it
// holds and of the hash of the row before. So a row that is changed, missing, added
// or elsewhere breaks the chain at that place, or at the row behind it, and whoever
// wants to hide that must hash anew all that follows. The hash of the last row
// therefore stands for all rows so far; a signed [Head] that is kept elsewhere proves
// later that they are still the same.
//
// A chain has one writer. It is cut into partitions of [PartitionRows] numbers; for
// each there is an [Anchor], the hash before its first row. So partitions can be
// verified each for itself, at the same time, and the oldest can be dropped whole
// without harm to the others.
//
// What is hashed is described in docs/formats/sqlite.md: it never changes.
package chain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
)

// PartitionRows is how many numbers a partition has. The first of the n-th, from 0,
// is n × PartitionRows + 1.
const PartitionRows = 1 << 16

// Unknown stands in a [Row] for a number or a time that is not there.
const Unknown = math.MaxInt64

// An ID tells a chain from all others. It is drawn at random when the chain begins.
type ID [16]byte

// String returns the digits of id.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// A Hash is that of a row and of all before it.
type Hash [sha256.Size]byte

// String returns the digits of h.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// A Link is a place in a chain: a row's number, and its hash.
type Link struct {
	Number int64
	Hash   Hash
}

// An Anchor is the hash before the first row of a partition.
type Anchor struct {
	First  int64 // number of that row
	Before Hash
}

// A Row is what a row holds, as numbers and texts. An empty text is none.
type Row struct {
	Kind, Transaction, At, ReceivedAt int64 // Unknown: there is none
	Station, Key, Digest, Body        string
}

// Begin returns the link before the first row of a chain.
func Begin(id ID, first int64) Link {
	b := append([]byte("leyden chain 1\n"), id[:]...)
	return Link{first - 1, sha256.Sum256(binary.LittleEndian.AppendUint64(b, uint64(first)))}
}

// Opens reports whether the row of a number is the first of a partition, in a chain
// that began with the number began.
func Opens(number, began int64) bool {
	return number == began || (number-1)%PartitionRows == 0
}

// A Hasher hashes rows. The zero value is ready; it must not be used by two at once.
type Hasher struct{ buf []byte }

// After returns the link of the row that follows before.
func (h *Hasher) After(before Link, r *Row) Link {
	number := before.Number + 1
	b := append(h.buf[:0], before.Hash[:]...)
	for _, n := range [...]int64{number, r.Kind, r.Transaction, r.At, r.ReceivedAt} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	for _, text := range [...]string{r.Station, r.Key, r.Digest, r.Body} {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...)
	}
	h.buf = b
	return Link{number, sha256.Sum256(b)}
}

// A BrokenError says where a chain is broken.
type BrokenError struct {
	Number int64 // of the first row that is not as it was written
	Why    string
}

// Error names the row.
func (e *BrokenError) Error() string { return fmt.Sprintf("event %d %s", e.Number, e.Why) }

// A Verifier follows the rows of a chain, or of a part of it, in their order.
type Verifier struct {
	last   Link
	hasher Hasher
}

// NewVerifier returns a Verifier of the rows behind from.
func NewVerifier(from Link) *Verifier { return &Verifier{last: from} }

// Next verifies the row with a number and the hash that is stored with it. After an
// error, a *[BrokenError], there is nothing more to verify.
func (v *Verifier) Next(number int64, r *Row, stored []byte) error {
	next := v.last.Number + 1
	switch {
	case number > next:
		return &BrokenError{next, "is missing"}
	case number < next:
		return &BrokenError{number, "has no place in the chain"}
	case len(stored) == 0:
		return &BrokenError{number, "has no hash"}
	}
	link := v.hasher.After(v.last, r)
	if string(link.Hash[:]) != string(stored) {
		return &BrokenError{number, fmt.Sprintf("is not what was recorded behind event %d", v.last.Number)}
	}
	v.last = link
	return nil
}

// End verifies that the rows end with a link: the one before the next anchor, or
// where the writer stopped.
func (v *Verifier) End(at Link) error {
	if v.last.Number < at.Number {
		return &BrokenError{v.last.Number + 1, "is missing"}
	}
	if v.last != at {
		return &BrokenError{at.Number, "is not the one that was followed by others, or the last"}
	}
	return nil
}

// A Part is what can be verified for itself: the rows behind From up to that of Upto.
type Part struct{ From, Upto Link }

// A State is what is stored of a chain beside its rows.
type State struct {
	ID      ID
	Began   int64    // number of its first row
	Oldest  int64    // number of the first row that is still there; the first of a partition
	End     Link     // of the last row
	Anchors []Anchor // of the partitions that are still there, by number
}

// Parts returns the partitions that must be there, oldest first. It returns a
// *[BrokenError] if an anchor is missing or in a place where there is none.
func (s *State) Parts() ([]Part, error) {
	if s.Oldest < s.Began || !Opens(s.Oldest, s.Began) || s.End.Number < s.Oldest-1 {
		return nil, &BrokenError{s.Oldest, "cannot be the oldest"}
	}
	var parts []Part
	first := s.Oldest
	for _, a := range s.Anchors {
		if a.First != first || first > s.End.Number {
			return nil, &BrokenError{min(a.First, first), "has not the anchor of its partition"}
		}
		parts = append(parts, Part{From: Link{first - 1, a.Before}, Upto: s.End})
		if n := len(parts); n > 1 {
			parts[n-2].Upto = parts[n-1].From
		}
		first += PartitionRows - (first-1)%PartitionRows
	}
	if first <= s.End.Number {
		return nil, &BrokenError{first, "has not the anchor of its partition"}
	}
	if len(parts) > 0 && s.Oldest == s.Began && parts[0].From != Begin(s.ID, s.Began) {
		return nil, &BrokenError{s.Began, "does not begin the chain"}
	}
	return parts, nil
}
