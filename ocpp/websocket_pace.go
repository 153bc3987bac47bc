package ocpp

import "time"

const (
	// paceBytes is how many bytes of a frame count as one more.
	paceBytes = 512
	// paceBurst is how far ahead of its pace a peer may be: a second of silence
	// more than pays for what a station tells of all its connectors as it boots.
	paceBurst = 200 * time.Millisecond
	// paceRest is how much of the burst is given back at once: a peer that is too
	// fast wakes nobody for each frame.
	paceRest = 10 * time.Millisecond
)

// spend books a frame of n bytes on the peer's account, as of when it arrived. What
// was read is answered first; the next frame pays for it.
func (s *socket) spend(n int64) {
	if s.timeout.Pace < 0 {
		return
	}
	if s.paid.Before(s.heard) {
		s.paid = s.heard
	}
	s.paid = s.paid.Add(s.timeout.Pace * time.Duration(1+n/paceBytes))
}

// rest waits, before a frame is read, until the peer is within its pace. What the
// peer sends meanwhile waits in the network, in the end with the peer itself. A
// socket that ends rests no longer: all that is left to read is a close.
func (s *socket) rest() {
	if s.paid.Sub(s.heard) <= paceBurst { // and so it was before
		return
	}
	ahead := time.Until(s.paid) - paceBurst
	if ahead <= 0 {
		return
	}
	ahead += paceRest
	s.nap(ahead)
	if !s.begun.IsZero() {
		s.begun = s.begun.Add(ahead) // that the message is late is our doing
	}
}

// nap waits that long, or until the socket ends.
func (s *socket) nap(d time.Duration) {
	woken := make(chan struct{})
	s.resting.Store(&woken)
	defer s.resting.Store(nil)
	if s.closed.Load() != nil { // maybe before it could see that somebody is to be woken
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-woken:
	}
}
