package apiv1

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/device"
	"leyden/rest"
)

// Certificates is the side of stations that concerns certificates.
type Certificates interface {
	// InstallCertificate gives a station a certificate to trust.
	InstallCertificate(ctx context.Context, id leyden.StationID, use, certificate string) (string, error)
	// InstalledCertificates asks which certificates a station trusts.
	InstalledCertificates(ctx context.Context, id leyden.StationID, use string) (string, []csms.CertificateHash, error)
	// DeleteCertificate makes a station trust a certificate no more.
	DeleteCertificate(ctx context.Context, id leyden.StationID, h csms.CertificateHash) (string, error)
	// SendChain gives a station the chain for one of its requests.
	SendChain(ctx context.Context, id leyden.StationID, certificate, chain string) (string, error)
}

// An Authority knows the certificates by which others recognise us, in PEM form.
// What it does not know is [leyden.ErrNotFound].
type Authority interface {
	// CA returns the certificate of the authority that signs for stations.
	CA() (string, error)
	// ServerRoot returns the certificate by which stations recognise this server.
	ServerRoot() (string, error)
}

// stationCertificate is how v1 shows a [device.Certificate].
type stationCertificate struct {
	ID           string           `json:"id" example:"crt_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	ChargeBoxID  leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Status       string           `json:"status" enum:"requested,signed,accepted,rejected" doc:"requested: waits to be signed elsewhere. signed: the charger did not take it yet. accepted: it did. rejected: the authority or the charger said no." example:"accepted"`
	Reason       *string          `json:"reason" doc:"Why it was rejected."`
	Request      string           `json:"certificateRequest" doc:"The charger's request (PKCS #10), as it sent it: PEM as a rule."`
	Chain        *string          `json:"certificateChain" doc:"PEM, the charger's certificate first."`
	SerialNumber *string          `json:"serialNumber" doc:"In hex." example:"5a1e9b0c3d4f60718293a4b5c6d7e8f9"`
	NotBefore    rest.Time        `json:"notBefore" doc:"From when on it is good." example:"2026-02-06T11:00:00.000Z"`
	NotAfter     rest.Time        `json:"notAfter" doc:"Until when it is good." example:"2027-02-06T12:00:00.000Z"`
	UploadedBy   *string          `json:"uploadedBy" doc:"The credential that brought the chain; null when the server's own authority signed it."`
	RequestedAt  rest.Time        `json:"requestedAt" nullable:"false" doc:"By the server's clock." example:"2026-02-06T12:00:00.000Z"`
	UpdatedAt    rest.Time        `json:"updatedAt" nullable:"false" doc:"When the status last changed, by the server's clock." example:"2026-02-06T12:00:01.000Z"`
}

func presentCertificate(c *device.Certificate) stationCertificate {
	return stationCertificate{
		ID:           c.ID,
		ChargeBoxID:  c.Station,
		Status:       string(c.Status),
		Reason:       orNull(c.Reason),
		Request:      c.Request,
		Chain:        orNull(c.Chain),
		SerialNumber: orNull(c.Serial),
		NotBefore:    rest.Time{Time: c.NotBefore},
		NotAfter:     rest.Time{Time: c.NotAfter},
		UploadedBy:   orNull(c.By),
		RequestedAt:  rest.Time{Time: c.RequestedAt},
		UpdatedAt:    rest.Time{Time: c.UpdatedAt},
	}
}

type certificateList struct {
	Certificates []stationCertificate `json:"certificates"`
	Pagination   pagination           `json:"pagination"`
}

type listCertificatesInput struct {
	ChargeBoxID string `query:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"Only those of this charger."`
	Status      string `query:"status" enum:"requested,signed,accepted,rejected" doc:"Only those of this status."`
	rest.Window
}

type chargerCertificatesInput struct {
	ChargerPath
	Status string `query:"status" enum:"requested,signed,accepted,rejected" doc:"Only those of this status."`
	rest.Window
}

type certificatePath struct {
	ChargerPath
	CertificateID string `path:"certificateId" maxLength:"40" doc:"The id of the certificate." example:"crt_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
}

type chainInput struct {
	ChargerPath
	CertificateID string `path:"certificateId" maxLength:"40" doc:"The id of the certificate." example:"crt_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	Body          struct {
		CertificateChain string `json:"certificateChain" minLength:"1" maxLength:"65000" doc:"PEM: the charger's certificate, then those between it and the root. The root itself may follow and is not sent."`
	} `nameHint:"V1CertificateChain"`
}

type installCertificateInput struct {
	ChargerPath
	Body struct {
		CertificateType string `json:"certificateType,omitempty" enum:"CentralSystemRootCertificate,ManufacturerRootCertificate" default:"CentralSystemRootCertificate" doc:"What the charger shall recognise by it: this server, or firmware." example:"CentralSystemRootCertificate"`
		Certificate     string `json:"certificate,omitempty" minLength:"1" maxLength:"5500" doc:"One certificate, PEM. Absent, for CentralSystemRootCertificate: the root of this server's own certificate."`
	} `nameHint:"V1InstallCertificate"`
}

type installedCertificatesInput struct {
	ChargerPath
	Body struct {
		CertificateType string `json:"certificateType" enum:"CentralSystemRootCertificate,ManufacturerRootCertificate" example:"CentralSystemRootCertificate"`
	} `nameHint:"V1ListInstalledCertificates"`
}

// certificateHash names a certificate that a charger has, in OCPP's words.
type certificateHash struct {
	HashAlgorithm  string `json:"hashAlgorithm" enum:"SHA256,SHA384,SHA512" example:"SHA256"`
	IssuerNameHash string `json:"issuerNameHash" minLength:"1" maxLength:"128" doc:"In hex."`
	IssuerKeyHash  string `json:"issuerKeyHash" minLength:"1" maxLength:"128" doc:"In hex."`
	SerialNumber   string `json:"serialNumber" minLength:"1" maxLength:"40" doc:"In hex."`
}

// toldHash is a certificateHash as a charger sent it, whatever it says.
type toldHash struct {
	HashAlgorithm  string `json:"hashAlgorithm" example:"SHA256"`
	IssuerNameHash string `json:"issuerNameHash"`
	IssuerKeyHash  string `json:"issuerKeyHash"`
	SerialNumber   string `json:"serialNumber"`
}

type installedCertificates struct {
	Status       string     `json:"status" doc:"Accepted, or NotFound when there is none." example:"Accepted"`
	Certificates []toldHash `json:"certificates" doc:"What a delete names a certificate by."`
}

type deleteCertificateInput struct {
	ChargerPath
	Body certificateHash
}

// authorityCertificate is the authority that signs for chargers.
type authorityCertificate struct {
	Certificate string    `json:"certificate" doc:"PEM."`
	Subject     string    `json:"subject" example:"CN=Leyden CA,O=Leyden"`
	NotAfter    rest.Time `json:"notAfter" nullable:"false" example:"2046-02-06T12:00:00.000Z"`
	Fingerprint string    `json:"sha256Fingerprint" doc:"SHA-256 of the certificate, in hex."`
}

func (a *api) serveCertificates() {
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/ca", ID: "v1GetCA", Tag: tagCertificates,
		Summary:     "Get the certificate authority",
		Description: "The certificate of the authority that signs for chargers: what is to be trusted where they connect to. 404 when they are signed elsewhere, or not at all.",
		Scope:       auth.ChargersRead, Limited: true, Errors: notFound(),
	}, a.getCA)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/certificates", ID: "v1ListCertificates", Tag: tagCertificates,
		Summary:     "List certificates of all chargers",
		Description: "What chargers asked to sign and what became of it, the last requested first. An external authority looks here for those with `status=requested`.",
		Scope:       auth.ChargersRead, Limited: true, Errors: notFound(),
	}, inParts("certificates", partRows, a.listCertificates, func(l *certificateList) []stationCertificate { return l.Certificates }))
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/certificates", ID: "v1ListChargerCertificates", Tag: tagCertificates,
		Summary:     "List certificates of a charger",
		Description: "What it asked to sign and what became of it, the last requested first. The last 1,000 are kept.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, inParts("certificates", partRows, a.listChargerCertificates, func(l *certificateList) []stationCertificate { return l.Certificates }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/certificates/{certificateId}", ID: "v1GetChargerCertificate", Tag: tagCertificates,
		Summary:     "Get a certificate of a charger",
		Description: "One request of a charger and what became of it.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, a.getCertificate)
	a.serveCertificateCommands()
}

func (a *api) serveCertificateCommands() {
	command(a, rest.Operation{
		Path: "/certificates/request", ID: "v1RequestCertificate", Summary: "Have a charger ask for a certificate",
		Description: "OCPP ExtendedTriggerMessage SignChargePointCertificate. Answers Accepted or NotImplemented; the charger's request follows.",
	}, func(ctx context.Context, in *ChargerPath) (*bodied[commandAnswer], error) {
		return a.answered(ctx, *in, func(id leyden.StationID) (string, error) {
			return a.Stations.Trigger(ctx, id, "SignChargePointCertificate", 0)
		})
	})
	command(a, rest.Operation{
		Path: "/certificates/{certificateId}/chain", ID: "v1SendCertificateChain", Summary: "Bring the certificate that a charger asked for",
		Description: "OCPP CertificateSigned, for requests that are signed elsewhere. The chain is checked first: the key of the request, " +
			"CN the charger's identity, O the operator's name, signed by an authority that this server trusts. 409 `CONFLICT` when the charger has one already.",
	}, func(ctx context.Context, in *chainInput) (*bodied[commandAnswer], error) {
		return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) {
			return a.Stations.SendChain(ctx, id, in.CertificateID, in.Body.CertificateChain)
		})
	})
	command(a, rest.Operation{
		Path: "/ca-certificates", ID: "v1InstallCertificate", Summary: "Give a charger a certificate to trust",
		Description: "OCPP InstallCertificate. Answers Accepted or Failed.",
	}, a.installCertificate)
	command(a, rest.Operation{
		Path: "/ca-certificates/list", ID: "v1ListInstalledCertificates", Summary: "Ask which certificates a charger trusts",
		Description: "OCPP GetInstalledCertificateIds. Answers Accepted with the certificates, or NotFound without any.",
	}, a.installedCertificates)
	command(a, rest.Operation{
		Path: "/ca-certificates/delete", ID: "v1DeleteCertificate", Summary: "Take a certificate from those a charger trusts",
		Description: "OCPP DeleteCertificate. Answers Accepted, Failed or NotFound.",
	}, func(ctx context.Context, in *deleteCertificateInput) (*bodied[commandAnswer], error) {
		h := in.Body
		return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) {
			return a.Stations.DeleteCertificate(ctx, id, csms.CertificateHash{
				Algorithm: h.HashAlgorithm, IssuerName: h.IssuerNameHash, IssuerKey: h.IssuerKeyHash, Serial: h.SerialNumber,
			})
		})
	})
}

// noAuthority answers where nobody knows of certificates.
type noAuthority struct{}

func (noAuthority) CA() (string, error)         { return "", leyden.ErrNotFound }
func (noAuthority) ServerRoot() (string, error) { return "", leyden.ErrNotFound }

func (a *api) authority() Authority { return cmp.Or[Authority](a.Authority, noAuthority{}) }

func (a *api) getCA(_ context.Context, _ *struct{}) (*bodied[authorityCertificate], error) {
	text, err := a.authority().CA()
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("certificate authority: %w", leyden.ErrNotFound)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	sum := sha256.Sum256(c.Raw)
	return &bodied[authorityCertificate]{authorityCertificate{
		Certificate: text, Subject: c.Subject.String(), NotAfter: rest.Time{Time: c.NotAfter}, Fingerprint: hex.EncodeToString(sum[:]),
	}}, nil
}

func (a *api) listCertificates(ctx context.Context, in *listCertificatesInput) (*bodied[certificateList], error) {
	station, err := a.stationFilter(ctx, in.ChargeBoxID)
	if err != nil {
		return nil, err
	}
	return a.certificates(ctx, device.CertificateQuery{Station: station, Within: reached(ctx), Status: device.CertificateStatus(in.Status)}, in.Window)
}

func (a *api) listChargerCertificates(ctx context.Context, in *chargerCertificatesInput) (*bodied[certificateList], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	return a.certificates(ctx, device.CertificateQuery{Station: s.ID, Status: device.CertificateStatus(in.Status)}, in.Window)
}

func (a *api) certificates(ctx context.Context, q device.CertificateQuery, w rest.Window) (*bodied[certificateList], error) {
	store, err := a.devices()
	if err != nil {
		return nil, err
	}
	if q.Page, err = w.Part(ctx); err != nil {
		return nil, err
	}
	found, total, err := store.Certificates(ctx, q)
	if err != nil {
		return nil, err
	}
	out := new(bodied[certificateList])
	out.Body.Certificates, out.Body.Pagination = paged(ctx, w, found, total,
		func(c *device.Certificate) leyden.Cursor { return leyden.Cursor{At: c.RequestedAt, Name: c.ID} }, presentCertificate)
	return out, nil
}

func (a *api) getCertificate(ctx context.Context, in *certificatePath) (*bodied[stationCertificate], error) {
	id, store, err := a.keptOf(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	c, err := store.Certificate(ctx, in.CertificateID)
	if err == nil && c.Station != id {
		err = leyden.ErrNotFound
	}
	if err != nil {
		return nil, named("certificate", in.CertificateID, err)
	}
	return &bodied[stationCertificate]{presentCertificate(&c)}, nil
}

const useOfServers = "CentralSystemRootCertificate"

func (a *api) installCertificate(ctx context.Context, in *installCertificateInput) (*bodied[commandAnswer], error) {
	use, certificate := cmp.Or(in.Body.CertificateType, useOfServers), in.Body.Certificate
	if certificate == "" {
		var err error
		if use != useOfServers {
			return nil, rest.Invalid("certificate", "is required for "+use)
		}
		if certificate, err = a.authority().ServerRoot(); err != nil {
			return nil, rest.Invalid("certificate", "is required: the root of this server's certificate is not known").Because(err)
		}
	}
	return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) {
		return a.Stations.InstallCertificate(ctx, id, use, certificate)
	})
}

func (a *api) installedCertificates(ctx context.Context, in *installedCertificatesInput) (*bodied[installedCertificates], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	status, list, err := a.Stations.InstalledCertificates(ctx, s.ID, in.Body.CertificateType)
	if err != nil {
		return nil, err
	}
	out := installedCertificates{Status: status, Certificates: make([]toldHash, len(list))}
	for i, h := range list {
		out.Certificates[i] = toldHash{h.Algorithm, h.IssuerName, h.IssuerKey, h.Serial}
	}
	return &bodied[installedCertificates]{out}, nil
}
