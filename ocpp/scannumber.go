package ocpp

import (
	"math"
	"strconv"
	"strings"
)

// Int reads an integer. An integral 1000.0 or 1e3 is one; a fraction is a
// violation, and what it is rounded down to is kept.
func (s *Scanner) Int(name string) (int, bool) {
	n, ok, _ := s.integer(name)
	return n, ok
}

// IntIn reads an integer from least to most. One outside is kept.
func (s *Scanner) IntIn(name string, least, most int) (int, bool) {
	n, ok, exact := s.integer(name)
	if exact && (n < least || n > most) {
		s.Found.CheckInt(name, n, least, most)
	}
	return n, ok
}

// Number reads a number.
func (s *Scanner) Number(name string) (float64, bool) {
	if !s.atNumber() {
		s.mistyped(name, "is not a number")
		return 0, false
	}
	raw := s.number()
	if s.err != nil {
		return 0, false
	}
	x, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		s.Found.Add(name, TypeConstraint, "is too large for a number", false)
		return 0, false
	}
	return x, true
}

// integer reads an integer; exact says that n is all of it.
func (s *Scanner) integer(name string) (n int, ok, exact bool) {
	if end := s.short(&n); end > 0 {
		s.pos = end
		return n, true, true
	}
	if !s.atNumber() {
		s.mistyped(name, "is not an integer")
		return 0, false, false
	}
	raw := s.number()
	if s.err != nil {
		return 0, false, false
	}
	if n, ok := plain(raw); ok {
		return n, true, true
	}
	n, exact, ok = floor(raw)
	switch {
	case !ok:
		s.Found.Add(name, TypeConstraint, "is too large for an integer", false)
	case !exact:
		s.Found.Add(name, TypeConstraint, "is not a whole number", true)
	}
	return n, ok, ok && exact
}

// short reads the integer that begins here and returns where it ends, if it is like
// nearly all of them: a few digits and nothing else. Otherwise it returns 0.
func (s *Scanner) short(to *int) int {
	n, i := 0, s.pos
	for ; i < len(s.src) && s.src[i]-'0' <= 9; i++ {
		n = n*10 + int(s.src[i]-'0')
	}
	size := i - s.pos
	if size == 0 || size > safeDigits || size > 1 && s.src[s.pos] == '0' || i == len(s.src) || s.src[i] != ',' && s.src[i] != '}' {
		return 0
	}
	*to = n
	return i
}

func (s *Scanner) atNumber() bool {
	c := s.peek()
	return c == '-' || c-'0' <= 9
}

// number reads the number that begins here and returns its text.
func (s *Scanner) number() string {
	from, i := s.pos, s.pos
	if i < len(s.src) && s.src[i] == '-' {
		i++
	}
	first := i
	i = digits(s.src, i)
	ok := i > first && (s.src[first] != '0' || i == first+1)
	if i < len(s.src) && s.src[i] == '.' {
		dot := i
		i = digits(s.src, i+1)
		ok = ok && i > dot+1
	}
	if i < len(s.src) && s.src[i]|0x20 == 'e' {
		i++
		if i < len(s.src) && (s.src[i] == '+' || s.src[i] == '-') {
			i++
		}
		e := i
		i = digits(s.src, i)
		ok = ok && i > e
	}
	if !ok {
		s.fail("there is no value")
		return ""
	}
	s.pos = i
	return s.src[from:i]
}

func digits(s string, i int) int {
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

// safeDigits is how many digits cannot overflow an int.
const safeDigits = strconv.IntSize * 9 / 32

// plain reads an integer of few digits without fraction or exponent: nearly all
// of them.
func plain(raw string) (int, bool) {
	unsigned := strings.TrimPrefix(raw, "-")
	if len(unsigned) > safeDigits {
		return 0, false
	}
	n := 0
	for i := 0; i < len(unsigned); i++ {
		c := unsigned[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	if len(unsigned) < len(raw) {
		n = -n
	}
	return n, true
}

// floor rounds any JSON number down to an integer, by its digits, so that no
// float can blur it. It is not ok when the integer needs more than 64 bits.
func floor(raw string) (n int, exact, ok bool) {
	unsigned := strings.TrimPrefix(raw, "-")
	mantissa, exponent := unsigned, 0
	if i := strings.IndexAny(unsigned, "eE"); i >= 0 {
		mantissa, exponent = unsigned[:i], clampedInt(unsigned[i+1:])
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	magnitude, exact, ok := shift(whole, fraction, len(whole)+exponent)
	most := uint64(math.MaxInt)
	negative := len(unsigned) < len(raw)
	if negative {
		most++
	}
	if !ok || magnitude > most || negative && !exact && magnitude == most {
		return 0, false, false
	}
	if !negative {
		return int(magnitude), exact, true
	}
	if !exact {
		magnitude++
	}
	return int(-magnitude), exact, true
}

// shift returns the integer that the first places digits of whole and fraction
// make, zeros added as needed, and whether only zeros are left.
func shift(whole, fraction string, places int) (n uint64, exact, ok bool) {
	digit := func(i int) uint64 {
		switch {
		case i < len(whole):
			return uint64(whole[i] - '0')
		case i < len(whole)+len(fraction):
			return uint64(fraction[i-len(whole)] - '0')
		}
		return 0
	}
	count := len(whole) + len(fraction)
	for i := range max(places, 0) {
		if i >= count && n == 0 {
			break
		}
		if n > (math.MaxUint64-9)/10 {
			return 0, false, false
		}
		n = n*10 + digit(i)
	}
	for i := max(places, 0); i < count; i++ {
		if digit(i) != 0 {
			return n, false, true
		}
	}
	return n, true, true
}

// clampedInt reads the digits of an exponent; beyond what any payload's digits
// could balance it does not matter how large it is.
func clampedInt(s string) int {
	const enough = 1 << 30
	n := 0
	unsigned := strings.TrimLeft(s, "+-")
	for i := 0; i < len(unsigned) && n < enough; i++ {
		n = n*10 + int(unsigned[i]-'0')
	}
	if strings.HasPrefix(s, "-") {
		return -n
	}
	return n
}
