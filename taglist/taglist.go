// Package taglist reads and writes lists of idTags as CSV.
//
// A list begins with the names of its columns. Written are idTag, status,
// expiryDate, parentIdTag, maxActiveTransactions, vehicleId and note, in this
// order; read they are in any order and case, and under the names that others
// give them. What was written is read without a change to anything.
//
// Import adds the idTags of a list and replaces those that are there: all of
// them, or none if there is anything wrong with one. A column that the list does
// not have stays as it is; an empty cell takes something away.
package taglist

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"leyden"
	"leyden/sheet"
)

// The columns, in the order in which they are written.
const (
	colTag     = "idTag"
	colStatus  = "status"
	colExpiry  = "expiryDate"
	colParent  = "parentIdTag"
	colMax     = "maxActiveTransactions"
	colVehicle = "vehicleId"
	colNote    = "note"
)

func columns() []string {
	return []string{colTag, colStatus, colExpiry, colParent, colMax, colVehicle, colNote}
}

// Write writes a list.
func Write(w io.Writer, list iter.Seq2[leyden.Token, error]) error {
	out := sheet.NewWriter(w)
	if err := out.Write(columns()); err != nil {
		return err
	}
	for t, err := range list {
		if err != nil {
			return err
		}
		if err := out.Write(row(&t)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func row(t *leyden.Token) []string {
	most := ""
	if t.MaxActive != 0 {
		most = strconv.Itoa(t.MaxActive)
	}
	cells := []string{t.Value, t.Status, writeTime(t.Expiry), t.Parent, most, t.VehicleID, t.Note}
	for i := range cells {
		cells[i] = sheet.Harmless(cells[i])
	}
	return cells
}

// writeTime writes a time with as many digits of a second as it has, but three
// at least.
func writeTime(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Nanosecond()%int(time.Millisecond) != 0:
		return t.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// A Result is what an import did, or would do.
type Result struct {
	Added     int // among them those that were merely seen
	Changed   int
	Unchanged int
	Problems  []Problem // none of the list was taken if there are any
}

// A Problem is something that is wrong with a list.
type Problem struct {
	Line   int    // from 1; 0 for the whole list
	Column string // as the list names it; "" for the whole line
	Reason string
}

// Place says where the problem is: "line 7, expiryDate".
func (p Problem) Place() string {
	switch {
	case p.Line == 0:
		return "list"
	case p.Column == "":
		return fmt.Sprintf("line %d", p.Line)
	}
	return fmt.Sprintf("line %d, %s", p.Line, p.Column)
}

const (
	maxRows     = 50_000 // they share a commit, which others wait for
	maxProblems = 100
)

// Import takes a list into the registry, in one commit, or with dryRun says
// what it would do. now is when what it adds was made.
func Import(ctx context.Context, r leyden.Registry, data []byte, now time.Time, dryRun bool) (Result, error) {
	p := &plan{ctx: ctx, registry: r, now: now, lines: make(map[string]int), vehicles: make(map[string]bool)}
	if err := p.read(data); err != nil {
		return Result{}, err
	}
	if len(p.result.Problems) > 0 || dryRun || len(p.save) == 0 {
		return p.result, nil
	}
	return p.result, r.SaveTokens(ctx, p.save)
}
