package csms

import (
	"sync"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// An inbox16 is what the messages are read into that stations send all the time.
// It serves one message after another, of any station: lists that grew in it are
// not made again. What is made of a message must not point into it.
type inbox16 struct {
	authorize   v16.Authorize
	heartbeat   v16.Heartbeat
	status      v16.StatusNotification
	start       v16.StartTransaction
	meterValues v16.MeterValues
	stop        v16.StopTransaction

	found ocpp.Violations
	zone  zone
}

var inboxes16 = sync.Pool{New: func() any {
	in := new(inbox16)
	in.found.Local = in.zone.local
	return in
}}

// inbox16 returns one for a message of the station.
func (s *session) inbox16() *inbox16 {
	in := inboxes16.Get().(*inbox16)
	in.zone.session = s
	return in
}

// done gives an inbox back in which payload was read, best before the message waits
// for storage; one that is not given back is garbage. Lists that a long message made
// are not worth their memory.
func (in *inbox16) done(payload string) {
	const longest = 4 << 10
	if len(payload) > longest {
		return
	}
	in.found.Reset()
	in.zone = zone{}
	inboxes16.Put(in)
}
