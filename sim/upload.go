package sim

import (
	"fmt"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// An upload is one of a file of diagnostics or of a log. Nothing is sent: what
// matters is what a station tells meanwhile.
type upload struct {
	place
	log     bool
	request int
}

// uploadCommand answers what asks for a file.
func (s *station) uploadCommand(req ocpp.Request, now time.Time) (ocpp.Message, func(time.Time)) {
	switch m := req.(type) {
	case *v16.GetDiagnostics:
		u := &upload{place: placeOf(m.Location, m.Retries, m.RetryInterval)}
		s.diagnostics = u
		res := &v16.GetDiagnosticsResponse{FileName: ocpp.Some(s.fileName("diagnostics", now))}
		return res, func(now time.Time) { s.upload(u, now) }
	case *v16.GetLog:
		status := v16.LogStatusAccepted
		if s.log != nil {
			status = v16.LogStatusAcceptedCanceled
		}
		u := &upload{place: placeOf(m.Log.RemoteLocation, m.Retries, m.RetryInterval), log: true, request: m.RequestID}
		s.log = u
		name := s.fileName(string(m.LogType), now)
		return &v16.GetLogResponse{Status: status, Filename: ocpp.Some(name)}, func(now time.Time) { s.upload(u, now) }
	}
	return nil, nil
}

func (s *station) fileName(what string, now time.Time) string {
	return fmt.Sprintf("%s-%s-%s.log", s.serial, what, now.Format("20060102T150405Z"))
}

// runs reports whether no other took the place of u.
func (s *station) runs(u *upload) bool { return s.log == u || s.diagnostics == u }

func (s *station) upload(u *upload, now time.Time) {
	if !s.runs(u) {
		return
	}
	s.tellUpload(u, v16.UploadLogStatusUploading, now)
	s.attempt(u, now)
}

// attempt tries to upload, until there is no try left.
func (s *station) attempt(u *upload, now time.Time) {
	s.after(uploadTime, now, func(now time.Time) {
		if !s.runs(u) {
			return
		}
		u.tries--
		if !u.reachable() && u.tries > 0 {
			s.after(u.wait, now, func(now time.Time) { s.attempt(u, now) })
			return
		}
		status := v16.UploadLogStatusUploaded
		if !u.reachable() {
			status = v16.UploadLogStatusUploadFailure
		}
		s.tellUpload(u, status, now)
		if u.log {
			s.log = nil
			return
		}
		s.diagnostics = nil
	})
}

// tellUpload tells how far an upload got.
func (s *station) tellUpload(u *upload, status v16.UploadLogStatus, now time.Time) {
	if u.log {
		s.tellSurely(&v16.LogStatusNotification{Status: status, RequestID: ocpp.Some(u.request)}, now)
		return
	}
	word := v16.DiagnosticsStatus(status)
	if status == v16.UploadLogStatusUploadFailure {
		word = v16.DiagnosticsStatusUploadFailed
	}
	s.tellSurely(&v16.DiagnosticsStatusNotification{Status: word}, now)
}

// showDiagnostics tells what is the matter with the diagnostics now.
func (s *station) showDiagnostics(now time.Time) {
	status := v16.DiagnosticsStatusIdle
	if s.diagnostics != nil {
		status = v16.DiagnosticsStatusUploading
	}
	s.tellSurely(&v16.DiagnosticsStatusNotification{Status: status}, now)
}

// showLog tells what is the matter with the log now.
func (s *station) showLog(now time.Time) {
	if s.log != nil {
		s.tellUpload(s.log, v16.UploadLogStatusUploading, now)
		return
	}
	s.tellSurely(&v16.LogStatusNotification{Status: v16.UploadLogStatusIdle}, now)
}
