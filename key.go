package leyden

import (
	"strconv"
	"strings"
	"time"
)

// The keys by which a resend of a 1.6 report is recognised: 1.6 has no id for
// its reports, and the message id is none, for a retry may reuse it or not and
// many stations count anew after a boot (docs/ocpp.md "Replays").

// implausibleBefore is when a station's clock cannot have been: 1.6 is younger.
var implausibleBefore = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

// startKey is (connector, idTag, instant, meterStart, occurrence). A station
// whose clock is stuck and whose meter resets repeats all but the last.
func startKey(e *Event, occurrence int) string {
	var b strings.Builder
	b.WriteString("S|")
	b.WriteString(strconv.Itoa(e.Connector))
	b.WriteByte('|')
	b.WriteString(e.Token.Fold())
	writeInstant(&b, e.sentAt())
	writeRegister(&b, e.Register)
	b.WriteByte('|')
	b.WriteString(strconv.Itoa(occurrence))
	return b.String()
}

// stopKey is the number when it is ours for that station. Two offline charges
// may both stop with −1: then it is (number, instant, meterStop, idTag), with
// the hash of the payload for an instant that cannot be read.
func stopKey(e *Event, ours bool) string {
	var b strings.Builder
	b.WriteString("E|")
	writeNumber(&b, e.Number)
	if ours {
		return b.String()
	}
	writeInstant(&b, e.sentAt())
	writeRegister(&b, e.Register)
	b.WriteByte('|')
	b.WriteString(e.Token.Fold())
	if e.At.IsZero() {
		b.WriteByte('|')
		b.WriteString(e.Digest)
	}
	return b.String()
}

// meterKey is (connector, number, hash of the payload), and whether the number is
// ours for that station. A number that is drawn later than it was first sent makes
// other readings of them.
func meterKey(e *Event, ours bool) string {
	var b strings.Builder
	b.WriteString("M|")
	b.WriteString(strconv.Itoa(e.Connector))
	b.WriteByte('|')
	if !ours && e.Number != nil {
		b.WriteByte('?')
	}
	writeNumber(&b, e.Number)
	b.WriteByte('|')
	b.WriteString(e.Digest)
	return b.String()
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

func writeNumber(b *strings.Builder, n *int64) {
	if n == nil {
		b.WriteByte('-')
		return
	}
	b.WriteString(strconv.FormatInt(*n, 10))
}

func writeInstant(b *strings.Builder, t time.Time) {
	b.WriteByte('|')
	if t.IsZero() {
		b.WriteByte('?')
		return
	}
	b.WriteString(strconv.FormatInt(t.UnixMicro(), 10))
}

func writeRegister(b *strings.Builder, wh *WattHours) {
	b.WriteByte('|')
	if wh == nil {
		b.WriteByte('?')
		return
	}
	b.WriteString(strconv.FormatInt(int64(*wh), 10))
}
