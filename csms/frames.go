package csms

import (
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
// nothing.
type recorder struct {
	journal *journal
	station leyden.StationID
	reports func(action string) bool // of the dialect

	// Owned by the goroutine that serves.
	last    asked                // the last frame of the station that wanted an answer
	held    note                 // a report of the station whose transaction is not known yet
	holding bool                 // there is one
	about   leyden.TransactionID // under which the ledger recorded it

	mu   sync.Mutex // guards ours
	ours [8]asked   // our last calls, the youngest first: late answers come too

	plain [8]string // ids of our last calls without a secret, the youngest first; owned by who writes the journal
}

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
	n := note{by: r, Frame: leyden.Frame{
		Station: r.station, At: r.journal.srv.ledger.Now(), Sent: s.Sent, Type: frameType(&s),
		MessageID: s.Frame.ID, Action: s.Frame.Action, Text: string(s.Data),
	}}
	if len(n.Action) > maxText {
		n.Action = clip(n.Action)
	}
	switch {
	case s.Sent && n.Type == leyden.FrameCall:
		n.Transaction = cmp.Or(subjectOf(ctx), transactionIn(n.Text))
		r.remember(asked{n.MessageID, n.Action, n.Transaction})
	case s.Sent: // answers are given in order
		n.Action, n.Transaction = r.last.action, r.last.transaction
	case n.Type == leyden.FrameResult || n.Type == leyden.FrameError:
		a := r.recall(n.MessageID)
		n.Action, n.Transaction = a.action, a.transaction
	default:
		r.settle()
		r.last, r.about = asked{id: n.MessageID, action: n.Action}, 0
		if n.Type == leyden.FrameCall && r.reports(n.Action) {
			r.held, r.holding = n, true
			return
		}
	}
	r.journal.add(n)
}

// settle records the report that waits, if there is one: under the number that
// the ledger gave it, else under the one that it names.
func (r *recorder) settle() {
	if r == nil || !r.holding {
		return
	}
	n := r.held
	r.held, r.holding = note{}, false
	n.Transaction = cmp.Or(r.about, transactionIn(n.Text))
	r.last.transaction = n.Transaction
	r.journal.add(n)
}

// remember notes a call of ours.
func (r *recorder) remember(a asked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	copy(r.ours[1:], r.ours[:])
	r.ours[0] = a
}

// recall returns the call of ours with that id, or nothing.
func (r *recorder) recall(id string) asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.ours[:], func(a asked) bool { return a.id == id && id != "" })
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
	case n.Type == leyden.FrameBroken:
		return maskBroken(n.Text)
	case n.Type == leyden.FrameCall:
		text := maskRequest(n.Action, n.Text)
		if n.Sent && text == n.Text {
			copy(n.by.plain[1:], n.by.plain[:])
			n.by.plain[0] = n.MessageID
		}
		return text
	case !n.Sent && (n.Type == leyden.FrameError || repeats(n.Action)) && !slices.Contains(n.by.plain[:], n.MessageID):
		return maskEcho(n.Action, n.Text)
	case n.Type == leyden.FrameError:
		return maskError(n.Text)
	}
	return maskRequest(n.Action, n.Text)
}

// transactionIn returns the number that a frame names as its transactionId, or 0.
func transactionIn(frame string) leyden.TransactionID {
	_, rest, found := strings.Cut(frame, `"transactionId"`)
	if !found {
		return 0
	}
	rest = strings.TrimLeft(rest, ": \t\r\n\"")
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		rest = rest[:i]
	}
	n, err := strconv.ParseInt(rest, 10, 64)
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
