package ocpp

// A Direction says who may send the CALL of an action.
type Direction int

// The directions of an action; its zero value is the one of no action.
const (
	None Direction = iota
	FromStation
	FromCSMS
	Both
)

// String returns d in words.
func (d Direction) String() string {
	switch d {
	case FromStation:
		return "from station"
	case FromCSMS:
		return "from CSMS"
	case Both:
		return "both"
	}
	return "none"
}
