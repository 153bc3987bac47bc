package csms

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
)

// notAcceptedReason marks messages that are recorded once their station is
// accepted.
const notAcceptedReason = "station is not accepted"

// A telling error is one whose message is kept even if it tells of no
// transaction: what the station meant is for a person to find out.
type telling struct{ error }

func (e telling) Unwrap() error { return e.error }

// refuse answers a message that cannot be recorded with err, and keeps it if it
// tells of a transaction or err is telling.
func (s *session) refuse(ctx context.Context, c call, err error) ocpp.Reply {
	if _, keep := errors.AsType[telling](err); !keep && !s.dialect.reports(c.action) {
		return ocpp.Reply{Err: err}
	}
	if s.conn != nil {
		s.srv.ledger.Seen(s.station, false)
	}
	q := leyden.Quarantined{Action: c.action, Frame: c.frame(), Reason: err.Error(), Aside: !s.dialect.reports(c.action)}
	if kerr := s.keep(ctx, q, c.payload); kerr != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, kerr)}
	}
	return ocpp.Reply{Err: err}
}

// keep puts a message into quarantine, unless one with the same content waits
// there or was dismissed: a station may send it again for as long as it lives.
// What tells of no transaction is kept within limits and without secrets: nobody
// replays it.
func (s *session) keep(ctx context.Context, q leyden.Quarantined, content string) error {
	if s.conn == nil {
		return nil // an operator replays it: it is there
	}
	if q.Aside {
		q.Frame, q.Reason, content = maskRequest(q.Action, q.Frame), maskText(q.Reason), maskRequest(q.Action, content)
	}
	q.Station, q.Key = s.station, "Q|"+digest(q.Action+"\n"+q.Reason+"\n"+content)
	same, err := s.srv.ledger.Store().Quarantined(ctx, leyden.QuarantineQuery{Station: q.Station, Key: q.Key, Limit: 1})
	if err != nil || len(same) > 0 && same[0].Status() != leyden.QuarantineReleased {
		return err
	}
	if room, err := s.hasRoom(ctx, &q); err != nil || !room {
		return err
	}
	s.srv.count.Quarantined.Add(1)
	s.srv.log.Warn("message quarantined", "station", s.station, "action", q.Action, "reason", q.Reason)
	return s.srv.ledger.Quarantine(ctx, q)
}

// Limits of what a station has in quarantine that tells of no transaction. What
// tells of one is always kept: only the disk limits that.
const (
	maxAside      = 100      // messages that wait
	maxAsideFrame = 64 << 10 // bytes of each
)

// hasRoom reports whether a message may be kept. One that may not is logged.
func (s *session) hasRoom(ctx context.Context, q *leyden.Quarantined) (bool, error) {
	if !q.Aside {
		return true, nil
	}
	n, err := s.srv.ledger.Store().CountQuarantined(ctx, leyden.QuarantineQuery{
		Station: s.station, Status: leyden.QuarantineWaiting, Aside: true,
	})
	if err != nil {
		return false, err
	}
	if n >= maxAside || len(q.Frame) > maxAsideFrame {
		s.srv.log.Warn("message refused and not kept", "station", s.station, "action", q.Action, "reason", q.Reason, "bytes", len(q.Frame), "waiting", n)
		return false, nil
	}
	return true, nil
}

// toKeep returns the message that the ledger may have to keep: none if an
// operator replays it, for it is there.
func (s *session) toKeep(message string) string {
	if s.conn == nil {
		return ""
	}
	return message
}

// digestSize is how long a digest is, in characters.
const digestSize = 32

// digest returns a hash of text that is short enough for a key.
func digest(text string) string { return string(appendDigest(nil, text)) }

// appendDigest appends the digest of text to b.
func appendDigest(b []byte, text string) []byte {
	sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(text), len(text))) // it reads only
	return hex.AppendEncode(b, sum[:digestSize/2])
}

// broken keeps a frame that could not be split if it was to tell of a
// transaction. The connection itself answers it.
func (s *session) broken(f ocpp.Frame, data []byte, err error) {
	if f.Type != ocpp.Call || !s.dialect.reports(f.Action) {
		return
	}
	shed := func() { _ = s.conn.Close(ocpp.CloseTryLater, tryLater) } // no answer leaves any more
	defer s.srv.rescue("broken "+f.Action, shed)
	ctx, cancel := context.WithTimeout(context.Background(), backgroundLimit)
	defer cancel()
	q := leyden.Quarantined{Action: f.Action, Frame: string(data), Reason: err.Error()}
	if err := s.keep(ctx, q, q.Frame); err != nil {
		_ = s.fault(ctx, f.Action, err)
		shed()
	}
}

// notAccepted answers a station that may not work here (OCPP 1.6 §4.2). What it
// tells of transactions is recorded when it is accepted.
func (s *session) notAccepted(ctx context.Context, f ocpp.Frame) ocpp.Reply {
	c, refusal := callOf(f), ocpp.Errorf(ocpp.SecurityError, "%s", notAcceptedReason)
	if !s.dialect.reports(c.action) {
		return ocpp.Reply{Err: refusal}
	}
	s.srv.keeping.Add(1)
	defer s.srv.kept.Add(1)
	q := leyden.Quarantined{Action: c.action, Frame: c.frame(), Reason: notAcceptedReason}
	if err := s.keep(ctx, q, c.payload); err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	return ocpp.Reply{Err: refusal}
}

// recordHeld records, in their order and as of when they were received, what a
// station told of transactions before it was accepted. A message that meets a fault of our own waits on: it
// must not keep the station from working.
func (s *session) recordHeld(ctx context.Context) error {
	kept := s.srv.kept.Load()
	if s.clean == s.srv.keeping.Load()+1 {
		return nil // nor has any station told something since
	}
	held, err := s.srv.held(ctx, s.station)
	if err != nil {
		return err
	}
	if s.clean = 0; len(held) == 0 {
		s.clean = kept + 1
	}
	for _, id := range held {
		q, err := s.srv.quarantined(ctx, id)
		if err != nil {
			return err
		}
		if q.Status() != leyden.QuarantineWaiting {
			continue // by another connection of the station
		}
		s.heldAt = q.ReceivedAt
		err = s.retry(ctx, &q, "")
		s.heldAt = time.Time{}
		if errors.Is(err, leyden.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if err != nil && !answerable(err) {
			continue
		}
		if err := s.srv.ledger.Release(ctx, s.station, q.Key); err != nil {
			return err
		}
	}
	return nil
}

// heldPage is how many quarantined messages are looked at once: each may have
// the size of the largest frame.
const heldPage = 32

// held returns the ids of the messages that wait for a station to be accepted,
// the oldest first.
func (srv *Server) held(ctx context.Context, id leyden.StationID) ([]int64, error) {
	var held []int64
	for offset := 0; ; offset += heldPage {
		page, err := srv.ledger.Store().Quarantined(ctx, leyden.QuarantineQuery{
			Station: id, Status: leyden.QuarantineWaiting, Limit: heldPage, Offset: offset,
		})
		if err != nil {
			return nil, fmt.Errorf("messages of %s in quarantine: %w", id, err)
		}
		for i := range page {
			if page[i].Reason == notAcceptedReason {
				held = append(held, page[i].ID)
			}
		}
		if len(page) < heldPage {
			slices.Reverse(held)
			return held, nil
		}
	}
}

func (srv *Server) quarantined(ctx context.Context, id int64) (leyden.Quarantined, error) {
	list, err := srv.ledger.Store().Quarantined(ctx, leyden.QuarantineQuery{ID: id, Limit: 1})
	if err == nil && len(list) == 0 {
		err = leyden.ErrNotFound
	}
	if err != nil {
		return leyden.Quarantined{}, fmt.Errorf("quarantined message %d: %w", id, err)
	}
	return list[0], nil
}

// retry handles a quarantined message as if it came now, with a repaired
// payload unless that is "", and returns the error that a station would have been
// answered with.
func (s *session) retry(ctx context.Context, q *leyden.Quarantined, repaired string) (err error) {
	defer s.srv.rescue(q.Action, func() { err = errPanic })
	f, err := ocpp.ParseFrame([]byte(q.Frame))
	if repaired != "" {
		f, err = ocpp.Frame{Type: ocpp.Call, ID: f.ID, Action: q.Action, Payload: repaired}, nil
	}
	if err != nil {
		return err
	}
	r := s.dialect.answer(ctx, s, f)
	if r.Err == nil && r.Then != nil {
		r.Then()
	}
	return r.Err
}

// answerable reports whether err was meant for the station, rather than for us.
func answerable(err error) bool {
	_, ok := errors.AsType[*ocpp.Error](err)
	return ok
}

// Replay records a quarantined message after all, with a repaired payload
// unless that is "", and returns it with what became of it. It fails with
// [leyden.ErrNotFound]; [leyden.ErrState] if it does not wait any more or never
// told of a transaction; a [*device.FieldError], which says why, if it still
// cannot be recorded; or [leyden.ErrUnavailable].
func (srv *Server) Replay(ctx context.Context, id int64, repaired string) (leyden.Quarantined, error) {
	q, err := srv.waiting(ctx, id)
	if err != nil {
		return leyden.Quarantined{}, err
	}
	s := &session{srv: srv, station: q.Station, dialect: &dialect16}
	if !s.dialect.reports(q.Action) {
		return leyden.Quarantined{}, fmt.Errorf("quarantined message %d tells of no transaction: %w", id, leyden.ErrState)
	}
	if err = s.retry(ctx, &q, repaired); err != nil {
		if answerable(err) {
			return leyden.Quarantined{}, &device.FieldError{Field: "payload", Reason: "still cannot be recorded: " + err.Error()}
		}
		return leyden.Quarantined{}, fmt.Errorf("quarantined message %d: %w", id, err)
	}
	return srv.settle(ctx, &q, leyden.Settlement{Transaction: s.led})
}

// Dismiss notes that nothing shall come of a quarantined message, and returns
// it. It fails with [leyden.ErrNotFound]; [leyden.ErrState] if it does not wait
// any more; or [leyden.ErrUnavailable].
func (srv *Server) Dismiss(ctx context.Context, id int64, note string) (leyden.Quarantined, error) {
	q, err := srv.waiting(ctx, id)
	if err != nil {
		return leyden.Quarantined{}, err
	}
	return srv.settle(ctx, &q, leyden.Settlement{Dismissed: true, Note: note})
}

// waiting returns a quarantined message that waits.
func (srv *Server) waiting(ctx context.Context, id int64) (leyden.Quarantined, error) {
	q, err := srv.quarantined(ctx, id)
	if err == nil && q.Status() != leyden.QuarantineWaiting {
		err = fmt.Errorf("quarantined message %d was %s already: %w", id, q.Status(), leyden.ErrState)
	}
	return q, err
}

// settle notes what whoever asks decided about a message, and returns it anew.
func (srv *Server) settle(ctx context.Context, q *leyden.Quarantined, decided leyden.Settlement) (leyden.Quarantined, error) {
	decided.ID, decided.By = q.ID, cmp.Or(callerOf(ctx), "operator")
	if err := srv.ledger.Settle(ctx, q.Station, decided); err != nil {
		return leyden.Quarantined{}, err
	}
	return srv.quarantined(ctx, q.ID)
}
