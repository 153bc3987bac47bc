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
	src  string
	pos  int
	name string // of the property whose value comes next; "" at the end of an object
	odd  bool

	instant     time.Time // the last one, and its text: samples come in batches
	instantText string
}

// expect goes past c.
func (r *jsonReader) expect(c byte) {
	if r.pos < len(r.src) && r.src[r.pos] == c {
		r.pos++
		return
	}
	r.fail()
}

// fail makes sure that nothing is found any more.
func (r *jsonReader) fail() { r.odd, r.pos, r.name = true, len(r.src), "" }

// open begins an object and goes to its first property.
func (r *jsonReader) open() {
	r.expect('{')
	r.next()
}

// close ends an object all of whose properties were read.
func (r *jsonReader) close() {
	if r.name != "" {
		r.fail()
	}
	r.expect('}')
}

// next goes to the next property of an object, from the end of the one before.
func (r *jsonReader) next() {
	r.name = ""
	if r.pos >= len(r.src) || r.src[r.pos] == '}' {
		return
	}
	if r.src[r.pos-1] != '{' {
		r.expect(',')
	}
	r.expect('"')
	for i := r.pos; i < len(r.src); i++ {
		if r.src[i] == '"' {
			r.name, r.pos = r.src[r.pos:i], i+1
			break
		}
	}
	if r.name == "" {
		r.fail()
	}
	r.expect(':')
}

// more goes to the next item of a list, or reports false at its end.
func (r *jsonReader) more() bool {
	switch {
	case r.pos >= len(r.src) || r.src[r.pos] == ']':
		return false
	case r.src[r.pos-1] == '[':
		return true
	}
	r.expect(',')
	return true
}

// The functions from here to quoted read the value of a property into to, if that
// property comes next, and go to the one after it.

func readText[T ~string](r *jsonReader, name string, to *T) {
	if r.name == name {
		*to = T(r.quoted())
		r.next()
	}
}

func readInteger[T anyInteger](r *jsonReader, name string, to *T) {
	if r.name == name {
		*to = integer[T](r)
		r.next()
	}
}

func readOptional[T ~int | ~int64](r *jsonReader, name string, to **T) {
	if r.name == name {
		*to = new(integer[T](r))
		r.next()
	}
}

func (r *jsonReader) optionalText(name string, to **string) {
	if r.name == name {
		*to = new(r.quoted())
		r.next()
	}
}

func (r *jsonReader) flag(name string, to *bool) {
	if r.name != name {
		return
	}
	if !strings.HasPrefix(r.src[r.pos:], "true") {
		r.fail()
		return
	}
	*to = true
	r.pos += len("true")
	r.next()
}

func (r *jsonReader) time(name string, to *time.Time) {
	if r.name == name {
		*to = r.readInstant()
		r.next()
	}
}

func (r *jsonReader) token(name string, to *IDToken) {
	if r.name != name {
		return
	}
	r.open()
	readText(r, "value", &to.Value)
	readText(r, "type", &to.Type)
	r.close()
	r.next()
}

func (r *jsonReader) texts(name string, to *[]string) {
	if r.name != name {
		return
	}
	*to = []string{}
	for r.expect('['); r.more(); {
		*to = append(*to, r.quoted())
	}
	r.expect(']')
	r.next()
}

func (r *jsonReader) table(name string, to *map[string]string) {
	if r.name != name {
		return
	}
	*to = make(map[string]string)
	r.expect('{')
	for r.pos < len(r.src) && r.src[r.pos] != '}' {
		if r.src[r.pos-1] != '{' {
			r.expect(',')
		}
		name := r.quoted()
		r.expect(':')
		(*to)[name] = r.quoted()
	}
	r.expect('}')
	r.next()
}

// quoted reads a text. It looks at eight bytes at once where it can.
func (r *jsonReader) quoted() string {
	r.expect('"')
	i := r.pos
	for i+8 <= len(r.src) && plainBytes(r.src[i:i+8]) {
		i += 8
	}
	for ; i < len(r.src); i++ {
		switch c := r.src[i]; {
		case c == '"':
			text := r.src[r.pos:i]
			r.pos = i + 1
			return text
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

type anyInteger interface {
	~int | ~int32 | ~int64 | ~uint8 | ~uint32
}

// integer reads an integer that T can hold.
func integer[T anyInteger](r *jsonReader) T {
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
