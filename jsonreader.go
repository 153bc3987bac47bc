package leyden

import (
	"strings"
	"time"
	"unicode/utf8"
)

// A jsonReader reads what a jsonWriter wrote: properties in their order, without
// spaces. Whatever else it finds makes it odd, and is for encoding/json to read.
// Texts are parts of what is read, unless they hold escapes.
type jsonReader struct {
	src string
	pos int
	odd bool

	instant     time.Time // the last one, and its text: samples come in batches
	instantText string
}

func (r *jsonReader) open(c byte) {
	if r.pos < len(r.src) && r.src[r.pos] == c {
		r.pos++
		return
	}
	r.fail()
}

func (r *jsonReader) close(c byte) { r.open(c) }

// fail makes sure that nothing is found any more.
func (r *jsonReader) fail() { r.odd, r.pos = true, len(r.src) }

// more goes to the next item of a list, or reports false at its end.
func (r *jsonReader) more() bool {
	switch {
	case r.pos >= len(r.src) || r.src[r.pos] == ']':
		return false
	case r.src[r.pos-1] == '[':
		return true
	}
	r.open(',')
	return true
}

// key reports whether the property of that name comes next, and goes to its value.
func (r *jsonReader) key(name string) bool {
	rest := r.src[r.pos:]
	if r.pos > 0 && r.src[r.pos-1] != '{' {
		if rest == "" || rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
	n := len(name)
	if len(rest) < n+3 || rest[1:n+1] != name || rest[0] != '"' || rest[n+1] != '"' || rest[n+2] != ':' {
		return false
	}
	r.pos = len(r.src) - len(rest) + n + 3
	return true
}

// The functions from here to quoted read the value of a property into to, if the
// property is there.

func readText[T ~string](r *jsonReader, name string, to *T) {
	if r.key(name) {
		*to = T(r.quoted())
	}
}

func readInteger[T ~int | ~int32 | ~int64 | ~uint8 | ~uint32](r *jsonReader, name string, to *T) {
	if r.key(name) {
		*to = integer[T](r)
	}
}

func readOptional[T ~int | ~int64](r *jsonReader, name string, to **T) {
	if r.key(name) {
		*to = new(integer[T](r))
	}
}

func (r *jsonReader) optionalText(name string, to **string) {
	if r.key(name) {
		*to = new(r.quoted())
	}
}

func (r *jsonReader) flag(name string, to *bool) {
	if !r.key(name) {
		return
	}
	if !strings.HasPrefix(r.src[r.pos:], "true") {
		r.fail()
		return
	}
	*to = true
	r.pos += len("true")
}

func (r *jsonReader) time(name string, to *time.Time) {
	if r.key(name) {
		*to = r.readInstant()
	}
}

func (r *jsonReader) token(name string, to *IDToken) {
	if !r.key(name) {
		return
	}
	r.open('{')
	readText(r, "value", &to.Value)
	readText(r, "type", &to.Type)
	r.close('}')
}

func (r *jsonReader) texts(name string, to *[]string) {
	if !r.key(name) {
		return
	}
	*to = []string{}
	for r.open('['); r.more(); {
		*to = append(*to, r.quoted())
	}
	r.close(']')
}

func (r *jsonReader) table(name string, to *map[string]string) {
	if !r.key(name) {
		return
	}
	*to = make(map[string]string)
	r.open('{')
	for r.pos < len(r.src) && r.src[r.pos] != '}' {
		if r.src[r.pos-1] != '{' {
			r.open(',')
		}
		name := r.quoted()
		r.open(':')
		(*to)[name] = r.quoted()
	}
	r.close('}')
}

// quoted reads a text.
func (r *jsonReader) quoted() string {
	r.open('"')
	from := r.pos
	for i := from; i < len(r.src); i++ {
		switch c := r.src[i]; {
		case c == '"':
			r.pos = i + 1
			return r.src[from:i]
		case c < ' ' || c == '\\' || c >= utf8.RuneSelf:
			return r.oddText(i)
		}
	}
	r.fail()
	return ""
}

// oddText reads the text from r.pos on whose first byte that is no plain ASCII is
// at i.
func (r *jsonReader) oddText(i int) string {
	from, escapes := r.pos, false
	for ; i < len(r.src) && r.src[i] != '"'; i++ {
		switch {
		case r.src[i] < ' ':
			r.fail()
			return ""
		case r.src[i] == '\\':
			escapes = true
			i++
		}
	}
	if i >= len(r.src) || !utf8.ValidString(r.src[from:i]) {
		r.fail()
		return ""
	}
	r.pos = i + 1
	if !escapes {
		return r.src[from:i]
	}
	return r.unescape(r.src[from:i])
}

func (r *jsonReader) unescape(s string) string {
	b := make([]byte, 0, len(s))
	for s != "" {
		at := strings.IndexByte(s, '\\')
		if at < 0 {
			b = append(b, s...)
			break
		}
		c, size := unescaped(s[at:])
		if size == 0 {
			r.fail()
			return ""
		}
		b = utf8.AppendRune(append(b, s[:at]...), c)
		s = s[at+size:]
	}
	return string(b)
}

// unescaped reads the escape with which s begins, and of how many bytes it is.
// Halves of surrogate pairs, which a jsonWriter does not write, count as none.
func unescaped(s string) (c rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unescapedRune(s)
	}
	return 0, 0
}

func unescapedRune(s string) (c rune, size int) {
	const all = len(`\u0000`)
	if len(s) < all {
		return 0, 0
	}
	for i := 2; i < all; i++ {
		digit := strings.IndexByte("0123456789abcdef", s[i]|0x20)
		if digit < 0 {
			return 0, 0
		}
		c = c<<4 | rune(digit)
	}
	if !utf8.ValidRune(c) {
		return 0, 0
	}
	return c, all
}

// integer reads an integer that T can hold.
func integer[T ~int | ~int32 | ~int64 | ~uint8 | ~uint32](r *jsonReader) T {
	n := r.int()
	if int64(T(n)) != n {
		r.fail()
	}
	return T(n)
}

func (r *jsonReader) int() int64 {
	const most = 18 // digits that cannot overflow
	i, negative := r.pos, false
	if i < len(r.src) && r.src[i] == '-' {
		i, negative = i+1, true
	}
	var n int64
	first := i
	for ; i < len(r.src) && r.src[i]-'0' <= 9 && i-first <= most; i++ {
		n = n*10 + int64(r.src[i]-'0')
	}
	if digits := i - first; digits == 0 || digits > most || digits > 1 && r.src[first] == '0' {
		r.fail()
		return 0
	}
	r.pos = i
	if negative {
		return -n
	}
	return n
}

func (r *jsonReader) readInstant() time.Time {
	rest := r.src[r.pos:]
	if r.instantText != "" && strings.HasPrefix(rest, r.instantText) {
		r.pos += len(r.instantText)
		return r.instant
	}
	text := r.quoted()
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || len(rest) < len(text)+2 || rest[1:len(text)+1] != text {
		r.fail()
		return time.Time{}
	}
	r.instant, r.instantText = t, rest[:len(text)+2]
	return t
}
