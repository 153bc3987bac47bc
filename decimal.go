package leyden

// maxDecimal bounds what a meter text may say: more than any meter counts to,
// and far from overflow.
const maxDecimal = 1_000_000_000_000_000

// parseDecimal reads a decimal text such as "-12.345" or "1.2e3" times ten to
// the power of places, exactly, rounded down. It reports false for what is no
// decimal number or out of bounds.
func parseDecimal(s string, places int) (int64, bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	mantissa, exponent, ok := splitExponent(s)
	if !ok {
		return 0, false
	}
	n, lost, ok := scaleDigits(mantissa, places+exponent)
	if !ok {
		return 0, false
	}
	if neg {
		n = -n
		if lost {
			n--
		}
	}
	return n, true
}

func splitExponent(s string) (mantissa string, exponent int, ok bool) {
	for i := range len(s) {
		if s[i] != 'e' && s[i] != 'E' {
			continue
		}
		exp, neg := s[i+1:], false
		if exp != "" && (exp[0] == '-' || exp[0] == '+') {
			neg = exp[0] == '-'
			exp = exp[1:]
		}
		if len(exp) < 1 || len(exp) > 2 {
			return "", 0, false
		}
		for _, c := range []byte(exp) {
			if c < '0' || c > '9' {
				return "", 0, false
			}
			exponent = exponent*10 + int(c-'0')
		}
		if neg {
			exponent = -exponent
		}
		return s[:i], exponent, true
	}
	return s, 0, true
}

// scaleDigits reads digits with at most one point and moves the point places
// to the right. It reports whether digits other than 0 fell off the end.
func scaleDigits(s string, places int) (n int64, lost, ok bool) {
	digits, point := 0, false
	for i := range len(s) {
		c := s[i]
		if c == '.' {
			if point {
				return 0, false, false
			}
			point = true
			continue
		}
		if c < '0' || c > '9' {
			return 0, false, false
		}
		digits++
		if point && places <= 0 {
			lost = lost || c != '0'
			continue
		}
		if point {
			places--
		}
		if n > maxDecimal {
			return 0, false, false
		}
		n = n*10 + int64(c-'0')
	}
	for ; places > 0 && n != 0; places-- {
		if n > maxDecimal {
			return 0, false, false
		}
		n *= 10
	}
	for ; places < 0 && n != 0; places++ {
		lost = lost || n%10 != 0
		n /= 10
	}
	return n, lost, digits > 0 && n <= maxDecimal
}
