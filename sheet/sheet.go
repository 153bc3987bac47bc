// Package sheet reads and writes tables as spreadsheets do: CSV as RFC 4180 has
// it, with what their programs add on their own.
//
// A cell that a spreadsheet would compute instead of showing it is written with
// an apostrophe before it ([Harmless]), and [Plain] takes that away again: any
// text comes back as it was. Where semicolons stand between cells, as in much of
// Europe, the text behind one is a cell too.
//
// What is read may begin with a byte order mark, have semicolons or tabs between
// its cells, and say so in a first line "sep=;".
package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// Harmless marks what a spreadsheet would compute instead of showing it.
func Harmless(text string) string {
	return eachCell(text, func(cell string) string {
		if computed(cell) {
			return "'" + cell
		}
		return cell
	})
}

// Plain undoes [Harmless].
func Plain(text string) string {
	return eachCell(text, func(cell string) string {
		if rest, marked := strings.CutPrefix(cell, "'"); marked && computed(rest) {
			return rest
		}
		return cell
	})
}

// eachCell changes what may become a cell of its own.
func eachCell(text string, change func(string) string) string {
	if !strings.Contains(text, ";") {
		return change(text)
	}
	cells := strings.Split(text, ";")
	for i := range cells {
		cells[i] = change(cells[i])
	}
	return strings.Join(cells, ";")
}

// computed reports whether a text looks like a formula, also behind marks of
// [Harmless], which would be taken for ours, and behind quotes, which are no part of
// the cell. Some spreadsheets compute what begins with a full-width sign, too.
func computed(text string) bool {
	start := strings.TrimLeft(text, " '\"\ufeff")
	first, _ := utf8.DecodeRuneInString(start)
	return start != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first)
}

// NewWriter returns a writer of lines that end as RFC 4180 says. Cells must be
// made [Harmless] by the caller.
func NewWriter(w io.Writer) *csv.Writer {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return out
}

// AppendCell appends a text as a cell, in quotes where RFC 4180 wants them or a
// reader might take it for something else: an empty text is two quotes, while
// nothing at all stands for what is unknown. It must be made [Harmless] by the
// caller.
func AppendCell(b []byte, text string) []byte {
	if text != "" && text != `\.` && text[0] != ' ' && !strings.ContainsAny(text, "\",;\r\n\t") {
		return append(b, text...)
	}
	b = append(b, '"')
	for {
		before, after, quoted := strings.Cut(text, `"`)
		b = append(b, before...)
		if !quoted {
			return append(b, '"')
		}
		b, text = append(b, `""`...), after
	}
}

// ErrEncoding means that a text is not UTF-8: a spreadsheet saved it as
// something else.
var ErrEncoding = errors.New(`is not UTF-8: save it as "CSV UTF-8"`)

// A Reader reads a table line by line.
type Reader struct {
	csv   *csv.Reader
	above int // lines before what csv reads
}

// NewReader returns a reader of a whole table, or [ErrEncoding].
func NewReader(data []byte) (*Reader, error) {
	if !utf8.Valid(data) {
		return nil, ErrEncoding
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	above := 0
	comma, told := bytes.CutPrefix(bytes.TrimSpace(first), []byte("sep="))
	if told && len(comma) == 1 {
		data, above = rest, 1
	} else {
		comma = []byte{separator(first)}
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = rune(comma[0]), -1, true
	return &Reader{r, above}, nil
}

// separator returns what stands most between the names of the columns.
func separator(header []byte) byte {
	best := byte(',')
	for _, c := range []byte(";\t") {
		if bytes.Count(header, []byte{c}) > bytes.Count(header, []byte{best}) {
			best = c
		}
	}
	return best
}

// Read returns the cells of the next line and its number, from 1. Lines without
// a text are passed over. Cells are as they were before [Harmless], and valid
// until the next Read. At the end it returns [io.EOF].
func (r *Reader) Read() (cells []string, line int, err error) {
	for {
		cells, err = r.csv.Read()
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, wrong.StartLine + r.above, wrong.Err
		}
		if err != nil {
			return nil, 0, err
		}
		line, _ = r.csv.FieldPos(0)
		empty := true
		for i, text := range cells {
			cells[i] = Plain(text)
			empty = empty && strings.TrimSpace(text) == ""
		}
		if !empty {
			return cells, line + r.above, nil
		}
	}
}
