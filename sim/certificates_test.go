package sim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

// authority returns a root certificate that is valid in tests' time, and its key.
func authority(t *testing.T, name string, serial int64) (string, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issue(t, certificateFor(name, serial), certificateFor(name, serial), &key.PublicKey, key), key
}

func certificateFor(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(serial), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func issue(t *testing.T, cert, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (c *central) extended(m v16.ExtendedMessageTrigger, want v16.TriggerMessageStatus) {
	c.t.Helper()
	var res v16.ExtendedTriggerMessageResponse
	c.call(station, &v16.ExtendedTriggerMessage{RequestedMessage: m}, &res)
	if res.Status != want {
		c.t.Errorf("%s is %s, want %s", m, res.Status, want)
	}
	sleep(time.Second)
}

// request returns the last request for a certificate.
func (c *central) request() *x509.CertificateRequest {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.said[len(c.said)-1].(*v16.SignCertificate)
	if !ok {
		c.t.Fatalf("the last message is %T", c.said[len(c.said)-1])
	}
	block, _ := pem.Decode([]byte(m.CSR))
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = request.CheckSignature()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return request
}

func (c *central) signed(chain string, want v16.GenericStatus) {
	c.t.Helper()
	var res v16.CertificateSignedResponse
	c.call(station, &v16.CertificateSigned{CertificateChain: chain}, &res)
	if res.Status != want {
		c.t.Errorf("the signed certificate is %s, want %s", res.Status, want)
	}
	sleep(time.Millisecond)
}

func TestStationCertificate(t *testing.T) {
	c := newCentral(t)
	c.handle = c.signsAll()
	var last sim.Login
	c.dial = func(who sim.Login) error {
		last = who
		return nil
	}
	root, key := authority(t, "Root", 1)
	sign := func(name string, public crypto.PublicKey) string {
		return issue(t, certificateFor(name, 2), certificateFor("Root", 1), public, key) + root
	}
	passive(t, 1, c, func() {
		c.change("CpoName", "Operator", "Accepted")
		c.signed(sign(station, &key.PublicKey), "Rejected") // nobody asked
		c.extended("SignChargePointCertificate", "Accepted")
		request := c.request()
		if request.Subject.CommonName != station || len(request.Subject.Organization) != 1 || request.Subject.Organization[0] != "Operator" {
			t.Errorf("asked was for %v", request.Subject)
		}
		n := c.pages()
		c.signed(sign(station, &key.PublicKey), "Rejected")
		c.signed(sign("another", request.PublicKey), "Rejected")
		c.signed("no certificate", "Rejected")
		c.wantNews("wrong certificates", n, "!InvalidChargePointCertificate !InvalidChargePointCertificate !InvalidChargePointCertificate")
		c.signed(sign(station, request.PublicKey), "Accepted")
		var res v16.ResetResponse
		c.call(station, &v16.Reset{Type: v16.ResetTypeSoft}, &res)
		sleep(time.Minute)
	})
	if last.Certificate == nil || len(last.Certificate.Certificate) != 2 || last.Certificate.Leaf.Subject.CommonName != station {
		t.Errorf("logged in with %+v", last.Certificate)
	}
}

func TestRootCertificates(t *testing.T) {
	const use = v16.CertificateUseCentralSystemRootCertificate
	c := newCentral(t)
	install := func(cert string, want v16.InstallCertificateStatus) {
		t.Helper()
		var res v16.InstallCertificateResponse
		c.call(station, &v16.InstallCertificate{CertificateType: use, Certificate: cert}, &res)
		if res.Status != want {
			t.Errorf("installing is %s, want %s", res.Status, want)
		}
	}
	list := func(use v16.CertificateUse) v16.GetInstalledCertificateIdsResponse {
		var res v16.GetInstalledCertificateIdsResponse
		c.call(station, &v16.GetInstalledCertificateIds{CertificateType: use}, &res)
		return res
	}
	root, key := authority(t, "Root", 0xab)
	passive(t, 1, c, func() {
		if got := list(use); got.Status != "NotFound" || len(got.CertificateHashData) != 0 {
			t.Errorf("installed at first is %+v", got)
		}
		install("no certificate", "Rejected")
		install(issue(t, certificateFor("Leaf", 2), certificateFor("Root", 1), &key.PublicKey, key), "Rejected")
		install(root, "Accepted")
		install(root, "Accepted")
		got := list(use)
		if got.Status != "Accepted" || len(got.CertificateHashData) != 1 || list("ManufacturerRootCertificate").Status != "NotFound" {
			t.Fatalf("installed is %+v", got)
		}
		public, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(public)
		h := got.CertificateHashData[0]
		if h.HashAlgorithm != "SHA256" || h.SerialNumber != "ab" || h.IssuerKeyHash != hex.EncodeToString(sum[:]) || len(h.IssuerNameHash) != 64 {
			t.Errorf("it is said to be %+v", h)
		}
		for i, want := range []v16.DeleteCertificateStatus{"NotFound", "Accepted", "NotFound"} {
			which := h
			if i == 0 {
				which.SerialNumber = "ac"
			}
			var res v16.DeleteCertificateResponse
			c.call(station, &v16.DeleteCertificate{CertificateHashData: which}, &res)
			if res.Status != want {
				t.Errorf("deleting %+v is %s, want %s", which, res.Status, want)
			}
		}
		for i := range 11 {
			cert, _ := authority(t, "Root", int64(i+1))
			install(cert, []v16.InstallCertificateStatus{"Accepted", "Failed"}[i/10])
		}
	})
}

func TestExtendedTrigger(t *testing.T) {
	c := newCentral(t)
	passive(t, 1, c, func() {
		n := c.pages()
		c.extended("LogStatusNotification", "Accepted")
		c.extended("FirmwareStatusNotification", "Accepted")
		c.wantNews("idle", n, "Idle/-1 Idle/-1")
		before := len(c.log(station))
		c.extended("Heartbeat", "Accepted")
		c.extended("StatusNotification", "Accepted")
		c.extended("MeterValues", "Accepted")
		if got := c.log(station)[before:]; len(got) != 4 {
			t.Errorf("told was %v", got)
		}
		c.extended("BootNotification", "Accepted")
		if c.boots[station] != 2 {
			t.Errorf("%d boots", c.boots[station])
		}
	})
}

// TestSecurityProfile: it is told, never falls, and rises only to what the station
// can do.
func TestSecurityProfile(t *testing.T) {
	for _, o := range []struct {
		password string
		profile  int
		want     string
	}{{"", 0, "0"}, {"first password 1", 0, "1"}, {"first password 1", 2, "2"}, {"", 3, "3"}} {
		c := newCentral(t)
		options := sim.Options{Passive: true, SecurityProfile: o.profile, Password: func(string) string { return o.password }}
		run(t, options, c, func(f *sim.Fleet) {
			sleep(time.Second)
			told, _ := c.configuration()
			if operator, ok := told["CpoName"]; told["SecurityProfile"] != o.want || !ok || operator != "" {
				t.Errorf("%+v: told are SecurityProfile %q, CpoName %q (%v)", o, told["SecurityProfile"], operator, ok)
			}
			f.Stop()
		})
	}
}

func TestRaisedSecurityProfile(t *testing.T) {
	const key = "4c6f6e67506173737730726421313233343536ff"
	c := newCentral(t)
	c.handle = c.signsAll()
	root, rootKey := authority(t, "Root", 1)
	profile := func(value string, want v16.ConfigurationStatus) {
		t.Helper()
		c.change("SecurityProfile", value, want)
	}
	passive(t, 1, c, func() {
		profile("0", "Accepted")
		profile("1", "Rejected") // it has no password
		c.change("authorizationkey", key, "Accepted")
		profile("1", "Accepted")
		profile("0", "Rejected")
		profile("2", "Rejected") // it would trust no server
		var res v16.InstallCertificateResponse
		c.call(station, &v16.InstallCertificate{CertificateType: v16.CertificateUseCentralSystemRootCertificate, Certificate: root}, &res)
		for _, value := range []string{"-1", "4", "", "two", "2.0"} {
			profile(value, "Rejected")
		}
		profile("2", "Accepted")
		profile("1", "Rejected")
		profile("3", "Rejected") // it has no certificate
		c.extended("SignChargePointCertificate", "Accepted")
		c.signed(issue(t, certificateFor(station, 2), certificateFor("Root", 1), c.request().PublicKey, rootKey), "Accepted")
		c.change("securityprofile", "3", "Accepted")
		profile("2", "Rejected")
		if told, _ := c.configuration("SecurityProfile"); told["SecurityProfile"] != "3" {
			t.Errorf("told is %q, want 3", told["SecurityProfile"])
		}
	})
}

// signsAll takes requests for certificates.
func (c *central) signsAll() func(string, ocpp.Request) (ocpp.Reply, bool) {
	return func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if _, ok := m.(*v16.SignCertificate); !ok {
			return ocpp.Reply{}, false
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.said = append(c.said, m)
		return ocpp.Reply{Message: &v16.SignCertificateResponse{Status: v16.GenericStatusAccepted}}, true
	}
}

// TestOldCentralSystem: one that knows no security extension breaks no
// expectation.
func TestOldCentralSystem(t *testing.T) {
	c := newCentral(t)
	refused := 0
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if _, ok := m.(*v16.SecurityEventNotification); ok {
			refused++
			return ocpp.Reply{Err: ocpp.Errorf(ocpp.NotImplemented, "what is that?")}, true
		}
		return ocpp.Reply{}, false
	}
	passive(t, 1, c, func() { sleep(time.Minute) })
	if refused != 1 {
		t.Errorf("%d security events, want 1", refused)
	}
}
