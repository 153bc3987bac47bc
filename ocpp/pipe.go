package ocpp

import "sync"

// pipeLimit is how many messages a pipe holds in each direction before Send
// waits, as it does for a peer that stopped reading.
const pipeLimit = 1024

// Pipe returns two transports joined in memory. They block only in ways that
// testing/synctest understands, and never look at the clock.
func Pipe() (a, b Transport) {
	l := new(line)
	l.changed.L = &l.mu
	return &pipeEnd{l, 0}, &pipeEnd{l, 1}
}

// A line is what the two ends of a pipe share.
type line struct {
	mu      sync.Mutex
	changed sync.Cond
	queue   [2][]*buffer // the messages on their way to each end
	closed  *CloseError
	closer  int // the end that closed it
}

// A pipeEnd is one end of a line.
type pipeEnd struct {
	*line
	end int
}

func (p *pipeEnd) Receive(f func(msg []byte) error) error {
	m, err := p.take()
	if err != nil {
		return err
	}
	defer func() {
		for i := range m.b {
			m.b[i] = '#' // whoever kept a part of it shall see
		}
		m.free()
	}()
	return f(m.b)
}

// take waits for a message. What was sent before the other end closed still
// arrives.
func (p *pipeEnd) take() (*buffer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue[p.end]) == 0 && p.closed == nil {
		p.changed.Wait()
	}
	if len(p.queue[p.end]) == 0 || p.closed != nil && p.closer == p.end {
		return nil, p.closed
	}
	m := p.queue[p.end][0]
	p.queue[p.end] = p.queue[p.end][1:]
	p.changed.Broadcast()
	return m, nil
}

func (p *pipeEnd) Send(msg []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	peer := 1 - p.end
	for len(p.queue[peer]) == pipeLimit && p.closed == nil {
		p.changed.Wait()
	}
	if p.closed != nil {
		return p.closed
	}
	m := newBuffer()
	m.b = append(m.b, msg...)
	p.queue[peer] = append(p.queue[peer], m)
	p.changed.Broadcast()
	return nil
}

func (p *pipeEnd) Close(code CloseCode, reason string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != nil {
		return nil
	}
	p.closed, p.closer = &CloseError{code, reason}, p.end
	p.changed.Broadcast()
	return nil
}
