package leyden

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// A jsonWriter appends JSON to b, byte for byte as encoding/json does. It is for
// what is written with every message of a station, where reflection would cost
// more than all the rest.
//
// Every element ends in a comma, the last of which close turns into the end.
type jsonWriter struct {
	b   []byte
	odd bool // something is there that encoding/json may refuse

	instant time.Time // the last one, and where its text is: many follow that are the same
	from    int
	to      int
}

// whole returns what w has appended to b, of v. What is odd is left to
// encoding/json, for its error. It takes v itself, so that only then a copy of it
// is made.
func whole[T any](w *jsonWriter, b []byte, v *T) ([]byte, error) {
	if !w.odd {
		return w.b, nil
	}
	return appendMarshal(b, *v)
}

//go:noinline
func appendMarshal[T any](b []byte, v T) ([]byte, error) {
	text, err := json.Marshal(&v)
	return append(b, text...), err
}

func (w *jsonWriter) open(c byte) { w.b = append(w.b, c) }

// close ends an object or a list within another.
func (w *jsonWriter) close(c byte) {
	w.end(c)
	w.b = append(w.b, ',')
}

// end ends the outermost object.
func (w *jsonWriter) end(c byte) {
	if last := len(w.b) - 1; w.b[last] == ',' {
		w.b[last] = c
		return
	}
	w.b = append(w.b, c)
}

// key begins the property of that name, which needs no escapes.
func (w *jsonWriter) key(name string) {
	b := append(w.b, '"')
	b = append(b, name...)
	w.b = append(b, '"', ':')
}

// The methods from here to lists write a property unless it is zero.

func (w *jsonWriter) text(name, s string) {
	if s != "" {
		w.key(name)
		w.quote(s)
	}
}

func (w *jsonWriter) integer(name string, n int64) {
	if n != 0 {
		w.key(name)
		w.plainInteger(n)
	}
}

func (w *jsonWriter) flag(name string, is bool) {
	if is {
		w.key(name)
		w.b = append(w.b, "true,"...)
	}
}

func (w *jsonWriter) time(name string, t time.Time) {
	if !t.IsZero() {
		w.key(name)
		w.writeInstant(t)
	}
}

func (w *jsonWriter) token(name string, t IDToken) {
	if t != (IDToken{}) {
		w.key(name)
		w.open('{')
		w.key("value")
		w.quote(t.Value)
		w.text("type", t.Type)
		w.close('}')
	}
}

func (w *jsonWriter) reading(name string, r *Reading) {
	if r != nil {
		w.key(name)
		w.open('{')
		w.readingFields(r)
		w.close('}')
	}
}

func (w *jsonWriter) readingFields(r *Reading) {
	w.key("at")
	w.writeInstant(r.At)
	w.key("wh")
	w.plainInteger(int64(r.Wh))
}

func (w *jsonWriter) gauge(name string, g *Gauge) {
	if g != nil {
		w.key(name)
		w.open('{')
		w.key("at")
		w.writeInstant(g.At)
		w.key("value")
		w.number(g.Value)
		w.close('}')
	}
}

func (w *jsonWriter) optionalNumber(name string, x *float64) {
	if x != nil {
		w.key(name)
		w.number(*x)
	}
}

func optionalInteger[T ~int | ~int64](w *jsonWriter, name string, n *T) {
	if n != nil {
		w.key(name)
		w.plainInteger(int64(*n))
	}
}

func (w *jsonWriter) optionalText(name string, s *string) {
	if s != nil {
		w.key(name)
		w.quote(*s)
	}
}

func (w *jsonWriter) texts(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.key(name)
	w.open('[')
	for _, s := range list {
		w.quote(s)
	}
	w.close(']')
}

// table writes a map, an empty one too; its names are sorted.
func (w *jsonWriter) table(name string, m map[string]string) {
	if m == nil {
		return
	}
	w.key(name)
	w.open('{')
	var few [24]string
	names := few[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.quote(name)
		w.b[len(w.b)-1] = ':'
		w.quote(m[name])
	}
	w.close('}')
}

func (w *jsonWriter) writeInstant(t time.Time) {
	if t == w.instant && w.to > 0 {
		w.b = append(append(w.b, w.b[w.from:w.to]...), ',')
		return
	}
	from := len(w.b)
	b, err := t.AppendText(append(w.b, '"'))
	if err != nil {
		w.odd = true
		return
	}
	w.b = append(b, '"', ',')
	w.instant, w.from, w.to = t, from, len(w.b)-1
}

func (w *jsonWriter) plainInteger(n int64) {
	w.b = append(strconv.AppendInt(w.b, n, 10), ',')
}

// number writes x as ECMAScript would.
func (w *jsonWriter) number(x float64) {
	size := math.Abs(x)
	switch {
	case math.IsInf(x, 0) || math.IsNaN(x):
		w.odd = true
	case size == 0 || size >= 1e-6 && size < 1e21:
		w.b = strconv.AppendFloat(w.b, x, 'f', -1, 64)
	default:
		w.b = strconv.AppendFloat(w.b, x, 'e', -1, 64)
		if n := len(w.b); string(w.b[n-4:n-1]) == "e-0" {
			w.b = append(w.b[:n-2], w.b[n-1])
		}
	}
	w.b = append(w.b, ',')
}

func (w *jsonWriter) quote(s string) {
	if !plainInJSON(s) {
		w.b = append(w.b, '"')
		w.escape(s)
		w.b = append(w.b, '"', ',')
		return
	}
	b := append(w.b, '"')
	b = append(b, s...)
	w.b = append(b, '"', ',')
}

// plainInJSON reports whether encoding/json writes a text as it is.
func plainInJSON(s string) bool {
	if len(s) < 8 {
		for i := range len(s) {
			if !plainByte(s[i]) {
				return false
			}
		}
		return true
	}
	for i := 0; i+8 < len(s); i += 8 {
		if !plainBytes(s[i : i+8]) {
			return false
		}
	}
	return plainBytes(s[len(s)-8:])
}

// plainBytes is plainByte for eight bytes at once. What is not plain shows in the
// high bit of its byte: by the borrow of a subtraction, which may also reach bytes
// above, or because it is no ASCII.
func plainBytes(b string) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
	quote := (w | ones*('"'^'&')) ^ ones*('"'|'&') // and the ampersand, one bit apart
	angle := (w | ones*('<'^'>')) ^ ones*('<'|'>')
	slash := w ^ ones*'\\'
	return (w|(w-ones*' ')|(quote-ones)|(angle-ones)|(slash-ones))&highs == 0
}

// plainByte reports whether encoding/json writes a byte of a text as it is; it
// escapes what HTML could take for its own.
func plainByte(c byte) bool {
	const escaped uint64 = 1<<'"' | 1<<'&' | 1<<'<' | 1<<'>'
	return c >= ' ' && c < utf8.RuneSelf && c != '\\' && (c >= 64 || escaped>>c&1 == 0)
}

// escape writes what is between the quotes of a text that is not plain.
func (w *jsonWriter) escape(s string) {
	from := 0
	for i := 0; i < len(s); {
		if plainByte(s[i]) {
			i++
			continue
		}
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s[i:])
		}
		if c >= utf8.RuneSelf && c != '\u2028' && c != '\u2029' && (c != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		w.b = append(w.b, s[from:i]...)
		w.escaped(c)
		i += size
		from = i
	}
	w.b = append(w.b, s[from:]...)
}

func (w *jsonWriter) escaped(c rune) {
	const digits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		w.b = append(w.b, '\\', byte(c))
	case '\b':
		w.b = append(w.b, `\b`...)
	case '\f':
		w.b = append(w.b, `\f`...)
	case '\n':
		w.b = append(w.b, `\n`...)
	case '\r':
		w.b = append(w.b, `\r`...)
	case '\t':
		w.b = append(w.b, `\t`...)
	default:
		w.b = append(w.b, '\\', 'u', digits[c>>12], digits[c>>8&15], digits[c>>4&15], digits[c&15])
	}
}
