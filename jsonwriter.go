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
type jsonWriter struct {
	b   []byte
	odd bool // something is there that encoding/json may refuse
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

func (w *jsonWriter) close(c byte) { w.b = append(w.b, c) }

// next begins an item of a list, or a property of an object. No value ends in
// what a list or an object begins with, but they themselves.
func (w *jsonWriter) next() {
	if c := w.b[len(w.b)-1]; c != '{' && c != '[' {
		w.b = append(w.b, ',')
	}
}

// key begins the property of that name, which needs no escapes.
func (w *jsonWriter) key(name string) {
	w.next()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
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
		w.b = append(w.b, "true"...)
	}
}

func (w *jsonWriter) time(name string, t time.Time) {
	if !t.IsZero() {
		w.key(name)
		w.instant(t)
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
	w.instant(r.At)
	w.key("wh")
	w.plainInteger(int64(r.Wh))
}

func (w *jsonWriter) gauge(name string, g *Gauge) {
	if g != nil {
		w.key(name)
		w.open('{')
		w.key("at")
		w.instant(g.At)
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
		w.next()
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
		w.next()
		w.quote(name)
		w.b = append(w.b, ':')
		w.quote(m[name])
	}
	w.close('}')
}

func (w *jsonWriter) instant(t time.Time) {
	w.b = append(w.b, '"')
	b, err := t.AppendText(w.b)
	if err != nil {
		w.odd = true
		return
	}
	w.b = append(b, '"')
}

func (w *jsonWriter) plainInteger(n int64) { w.b = strconv.AppendInt(w.b, n, 10) }

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
}

func (w *jsonWriter) quote(s string) {
	w.b = append(w.b, '"')
	for i := range len(s) {
		if !plainInJSON(s[i]) {
			w.b = append(w.b, s[:i]...)
			w.escape(s[i:])
			w.b = append(w.b, '"')
			return
		}
	}
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

// plainInJSON reports whether encoding/json writes a byte of a text as it is; it
// escapes what HTML could take for its own.
func plainInJSON(c byte) bool {
	const escaped uint64 = 1<<'"' | 1<<'&' | 1<<'<' | 1<<'>'
	return c >= ' ' && c < utf8.RuneSelf && c != '\\' && (c >= 64 || escaped>>c&1 == 0)
}

// escape writes what is between the quotes of a text that is not plain.
func (w *jsonWriter) escape(s string) {
	from := 0
	for i := 0; i < len(s); {
		if plainInJSON(s[i]) {
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
