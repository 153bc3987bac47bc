// Package export writes rows of any shape as files: CSV, NDJSON, a JSON array,
// or Parquet.
//
// # What it promises
//
// Rows are written as they come, in constant memory, however many there are. A
// shape is a struct whose fields have json tags; its columns are found once,
// when a [Writer] is made ([Columns] tells them). Fields of embedded structs are
// columns of their own. All formats have the same columns in the same order and
// say the same:
//
//	field                      CSV                         Parquet
//	string                     its text, harmless          STRING
//	int…                       digits                      INT(64)
//	float…                     shortest decimal            DOUBLE
//	bool                       true or false               BOOLEAN
//	[time.Time], alone or      2006-01-02T15:04:05.000Z    TIMESTAMP(MICROS, UTC)
//	embedded in a struct
//	[Decimal]                  14.0, 14.25                 DECIMAL(18, 3)
//	slice of strings           a;b;c                       LIST of STRING
//	anything else              its JSON                    JSON
//
// A nil pointer, the zero time and an unknown [Decimal] are null: an empty cell
// of CSV, null in the others. An empty text is a cell of two quotes. JSON is what
// encoding/json makes of a row, without HTML escapes.
//
// CSV is RFC 4180 with a header line, UTF-8, and lines that end in CRLF. A text that a
// spreadsheet would compute begins with an apostrophe ([sheet.Harmless]); a list
// with an element that is empty or has a semicolon, or whose text would begin with
// a bracket, is a JSON array. What is not UTF-8 becomes U+FFFD.
//
// A file is whole only when [Writer.Close] returned nil: a Parquet file ends with
// its footer and a JSON array with its bracket, but half a CSV or NDJSON looks
// like a whole one. Whoever hands them on must tell how many rows there are, or
// cut the connection.
package export

import (
	"bufio"
	"io"
	"iter"
	"slices"
)

// A Format is a form of file.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	NDJSON  Format = "ndjson"
	JSON    Format = "json"
	Parquet Format = "parquet"
)

// Formats returns all formats.
func Formats() []Format { return []Format{CSV, NDJSON, JSON, Parquet} }

// ParseFormat returns the format with that name, which is also the ending of its
// files, or false.
func ParseFormat(name string) (Format, bool) {
	f := Format(name)
	return f, slices.Contains(Formats(), f)
}

// MediaType returns how Accept and the OpenAPI document call the format.
func (f Format) MediaType() string {
	switch f {
	case CSV:
		return "text/csv"
	case NDJSON:
		return "application/x-ndjson"
	case Parquet:
		return "application/vnd.apache.parquet"
	}
	return "application/json"
}

// ContentType returns the media type with its parameters.
func (f Format) ContentType() string {
	if f == CSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return f.MediaType()
}

// A Decimal is an exact number with three decimals.
type Decimal interface {
	// Thousandths returns the number times a thousand, or false when it is not
	// known.
	Thousandths() (int64, bool)
}

const bufferSize = 32 << 10 // bytes that leave at a time

// A Writer writes rows of one shape as one file.
type Writer[T any] struct {
	encoder encoder[T]
	out     *bufio.Writer
	rows    int64
}

// An encoder writes the rows of one format.
type encoder[T any] interface {
	// begin writes what comes before the first row.
	begin() error
	// row writes one row.
	row(*T) error
	// end writes what comes after the last row.
	end() error
}

// NewWriter returns a writer to w, or an error of w. T must be a struct.
func NewWriter[T any](w io.Writer, f Format) (*Writer[T], error) {
	out := bufio.NewWriterSize(w, bufferSize)
	e := &Writer[T]{out: out}
	switch f {
	case CSV:
		e.encoder = &csvEncoder[T]{out: out, columns: columnsOf[T]()}
	case Parquet:
		e.encoder = newParquet[T](out)
	case NDJSON:
		e.encoder = linesEncoder[T]{out}
	default:
		e.encoder = &arrayEncoder[T]{out: out}
	}
	return e, e.encoder.begin()
}

// Write writes a row. It keeps nothing of it.
func (e *Writer[T]) Write(row *T) error {
	if err := e.encoder.row(row); err != nil {
		return err
	}
	e.rows++
	return nil
}

// Rows returns how many rows were written.
func (e *Writer[T]) Rows() int64 { return e.rows }

// Close makes the file whole. It does not close what it is written to.
func (e *Writer[T]) Close() error {
	if err := e.encoder.end(); err != nil {
		return err
	}
	return e.out.Flush()
}

// Copy writes all rows as a whole file and returns how many there are. It tells
// progress, unless that is nil, after each row. An error leaves half a file.
func Copy[T any](w io.Writer, f Format, rows iter.Seq2[T, error], progress func(rows int64)) (int64, error) {
	out, err := NewWriter[T](w, f)
	if err != nil {
		return 0, err
	}
	for row, err := range rows {
		if err == nil {
			err = out.Write(&row)
		}
		if err != nil {
			return out.Rows(), err
		}
		if progress != nil {
			progress(out.Rows())
		}
	}
	return out.Rows(), out.Close()
}

// A Column is one column of a shape.
type Column struct {
	Name     string
	Type     string // as Parquet calls it
	Nullable bool
	Doc      string // of the field's doc tag
}

// Columns returns the columns of a shape in their order.
func Columns[T any]() []Column {
	compiled := columnsOf[T]()
	columns := make([]Column, len(compiled))
	for i, c := range compiled {
		columns[i] = Column{Name: c.name, Type: c.kind.String(), Nullable: c.nullable, Doc: c.doc}
	}
	return columns
}

// Texts returns the columns of a row as CSV has them, but not harmless: for
// people to read.
func Texts[T any](row *T) ([]string, error) {
	columns := columnsOf[T]()
	texts := make([]string, len(columns))
	for i := range columns {
		v, err := columns[i].of(row)
		if err != nil {
			return nil, err
		}
		texts[i] = string(v.appendText(nil))
	}
	return texts, nil
}
