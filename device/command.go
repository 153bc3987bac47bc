package device

import (
	"context"
	"time"

	"leyden"
)

// An Outcome says how far a command got.
type Outcome string

// The outcomes of a command.
const (
	Asked    Outcome = "asked"    // it waits for its turn
	Sent     Outcome = "sent"     // it left; no answer yet
	Answered Outcome = "answered" // with a CALLRESULT; Status has the station's word
	Errored  Outcome = "error"    // with a CALLERROR; Error says which
	Silent   Outcome = "silent"   // no answer in time: the station may have acted
	Left     Outcome = "left"     // the connection, or the server, ended before the answer: the station may have acted
	NotSent  Outcome = "notSent"  // it never left; Error says why
)

// A Command is one CALL of ours to a station, and what became of it.
type Command struct {
	ID         string // cmd_ + 26 characters
	Station    leyden.StationID
	Action     string // as OCPP names it
	Request    string // payload as sent, JSON, secrets masked
	By         string // id of the credential that asked; "" when the server did of its own accord
	Outcome    Outcome
	Status     string // the station's word, e.g. Accepted; "" without one
	Answer     string // payload of the answer, JSON, secrets masked
	Error      string // why there is no answer, or the CALLERROR's code and description
	AskedAt    time.Time
	SentAt     time.Time
	AnsweredAt time.Time
}

// A CommandQuery selects commands. Zero fields do not restrict.
type CommandQuery struct {
	Station leyden.StationID
	Action  string
	By      string
	Page
}

// A CommandStore keeps the life of commands.
type CommandStore interface {
	// SaveCommand adds c, or replaces the one with its ID.
	SaveCommand(ctx context.Context, c Command) error
	// LeaveCommands ends those that are [Asked] or [Sent] as [Left] with a reason, and
	// returns how many those are: they are of a server that is gone.
	LeaveCommands(ctx context.Context, reason string) (int, error)
	// Command returns one, or [leyden.ErrNotFound].
	Command(ctx context.Context, id string) (Command, error)
	// Commands returns a part of those that q selects, the last asked first (of
	// those asked together, the last saved), and how many there are.
	Commands(ctx context.Context, q CommandQuery) ([]Command, int, error)
}
