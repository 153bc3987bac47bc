package export

import "io"

// A linesEncoder writes one JSON object a line.
type linesEncoder[T any] struct{ out io.Writer }

func (e linesEncoder[T]) begin() error { return nil }

func (e linesEncoder[T]) row(row *T) error {
	data, err := jsonOf(row)
	if err != nil {
		return err
	}
	_, err = e.out.Write(append(data, '\n'))
	return err
}

func (e linesEncoder[T]) end() error { return nil }

// An arrayEncoder writes a JSON array.
type arrayEncoder[T any] struct {
	out   io.Writer
	begun bool
}

func (e *arrayEncoder[T]) begin() error {
	_, err := io.WriteString(e.out, "[")
	return err
}

func (e *arrayEncoder[T]) row(row *T) error {
	data, err := jsonOf(row)
	if err != nil {
		return err
	}
	if e.begun {
		data = append([]byte{','}, data...)
	}
	e.begun = true
	_, err = e.out.Write(data)
	return err
}

func (e *arrayEncoder[T]) end() error {
	_, err := io.WriteString(e.out, "]")
	return err
}
