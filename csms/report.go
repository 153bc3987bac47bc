package csms

import (
	"sync"
	"unsafe"

	"leyden"
)

// A report is one of the ledger that is being made of a payload, with room for what
// that needs: reports are used again, and nothing of them is kept.
type report struct {
	*leyden.Report
	payload string
	number  int64
	digest  []byte
	frame   []byte
	samples []leyden.Sample
}

var reports = sync.Pool{New: func() any {
	return &report{digest: make([]byte, 0, digestSize), samples: make([]leyden.Sample, 0, 4)}
}}

// report begins a report of what a payload tells.
func (s *session) report(kind leyden.EventKind, payload string) *report {
	r := reports.Get().(*report)
	r.Report, r.payload, r.samples = s.srv.ledger.NewReport(), payload, r.samples[:0]
	r.digest = appendDigest(r.digest[:0], payload)
	e := r.Event
	e.Kind, e.Station, e.Digest = kind, s.station, inPlace(r.digest)
	return r
}

// inPlace returns b as a text, which is valid until b is changed.
func inPlace(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// free gives a report back. One that is larger than most is garbage.
func (r *report) free() {
	const most = 64 // samples
	r.Report.Free()
	if cap(r.samples) > most || cap(r.frame) > maxSpareFrame {
		return
	}
	r.Report = nil
	reports.Put(r)
}

// maxSpareFrame is how many bytes of a frame there is room for in a spare report.
const maxSpareFrame = 4 << 10

// setNumber takes the transaction's number as it was sent.
func (r *report) setNumber(n int) {
	r.number = int64(n)
	r.Event.Number = &r.number
}

// keepFrame takes the whole message along, in case the ledger has to keep it.
func (r *report) keepFrame(s *session, c call) {
	r.frame = c.appendFrame(r.frame[:0])
	r.Frame = s.toKeep(inPlace(r.frame))
}
