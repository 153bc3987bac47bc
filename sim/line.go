package sim

import (
	"bytes"
	"fmt"
	"sync"

	"leyden/ocpp"
)

// A fate is what the network does to one call.
type fate int

const (
	delivered    fate = iota
	cutBefore         // the connection is lost before the call leaves
	cutSent           // … when the call has left
	cutAnswering      // … when the answer arrives, which the station never sees
	cutAnswered       // … when the station has the answer
	unheard           // the answer is lost, the connection stays
)

// A line is a station's transport with the faults of a network and the message
// ids of a particular firmware.
type line struct {
	ocpp.Transport

	mu    sync.Mutex
	fate  fate
	alias string // what the peer sees as id of the open call; empty: its own
	id    string // the id that the connection gave it
	lost  []byte // the answer that the station did not get
}

// arm decides the fate of the next call, which goes out under alias unless that
// is empty.
func (l *line) arm(f fate, alias string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate, l.alias, l.id, l.lost = f, alias, "", nil
}

// overheard returns the answer to the last call if it was lost on the way.
func (l *line) overheard() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate = delivered
	return l.lost
}

// Send implements ocpp.Transport.
func (l *line) Send(msg []byte) error {
	if !bytes.HasPrefix(msg, []byte(`[2,"`)) {
		return l.Transport.Send(msg)
	}
	msg, f := l.leaving(msg)
	if f == cutBefore {
		return l.cut()
	}
	err := l.Transport.Send(msg)
	if f == cutSent && err == nil {
		_ = l.cut() // the call has left: its answer will not come
	}
	return err
}

// cut ends the connection without a word.
func (l *line) cut() error {
	if err := l.Close(ocpp.CloseAbnormal, ""); err != nil {
		return fmt.Errorf("cut: %w: %w", err, ocpp.ErrClosed)
	}
	return &ocpp.CloseError{Code: ocpp.CloseAbnormal}
}

func (l *line) leaving(msg []byte) ([]byte, fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alias == "" {
		return msg, l.fate
	}
	rest := msg[len(`[2,"`):]
	id, rest, _ := bytes.Cut(rest, []byte{'"'})
	l.id = string(id)
	return slicesOf(`[2,"`, l.alias, `"`, string(rest)), l.fate
}

// Receive implements ocpp.Transport.
func (l *line) Receive(f func(msg []byte) error) error {
	return l.Transport.Receive(func(msg []byte) error {
		if !bytes.HasPrefix(msg, []byte("[3")) && !bytes.HasPrefix(msg, []byte("[4")) {
			return f(msg)
		}
		msg, fate := l.arriving(msg)
		if fate == cutAnswering {
			return l.cut()
		}
		if fate == unheard {
			return nil
		}
		return f(msg)
	})
}

func (l *line) arriving(msg []byte) ([]byte, fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fate == cutAnswering || l.fate == unheard {
		l.lost = bytes.Clone(msg)
		return nil, l.fate
	}
	head, rest, _ := bytes.Cut(msg, []byte{'"'})
	if id, rest, ok := bytes.Cut(rest, []byte{'"'}); ok && l.id != "" && string(id) == l.alias {
		return slicesOf(string(head), `"`, l.id, `"`, string(rest)), l.fate
	}
	return msg, l.fate
}

func slicesOf(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
