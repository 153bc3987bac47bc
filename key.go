package leyden

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The keys by which a resend of a 1.6 report is recognised: 1.6 has no id for
// its reports, and the message id is none, for a retry may reuse it or not and
// many stations count anew after a boot (docs/ocpp.md "Replays").

// implausibleBefore is when a station's clock cannot have been: 1.6 is younger.
var implausibleBefore = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

// startKey is (connector, idTag, instant, meterStart, occurrence). A station
// whose clock is stuck and whose meter resets repeats all but the last.
func startKey(e *Event, sent time.Time, occurrence int) string {
	var room [keyRoom]byte
	b := strconv.AppendInt(append(room[:0], "S|"...), int64(e.Connector), 10)
	b = appendFolded(append(b, '|'), e.Token.Value)
	b = appendRegister(appendInstant(b, sent), e.Register)
	b = strconv.AppendInt(append(b, '|'), int64(occurrence), 10)
	return string(b)
}

// stopKey is the number when it is ours for that station. Two offline charges
// may both stop with −1: then it is (number, instant, meterStop, idTag), with
// the hash of the payload for an instant that cannot be read.
func stopKey(e *Event, ours bool) string {
	var room [keyRoom]byte
	b := appendNumber(append(room[:0], "E|"...), e.Number)
	if ours {
		return string(b)
	}
	b = appendRegister(appendInstant(b, e.sentAt()), e.Register)
	b = append(append(b, '|'), e.Token.Fold()...)
	if e.At.IsZero() {
		b = append(append(b, '|'), e.Digest...)
	}
	return string(b)
}

// meterKey is (connector, number, hash of the payload), and whether the number is
// ours for that station. A number that is drawn later than it was first sent makes
// other readings of them. It is valid until the next one of r.
func (r *Report) meterKey(ours bool) []byte {
	e := r.Event
	b := strconv.AppendInt(append(r.room[:0], "M|"...), int64(e.Connector), 10)
	b = append(b, '|')
	if !ours && e.Number != nil {
		b = append(b, '?')
	}
	b = append(appendNumber(b, e.Number), '|')
	return append(b, e.Digest...)
}

// ownKey is the key of a decision of the ledger: at most one of a kind for
// each transaction and round.
func ownKey(kind EventKind, id TransactionID, round int) string {
	return "L|" + strconv.Itoa(int(kind)) + "|" + strconv.Itoa(int(id)) + "|" + strconv.Itoa(round)
}

// sentAt returns the time that was sent, as it reads in UTC if it was without a
// zone: what an operator says of the zone makes no other report of it.
func (e *Event) sentAt() time.Time {
	if e.At.IsZero() {
		return e.At
	}
	return e.At.Add(e.Zone)
}

// appendFolded appends what [IDToken.Fold] returns of a value.
func appendFolded(b []byte, value string) []byte {
	from := len(b)
	for i := range len(value) {
		c := value[i]
		if c >= utf8.RuneSelf {
			return append(b[:from], strings.ToLower(value)...)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// keyRoom is how long keys are, but for odd ones.
const keyRoom = 128

func appendNumber(b []byte, n *int64) []byte {
	if n == nil {
		return append(b, '-')
	}
	return strconv.AppendInt(b, *n, 10)
}

func appendInstant(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "|?"...)
	}
	return strconv.AppendInt(append(b, '|'), t.UnixMicro(), 10)
}

func appendRegister(b []byte, wh *WattHours) []byte {
	if wh == nil {
		return append(b, "|?"...)
	}
	return strconv.AppendInt(append(b, '|'), int64(*wh), 10)
}
