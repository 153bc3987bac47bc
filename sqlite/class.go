package sqlite

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"leyden"
)

// unknown stands for a time that is not known, in the columns …_order: it is the
// newest.
const unknown = math.MaxInt64

// micros returns t as the columns …_order have it.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return unknown
	}
	return t.UnixMicro()
}

// A class says of a transaction all that few values can say: connector, status,
// whether it began remotely and has a start, and its level. Lists filter by it,
// and each class has indexes in every order. It is the column of that name.
type class int64

const (
	levelBits   = 3 // of a class
	startBit    = 4
	remoteBit   = 8
	statusUnit  = 16
	statusBits  = 15 * statusUnit
	connectUnit = 256
	// otherConnectors stands for all connectors from it on.
	otherConnectors = 31
)

func (c class) status() leyden.Status { return leyden.Status(c & statusBits / statusUnit) }
func (c class) connector() int        { return int(c / connectUnit) }
func (c class) remote() bool          { return c&remoteBit != 0 }
func (c class) level() int            { return int(c & levelBits) }
func (c class) listed() bool          { return c.status() != leyden.Void }
func (c class) charged() bool         { return c.status().Charged() && c&startBit != 0 }

// irregular is the level of transactions whose times say nothing of each other.
const irregular = 3

// farApart is the level from which on times lie days apart.
const farApart = 2

// spread returns how far the times of a transaction of a level lie apart, as far
// as they are known, in microseconds.
func spread(level int) int64 {
	const hour = int64(time.Hour / time.Microsecond)
	return []int64{12 * hour, 4 * 24 * hour, 32 * 24 * hour}[level]
}

// levelOf is what the column's expression says of three times.
func levelOf(started, stopped, inserted int64) int {
	if stopped == unknown && inserted == unknown {
		return 0
	}
	if started == unknown || stopped < started {
		return irregular
	}
	low, high := started, started
	for _, at := range []int64{stopped, inserted} {
		if at != unknown {
			low, high = min(low, at), max(high, at)
		}
	}
	for level := range irregular {
		if high-low <= spread(level) {
			return level
		}
	}
	return irregular
}

// classOf is what the column's expression says of a transaction with these times.
func classOf(connector, status int64, remote, hasStart bool, times [3]int64) class {
	if connector < 0 || connector > otherConnectors {
		connector = otherConnectors
	}
	c := class(connector*connectUnit + status*statusUnit)
	if remote {
		c += remoteBit
	}
	if hasStart {
		c += startBit
	}
	return c + class(levelOf(times[timeStarted], times[timeStopped], times[timeStamped]))
}

// inClass reports whether q may select transactions of a class. It does not
// select all of them if their connector is among the others.
func inClass(q *leyden.Query, c class) bool {
	status := len(q.Statuses) == 0 && c.listed() || slices.Contains(q.Statuses, c.status())
	connector := q.Connector == 0 || c.connector() == q.Connector ||
		c.connector() == otherConnectors && (q.Connector < 0 || q.Connector > otherConnectors)
	return status && connector && (q.Remote == nil || *q.Remote == c.remote()) && (!q.Charged || c.charged())
}

// classTerms restricts s to the classes that q selects.
func (s *selection) classTerms(q *leyden.Query) {
	switch {
	case len(q.Statuses) > 0:
		s.add(statusTerm(q.Statuses))
	case !q.Charged:
		s.add(fmt.Sprintf(`class & %d <> %d`, statusBits, leyden.Void*statusUnit))
	}
	if q.Charged {
		s.add(fmt.Sprintf(`class & %d`, startBit))
		s.add(statusTerm([]leyden.Status{leyden.Active, leyden.Stopping, leyden.Completed}))
	}
	if q.Remote != nil {
		s.add(fmt.Sprintf(`(class & %d <> 0) = ?`, remoteBit), truth(*q.Remote))
	}
	s.connectorTerm(q)
}

func (s *selection) connectorTerm(q *leyden.Query) {
	if q.Connector == 0 {
		return
	}
	if q.Connector > 0 && q.Connector < otherConnectors {
		s.add(fmt.Sprintf(`class / %d = ?`, connectUnit), integer(int64(q.Connector)))
		return
	}
	s.add(`connector = ?`, integer(int64(q.Connector)))
}

func statusTerm(statuses []leyden.Status) string {
	var numbers []string
	for _, s := range statuses {
		numbers = append(numbers, fmt.Sprint(int64(s)*statusUnit))
	}
	return fmt.Sprintf(`class & %d IN (%s)`, statusBits, strings.Join(numbers, `, `))
}
