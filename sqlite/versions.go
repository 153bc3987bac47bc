package sqlite

import "leyden"

// A version is how often a transaction changed, as the daybook has it.
type version struct {
	station leyden.StationID
	version int
	number  uint64 // the record of its last change
}

// Versions are those of the transactions that changed last: of all that a record
// changes which is not posted, and of others that may be let go.
type versions struct {
	young, old map[leyden.TransactionID]version
}

// maxVersions is when the old ones are let go.
const maxVersions = 16384

func (v *versions) get(id leyden.TransactionID) (version, bool) {
	if known, ok := v.young[id]; ok {
		return known, true
	}
	known, ok := v.old[id]
	return known, ok
}

// put keeps a version. Those whose records are posted may go.
func (v *versions) put(id leyden.TransactionID, now version, posted uint64) {
	if v.young == nil || len(v.young) >= maxVersions {
		gone := v.old
		v.young, v.old = make(map[leyden.TransactionID]version), v.young
		for id, known := range gone {
			if _, newer := v.old[id]; known.number > posted && !newer {
				v.young[id] = known
			}
		}
	}
	v.young[id] = now
}

func (v *versions) forget(id leyden.TransactionID) {
	delete(v.young, id)
	delete(v.old, id)
}
