package export

import (
	"io"

	"leyden/sheet"
)

// A csvEncoder writes CSV.
type csvEncoder[T any] struct {
	out     io.Writer
	columns []column
	line    []byte // used again and again
	cell    []byte
}

func (e *csvEncoder[T]) begin() error {
	e.line = e.line[:0]
	for i := range e.columns {
		e.separate(i)
		e.line = sheet.AppendCell(e.line, e.columns[i].name)
	}
	return e.flush()
}

func (e *csvEncoder[T]) row(row *T) error {
	e.line = e.line[:0]
	for i := range e.columns {
		e.separate(i)
		v, err := e.columns[i].of(row)
		if err != nil {
			return err
		}
		e.append(&v)
	}
	return e.flush()
}

func (e *csvEncoder[T]) end() error { return nil }

// append adds a value to the line. Only what somebody wrote can harm.
func (e *csvEncoder[T]) append(v *value) {
	if v.null {
		return
	}
	e.cell = v.appendText(e.cell[:0])
	switch v.kind {
	case text, list, document:
		if v.kind == text || len(e.cell) > 0 {
			e.line = sheet.AppendCell(e.line, sheet.Harmless(string(e.cell)))
		}
	default:
		e.line = append(e.line, e.cell...)
	}
}

func (e *csvEncoder[T]) separate(i int) {
	if i > 0 {
		e.line = append(e.line, ',')
	}
}

func (e *csvEncoder[T]) flush() error {
	e.line = append(e.line, "\r\n"...)
	_, err := e.out.Write(e.line)
	return err
}
