package csms

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"time"
	"unicode"

	"leyden"
	"leyden/device"
)

// Attempts say how often, and after how long, a station tries a transfer again.
type Attempts struct {
	Retries  *int // nil: as it likes
	Interval *int // seconds; nil: as it likes
}

// A FirmwareUpdate is a firmware and when to fetch it.
type FirmwareUpdate struct {
	Location   string    // URL
	RetrieveAt time.Time // zero: now
	Attempts
}

// A SignedFirmware is a [FirmwareUpdate] whose origin the station can check.
type SignedFirmware struct {
	FirmwareUpdate
	InstallAt   time.Time // zero: as the station likes
	Certificate string    // with which it was signed, PEM
	Signature   string    // base64
}

// A LogRequest asks a station to upload a log.
type LogRequest struct {
	Kind     string // DiagnosticsLog or SecurityLog; not said when asking for diagnostics
	Location string // URL of the folder to upload to
	Window   leyden.Window
	Attempts
}

// A RequestAnswer is what a station answered to what it was asked to do aside.
type RequestAnswer struct {
	Status  string
	Request int    // number by which notifications refer to it
	File    string // which the station is going to upload; "" if it did not say
}

// firmwareDialect is how a version of OCPP says what concerns firmware and logs.
type firmwareDialect struct {
	update       func(ctx context.Context, s *session, u FirmwareUpdate) error
	updateSigned func(ctx context.Context, s *session, request int, f SignedFirmware) (string, error)
	diagnostics  func(ctx context.Context, s *session, r LogRequest) (file string, err error)
	log          func(ctx context.Context, s *session, request int, r LogRequest) (status, file string, err error)
}

// maxLocation limits a URL, in bytes. OCPP 1.6 sets no limit of its own to most
// of them.
const maxLocation = 2048

// UpdateFirmware asks a station to fetch and install a firmware. It fails like
// the other commands, and with [*device.FieldError] for what can never be. No
// error quotes a URL: there may be a password in it.
func (srv *Server) UpdateFirmware(ctx context.Context, id leyden.StationID, u FirmwareUpdate) error {
	if err := u.check(); err != nil {
		return err
	}
	s, err := srv.session(ctx, id)
	if err != nil {
		return err
	}
	if u.RetrieveAt.IsZero() {
		u.RetrieveAt = srv.ledger.Now()
	}
	return s.dialect.firmware.update(ctx, s, u)
}

// UpdateSignedFirmware asks a station to fetch, check and install a firmware.
// It fails like UpdateFirmware.
func (srv *Server) UpdateSignedFirmware(ctx context.Context, id leyden.StationID, f SignedFirmware) (RequestAnswer, error) {
	if err := f.check(); err != nil {
		return RequestAnswer{}, err
	}
	s, err := srv.session(ctx, id)
	if err != nil {
		return RequestAnswer{}, err
	}
	now := srv.ledger.Now()
	if f.RetrieveAt.IsZero() {
		f.RetrieveAt = now
	}
	if !f.InstallAt.IsZero() && f.InstallAt.Before(f.RetrieveAt) {
		return RequestAnswer{}, &device.FieldError{Field: "firmware.installDateTime", Reason: "is before the firmware is retrieved"}
	}
	answer := RequestAnswer{Request: srv.nextRequest()}
	answer.Status, err = s.dialect.firmware.updateSigned(ctx, s, answer.Request, f)
	return answer, err
}

// Diagnostics asks a station to upload its diagnostics, and returns the name of
// the file; "" if there is none. It fails like UpdateFirmware.
func (srv *Server) Diagnostics(ctx context.Context, id leyden.StationID, r LogRequest) (file string, err error) {
	if err := r.check("location", "stopTime", "startTime"); err != nil {
		return "", err
	}
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.firmware.diagnostics(ctx, s, r)
}

// Log asks a station to upload one of its logs. It fails like UpdateFirmware.
func (srv *Server) Log(ctx context.Context, id leyden.StationID, r LogRequest) (RequestAnswer, error) {
	if err := r.check("remoteLocation", "latestTimestamp", "oldestTimestamp"); err != nil {
		return RequestAnswer{}, err
	}
	s, err := srv.session(ctx, id)
	if err != nil {
		return RequestAnswer{}, err
	}
	answer := RequestAnswer{Request: srv.nextRequest()}
	answer.Status, answer.File, err = s.dialect.firmware.log(ctx, s, answer.Request, r)
	return answer, err
}

// requestEpoch is where request numbers begin, in seconds since 1970: 31 bits
// last from there to 2094.
const requestEpoch = 1_767_225_600 // 2026-01-01

// nextRequest returns a number for a request: the seconds since requestEpoch, or
// one above the last. So numbers differ from those before a restart too, unless
// there were more requests than seconds, and nothing need be kept for it.
func (srv *Server) nextRequest() int {
	for {
		last := srv.requests.Load()
		next := max(last+1, srv.ledger.Now().Unix()-requestEpoch, 1) & (1<<31 - 1)
		if srv.requests.CompareAndSwap(last, next) {
			return int(next)
		}
	}
}

func (u *FirmwareUpdate) check() error { return checkLocation("location", u.Location) }

func (f *SignedFirmware) check() error {
	if err := checkLocation("firmware.location", f.Location); err != nil {
		return err
	}
	if err := checkCertificate("firmware.signingCertificate", f.Certificate); err != nil {
		return err
	}
	if raw, err := base64.StdEncoding.DecodeString(f.Signature); err != nil || len(raw) == 0 {
		return &device.FieldError{Field: "firmware.signature", Reason: "is not base64"}
	}
	return nil
}

// check looks at what was asked for in fields of these names.
func (r *LogRequest) check(location, to, from string) error {
	if err := checkLocation(location, r.Location); err != nil {
		return err
	}
	if w := r.Window; !w.From.IsZero() && !w.To.IsZero() && !w.From.Before(w.To) {
		return &device.FieldError{Field: to, Reason: "is not after " + from}
	}
	return nil
}

// foreign reports whether a character may not stand in a URL (RFC 3986 §2).
func foreign(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r)
}

// checkLocation says why a station cannot transfer to or from a URL, if that can
// be seen. Which protocols a station knows it tells itself.
func checkLocation(field, location string) error {
	reason := ""
	u, err := url.Parse(location)
	switch {
	case location == "":
		reason = "is empty"
	case len(location) > maxLocation:
		reason = "is too long"
	case err != nil || strings.ContainsFunc(location, unicode.IsSpace):
		reason = "is no URL"
	case u.Scheme == "" || u.Host == "":
		reason = "is no absolute URL with a host, like ftp://host/path"
	case strings.ContainsFunc(location, foreign):
		reason = "has characters that a URL must escape"
	}
	if reason == "" {
		return nil
	}
	return &device.FieldError{Field: field, Reason: reason}
}
