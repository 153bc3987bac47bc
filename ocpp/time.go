package ocpp

import "time"

// ParseTime reads a timestamp as stations write them and returns it in UTC.
//
// It takes RFC 3339 and what the field makes of it: a lower-case t or a space
// between date and time, a comma before the fraction, any number of fraction
// digits (those after the ninth are dropped), offsets as ±hh:mm, ±hhmm or ±hh,
// and no zone at all, which means UTC (OCPP 1.6 leaves the zone to the station).
// It takes what else ISO 8601 allows for date and time of day: no seconds, the
// basic form without separators (20240115T103000Z), and 24:00:00 for the end of
// a day. A leap second counts as the second before it. A date alone is no
// timestamp.
func ParseTime(s string) (time.Time, bool) {
	t, _, ok := parseTime(s)
	return t, ok
}

// parseTime is ParseTime, and tells whether there was a zone.
func parseTime(s string) (t time.Time, zoned, ok bool) {
	wide := 0 // how many bytes there are between two numbers
	if len(s) > 4 && s[4] == '-' {
		wide = 1
	}
	atMonth, atDay, atHour, atMinute, end := 4+wide, 6+2*wide, 9+2*wide, 11+3*wide, 13+3*wide
	if len(s) < end || wide == 1 && (s[7] != '-' || s[13] != ':') {
		return t, false, false
	}
	if c := s[atHour-1]; c != 'T' && c != 't' && c != ' ' {
		return t, false, false
	}
	month, day := pair(s, atMonth), pair(s, atDay)
	year, ok := date(pair(s, 0), pair(s, 2), month, day)
	if !ok {
		return t, false, false
	}
	second, nanos, rest, ok := seconds(s[end:], wide)
	if !ok {
		return t, false, false
	}
	hour, minute := pair(s, atHour), pair(s, atMinute)
	if !inDay(hour, minute, second, nanos) {
		return t, false, false
	}
	east, ok := offset(rest)
	if !ok {
		return t, false, false
	}
	clock := int64(hour*3600+minute*60+min(second, 59)) - int64(east/time.Second)
	at := daysFrom1970(year, month, day)*secondsOfDay + clock
	return time.Unix(at, int64(nanos)).UTC(), rest != "", at >= year0 && at < year10000
}

// date puts a year together and checks the day in it; −1 is no number.
func date(hi, lo, month, day int) (year int, ok bool) {
	if hi|lo|month|day < 0 {
		return 0, false
	}
	year = hi*100 + lo
	return year, month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

// Seconds from 1970 on to where years with four digits begin and end.
const (
	year0        = -62_167_219_200
	year10000    = 253_402_300_800
	secondsOfDay = 24 * 60 * 60
)

// daysFrom1970 counts the days from 1970 to a day of the Gregorian calendar. Years
// begin with March here, so that the odd day of a leap year is the last of its
// year. [time.Date] takes twice the time: it takes months that do not exist, too.
func daysFrom1970(year, month, day int) int64 {
	const (
		cycle = 146_097         // days of 400 years, after which the calendar repeats
		epoch = 719_468 + cycle // days from March of the year −400 to 1970
	)
	if month < 3 {
		year, month = year-1, month+12
	}
	year += 400 // none is negative
	days := year*365 + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1
	return int64(days - epoch)
}

// seconds reads what may follow the minutes, with wide bytes before it: seconds
// with a fraction. It returns what follows them.
func seconds(s string, wide int) (second, nanos int, rest string, ok bool) {
	if wide == 1 && (s == "" || s[0] != ':') || wide == 0 && (s == "" || s[0]-'0' > 9) {
		return 0, 0, s, true
	}
	if len(s) < wide+2 {
		return 0, 0, "", false
	}
	second = pair(s, wide)
	nanos, rest, ok = fraction(s[wide+2:])
	return second, nanos, rest, ok
}

// inDay reports whether a time of day exists, the end of the day included; −1 is
// no number.
func inDay(hour, minute, second, nanos int) bool {
	if hour|minute|second < 0 || minute > 59 || second > 60 {
		return false
	}
	return hour < 24 || hour == 24 && minute|second|nanos == 0
}

// pair reads the two digits at s[i:], or returns −1.
func pair(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// fraction reads an optional fraction of a second and returns what follows it.
func fraction(s string) (nanos int, rest string, ok bool) {
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0, s, true
	}
	i, unit := 1, 100_000_000
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		nanos += int(s[i]-'0') * unit
		unit /= 10
	}
	return nanos, s[i:], i > 1
}

// offset reads a zone: how far its clocks are ahead of UTC.
func offset(s string) (east time.Duration, ok bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) > 3 && s[3] == ':' {
		if len(s) != len("+01:00") {
			return 0, false
		}
		return signed(s[0], pair(s, 1), pair(s, 4))
	}
	switch len(s) {
	case len("+0100"):
		return signed(s[0], pair(s, 1), pair(s, 3))
	case len("+01"):
		return signed(s[0], pair(s, 1), 0)
	}
	return 0, false
}

func signed(sign byte, hours, minutes int) (time.Duration, bool) {
	if hours|minutes < 0 || hours > 23 || minutes > 59 {
		return 0, false
	}
	east := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	switch sign {
	case '+':
		return east, true
	case '-':
		return -east, true
	}
	return 0, false
}
