package leyden

// Flags mark what a human should look at.
type Flags uint32

// The flags of a transaction.
const (
	MeterRollback      Flags = 1 << iota // the register fell: below meterStart, or by its quirks below where it stood before
	ClockSkew                            // station's and our clock differ by more than 5 min at the start
	Offline                              // reported late
	Incomplete                           // closed without a stop
	OrphanStop                           // a stop without a known start, or readings of an unknown transaction
	Unauthorized                         // recorded although the idTag was refused
	ContentConflict                      // the same fact was sent twice with different content, or signed readings do not agree with the charge
	ClockImplausible                     // a time that cannot be right
	MeterJump                            // more energy than the power of the connector allows
	ReservationUnknown                   // started on a reservation that we do not know
	Stale                                // open long after a boot of the station
	SeqGap                               // OCPP 2.x: events are missing
	StopUnconfirmed                      // a remote stop was accepted and no stop followed
	DuplicateSuspect                     // looks like another transaction sent again
	Unreadable                           // parts of a report could not be read and are kept raw
	BadSignature                         // a signed reading that the registered keys did not sign
)

var flagNames = [...]string{
	"METER_ROLLBACK", "CLOCK_SKEW", "OFFLINE", "INCOMPLETE", "ORPHAN", "UNAUTHORIZED", "CONTENT_CONFLICT",
	"CLOCK_IMPLAUSIBLE", "METER_JUMP", "RESERVATION_UNKNOWN", "STALE", "SEQ_GAP", "STOP_UNCONFIRMED",
	"DUPLICATE_SUSPECT", "UNREADABLE", "SIGNATURE_INVALID",
}

// Has reports whether all of g is set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// Names returns the words of the flags that are set, in a fixed order; never nil.
func (f Flags) Names() []string {
	names := []string{}
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
