package csms

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"leyden"
	"leyden/device"
)

// Limits of what is kept apart from charging.
const (
	// asideTimeout is how long storage may hold up a command with what is merely kept
	// about it.
	asideTimeout = 2 * time.Second
	// maxKeptPayload is the longest payload that the record of a command keeps,
	// in bytes.
	maxKeptPayload = 64 << 10
)

// aside returns a context to keep something in that the matter at hand does not
// depend on: it outlives a caller who left, and does not take long.
func aside(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), asideTimeout)
}

// A life is the record of one CALL of ours, from when it was asked for to its
// end. Storage that fails does not fail the call. A nil life records nothing.
type life struct {
	srv     *Server
	command device.Command
	told    chan struct{} // closed once it is on record that the call left; nil before it left
}

// leftByServer says why there is no answer to a command.
const leftByServer = "the server ended before the answer came: the station may have acted"

// Recover settles what a server left running that ended abruptly over the same
// storage. Call it before the first station comes. What it cannot settle it logs:
// no charge depends on it.
func (srv *Server) Recover(ctx context.Context) {
	n, err := srv.ledger.Recover(ctx)
	if err != nil {
		srv.log.WarnContext(ctx, "stations stay as the last server left them", "error", err)
	}
	if n > 0 {
		srv.log.InfoContext(ctx, "the last server ended while stations were connected", "number", n)
	}
	srv.recoverCommands(ctx)
}

func (srv *Server) recoverCommands(ctx context.Context) {
	if srv.opt.Devices == nil {
		return
	}
	n, err := srv.opt.Devices.LeaveCommands(ctx, leftByServer)
	if err != nil {
		srv.log.WarnContext(ctx, "commands stay as the last server left them", "error", err)
	}
	if n > 0 {
		srv.log.InfoContext(ctx, "commands were left by the last server", "number", n)
	}
}

// beginLife records that a call is asked for, with a masked payload.
func (s *session) beginLife(ctx context.Context, action, payload string) *life {
	if s.srv.opt.Devices == nil {
		return nil
	}
	now := s.srv.ledger.Now()
	l := &life{srv: s.srv, command: device.Command{
		ID: leyden.NewPublicID("cmd_", now), Station: s.station, Action: action, By: callerOf(ctx),
		Request: keptPayload(payload), Outcome: device.Asked, AskedAt: now,
	}}
	if c := callerIn(ctx); c != nil {
		c.last.Store(&l.command.ID)
	}
	l.srv.saveCommand(ctx, l.command)
	return l
}

// left records that the call left, while its answer is awaited.
func (l *life) left(ctx context.Context) {
	if l == nil {
		return
	}
	l.command.Outcome, l.command.SentAt, l.told = device.Sent, l.srv.ledger.Now(), make(chan struct{})
	go func(c device.Command) {
		defer close(l.told)
		l.srv.saveCommand(ctx, c)
	}(l.command)
}

// end records what became of the call.
func (l *life) end(ctx context.Context, answer string, err error) {
	if l == nil {
		return
	}
	if l.told != nil {
		<-l.told
	}
	l.command.Outcome = l.outcome(err)
	switch l.command.Outcome {
	case device.Answered:
		l.command.AnsweredAt = l.srv.ledger.Now()
		l.command.Answer, l.command.Status = keptPayload(maskAnswer(l.command.Action, answer)), statusIn(answer)
	case device.Errored:
		l.command.AnsweredAt = l.srv.ledger.Now()
		l.command.Error = err.Error()
	default:
		l.command.Error = err.Error()
	}
	l.srv.saveCommand(ctx, l.command)
}

// outcome says what an error means for a call.
func (l *life) outcome(err error) device.Outcome {
	_, answered := errors.AsType[*StationError](err)
	switch {
	case err == nil:
		return device.Answered
	case answered:
		return device.Errored
	case l.command.SentAt.IsZero():
		return device.NotSent
	case errors.Is(err, ErrLeft):
		return device.Left
	}
	return device.Silent
}

func (srv *Server) saveCommand(ctx context.Context, c device.Command) {
	defer srv.rescue("command life", nil)
	ctx, cancel := aside(ctx)
	defer cancel()
	if err := srv.opt.Devices.SaveCommand(ctx, c); err != nil {
		srv.log.WarnContext(ctx, "command not kept", "station", c.Station, "action", c.Action, "outcome", c.Outcome, "error", err)
	}
}

// keptPayload returns what is kept of a masked payload: nothing if it is long.
func keptPayload(payload string) string {
	if len(payload) > maxKeptPayload {
		return ""
	}
	return payload
}

// statusIn returns the word with which a station answered, or "".
func statusIn(answer string) string {
	var word string
	if json.Unmarshal([]byte(property(answer, "status")), &word) != nil {
		return ""
	}
	return clip(word)
}
