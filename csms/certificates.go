package csms

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"leyden"
	"leyden/device"
)

// A Signer is the authority that signs certificates of stations.
type Signer interface {
	// Sign returns the chain for the request of a station (PKCS #10, PEM), the
	// station's certificate first; none, without an error, when somebody else has
	// to sign it. It fails with [leyden.ErrInvalid], saying why, for what is never
	// signed.
	Sign(station leyden.StationID, request string) ([]*x509.Certificate, error)
	// Accept reads the chain (PEM) that somebody else signed for a request. It
	// fails with [leyden.ErrInvalid], saying why, unless the station could come in
	// with it.
	Accept(station leyden.StationID, request, chain string) ([]*x509.Certificate, error)
}

// A CertificateHash names a certificate that a station has (OCPP 1.6 security
// whitepaper, CertificateHashDataType).
type CertificateHash struct {
	Algorithm  string // SHA256, SHA384 or SHA512
	IssuerName string // hash in hex
	IssuerKey  string // hash in hex
	Serial     string // in hex
}

// certificateDialect is how a version of OCPP says what concerns certificates.
type certificateDialect struct {
	signed  func(ctx context.Context, s *session, chain string) (string, error)
	install func(ctx context.Context, s *session, use, certificate string) (string, error)
	ids     func(ctx context.Context, s *session, use string) (string, []CertificateHash, error)
	remove  func(ctx context.Context, s *session, h CertificateHash) (string, error)
}

// InstallCertificate gives a station a certificate (PEM) to trust; use is
// CentralSystemRootCertificate or ManufacturerRootCertificate. It fails like the
// other commands, and with [*device.FieldError] for what is no certificate.
func (srv *Server) InstallCertificate(ctx context.Context, id leyden.StationID, use, certificate string) (string, error) {
	if err := checkCertificate("certificate", certificate); err != nil {
		return "", err
	}
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.certificates.install(ctx, s, use, certificate)
}

// InstalledCertificates returns which certificates of a use a station trusts,
// with its word on it: Accepted, or NotFound when there are none.
func (srv *Server) InstalledCertificates(ctx context.Context, id leyden.StationID, use string) (status string, list []CertificateHash, err error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", nil, err
	}
	return s.dialect.certificates.ids(ctx, s, use)
}

// DeleteCertificate makes a station trust a certificate no more.
func (srv *Server) DeleteCertificate(ctx context.Context, id leyden.StationID, h CertificateHash) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.certificates.remove(ctx, s, h)
}

// SendChain gives a station the chain (PEM) that somebody else signed for one of
// its requests. It fails like the other commands, with [leyden.ErrNotFound] for a
// request that is not this station's, with [leyden.ErrExists] for one whose
// certificate it has, and with [*device.FieldError] for a chain with which the
// station could not come in.
func (srv *Server) SendChain(ctx context.Context, id leyden.StationID, certificate, chain string) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	if srv.opt.Devices == nil || srv.opt.Signer == nil {
		return "", fmt.Errorf("certificate %s: %w", certificate, leyden.ErrNotFound)
	}
	c, err := srv.opt.Devices.Certificate(ctx, certificate)
	if err == nil && c.Station != id {
		err = leyden.ErrNotFound
	}
	if err == nil && c.Status == device.Installed {
		err = fmt.Errorf("the charger has it: %w", leyden.ErrExists)
	}
	if err != nil {
		return "", fmt.Errorf("certificate %s: %w", certificate, err)
	}
	list, err := srv.opt.Signer.Accept(id, c.Request, chain)
	if errors.Is(err, leyden.ErrInvalid) {
		return "", &device.FieldError{Field: "certificateChain", Reason: unmarked(err)}
	}
	if err != nil {
		return "", fmt.Errorf("certificate %s: %w", certificate, err)
	}
	srv.signed(&c, list)
	c.By = callerOf(ctx)
	if len(c.Chain) > maxChain {
		return "", &device.FieldError{Field: "certificateChain", Reason: fmt.Sprintf("has more than %d characters without its root", maxChain)}
	}
	if err := srv.opt.Devices.SaveCertificate(ctx, c); err != nil {
		return "", fmt.Errorf("certificate %s: %w", certificate, err)
	}
	return s.dialect.certificates.signed(ctx, s, c.Chain)
}

// unmarked returns the text of an error without what marks it as invalid.
func unmarked(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+leyden.ErrInvalid.Error())
}

// checkCertificate says why a text is not one certificate, or returns nil.
func checkCertificate(field, text string) error {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return &device.FieldError{Field: field, Reason: "is not one certificate in PEM form"}
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return &device.FieldError{Field: field, Reason: "is no X.509 certificate"}
	}
	return nil
}

// Limits of what is done for certificates.
const (
	// certificatesLookedAt is how many of a station's last requests are looked
	// through for the one that a message is about.
	certificatesLookedAt = 20
	// maxKeptRequest is how much of a request is kept, in bytes. OCPP allows
	// 5500 characters, and what is longer by far is not signed.
	maxKeptRequest = 16 << 10
	// maxChain is the longest chain that OCPP carries, in characters.
	maxChain = 10_000
)

// sign decides about the request of a station, and returns its answer and what
// to do once that has left. A request that comes again is the same one: it gets
// the same certificate until half of its time is over.
func (s *session) sign(ctx context.Context, request string) (answer string, then func()) {
	c, again := s.requestOf(ctx, request)
	if s.srv.opt.Signer == nil {
		return s.decline(ctx, c, "there is no certificate authority")
	}
	if again && s.goodStill(&c, request) {
		return accepted, s.deliverLater(c)
	}
	chain, err := s.srv.opt.Signer.Sign(s.station, request)
	// Asked after it is signed: what was signed before a removal lets nobody in.
	if !s.stillKnown(ctx) {
		return rejected, nil
	}
	if errors.Is(err, leyden.ErrInvalid) {
		reason := unmarked(err)
		if !again || c.Reason != reason {
			s.srv.securityEvent(ctx, s.station, eventCertificateRequest, reason)
		}
		return s.decline(ctx, c, reason)
	}
	if err != nil {
		s.srv.log.ErrorContext(ctx, "certificate not signed", "station", s.station, "error", err)
		return s.decline(ctx, c, "the certificate authority is not at work")
	}
	if len(chain) > 0 {
		s.srv.signed(&c, chain)
		s.keepCertificate(ctx, c)
		return accepted, s.deliverLater(c)
	}
	return s.await(ctx, c, again)
}

// goodStill reports whether the certificate that a station was given for its
// request may be given again.
func (s *session) goodStill(c *device.Certificate, request string) bool {
	half := c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2)
	if c.Chain == "" || c.Status == device.Declined || s.srv.ledger.Now().After(half) {
		return false
	}
	_, err := s.srv.opt.Signer.Accept(s.station, request, c.Chain)
	return err == nil
}

// requestOf returns the record of a request: the one that there is if it came
// before.
func (s *session) requestOf(ctx context.Context, request string) (c device.Certificate, again bool) {
	now := s.srv.ledger.Now()
	c = device.Certificate{
		ID: leyden.NewPublicID("crt_", now), Station: s.station, Status: device.Requested,
		Request: strings.ToValidUTF8(request[:min(len(request), maxKeptRequest)], ""), RequestedAt: now, UpdatedAt: now,
	}
	for _, known := range s.certificates(ctx, "") {
		if known.Request == c.Request {
			return known, true
		}
	}
	return c, false
}

// certificates returns the last ones that the station asked for, as far as they
// can be read.
func (s *session) certificates(ctx context.Context, status device.CertificateStatus) []device.Certificate {
	if s.srv.opt.Devices == nil {
		return nil
	}
	ctx, cancel := aside(ctx)
	defer cancel()
	list, _, err := s.srv.opt.Devices.Certificates(ctx, device.CertificateQuery{
		Station: s.station, Status: status, Page: device.Page{Limit: certificatesLookedAt},
	})
	if err != nil {
		s.srv.log.WarnContext(ctx, "certificates of station not read", "station", s.station, "error", err)
	}
	return list
}

// keepCertificate saves what became of a request, and reports whether it could.
func (s *session) keepCertificate(ctx context.Context, c device.Certificate) bool {
	if s.srv.opt.Devices == nil {
		return false
	}
	defer s.srv.rescue("certificate", nil)
	c.UpdatedAt = s.srv.ledger.Now()
	ctx, cancel := aside(ctx)
	defer cancel()
	err := s.srv.opt.Devices.SaveCertificate(ctx, c)
	if err != nil {
		s.srv.log.ErrorContext(ctx, "certificate not kept", "station", s.station, "certificate", c.ID, "error", err)
	}
	return err == nil
}

// decline records a request that is not signed.
func (s *session) decline(ctx context.Context, c device.Certificate, reason string) (answer string, then func()) {
	if c.Status != device.Declined || c.Reason != reason {
		c.Status, c.Reason = device.Declined, reason
		s.keepCertificate(ctx, c)
	}
	return rejected, nil
}

// await keeps a request for an external authority. Those before it are for keys
// that the station has no use for any more.
func (s *session) await(ctx context.Context, c device.Certificate, again bool) (answer string, then func()) {
	if again && c.Status == device.Requested {
		return accepted, nil
	}
	c.Status, c.Reason, c.Chain, c.Serial = device.Requested, "", "", ""
	if !s.keepCertificate(ctx, c) {
		return rejected, nil // it comes again
	}
	for _, older := range s.certificates(ctx, device.Requested) {
		if older.ID != c.ID {
			older.Status, older.Reason = device.Declined, "replaced by a newer request"
			s.keepCertificate(ctx, older)
		}
	}
	return accepted, nil
}

// signed enters a chain into the record of its request.
func (srv *Server) signed(c *device.Certificate, chain []*x509.Certificate) {
	var text strings.Builder
	for _, x := range chain {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.Raw}))
	}
	c.Status, c.Reason, c.Chain = device.Signed, "", text.String()
	c.Serial = fmt.Sprintf("%x", chain[0].SerialNumber)
	c.NotBefore, c.NotAfter, c.UpdatedAt = chain[0].NotBefore, chain[0].NotAfter, srv.ledger.Now()
}

// deliverLater returns what gives the station its certificate.
func (s *session) deliverLater(c device.Certificate) func() {
	return func() { s.srv.background(func(ctx context.Context) { s.deliver(ctx, c) }) }
}

// deliver gives the station its certificate. What it answers is noted as for any
// call; with no answer the certificate waits until the station asks again.
func (s *session) deliver(ctx context.Context, c device.Certificate) {
	_, err := s.dialect.certificates.signed(ctx, s, c.Chain)
	if err == nil {
		return
	}
	s.srv.log.WarnContext(ctx, "station did not take its certificate", "station", s.station, "certificate", c.ID, "error", err)
	refusal, answered := errors.AsType[*StationError](err)
	if answered && !refusal.unread || errors.Is(err, leyden.ErrInvalid) {
		c.Status, c.Reason = device.Declined, err.Error()
		s.keepCertificate(ctx, c)
	}
}

// tookChain notes what a station said to a chain that it was sent.
func (s *session) tookChain(ctx context.Context, chain, status string) {
	for _, c := range s.certificates(ctx, "") {
		if c.Chain != chain {
			continue
		}
		c.Status, c.Reason = device.Installed, ""
		if !strings.EqualFold(status, accepted) {
			c.Status, c.Reason = device.Declined, "the station answered "+clip(status)
		}
		s.srv.log.InfoContext(ctx, "station answered to its certificate", "station", s.station, "certificate", c.ID, "serial", c.Serial, "status", clip(status))
		s.keepCertificate(ctx, c)
		return
	}
}
