package csms

import "strings"

// plain reports that there is nothing in a text that suspicious looks for; if not,
// that has to look. All frames of all stations are asked this.
//
// Of what is looked for, one or two bytes at an even place, or the two behind it,
// are in a table: it is enough to look up every second pair.
func plain(text string) bool {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		w := eightAt(text, i)
		if hints[uint16(w)]|hints[uint16(w>>16)]|hints[uint16(w>>32)]|hints[uint16(w>>48)] != 0 && !plainFrom(text, i, i+8) {
			return false
		}
	}
	return plainFrom(text, i, len(text))
}

func eightAt(text string, i int) uint64 {
	s := text[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// plainFrom looks closer at the pairs that begin from one even place to another place.
func plainFrom(text string, from, to int) bool {
	for i := from; i < to; i += 2 {
		a, b, c, d := byteAt(text, i-1), byteAt(text, i), byteAt(text, i+1), byteAt(text, i+2)
		hint := hints[uint16(b)|uint16(c)<<8]
		if hint&hintAlone != 0 || hint&hintEnd != 0 && hintWith(a, b, c) || hint&hintBegin != 0 && hintWith(b, c, d) {
			return false
		}
	}
	return true
}

// byteAt returns a byte of a text, or a blank before and behind it.
func byteAt(text string, i int) byte {
	if uint(i) < uint(len(text)) {
		return text[i]
	}
	return ' '
}

// What a pair of bytes may be: bits.
const (
	hintBegin = 1 << iota // the first two letters of a hint
	hintEnd               // the last two
	hintAlone             // enough to look closer, whatever stands beside it
)

// hints tells of each pair of bytes, the first one being the lower, what it may
// be. Nobody writes to it.
var hints = hintTable()

func hintTable() *[1 << 16]byte {
	var table [1 << 16]byte
	for pair := range table {
		table[pair] = hintOf(byte(pair), byte(pair>>8))
	}
	return &table
}

func hintOf(a, b byte) (hint byte) {
	if alone(a) || alone(b) || b == '/' && (a == ':' || a == '/') {
		return hintAlone
	}
	a, b = a|0x20, b|0x20
	for _, h := range secretHints {
		if a == h[0] && b == h[1] {
			hint |= hintBegin
		}
		if a == h[1] && b == h[2] {
			hint |= hintEnd
		}
	}
	return hint
}

// alone reports whether a byte is enough to look closer.
func alone(b byte) bool { return b >= 0x80 || strings.IndexByte(`\@=`, b) >= 0 }
