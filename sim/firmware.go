package sim

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// How long what belongs to firmware and files takes, at speed 1.
const (
	downloadTime = 30 * time.Second
	verifyTime   = 5 * time.Second
	installTime  = time.Minute
	uploadTime   = 20 * time.Second
	retryTime    = time.Minute // between attempts, unless the request says
)

// An update is one of the firmware, from its request to its end. Nothing is
// downloaded: what matters is what a station tells meanwhile.
type update struct {
	place
	install time.Time // not before
	signed  bool
	request int
	status  v16.SignedFirmwareStatus // told last; the words of the unsigned one are among them
}

// A place is where a file is fetched or put, and how often that is tried.
type place struct {
	location string
	tries    int // left
	wait     time.Duration
}

func placeOf(location string, retries, interval ocpp.Opt[int]) place {
	return place{location, 1 + max(0, retries.Value), max(time.Second, time.Duration(interval.Or(int(retryTime/time.Second)))*time.Second)}
}

// reachable reports whether a file transfer could work.
func (p *place) reachable() bool {
	u, err := url.Parse(p.location)
	schemes := []string{"http", "https", "ftp", "ftps", "sftp"}
	return err == nil && u.Host != "" && slices.Contains(schemes, strings.ToLower(u.Scheme))
}

// corrupt reports whether the file is to be taken for a damaged one: its name
// says so.
func (p *place) corrupt() bool { return strings.Contains(p.location, "corrupt") }

// firmwareCommand answers what asks for new firmware.
func (s *station) firmwareCommand(req ocpp.Request, now time.Time) (ocpp.Message, func(time.Time)) {
	switch m := req.(type) {
	case *v16.UpdateFirmware:
		u := &update{place: placeOf(m.Location, m.Retries, m.RetryInterval)}
		return new(v16.UpdateFirmwareResponse), func(time.Time) { s.schedule(u, m.RetrieveDate) }
	case *v16.SignedUpdateFirmware:
		if !trustworthy(&m.Firmware) {
			return &v16.SignedUpdateFirmwareResponse{Status: v16.SignedUpdateFirmwareStatusInvalidCertificate}, func(now time.Time) {
				s.securityEvent("InvalidFirmwareSigningCertificate", "", now)
			}
		}
		status := v16.SignedUpdateFirmwareStatusAccepted
		if s.update != nil {
			status = v16.SignedUpdateFirmwareStatusAcceptedCanceled
		}
		u := &update{
			place: placeOf(m.Firmware.Location, m.Retries, m.RetryInterval), install: m.Firmware.InstallDateTime.Value,
			signed: true, request: m.RequestID,
		}
		return &v16.SignedUpdateFirmwareResponse{Status: status}, func(now time.Time) {
			s.schedule(u, m.Firmware.RetrieveDateTime)
			if m.Firmware.RetrieveDateTime.After(now) {
				s.tellUpdate(u, v16.SignedFirmwareStatusDownloadScheduled, now)
			}
		}
	}
	return nil, nil
}

// trustworthy reports whether a firmware comes with what a signature needs.
func trustworthy(f *v16.Firmware) bool {
	_, err := parseCertificate(f.SigningCertificate)
	signature, notText := base64.StdEncoding.DecodeString(f.Signature)
	return err == nil && notText == nil && len(signature) > 0
}

// schedule begins an update at a moment, in the place of any other.
func (s *station) schedule(u *update, at time.Time) {
	s.update, s.installing = u, false
	s.at(at, func(now time.Time) { s.download(u, now) })
}

// nextStep goes on with an update after a while, unless another took its place.
func (s *station) nextStep(u *update, d time.Duration, now time.Time, f func(*update, time.Time)) {
	s.after(d, now, func(now time.Time) {
		if s.update == u {
			f(u, now)
		}
	})
}

func (s *station) download(u *update, now time.Time) {
	if s.update != u {
		return
	}
	if u.status != v16.SignedFirmwareStatusDownloading {
		s.tellUpdate(u, v16.SignedFirmwareStatusDownloading, now)
	}
	s.nextStep(u, downloadTime, now, s.downloaded)
}

func (s *station) downloaded(u *update, now time.Time) {
	u.tries--
	switch {
	case u.reachable():
		s.tellUpdate(u, v16.SignedFirmwareStatusDownloaded, now)
		s.nextStep(u, verifyTime, now, s.verify)
	case u.tries > 0:
		s.nextStep(u, u.wait, now, s.download)
	default:
		s.endUpdate(u, v16.SignedFirmwareStatusDownloadFailed, now)
	}
}

// verify looks at the signature, if there is one, and waits for the time to
// install.
func (s *station) verify(u *update, now time.Time) {
	if u.signed && u.corrupt() {
		s.endUpdate(u, v16.SignedFirmwareStatusInvalidSignature, now)
		s.securityEvent("InvalidFirmwareSignature", u.location, now)
		return
	}
	if u.signed {
		s.tellUpdate(u, v16.SignedFirmwareStatusSignatureVerified, now)
	}
	if u.install.After(now) {
		s.tellUpdate(u, v16.SignedFirmwareStatusInstallScheduled, now)
	}
	s.at(u.install, func(now time.Time) { s.tryInstall(u, now) })
}

// tryInstall installs as soon as nobody charges.
func (s *station) tryInstall(u *update, now time.Time) {
	if s.update != u {
		return
	}
	if slices.ContainsFunc(s.connectors, func(c *connector) bool { return !c.vacant() }) {
		s.nextStep(u, verifyTime, now, s.tryInstall)
		return
	}
	s.installing = true
	s.restAll(now)
	s.tellUpdate(u, v16.SignedFirmwareStatusInstalling, now)
	s.nextStep(u, installTime, now, s.installed)
}

func (s *station) installed(u *update, now time.Time) {
	s.installing = false
	if u.corrupt() {
		s.endUpdate(u, v16.SignedFirmwareStatusInstallationFailed, now)
		s.restAll(now)
		return
	}
	if u.signed {
		s.tellUpdate(u, v16.SignedFirmwareStatusInstallRebooting, now)
	}
	s.nextStep(u, verifyTime, now, func(u *update, now time.Time) {
		s.firmware++
		s.reboot(now, false)
		s.restAll(now)
		s.endUpdate(u, v16.SignedFirmwareStatusInstalled, now) // told after the boot
		if u.signed {
			s.securityEvent("FirmwareUpdated", s.firmwareVersion(), now)
		}
	})
}

func (s *station) endUpdate(u *update, last v16.SignedFirmwareStatus, now time.Time) {
	s.update = nil
	s.tellUpdate(u, last, now)
}

// tellUpdate tells how far an update got.
func (s *station) tellUpdate(u *update, status v16.SignedFirmwareStatus, now time.Time) {
	u.status = status
	if u.signed {
		s.tellSurely(&v16.SignedFirmwareStatusNotification{Status: status, RequestID: ocpp.Some(u.request)}, now)
		return
	}
	s.tellSurely(&v16.FirmwareStatusNotification{Status: v16.FirmwareStatus(status)}, now)
}

// showUpdate tells what is the matter with the firmware now.
func (s *station) showUpdate(signed bool, now time.Time) {
	u := &update{signed: signed, status: v16.SignedFirmwareStatusIdle}
	if s.update != nil && s.update.status != "" {
		u = s.update
	}
	switch {
	case u.signed && u != s.update:
		s.tellSurely(&v16.SignedFirmwareStatusNotification{Status: u.status}, now)
	default:
		s.tellUpdate(u, u.status, now)
	}
}
