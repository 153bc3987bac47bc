package taglist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"leyden"
	"leyden/sheet"
)

// A plan is an import in the making.
type plan struct {
	ctx      context.Context
	registry leyden.Registry
	now      time.Time
	header   []string // names of the columns, as the list has them
	fields   []string // which of ours they are; "" is passed over
	lines    map[string]int
	vehicles map[string]bool // those that were looked up, and whether they are there
	save     []leyden.Token
	result   Result
}

// read reads a list, up to its end or until enough is wrong. What is wrong with
// the list is a problem; an error is that of the registry.
func (p *plan) read(data []byte) error {
	r, err := sheet.NewReader(data)
	if err != nil {
		p.wrong(0, "", "the list %v", err)
		return nil
	}
	for len(p.result.Problems) < maxProblems {
		cells, line, err := r.Read()
		switch {
		case errors.Is(err, io.EOF) && p.fields == nil:
			p.wrong(0, "", "the list is empty: its first line names the columns")
			return nil
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			p.wrong(line, "", "is no CSV: %v", err)
			return nil
		case p.fields == nil:
			if !p.readHeader(line, cells) {
				return nil
			}
			continue
		case len(p.lines) == maxRows:
			p.wrong(line, "", "is one too many: split a list of more than %d idTags", maxRows)
			return nil
		}
		if err := p.readRow(line, cells); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) wrong(line int, column, format string, args ...any) {
	p.result.Problems = append(p.result.Problems, Problem{line, column, fmt.Sprintf(format, args...)})
}

// names are those of the columns without case, spaces and signs: ours, and those
// that other systems use.
func names() map[string]string {
	return map[string]string{
		"idtag": colTag, "tag": colTag, "rfid": colTag, "uid": colTag,
		"status": colStatus, "blocked": colBlocked,
		"expirydate": colExpiry, "expirydatetime": colExpiry, "expiry": colExpiry,
		"parentidtag": colParent, "parent": colParent, "group": colParent,
		"maxactivetransactions": colMax, "maxactivetransactioncount": colMax,
		"vehicleid": colVehicle, "vehicle": colVehicle,
		"note": colNote, "comment": colNote, "description": colNote,
		// What others show of an idTag, and we do too, but nobody can set.
		"listed": "", "createdat": "", "lastseen": "", "intransaction": "", "idtagpk": "",
	}
}

// colBlocked is a column of other systems: yes or no in place of a status.
const colBlocked = "blocked"

// readHeader reads the names of the columns.
func (p *plan) readHeader(line int, cells []string) bool {
	known := names()
	p.header, p.fields = slices.Clone(cells), make([]string, len(cells))
	for i, cell := range cells {
		p.header[i] = strings.TrimSpace(cell)
		field, ok := known[bare(cell)]
		switch {
		case !ok:
			p.wrong(line, p.header[i], "is no column of idTags: expected %s", strings.Join(columns(), ", "))
		case field != "" && slices.Contains(p.fields[:i], field):
			p.wrong(line, p.header[i], "is given twice")
		}
		p.fields[i] = field
	}
	if !slices.Contains(p.fields, colTag) && len(p.result.Problems) == 0 {
		p.wrong(line, "", "has no column idTag: the first line names the columns")
	}
	if slices.Contains(p.fields, colStatus) && slices.Contains(p.fields, colBlocked) {
		p.wrong(line, colBlocked, "says what the status says")
	}
	return len(p.result.Problems) == 0
}

// bare returns the letters of the name of a column.
func bare(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// readRow reads one idTag and decides what becomes of it.
func (p *plan) readRow(line int, cells []string) error {
	if len(cells) != len(p.fields) {
		p.wrong(line, "", "has %d cells, and there are %d columns", len(cells), len(p.fields))
		return nil
	}
	at := slices.Index(p.fields, colTag)
	value := cells[at]
	if value == "" {
		p.wrong(line, p.header[at], "is required")
		return nil
	}
	folded := leyden.IDToken{Value: value}.Fold()
	if first := p.lines[folded]; first != 0 {
		p.wrong(line, p.header[at], "%s stands in line %d already", value, first)
		return nil
	}
	p.lines[strings.Clone(folded)] = line
	old, err := p.registry.Token(p.ctx, value)
	if errors.Is(err, leyden.ErrNotFound) {
		old, err = leyden.Token{Value: strings.Clone(value), Status: leyden.TokenAccepted, CreatedAt: p.now}, nil
	}
	if err != nil {
		return err
	}
	before := len(p.result.Problems)
	n, err := p.fill(line, cells, old)
	if err != nil {
		return err
	}
	p.check(line, &old, &n)
	if len(p.result.Problems) == before {
		p.decide(&old, &n)
	}
	return nil
}

// check wants that what a line changes keeps the rules. What is kept already
// may be longer: a station sent it.
func (p *plan) check(line int, old, n *leyden.Token) {
	known := old.Listed || !old.SeenAt.IsZero()
	was, is := row(old), row(n)
	for _, wrong := range Check(n) {
		at := slices.Index(columns(), wrong.Column)
		if !known || was[at] != is[at] {
			p.wrong(line, p.header[slices.Index(p.fields, wrong.Column)], "%s", wrong.Reason)
		}
	}
}

func (p *plan) decide(old, n *leyden.Token) {
	n.Listed = true
	switch {
	case !old.Listed:
		p.result.Added++
	case same(old, n):
		p.result.Unchanged++
		return
	default:
		p.result.Changed++
	}
	p.save = append(p.save, *n)
}

// same reports whether a list changes nothing about an idTag. CSV does not keep
// a carriage return.
func same(old, n *leyden.Token) bool {
	a, b := *old, *n
	a.Note, b.Note = strings.ReplaceAll(a.Note, "\r", ""), strings.ReplaceAll(b.Note, "\r", "")
	sameEnd := a.Expiry.Equal(b.Expiry)
	a.Expiry, b.Expiry = time.Time{}, time.Time{}
	return sameEnd && a == b
}

// fill returns an idTag with what a line says of it.
func (p *plan) fill(line int, cells []string, old leyden.Token) (leyden.Token, error) {
	n := old
	for i, field := range p.fields {
		var reason string
		cell := strings.Clone(cells[i])
		switch field {
		case colStatus:
			n.Status, reason = readStatus(cell)
		case colBlocked:
			n.Status, reason = readBlocked(cell)
		case colExpiry:
			n.Expiry, reason = readTime(cell)
		case colMax:
			n.MaxActive = readMax(cell)
		case colParent:
			n.Parent = cell
		case colNote:
			n.Note = cell
		case colVehicle:
			n.VehicleID = cell
			known, err := p.vehicle(cell)
			if err != nil {
				return n, err
			}
			if !known {
				reason = fmt.Sprintf("there is no vehicle %s", cell)
			}
		}
		if reason != "" {
			p.wrong(line, p.header[i], "%s", reason)
		}
	}
	return n, nil
}

func (p *plan) vehicle(id string) (bool, error) {
	if id == "" {
		return true, nil
	}
	known, looked := p.vehicles[id]
	if looked {
		return known, nil
	}
	_, err := p.registry.Vehicle(p.ctx, id)
	if err != nil && !errors.Is(err, leyden.ErrNotFound) {
		return false, err
	}
	p.vehicles[id] = err == nil
	return err == nil, nil
}

func readStatus(cell string) (status, reason string) {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "", "accepted":
		return leyden.TokenAccepted, ""
	case "blocked":
		return leyden.TokenBlocked, ""
	}
	return "", "must be Accepted or Blocked"
}

func readBlocked(cell string) (status, reason string) {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "", "false", "no", "0":
		return leyden.TokenAccepted, ""
	case "true", "yes", "1":
		return leyden.TokenBlocked, ""
	}
	return "", "must be true or false"
}

// readTime reads a time as RFC 3339 has it, or the begin of a day or a minute.
// Without a zone it is UTC. What depends on the country, like 1/2/2030, is
// refused rather than guessed.
func readTime(cell string) (t time.Time, reason string) {
	cell = strings.TrimSpace(cell)
	if cell == "" {
		return t, ""
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, cell); err == nil {
			return t.UTC().Truncate(time.Microsecond), ""
		}
	}
	return t, "must be a time like 2030-01-31T12:00:00Z or a day like 2030-01-31"
}

// readMax reads a limit, and what is none as a negative one. No limit is empty,
// or −1 as others write it.
func readMax(cell string) int {
	cell = strings.TrimSpace(cell)
	if cell == "" || cell == "-1" {
		return 0
	}
	n, err := strconv.Atoi(cell)
	if err != nil || n == 0 {
		return -1
	}
	return n
}
