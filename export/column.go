package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A kind is what a column holds.
type kind uint8

const (
	text kind = iota
	integer
	number
	boolean
	moment
	decimal
	list
	document // of JSON
)

var kindNames = [...]string{
	"STRING", "INT(64)", "DOUBLE", "BOOLEAN", "TIMESTAMP(MICROS, UTC)", "DECIMAL(18, 3)", "LIST of STRING", "JSON",
}

// String returns how Parquet calls the kind.
func (k kind) String() string { return kindNames[k] }

// A column is a field of a shape, compiled.
type column struct {
	name, doc string
	kind      kind
	nullable  bool
	index     []int // of the field, through embedded structs
	pointer   bool  // the field is a pointer to it
}

// A value is the field of a row that a column holds.
type value struct {
	kind  kind
	null  bool
	field reflect.Value
	json  []byte // of a document
	int   int64  // integer, boolean (0 or 1), decimal in thousandths
	time  time.Time
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// columnsOf returns the columns of a shape.
func columnsOf[T any]() []column {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("export: %v is no struct", t))
	}
	var columns []column
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		columns = append(columns, newColumn(name, f))
	}
	return columns
}

func newColumn(name string, f reflect.StructField) column {
	c := column{name: name, doc: f.Tag.Get("doc"), index: f.Index}
	t := f.Type
	c.pointer = t.Kind() == reflect.Pointer
	if c.pointer {
		t = t.Elem()
	}
	c.kind = kindOf(t)
	// Times may be zero, and documents null, whatever they are.
	c.nullable = c.pointer || c.kind == moment || c.kind == decimal || c.kind == document
	return c
}

func kindOf(t reflect.Type) kind {
	switch {
	case t.Implements(reflect.TypeFor[Decimal]()):
		return decimal
	case isTime(t):
		return moment
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		return document
	}
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return integer
	case reflect.Float32, reflect.Float64:
		return number
	case reflect.Bool:
		return boolean
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return list
		}
	}
	return document
}

// isTime reports whether t is a time, or a struct of nothing but one.
func isTime(t reflect.Type) bool {
	if t == reflect.TypeFor[time.Time]() {
		return true
	}
	return t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Anonymous && t.Field(0).Type == reflect.TypeFor[time.Time]()
}

// of returns what the column holds in a row, a pointer to the shape.
func (c *column) of(row any) (value, error) {
	v := value{kind: c.kind, field: reflect.ValueOf(row).Elem().FieldByIndex(c.index)}
	if c.pointer {
		v.null = v.field.IsNil()
		if v.null {
			return v, nil
		}
		v.field = v.field.Elem()
	}
	var err error
	switch c.kind {
	case integer:
		v.int = integerOf(v.field)
	case boolean:
		if v.field.Bool() {
			v.int = 1
		}
	case moment:
		v.time = timeOf(v.field)
		v.null = v.time.IsZero()
	case decimal:
		d, _ := v.field.Interface().(Decimal)
		n, known := d.Thousandths()
		v.int, v.null = n, !known
	case document:
		if v.json, err = jsonOf(v.field.Interface()); err != nil {
			return v, fmt.Errorf("column %s: %w", c.name, err)
		}
		v.null = string(v.json) == "null"
	}
	return v, nil
}

func integerOf(v reflect.Value) int64 {
	if v.CanInt() {
		return v.Int()
	}
	return int64(v.Uint()) // at most 32 bits
}

func timeOf(v reflect.Value) time.Time {
	if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() {
		v = v.Field(0)
	}
	t, _ := v.Interface().(time.Time)
	return t.UTC()
}

// jsonOf returns v as JSON without HTML escapes.
func jsonOf(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// elements returns a list.
func (v *value) elements() []string {
	elements := make([]string, v.field.Len())
	for i := range elements {
		elements[i] = valid(v.field.Index(i).String())
	}
	return elements
}

// appendText appends the value as text; nothing when it is null.
func (v *value) appendText(b []byte) []byte {
	if v.null {
		return b
	}
	switch v.kind {
	case integer:
		return strconv.AppendInt(b, v.int, 10)
	case number:
		return strconv.AppendFloat(b, v.field.Float(), 'f', -1, 64)
	case boolean:
		return strconv.AppendBool(b, v.int == 1)
	case moment:
		return v.time.AppendFormat(b, timeLayout)
	case decimal:
		return appendThousandths(b, v.int)
	case list:
		return append(b, joined(v.elements())...)
	case document:
		return append(b, v.json...)
	}
	return append(b, valid(v.field.String())...)
}

// valid returns s as UTF-8, as JSON has it: each byte that is none is U+FFFD.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// joined makes one text of a list, from which it can be had back.
func joined(elements []string) string {
	text := strings.Join(elements, ";")
	plain := !strings.HasPrefix(text, "[")
	for _, e := range elements {
		plain = plain && e != "" && !strings.Contains(e, ";")
	}
	if plain || len(elements) == 0 {
		return text
	}
	data, err := jsonOf(elements)
	if err != nil {
		panic(err) // texts always encode
	}
	return string(data)
}

// appendThousandths writes thousandths as a number with one to three decimals:
// 14.0, 14.25, -0.001.
func appendThousandths(b []byte, n int64) []byte {
	if n < 0 {
		b = append(b, '-')
	}
	digits := fmt.Sprintf("%04d", magnitude(n))
	whole, decimals := digits[:len(digits)-3], strings.TrimRight(digits[len(digits)-2:], "0")
	b = append(append(b, whole...), '.', digits[len(digits)-3])
	return append(b, decimals...)
}

// magnitude returns n without its sign.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
