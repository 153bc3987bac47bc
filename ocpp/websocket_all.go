package ocpp

import "github.com/gobwas/ws"

// ReceiveAll calls f with one message of tr after the other, until f returns an
// error, which it returns, or the connection ends, as with Receive. That is what a
// loop around Receive does, with fewer system calls where tr is a WebSocket over
// TCP: one to read a message, and none to find that there is no other.
func ReceiveAll(tr Transport, f func(msg []byte) error) error {
	s, ok := tr.(*socket)
	streams := ok && s.raw.sys != nil
	for {
		if streams && s.have() == 0 {
			if err := s.stream(f); err != nil {
				return err
			}
			continue
		}
		if err := tr.Receive(f); err != nil {
			return err
		}
	}
}

// handOut calls f with the messages that have arrived, as long as they are whole
// and nothing else stands between them. own says that the error is one of f.
func (s *socket) handOut(f func(msg []byte) error) (own bool, err error) {
	var m message
	for s.holdsMessage() && s.closed.Load() == nil {
		if _, err := s.step(&m); err != nil {
			return false, err
		}
		err := f(m.whole)
		m.free()
		if err != nil {
			return true, err
		}
	}
	return false, nil
}

// holdsMessage reports whether what has arrived begins with a whole message in a
// single frame.
func (s *socket) holdsMessage() bool {
	p := s.unread()
	if len(p) < ws.MinHeaderSize || len(p) < headerSize(p[1]) {
		return false
	}
	h, size, err := parseHeader(p)
	return err == nil && h.Fin && h.OpCode == ws.OpText && h.Length <= int64(len(p)-size)
}
