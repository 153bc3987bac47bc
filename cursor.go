package leyden

import (
	"cmp"
	"time"
)

// A Cursor is a place in the order of a list: where something is sorted, or was
// before it changed or went. Each list says which of the fields it uses.
type Cursor struct {
	At   time.Time // what the list is sorted by first; zero: unknown, or by no time
	ID   int64
	Name string
}

// Compare returns which of two places comes first in a list that ascends: by
// time, of which an unknown one is the newest, then by number, then by name.
func (c Cursor) Compare(other Cursor) int {
	at := c.At.Compare(other.At)
	if c.At.IsZero() || other.At.IsZero() {
		at = -at
	}
	return cmp.Or(at, cmp.Compare(c.ID, other.ID), cmp.Compare(c.Name, other.Name))
}

// PlaceOf returns where o sorts t.
func (o Order) PlaceOf(t *Transaction) Cursor {
	place := Cursor{ID: int64(t.ID)}
	switch o {
	case ByStart:
		place.At = t.StartedAt
	case ByStop:
		place.At = t.StoppedAt
	case ByInserted:
		place.At = t.InsertedAt
	}
	return place
}
