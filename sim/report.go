package sim

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// A Charge is what physically happened at a connector, and what the central
// system has confirmed of it.
type Charge struct {
	Station   string
	Connector int
	Number    int // of the visit, from 0; −1 when it was started remotely
	IDTag     string
	Remote    bool // started by a RemoteStartTransaction

	StartedAt, StoppedAt time.Time // station's clock, in ms; StoppedAt is zero while it runs
	MeterStart           int       // Wh, as the start says it
	MeterStop            int       // Wh, as the stop says it
	Energy               int       // Wh that were counted, also before a reset of the meter; 0 while it runs
	Reason               string    // of the stop; never empty, though a stop may leave out Local
	// InitialSoC and EndSoC are the first and the last state of charge that was
	// put into a message, in percent; nil where the station does not know it.
	InitialSoC, EndSoC *float64

	// TransactionIDs are the numbers that answers gave it, whether they
	// arrived or were lost on the way: there should be exactly one.
	TransactionIDs []int
	IDTagStatus    string // as the answer to the start said
	Answers        []Answer
	StopAnswered   bool
	Deleted        bool // a message of it was given up after too many attempts
}

// An Answer is one transaction message that was answered with a CALLRESULT.
type Answer struct {
	Action string
	At     time.Time // the message's timestamp
	Wh     int       // the register that it tells
	Sends  int       // how often it was sent until then
}

// A Breach is an expectation that the central system has broken.
type Breach struct {
	At       time.Time
	Station  string
	Expected string
	Got      string
}

// String returns b in one line.
func (b Breach) String() string {
	return fmt.Sprintf("%s %s: expected %s, got %s", b.At.Format(time.RFC3339), b.Station, b.Expected, b.Got)
}

// Progress counts what a fleet has done so far.
type Progress struct {
	Elapsed    time.Duration
	Stations   int // that were started
	Online     int // connected, and accepted
	Charging   int // charges that run
	Started    int // charges
	Completed  int // charges whose stop was answered
	Refused    int // drivers who were not authorised
	Messages   int // CALLs that were answered with a CALLRESULT
	Resends    int // transaction messages that left once more
	Reconnects int
	CallErrors int // CALLs that were answered with a CALLERROR
	Timeouts   int // CALLs that were not answered in time
	Queued     int // transaction messages that wait for an answer
	Commands   int // CALLs of the central system
	Breaches   int
}

// A Report is the result of a fleet's run.
type Report struct {
	Progress
	Seed    uint64
	Starts  Latency // of the answers to StartTransaction
	Answers Latency // of all answers
	// Charges is what happened, by station, connector and start; empty unless
	// Options.Record.
	Charges []Charge
	Broken  []Breach // the first 100
}

// Err returns an error that says how many expectations were broken and shows
// the first, or nil.
func (r *Report) Err() error {
	if r.Breaches == 0 {
		return nil
	}
	return fmt.Errorf("%d broken expectations, the first: %v", r.Breaches, r.Broken[0])
}

// String returns a summary of several lines for people.
func (r *Report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	line("run", "%v, seed %d", r.Elapsed.Round(time.Millisecond), r.Seed)
	line("stations", "%d, %d reconnects", r.Stations, r.Reconnects)
	line("charges", "%d started, %d completed, %d drivers refused", r.Started, r.Completed, r.Refused)
	line("messages", "%d answered, %d resent, %d still waiting", r.Messages, r.Resends, r.Queued)
	line("commands", "%d", r.Commands)
	line("errors", "%d CALLERRORs, %d timeouts", r.CallErrors, r.Timeouts)
	line("starts", "%v", r.Starts)
	line("answers", "%v", r.Answers)
	line("broken", "%d expectations", r.Breaches)
	for _, x := range r.Broken {
		fmt.Fprintf(&b, "  %v\n", x)
	}
	if n := r.Breaches - len(r.Broken); n > 0 {
		fmt.Fprintf(&b, "  and %d more\n", n)
	}
	return b.String()
}

// String returns l in one line.
func (l Latency) String() string {
	if l.Count == 0 {
		return "none"
	}
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v, max %v", round(l.P50), round(l.P90), round(l.P99), round(l.Max))
}

// A tally is the counters of a fleet.
type tally struct {
	stations, online, charging    atomic.Int64
	started, completed, refused   atomic.Int64
	messages, resends, reconnects atomic.Int64
	callErrors, timeouts, queued  atomic.Int64
	commands                      atomic.Int64
	startLatency, answerLatency   histogram
}

func (t *tally) progress() Progress {
	n := func(c *atomic.Int64) int { return int(c.Load()) }
	return Progress{
		Stations: n(&t.stations), Online: n(&t.online), Charging: n(&t.charging),
		Started: n(&t.started), Completed: n(&t.completed), Refused: n(&t.refused),
		Messages: n(&t.messages), Resends: n(&t.resends), Reconnects: n(&t.reconnects),
		CallErrors: n(&t.callErrors), Timeouts: n(&t.timeouts), Queued: n(&t.queued),
		Commands: n(&t.commands),
	}
}
