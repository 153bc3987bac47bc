package csms

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"leyden"
	"leyden/ocpp"
)

// A recorder gives the frames of one session to the journal. A nil one records
// nothing. What it keeps of a frame it copies: there are as many as stations, and
// a part of a text holds all of it in memory.
type recorder struct {
	journal *journal
	station leyden.StationID
	reports func(action string) bool // of the dialect

	// Owned by the goroutine that serves.
	action      string               // of the last frame of the station that wanted an answer
	transaction leyden.TransactionID // and what that is about
	held        note                 // a report of the station whose transaction is not known yet
	holding     bool                 // there is one
	about       leyden.TransactionID // under which the ledger recorded it

	mu   sync.Mutex // guards ours
	ours []asked    // our last calls, the youngest first: late answers come too

	plain []string // ids of our last calls without a secret, the youngest first; owned by who writes the journal
}

// maxAsked is how many of our calls a recorder remembers.
const maxAsked = 8

// An asked is a call whose answer has no action and no transaction of its own.
type asked struct {
	id, action  string
	transaction leyden.TransactionID
}

func newRecorder(j *journal, station leyden.StationID, d *dialect) *recorder {
	if j == nil {
		return nil
	}
	return &recorder{journal: j, station: station, reports: d.reports}
}

// see records a frame on its way. A report of the station waits in settle until
// its transaction is known.
func (r *recorder) see(ctx context.Context, s ocpp.Sight) {
	n := note{by: r, at: r.journal.srv.ledger.Now().UnixMicro(), sent: s.Sent, kind: frameType(&s), id: s.Frame.ID}
	switch {
	case s.Sent && n.kind == leyden.FrameCall:
		n.action, n.transaction = clip(s.Frame.Action), cmp.Or(subjectOf(ctx), transactionIn(s.Data))
		r.remember(asked{strings.Clone(n.id), n.action, n.transaction})
	case s.Sent: // answers are given in order
		n.action, n.transaction = r.action, r.transaction
	case n.kind == leyden.FrameResult || n.kind == leyden.FrameError:
		a := r.recall(n.id)
		n.action, n.transaction = a.action, a.transaction
	default:
		r.settle()
		if s.Frame.Action != r.action {
			r.action = clip(s.Frame.Action) // a copy
		}
		n.action, r.transaction, r.about = r.action, 0, 0
		if n.kind == leyden.FrameCall && r.reports(n.action) {
			r.journal.keep(&n, s.Data)
			r.held, r.holding = n, true
			return
		}
	}
	r.journal.add(&n, s.Data)
}

// settle records the report that waits, if there is one: under the number that
// the ledger gave it, else under the one that it names.
func (r *recorder) settle() {
	if r == nil || !r.holding {
		return
	}
	n := &r.held
	if n.transaction = r.about; n.transaction == 0 {
		n.transaction = transactionIn([]byte(n.text))
	}
	r.transaction = n.transaction
	r.journal.add(n, nil)
	r.held, r.holding = note{}, false
}

// remember notes a call of ours.
func (r *recorder) remember(a asked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ours = before(r.ours, a)
}

// before puts a call before the others, of which the oldest is forgotten.
func before[T any](calls []T, call T) []T {
	if len(calls) < maxAsked {
		calls = append(calls, call)
	}
	copy(calls[1:], calls)
	calls[0] = call
	return calls
}

// recall returns the call of ours with that id, or nothing.
func (r *recorder) recall(id string) asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.ours, func(a asked) bool { return a.id == id && id != "" })
	if i < 0 {
		return asked{}
	}
	return r.ours[i]
}

func frameType(s *ocpp.Sight) leyden.FrameType {
	switch {
	case s.Err != nil:
		return leyden.FrameBroken
	case s.Frame.Type == ocpp.Call:
		return leyden.FrameCall
	case s.Frame.Type == ocpp.CallResult:
		return leyden.FrameResult
	}
	return leyden.FrameError
}

// masked returns the text of a frame without secrets. What answers a call that
// had one, or that nobody knows, may repeat it.
func (n *note) masked() string {
	switch {
	case n.kind == leyden.FrameBroken:
		return maskBroken(n.text)
	case n.kind == leyden.FrameCall:
		text := maskRequest(n.action, n.text)
		if n.sent && text == n.text {
			n.by.plain = before(n.by.plain, strings.Clone(n.id))
		}
		return text
	case !n.sent && (n.kind == leyden.FrameError || repeats(n.action)) && !slices.Contains(n.by.plain, n.id):
		return maskEcho(n.action, n.text)
	case n.kind == leyden.FrameError:
		return maskError(n.text)
	}
	return maskRequest(n.action, n.text)
}

// transactionIn returns the number that a frame names as its transactionId, or 0.
func transactionIn(frame []byte) leyden.TransactionID {
	_, rest, found := bytes.Cut(frame, []byte(`"transactionId"`))
	if !found {
		return 0
	}
	rest = bytes.TrimLeft(rest, ": \t\r\n\"")
	if i := bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		rest = rest[:i]
	}
	n, err := strconv.ParseInt(string(rest), 10, 64)
	if err != nil || n > math.MaxInt32 {
		return 0
	}
	return leyden.TransactionID(n)
}

type subjectKey struct{}

// concerning returns a context for calls about a transaction that they do not
// name.
func concerning(ctx context.Context, id leyden.TransactionID) context.Context {
	return context.WithValue(ctx, subjectKey{}, id)
}

func subjectOf(ctx context.Context) leyden.TransactionID {
	id, _ := ctx.Value(subjectKey{}).(leyden.TransactionID)
	return id
}

// concerns notes under which transaction the ledger recorded the report that is
// being handled, also for the journal.
func (s *session) concerns(id leyden.TransactionID) {
	s.led = id
	if s.frames != nil {
		s.frames.about = id
	}
}
