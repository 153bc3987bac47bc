package sim

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// maxRetryAfter bounds how long a station stays away because it was asked to.
const maxRetryAfter = 5 * time.Minute

// A link is a station's connection and what it knows about it.
type link struct {
	conn *ocpp.Conn // nil while there is none
	line *line
	busy bool // a goroutine dials, or serves a connection

	dialAt     time.Time // not before
	absent     time.Time // it stays away until then by itself
	failures   int       // since the last answer
	connected  bool      // at least once
	rejections map[int]bool

	booted     bool // accepted on this connection
	everBooted bool // accepted at all: a charge may begin without a connection
	rebooted   bool // since the last BootNotification that was accepted
	bootAt     time.Time
	beatAt     time.Time
}

// connect opens a connection when it is time for one.
func (s *station) connect(ctx context.Context, now time.Time) {
	if s.busy || now.Before(s.dialAt) {
		return
	}
	s.busy = true
	who := Login{s.id, s.password, s.own}
	s.wg.Go(func() { s.converse(ctx, who) })
}

// converse is the life of a connection. It runs on a goroutine of its own.
func (s *station) converse(ctx context.Context, who Login) {
	tr, err := s.dial(ctx, who)
	if err != nil {
		s.post(ctx, func() { s.unreachable(err) })
		return
	}
	l := &line{Transport: tr}
	o := ocpp.Options{}
	if s.ids == idsRestart {
		o.IDPrefix = "m"
	}
	conn := ocpp.NewConn(l, o)
	s.post(ctx, func() { s.linked(conn, l) })
	_ = conn.Serve(ctx, s.obey) // that it ended is all that a station can tell
	s.post(ctx, func() { s.unlinked() })
}

func (s *station) dial(ctx context.Context, who Login) (ocpp.Transport, error) {
	select {
	case s.dials <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.dials }()
	return s.opt.Dial(ctx, who)
}

func (s *station) linked(conn *ocpp.Conn, l *line) {
	now := s.clock()
	s.conn, s.line = conn, l
	if s.connected {
		s.book.reconnects.Add(1)
	}
	if !s.everBooted || s.rebooted || s.boots {
		s.bootAt = now
		s.connected = true
		return
	}
	s.online(now)
}

// online is what follows once the central system may be told things.
func (s *station) online(now time.Time) {
	s.connected, s.booted = true, true
	s.bootAt = time.Time{}
	s.beatAt = now.Add(s.config.seconds(keyHeartbeat))
	s.book.online.Add(1)
	if s.rebooted || !s.everBooted {
		s.notify(0, s.mainStatus(), now, nil)
	}
	for _, c := range s.connectors {
		if s.rebooted || c.reported != c.status {
			s.report(c, now)
		}
	}
	if s.rebooted || !s.everBooted {
		s.securityEvent("StartupOfTheDevice", "", now)
	}
	s.tellKept(now)
	s.rebooted = false
	if s.everBooted {
		return
	}
	s.everBooted = true
	for _, c := range s.connectors {
		s.expectVisit(c, now)
	}
}

// offline undoes online.
func (s *station) offline() {
	if s.booted {
		s.book.online.Add(-1)
	}
	s.conn, s.line, s.booted = nil, nil, false
	s.bootAt, s.beatAt = time.Time{}, time.Time{}
}

// unlinked is when a connection has ended, whoever ended it.
func (s *station) unlinked() {
	s.offline()
	s.abandon(true)
	s.away(s.clock(), 0)
}

// unreachable is when no connection could be opened.
func (s *station) unreachable(err error) {
	var wait time.Duration
	if he, ok := errors.AsType[*ocpp.HandshakeError](err); ok {
		wait = retryAfter(he.Header)
		s.turnedAway(he)
	}
	s.away(s.clock(), wait)
}

// turnedAway notes a refusal that is no sign of overload, once for each status.
func (s *station) turnedAway(he *ocpp.HandshakeError) {
	if he.Status == http.StatusTooManyRequests || he.Status >= http.StatusInternalServerError || s.rejections[he.Status] {
		return
	}
	if s.rejections == nil {
		s.rejections = make(map[int]bool)
	}
	s.rejections[he.Status] = true
	s.book.breach(s.id, "to be admitted", "%v", he)
}

func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxRetryAfter)
}

// away puts off the next attempt to connect: longer each time, and not all
// stations alike.
func (s *station) away(now time.Time, atLeast time.Duration) {
	wait := s.opt.RetryMin << min(s.failures, 20)
	if wait <= 0 || wait > s.opt.RetryMax {
		wait = s.opt.RetryMax
	}
	s.failures++
	wait = time.Duration(float64(wait) * (0.5 + s.chance.Float64()))
	at := now.Add(max(wait, atLeast))
	s.busy = false
	if at.After(s.dialAt) {
		s.dialAt = at
	}
}

// hangUp ends the connection from this side, if there is one.
func (s *station) hangUp(code ocpp.CloseCode) {
	conn := s.conn
	if conn == nil {
		return
	}
	s.offline()
	s.wg.Go(func() { _ = conn.Close(code, "") }) // Serve ends, whatever becomes of the farewell
}

// lose ends a connection without a farewell, unless it has ended already.
func (s *station) lose(conn *ocpp.Conn) {
	if s.conn == conn {
		s.hangUp(ocpp.CloseAbnormal)
	}
}

// leave takes the station off the network until a moment.
func (s *station) leave(until time.Time) {
	s.hangUp(ocpp.CloseAbnormal)
	if until.After(s.absent) {
		s.absent = until
	}
	if until.After(s.dialAt) {
		s.dialAt = until
	}
}

// reboot restarts the station: it is gone for a moment, and comes back with a
// BootNotification. What it has to tell survives.
func (s *station) reboot(now time.Time, hard bool) {
	reason, code := v16.ReasonSoftReset, ocpp.CloseGoingAway
	if hard {
		reason, code = v16.ReasonHardReset, ocpp.CloseAbnormal
	}
	for _, c := range s.connectors {
		s.interrupt(c, now, reason)
	}
	s.restart(now, code)
}

// losePower restarts the station by itself.
func (s *station) losePower(now time.Time) {
	if !s.resumes {
		for _, c := range s.connectors {
			s.interrupt(c, now, v16.ReasonPowerLoss)
		}
	}
	s.restart(now, ocpp.CloseAbnormal)
}

// restart ends the connection, and has the station boot with the next one.
func (s *station) restart(now time.Time, code ocpp.CloseCode) {
	s.rebooted = true
	s.hangUp(code)
	s.abandon(true)
	s.dialAt = now.Add(s.scale(10 * time.Second))
	s.failures = 0
}

// bootMessage introduces the station.
func (s *station) bootMessage(now time.Time) *message {
	s.bootAt = time.Time{}
	req := &v16.BootNotification{
		ChargePointVendor: s.vendor, ChargePointModel: s.model,
		ChargePointSerialNumber: ocpp.Some(s.serial),
		FirmwareVersion:         ocpp.Some(s.firmwareVersion()),
	}
	if s.terse {
		req = &v16.BootNotification{ChargePointVendor: s.vendor, ChargePointModel: s.model}
	}
	conn := s.conn
	return &message{
		action: "BootNotification",
		build:  func() ocpp.Request { return req },
		answered: func(res ocpp.Response, now time.Time) {
			if s.conn == conn {
				s.registered(res.(*v16.BootNotificationResponse), now)
			}
		},
		dropped: func(time.Time, bool) {
			if s.conn == conn {
				s.failures++
				s.bootAt = s.clock().Add(s.config.seconds(keyRetryInterval))
			}
		},
	}
}

// registered acts on the answer to a BootNotification (OCPP 1.6 §4.2).
func (s *station) registered(res *v16.BootNotificationResponse, now time.Time) {
	interval := time.Duration(res.Interval) * time.Second
	if res.Status != v16.RegistrationStatusAccepted {
		s.book.breach(s.id, "its BootNotification to be Accepted", "%s", res.Status)
		s.bootAt = now.Add(max(interval, time.Second))
		return
	}
	if interval > 0 {
		s.config.find(keyHeartbeat).value = strconv.Itoa(res.Interval)
	}
	if s.booted {
		return // it was triggered
	}
	s.online(now)
}

// firmwareVersion returns what the station runs.
func (s *station) firmwareVersion() string {
	return fmt.Sprintf("1.%d.%d", s.firmware, s.power/1000)
}

// rekey takes a new AuthorizationKey for the next connection (security
// whitepaper, A00.FR.205): as text, or as the bytes that its hex digits mean.
func (s *station) rekey(key string) {
	s.password = key
	if b, err := hex.DecodeString(key); err == nil && s.decodes {
		s.password = string(b)
	}
}
