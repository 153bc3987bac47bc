package csms

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"leyden"
	"leyden/device"
)

// Limits of what the server notices itself.
const (
	// noticeWindow is for how long a security event that we notice ourselves is
	// not kept again about the same station: whoever guesses passwords must not
	// be able to fill the store.
	noticeWindow = time.Minute
	// maxNoticed is how many such events are kept in that time, of all stations.
	maxNoticed = 4096
	// maxNoticing is how many are looked at together; what comes meanwhile is
	// left out.
	maxNoticing = 8
)

// The types of security events that the server notices itself, beside those that
// a [Gate] names. Where OCPP has a name for it, it is that one.
const (
	eventGuesses            = "FailedToAuthenticateAtCentralSystem" // wrong passwords, until they were throttled
	eventSwaps              = "ConnectionsReplaceEachOther"         // two stations with one identity, or one that gives up too early
	eventCertificateRequest = "InvalidCertificateRequest"           // it asked to sign what is not signed
)

// CriticalEvent reports whether a type of security event is among those that a
// station must not fail to report: the security whitepaper for OCPP 1.6 lists
// them (§8).
func CriticalEvent(typ string) bool {
	for _, critical := range [...]string{
		"FirmwareUpdated", "SettingSystemTime", "StartupOfTheDevice", "ResetOrReboot",
		"SecurityLogWasCleared", "MemoryExhaustion", "TamperDetectionActivated",
	} {
		if strings.EqualFold(typ, critical) {
			return true
		}
	}
	return false
}

// notify keeps a notification and stamps it with our time. What cannot be kept
// is logged: nobody's work fails for it.
func (srv *Server) notify(ctx context.Context, n device.Notification) {
	if err := srv.keepNotification(ctx, &n); err != nil {
		srv.log.ErrorContext(ctx, "notification not kept", "station", n.Station, "kind", n.Kind, "type", n.Type, "error", err)
	}
}

func (srv *Server) keepNotification(ctx context.Context, n *device.Notification) (err error) {
	if srv.opt.Devices == nil {
		return nil
	}
	defer srv.rescue("notify", func() { err = errPanic })
	n.ReceivedAt = srv.ledger.Now()
	n.Type, n.Info = maskText(n.Type), maskText(n.Info)
	ctx, cancel := aside(ctx)
	defer cancel()
	return srv.opt.Devices.AddNotification(ctx, n)
}

// notified answers a notification of a station: with an error only if that
// closes the connection, because storage is in trouble, so that the station
// keeps what it has to tell. What cannot be kept otherwise is logged: an error
// would make the station send it again and again.
func (s *session) notified(ctx context.Context, action string, n device.Notification) error {
	s.srv.log.InfoContext(ctx, "station notifies", "station", s.station, "kind", n.Kind, "type", maskText(n.Type), "info", maskText(n.Info))
	n.Station = s.station
	err := s.srv.keepNotification(ctx, &n)
	if errors.Is(err, leyden.ErrUnavailable) {
		return s.fault(ctx, action, err)
	}
	if err != nil {
		s.srv.log.ErrorContext(ctx, "notification not kept", "station", s.station, "kind", n.Kind, "type", n.Type, "error", err)
	}
	return nil
}

// securityEvent keeps, and logs, a security event that the server noticed itself
// about a station that is known: at most one of a type for each station and
// noticeWindow. It waits for nothing, so that a guesser learns nothing from how
// long it takes, and the station need not be connected.
func (srv *Server) securityEvent(_ context.Context, station leyden.StationID, typ, info string) {
	n := notice{station, typ}
	if !srv.noticed.begin(n, srv.ledger.Now()) {
		return
	}
	srv.background(func(ctx context.Context) {
		defer srv.noticed.end()
		if _, err := srv.ledger.Registry().Station(ctx, station); err != nil || !srv.noticed.first(n, srv.ledger.Now()) {
			return // nobody's identity, or storage is in trouble
		}
		srv.log.WarnContext(ctx, "security event", "station", station, "type", typ, "info", info)
		srv.notify(ctx, device.Notification{Station: station, Kind: device.Security, Type: typ, Info: clip(info), Own: true})
	})
}

// A notice is what a security event of ours is about.
type notice struct {
	station leyden.StationID
	typ     string
}

// notices remember what was noticed within the last noticeWindow. The zero
// value is ready for use.
type notices struct {
	mu    sync.Mutex
	busy  int // how many are being kept
	last  map[notice]time.Time
	swept time.Time
}

// begin reports whether n may be new. Whoever got true calls end.
func (l *notices) begin(n notice, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy >= maxNoticing || l.fresh(n, now) {
		return false
	}
	l.busy++
	return true
}

func (l *notices) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
}

func (l *notices) fresh(n notice, now time.Time) bool {
	at, ok := l.last[n]
	age := now.Sub(at)
	return ok && age >= 0 && age < noticeWindow
}

// first reports whether n is to be kept: it was not within the window, nor was
// too much else.
func (l *notices) first(n notice, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fresh(n, now) {
		return false
	}
	if l.last == nil {
		l.last = make(map[notice]time.Time)
	}
	if len(l.last) >= maxNoticed && now.Sub(l.swept).Abs() >= time.Second {
		l.swept = now
		maps.DeleteFunc(l.last, func(k notice, _ time.Time) bool { return !l.fresh(k, now) })
	}
	if len(l.last) >= maxNoticed {
		return false
	}
	l.last[n] = now
	return true
}
