package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// maxUrgent bounds the messages that are told once: beyond it the oldest are
// dropped, as by a station with little memory.
const maxUrgent = 64

// A message is a CALL that waits to be sent, or answered.
type message struct {
	action string
	// build returns the payload. It is called for every attempt, since a
	// message of a transaction learns the transaction's number on the way.
	build func() ocpp.Request
	// answered is called with the answer, once.
	answered func(res ocpp.Response, now time.Time)
	// dropped is called instead when there will be no answer, for a message
	// that is told once; cutOff says that nobody has refused it.
	dropped func(now time.Time, cutOff bool)
	// extension says that the central system need not know the message.
	extension bool

	// The rest is for transaction messages.
	charge    *charge
	answer    Answer
	id        string // if it keeps its message id
	notBefore time.Time
	sends     int
	failures  int // attempts that count
	done      bool
	repeated  bool
	starts    []v16.StartTransactionResponse // all answers to a start
}

// An outbox is what a station has to say.
type outbox struct {
	open    *message   // waits for its answer
	urgent  []*message // told once, first
	later   []*message // told once, when there is a connection
	durable []*message // transaction messages, in order, until they are answered
	numbers int        // of message ids
}

// tell queues a message that is told once. Without a connection it is dropped.
func (s *station) tell(m *message, now time.Time) {
	if !s.booted {
		m.drop(now, true)
		return
	}
	if len(s.urgent) == maxUrgent {
		s.urgent[0].drop(now, true)
		s.urgent = slices.Delete(s.urgent, 0, 1)
	}
	s.urgent = append(s.urgent, m)
}

func (m *message) drop(now time.Time, cutOff bool) {
	if m.dropped != nil {
		m.dropped(now, cutOff)
	}
}

// abandon drops what is told once.
func (s *station) abandon(cutOff bool) {
	urgent := s.urgent
	s.urgent = nil
	for _, m := range urgent {
		m.drop(s.clock(), cutOff)
	}
}

// put queues a transaction message.
func (s *station) put(m *message) {
	if m.charge.forgotten {
		return
	}
	if s.ids == idsResent {
		s.numbers++
		m.id = fmt.Sprintf("%s:%d", s.serial, s.numbers)
	}
	s.durable = append(s.durable, m)
	s.book.queued.Add(1)
}

// nextSend returns when there may be something to send.
func (s *station) nextSend(now time.Time) time.Time {
	if !s.booted {
		return s.bootAt
	}
	if len(s.urgent) > 0 {
		return now
	}
	next := s.beatAt
	if len(s.durable) > 0 && (next.IsZero() || s.durable[0].notBefore.Before(next)) {
		next = s.durable[0].notBefore
	}
	return next
}

// next takes what is to be sent now, or nil. Transaction messages stay.
func (s *station) next(now time.Time) *message {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	switch {
	case due(s.bootAt):
		return s.bootMessage(now)
	case !s.booted:
		return nil
	case len(s.urgent) > 0:
		m := s.urgent[0]
		s.urgent = slices.Delete(s.urgent, 0, 1)
		return m
	case len(s.durable) > 0 && !s.durable[0].notBefore.After(now):
		return s.pick(now)
	case due(s.beatAt):
		s.beatAt = time.Time{}
		if d := s.config.seconds(keyHeartbeat); d > 0 {
			s.beatAt = now.Add(d)
		}
		return heartbeat()
	}
	return nil
}

// pick returns the first transaction message, or one that overtakes it.
func (s *station) pick(now time.Time) *message {
	if s.opt.Faults.Reorder == 0 || s.chance.Float64() >= s.opt.Faults.Reorder {
		return s.durable[0]
	}
	var able []*message
	for i, m := range s.durable {
		if !m.notBefore.After(now) && m.mayOvertake(s.durable[:i]) {
			able = append(able, m)
		}
	}
	return able[s.chance.IntN(len(able))] // the first always is
}

// mayOvertake reports whether m may leave before others. A message needs the number
// that the answer to its start gives; and where one charge ends the next one begins.
func (m *message) mayOvertake(others []*message) bool {
	if m.done {
		return true
	}
	return !slices.ContainsFunc(others, func(o *message) bool {
		if o.done || o.charge.Connector != m.charge.Connector {
			return false
		}
		return o.action == "StartTransaction" || o.action == "StopTransaction" && o.charge != m.charge
	})
}

func heartbeat() *message {
	return &message{action: "Heartbeat", build: func() ocpp.Request { return new(v16.Heartbeat) }}
}

// An outcome is what came of an attempt.
type outcome struct {
	conn   *ocpp.Conn
	fate   fate
	answer []byte
	lost   []byte // an answer that the network kept
	err    error
	took   time.Duration
}

// send sends what is next, if nothing is open.
func (s *station) send(ctx context.Context, now time.Time) {
	if s.conn == nil || s.open != nil {
		return
	}
	m := s.next(now)
	if m == nil {
		return
	}
	f := s.draw(m)
	if m.charge != nil && f != cutBefore {
		if m.sends++; m.sends > 1 {
			s.book.resends.Add(1)
		}
	}
	s.open = m
	payload := s.payload(m)
	conn, line := s.conn, s.line
	line.arm(f, m.id)
	s.wg.Go(func() {
		began := time.Now()
		callCtx, cancel := context.WithTimeout(ctx, s.opt.CallTimeout)
		defer cancel()
		answer, err := conn.CallRaw(callCtx, m.action, payload)
		o := outcome{conn, f, answer, line.overheard(), err, time.Since(began)}
		s.post(ctx, func() { s.settle(m, o) })
	})
}

// draw decides what the network does to m.
func (s *station) draw(m *message) fate {
	if m.charge == nil {
		return delivered
	}
	x, faults := s.chance.Float64(), s.opt.Faults
	if x < faults.Cut {
		return cutBefore + fate(s.chance.IntN(int(unheard-cutBefore)))
	}
	if x < faults.Cut+faults.Lose {
		return unheard
	}
	return delivered
}

// settle takes the outcome of an attempt.
func (s *station) settle(m *message, o outcome) {
	now := s.clock()
	s.open = nil
	if o.lost != nil {
		s.overhear(m, o.lost)
	}
	refusal, refused := o.err.(*ocpp.Error) // one that is wrapped is not the peer's
	switch {
	case refused && m.extension && (refusal.Code == ocpp.NotImplemented || refusal.Code == ocpp.NotSupported):
		m.drop(now, false) // it may be an old one
	case o.err == nil:
		s.accept(m, o, now)
	case refused:
		s.book.callErrors.Add(1)
		s.book.breach(s.id, "an answer to its "+m.action, "CALLERROR %v", o.err)
		s.fail(m, now, false)
	case errors.Is(o.err, ocpp.ErrClosed):
		s.lose(o.conn)
		m.drop(now, true)
	case o.fate == unheard:
		s.book.timeouts.Add(1) // of the network's making: no attempt is burnt
	case errors.Is(o.err, context.DeadlineExceeded):
		s.book.timeouts.Add(1)
		s.fail(m, now, true)
	default:
		s.book.breach(s.id, "an answer to its "+m.action, "%v", o.err)
		s.fail(m, now, false)
	}
}

// fail counts an attempt that was refused, or met with silence (OCPP 1.6 §9.1,
// TransactionMessageAttempts).
func (s *station) fail(m *message, now time.Time, cutOff bool) {
	if m.charge == nil {
		m.drop(now, cutOff)
		return
	}
	m.failures++
	if m.failures < s.config.count(keyAttempts) {
		m.notBefore = now.Add(time.Duration(m.failures) * s.config.seconds(keyRetryInterval))
		return
	}
	m.charge.Deleted = true
	s.book.breach(s.id, "its "+m.action+" to be kept", "%d failed attempts: the message is deleted", m.failures)
	if m.action == "StartTransaction" && !m.done {
		m.charge.forgotten = true
	}
	s.remove(func(x *message) bool { return x == m || x.charge == m.charge && m.charge.forgotten })
}

// remove takes transaction messages out of the queue.
func (s *station) remove(which func(*message) bool) {
	n := len(s.durable)
	s.durable = slices.DeleteFunc(s.durable, which)
	s.book.queued.Add(int64(len(s.durable) - n))
}

// accept takes an answer.
func (s *station) accept(m *message, o outcome, now time.Time) {
	s.failures = 0
	s.book.messages.Add(1)
	s.book.answerLatency.add(o.took)
	res := v16.NewResponse(m.action)
	if !s.conforms("its answer to "+m.action, res, string(o.answer)) {
		s.fail(m, now, false)
		return
	}
	if m.charge == nil {
		if m.answered != nil {
			m.answered(res, now)
		}
		return
	}
	if !s.waiting.IsZero() {
		s.waiting = now
	}
	s.acceptTransaction(m, res, o, now)
	if o.fate == cutAnswered {
		s.lose(o.conn)
	}
}

// acceptTransaction takes the answer to a transaction message.
func (s *station) acceptTransaction(m *message, res ocpp.Response, o outcome, now time.Time) {
	s.remove(func(x *message) bool { return x == m })
	if start, ok := res.(*v16.StartTransactionResponse); ok {
		s.book.startLatency.add(o.took)
		s.compare(m, *start)
	}
	if !m.done {
		m.done = true
		if s.opt.Record {
			m.answer.Sends = m.sends
			m.charge.Answers = append(m.charge.Answers, m.answer)
		}
		m.answered(res, now)
	}
	if !m.repeated && s.chance.Float64() < s.opt.Faults.Repeat {
		m.repeated = true
		s.repeat(m, s.chance.IntN(2) == 0)
	}
}

// repeat queues an answered message again: first, or last.
func (s *station) repeat(m *message, first bool) {
	i := len(s.durable)
	if first {
		i = 0
	}
	s.durable = slices.Insert(s.durable, i, m)
	s.book.queued.Add(1)
}

// overhear learns from an answer that the station did not get.
func (s *station) overhear(m *message, frame []byte) {
	f, err := ocpp.ParseFrame(frame)
	if err != nil || f.Type != ocpp.CallResult {
		s.book.breach(s.id, "an answer to its "+m.action, "%.200s", frame)
		return
	}
	res := v16.NewResponse(m.action)
	if !s.conforms("its answer to "+m.action, res, f.Payload) {
		return
	}
	if start, ok := res.(*v16.StartTransactionResponse); ok {
		s.compare(m, *start)
	}
}

// conforms reports whether payload could be read into x, and notes all that its
// schema forbids.
func (s *station) conforms(what string, x ocpp.Decoder, payload string) bool {
	var v ocpp.Violations
	err := x.Decode(payload, &v)
	usable := err == nil
	for _, one := range v.List {
		usable = usable && one.Kept
	}
	if err == nil {
		err = v.Err()
	}
	if err == nil && v.Extra > 0 {
		err = fmt.Errorf("%d properties that the schema does not know", v.Extra)
	}
	if err != nil {
		s.book.breach(s.id, what+" to conform to its schema", "%v: %.200s", err, payload)
	}
	return usable
}

// compare holds all answers to one start against each other, and their number
// against those of all other charges.
func (s *station) compare(m *message, res v16.StartTransactionResponse) {
	if len(m.starts) > 0 && m.starts[0] != res {
		s.book.breach(s.id, "a resent StartTransaction to be answered like before", "%+v after %+v", res, m.starts[0])
	}
	m.starts = append(m.starts, res)
	ch := m.charge
	if slices.Contains(ch.TransactionIDs, res.TransactionID) {
		return
	}
	ch.TransactionIDs = append(ch.TransactionIDs, res.TransactionID)
	if res.TransactionID < 1 {
		s.book.breach(s.id, "a transactionId above 0", "%d", res.TransactionID)
	}
	if owner := s.book.claim(res.TransactionID, &ch.Charge); owner != &ch.Charge {
		s.book.breach(s.id, "a transactionId of its own", "%d, which is that of %s", res.TransactionID, owner.Station)
	}
}
