package export

import (
	"cmp"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// What is kept in memory until it is written: a row group, and of each column a
// page.
const (
	groupRows  = 20_000
	groupBytes = 16 << 20
	pageBytes  = 64 << 10
	batchRows  = 64 // that are handed on together

	decimalScale     = 3
	decimalPrecision = 18
)

// A parquetEncoder writes Parquet.
type parquetEncoder[T any] struct {
	columns []column
	file    *parquet.GenericWriter[any]
	batch   []parquet.Row
	rows    int // of the group
	bytes   int // of texts of the group
}

func newParquet[T any](out io.Writer) *parquetEncoder[T] {
	columns := columnsOf[T]()
	return &parquetEncoder[T]{columns: columns, file: parquet.NewGenericWriter[any](out,
		parquet.NewSchema("row", newRoot(columns)), parquet.Compression(&parquet.Snappy),
		parquet.PageBufferSize(pageBytes), parquet.CreatedBy("leyden", "", ""))}
}

// A root is a group whose columns stand in the order of the shape: groups sort
// theirs by name.
type root struct {
	parquet.Group
	fields []parquet.Field
}

func newRoot(columns []column) root {
	group := parquet.Group{}
	place := map[string]int{}
	for i := range columns {
		group[columns[i].name], place[columns[i].name] = columns[i].node(), i
	}
	fields := group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int { return cmp.Compare(place[a.Name()], place[b.Name()]) })
	return root{group, fields}
}

// Fields returns the columns in order.
func (r root) Fields() []parquet.Field { return r.fields }

// node describes a column to Parquet.
func (c *column) node() parquet.Node {
	n := c.kind.node()
	if c.nullable {
		return parquet.Optional(n)
	}
	return n
}

func (k kind) node() parquet.Node {
	switch k {
	case integer:
		return parquet.Int(64)
	case number:
		return parquet.Leaf(parquet.DoubleType)
	case boolean:
		return parquet.Leaf(parquet.BooleanType)
	case moment:
		return parquet.Timestamp(parquet.Microsecond)
	case decimal:
		return parquet.Decimal(decimalScale, decimalPrecision, parquet.Int64Type)
	case list:
		return parquet.List(parquet.String())
	case document:
		return parquet.JSON()
	}
	return parquet.String()
}

func (e *parquetEncoder[T]) begin() error { return nil }

func (e *parquetEncoder[T]) row(row *T) error {
	values := make(parquet.Row, 0, len(e.columns))
	for i := range e.columns {
		v, err := e.columns[i].of(row)
		if err != nil {
			return err
		}
		values = e.append(values, i, &v)
	}
	e.batch = append(e.batch, values)
	e.rows++
	full := e.rows >= groupRows || e.bytes >= groupBytes
	if !full && len(e.batch) < batchRows {
		return nil
	}
	return e.write(full)
}

// end writes what is left and the footer.
func (e *parquetEncoder[T]) end() error {
	if err := e.write(false); err != nil {
		return err
	}
	return e.file.Close()
}

// write hands on the batch, and ends the group if that is full.
func (e *parquetEncoder[T]) write(full bool) error {
	_, err := e.file.WriteRows(e.batch)
	e.batch = e.batch[:0]
	if err != nil || !full {
		return err
	}
	e.rows, e.bytes = 0, 0
	return e.file.Flush()
}

// append adds a value of column i to a row.
func (e *parquetEncoder[T]) append(row parquet.Row, i int, v *value) parquet.Row {
	if v.kind == list {
		return e.appendList(row, i, v)
	}
	defined := 0
	if e.columns[i].nullable {
		defined = 1
	}
	if v.null {
		return append(row, parquet.NullValue().Level(0, 0, i))
	}
	return append(row, e.leaf(v).Level(0, defined, i))
}

// leaf returns a value that is there.
func (e *parquetEncoder[T]) leaf(v *value) parquet.Value {
	switch v.kind {
	case integer, decimal:
		return parquet.Int64Value(v.int)
	case number:
		return parquet.DoubleValue(v.field.Float())
	case boolean:
		return parquet.BooleanValue(v.int == 1)
	case moment:
		return parquet.Int64Value(v.time.UnixMicro())
	case document:
		return e.bytesValue(string(v.json))
	}
	return e.bytesValue(valid(v.field.String()))
}

func (e *parquetEncoder[T]) bytesValue(text string) parquet.Value {
	e.bytes += len(text)
	return parquet.ByteArrayValue([]byte(text))
}

// appendList adds a list: one value for each element, or one that says that there
// is none.
func (e *parquetEncoder[T]) appendList(row parquet.Row, i int, v *value) parquet.Row {
	outer := 0 // levels of a list that is there
	if e.columns[i].nullable {
		outer = 1
	}
	if v.null {
		return append(row, parquet.NullValue().Level(0, 0, i))
	}
	elements := v.elements()
	if len(elements) == 0 {
		return append(row, parquet.NullValue().Level(0, outer, i))
	}
	for n, element := range elements {
		row = append(row, e.bytesValue(element).Level(min(n, 1), outer+1, i))
	}
	return row
}
