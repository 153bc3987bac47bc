package csms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
)

// A CallAnswer is how a station answered a call: with a result or an error.
type CallAnswer struct {
	Result json.RawMessage // payload of the CALLRESULT as sent; nil with an error
	Error  *StationError   // the CALLERROR; nil with a result
}

// Call sends a message as it is given, but for space, once it is what the
// schema of its action says, and returns what the station answered: a CALLERROR
// is no failure here. What the answer means for what is kept of the station is
// noted as for any command; the ledger does not hear of a transaction that is
// started or stopped so before the station reports it. It fails with
// [*device.FieldError] for what a central system may not send, and like the other
// commands.
func (srv *Server) Call(ctx context.Context, id leyden.StationID, action string, payload []byte) (CallAnswer, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return CallAnswer{}, err
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, payload); err != nil || !utf8.Valid(payload) {
		return CallAnswer{}, &device.FieldError{Field: "payload", Reason: "is not JSON"}
	}
	if err := s.dialect.sendable(action, compact.String()); err != nil {
		return CallAnswer{}, err
	}
	if key, value, ok := s.dialect.newKey(action, compact.String()); ok && srv.opt.Gate != nil {
		status, err := s.changeKey(ctx, key, value)
		return callAnswer(string(ocpp.AppendText([]byte(`{"status":`), status))+"}", err)
	}
	return callAnswer(s.exchange(ctx, action, ocpp.Raw(compact.Bytes())))
}

func callAnswer(result string, err error) (CallAnswer, error) {
	if e, ok := errors.AsType[*StationError](err); ok && !e.unread {
		return CallAnswer{Error: e}, nil
	}
	if err != nil {
		return CallAnswer{}, err
	}
	return CallAnswer{Result: json.RawMessage(result)}, nil
}

// call sends req and reads the answer into res, within the time of a call.
func (s *session) call(ctx context.Context, req ocpp.Request, res ocpp.Response) error {
	if err := valid(req); err != nil {
		return err
	}
	answer, err := s.exchange(ctx, req.Action(), req)
	if err != nil {
		return err
	}
	if err = ocpp.ReadAnswer(req.Action(), answer, res); err != nil {
		payload := string(req.AppendJSON(nil))
		return callError(ctx, err, maskRequest(req.Action(), payload) != payload)
	}
	return nil
}

// exchange sends a message as it is and returns the payload of the answer, within
// the time of a call. Once it left it is seen through, also for a caller who does
// not wait. Its life is recorded, and before the next call leaves the dialect notes
// what the answer means for what is kept of the station.
func (s *session) exchange(ctx context.Context, action string, m ocpp.Message) (string, error) {
	if !s.srv.begin(&s.srv.calls) {
		return "", fmt.Errorf("%s: %w: %w", restarting, leyden.ErrUnavailable, errNotSent)
	}
	defer s.srv.calls.Done()
	payload := m.AppendJSON(nil)
	shown := maskRequest(action, string(payload))
	l := s.beginLife(ctx, action, shown)
	limited, left, cancel := s.callTime(ctx)
	defer cancel()
	answer, err := s.conn.Exchange(limited, ocpp.Outgoing{
		Action: action, Message: ocpp.Raw(payload),
		Sent:     func() { left(); l.left(ctx) },
		Answered: func(answer string) { s.dialect.kept(ctx, s, action, string(payload), answer) },
	})
	err = callError(ctx, err, shown != string(payload))
	l.end(ctx, answer, err)
	return answer, err
}

// callTime returns a context for a call: it ends with the time of a call, with the
// time of ctx and, until left is called, with ctx itself.
func (s *session) callTime(ctx context.Context) (limited context.Context, left, cancel func()) {
	deadline := time.Now().Add(s.srv.opt.CallTimeout)
	if its, ok := ctx.Deadline(); ok && its.Before(deadline) {
		deadline = its
	}
	limited, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(ctx, cancel)
	if ctx.Err() != nil {
		cancel() // at once
	}
	return limited, func() { stop() }, cancel
}

// valid checks a message of ours before it goes out.
func valid(req ocpp.Request) error {
	c, ok := req.(ocpp.Checker)
	if !ok {
		return nil
	}
	var v ocpp.Violations
	c.Check(&v)
	if len(v.List) > 0 {
		return fmt.Errorf("%s: %w", v.List[0], leyden.ErrInvalid)
	}
	return nil
}
