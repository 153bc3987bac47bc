package device

import (
	"context"
	"time"

	"leyden"
)

// A CertificateStatus says how far the request of a station for a certificate
// got.
type CertificateStatus string

// The stages of a certificate. Requested waits for an external CA.
const (
	Requested CertificateStatus = "requested"
	Signed    CertificateStatus = "signed"   // there is a chain; the station did not take it yet
	Installed CertificateStatus = "accepted" // the station took it
	Declined  CertificateStatus = "rejected" // the station, or the CA, said no
)

// A Certificate is one that a station asked for with SignCertificate, from its
// request to its end.
type Certificate struct {
	ID          string // crt_ + 26 characters
	Station     leyden.StationID
	Status      CertificateStatus
	Request     string // the CSR, PEM
	Chain       string // leaf first, PEM; "" until it is signed
	Serial      string // of the leaf, in hex
	NotBefore   time.Time
	NotAfter    time.Time
	Reason      string // why it was declined
	By          string // id of the credential that uploaded the chain; "" for our own CA
	RequestedAt time.Time
	UpdatedAt   time.Time
}

// A CertificateQuery selects certificates. Zero fields do not restrict.
type CertificateQuery struct {
	Station leyden.StationID
	Within  []leyden.StationID // only of these stations; nil: of all
	Status  CertificateStatus
	Page
}

// A CertificateStore keeps certificates of stations.
type CertificateStore interface {
	// SaveCertificate adds c, or replaces the one with its ID.
	SaveCertificate(ctx context.Context, c Certificate) error
	// Certificate returns one, or [leyden.ErrNotFound].
	Certificate(ctx context.Context, id string) (Certificate, error)
	// Certificates returns a part of those that q selects, the last requested
	// first (of those requested together, the last saved), and how many there are.
	Certificates(ctx context.Context, q CertificateQuery) ([]Certificate, int, error)
}
