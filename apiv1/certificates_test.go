package apiv1_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/device"
)

// caPEM is a certificate that signed itself, good until 2046.
const caPEM = `-----BEGIN CERTIFICATE-----
MIIBjTCCATOgAwIBAgIQR3Ro31Yb9GRIp2AReTyuQDAKBggqhkjOPQQDAjAlMQ8w
DQYDVQQKEwZMZXlkZW4xEjAQBgNVBAMTCUxleWRlbiBDQTAeFw0yNjAyMDUxMjAw
MDBaFw00NjAyMDExMjAwMDBaMCUxDzANBgNVBAoTBkxleWRlbjESMBAGA1UEAxMJ
TGV5ZGVuIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6I1f/EhonVGYrk/u
kHWY76oFqjKnvPJBeeC7VG9wOd/Z+3CF4k/bxKAlqy/uBCecvSVqLISfC9WJ+fAI
DdcB/aNFMEMwDgYDVR0PAQH/BAQDAgEGMBIGA1UdEwEB/wQIMAYBAf8CAQAwHQYD
VR0OBBYEFJpmN0x9RCMQ999F0Lp6Jc4H1eMrMAoGCCqGSM49BAMCA0gAMEUCIGm6
9tIZ3YRgBF7j1fYwrfXIJCA62CVNxDP+6WAOqYqhAiEAs7xm9jJ5pWQFKtSznlCk
scXuKk2AmtuiR+Ncrwbf3eQ=
-----END CERTIFICATE-----
`

// An authority knows these certificates.
type authority struct {
	ca, root string
	err      error
}

func (a authority) CA() (string, error)         { return a.ca, a.err }
func (a authority) ServerRoot() (string, error) { return a.root, a.err }

func TestCA(t *testing.T) {
	inWorld(t, func(w *world) {
		got := w.want(http.StatusOK, "GET /ca", "")
		if field(t, got, "certificate") != caPEM || field(t, got, "subject") != "CN=Leyden CA,O=Leyden" || len(field(t, got, "sha256Fingerprint")) != 64 || !strings.HasPrefix(field(t, got, "notAfter"), "2046-") {
			t.Errorf("got %s", got)
		}
		w.key = w.keyWith("transactions:read")
		w.wantError("GET /ca", "", 403, "FORBIDDEN", "the credential lacks the scope chargers:read")
	}, func(c *apiv1.Config) { c.Authority = authority{ca: caPEM} })
	for name, a := range map[string]apiv1.Authority{"nobody": nil, "elsewhere": authority{err: leyden.ErrNotFound}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.wantError("GET /ca", "", 404, "NOT_FOUND", "certificate authority: not found")
			}, func(c *apiv1.Config) { c.Authority = a })
		})
	}
	inWorld(t, func(w *world) {
		w.want(http.StatusInternalServerError, "GET /ca", "")
	}, func(c *apiv1.Config) { c.Authority = authority{err: errors.New("disk")} })
}

// What a charger is to trust, unless it is said, is the root of the server.
func TestInstallServerRoot(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.says("InstallCertificate", answering(`{"status":"Accepted"}`))
		w.want(http.StatusOK, "POST /chargers/CHARGER-001/ca-certificates", `{}`)
		sent := s.calls("InstallCertificate")
		if len(sent) != 1 || field(t, sent[0], "certificateType") != "CentralSystemRootCertificate" || field(t, sent[0], "certificate") != caPEM {
			t.Errorf("sent %s", sent)
		}
		w.wantError("POST /chargers/CHARGER-001/ca-certificates", `{"certificateType":"ManufacturerRootCertificate"}`,
			400, "VALIDATION_ERROR", "certificate: is required for ManufacturerRootCertificate")
		s.end()
		w.wantError("POST /chargers/CHARGER-001/ca-certificates", `{}`, 503, "SERVICE_UNAVAILABLE", "the charger is not connected")
	}, func(c *apiv1.Config) { c.Authority = authority{root: caPEM} })
}

func TestCertificateLists(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		w.register("CHARGER-002")
		for i, c := range []device.Certificate{
			{ID: "crt_a", Station: "CHARGER-001", Status: device.Requested, Request: "csr"},
			{ID: "crt_b", Station: "CHARGER-001", Status: device.Installed, Request: "csr", Chain: "chain", Serial: "5a", By: "key_1", NotBefore: noon, NotAfter: noon.Add(time.Hour)},
			{ID: "crt_c", Station: "CHARGER-002", Status: device.Declined, Reason: "because"},
		} {
			c.RequestedAt = noon.Add(time.Duration(i) * time.Second)
			c.UpdatedAt = c.RequestedAt
			w.must(w.store.SaveCertificate(t.Context(), c))
		}
		for _, c := range []struct{ line, want string }{
			{"GET /certificates", "crt_c crt_b crt_a"},
			{"GET /certificates?status=requested", "crt_a"},
			{"GET /certificates?chargeBoxId=CHARGER-001&limit=1&offset=1", "crt_a"},
			{"GET /certificates?chargeBoxId=NOWHERE", ""},
			{"GET /chargers/CHARGER-001/certificates", "crt_b crt_a"},
			{"GET /chargers/CHARGER-001/certificates?status=rejected", ""},
		} {
			body := w.want(http.StatusOK, c.line, "")
			var ids []string
			for _, part := range strings.Split(body, `"id":"`)[1:] {
				ids = append(ids, part[:5])
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("%s: got %q, want %q", c.line, got, c.want)
			}
		}
		const want = `{"id":"crt_b","chargeBoxId":"CHARGER-001","status":"accepted","reason":null,"certificateRequest":"csr","certificateChain":"chain","serialNumber":"5a",` +
			`"notBefore":"2026-02-06T12:00:00.000Z","notAfter":"2026-02-06T13:00:00.000Z","uploadedBy":"key_1","requestedAt":"2026-02-06T12:00:01.000Z","updatedAt":"2026-02-06T12:00:01.000Z"}`
		if got := w.want(http.StatusOK, "GET /chargers/CHARGER-001/certificates/crt_b", ""); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		w.wantError("GET /chargers/CHARGER-001/certificates/crt_c", "", 404, "NOT_FOUND", "certificate crt_c: not found")
		w.wantError("GET /chargers/NOWHERE/certificates", "", 404, "NOT_FOUND", "charger NOWHERE: not found")
		w.wantError("GET /certificates?status=done", "", 400, "VALIDATION_ERROR", `status: expected value to be one of "requested, signed, accepted, rejected"`)
	})
}
