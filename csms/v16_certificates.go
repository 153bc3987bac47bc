package csms

import (
	"context"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// signCertificate16 answers the request of a station for a certificate, which
// follows in a call of ours (security whitepaper, A02 and A03).
func signCertificate16(ctx context.Context, s *session, c call) ocpp.Reply {
	var m v16.SignCertificate
	var v ocpp.Violations
	if err := s.read(c.payload, &m, &v); err != nil {
		return s.refuse(ctx, c, err)
	}
	answer, then := s.sign(ctx, m.CSR)
	return ocpp.Reply{Message: &v16.SignCertificateResponse{Status: v16.GenericStatus(answer)}, Then: then}
}

func certificateSigned16(ctx context.Context, s *session, chain string) (string, error) {
	var res v16.CertificateSignedResponse
	err := s.call(ctx, &v16.CertificateSigned{CertificateChain: chain}, &res)
	return string(res.Status), err
}

// keptChain16 notes whether the station took a certificate.
func keptChain16(ctx context.Context, s *session, request, answer string) {
	var req v16.CertificateSigned
	var res v16.CertificateSignedResponse
	if exchanged16(&req, request, &res, answer) {
		s.tookChain(ctx, req.CertificateChain, string(res.Status))
	}
}

func installCertificate16(ctx context.Context, s *session, use, certificate string) (string, error) {
	var res v16.InstallCertificateResponse
	err := s.call(ctx, &v16.InstallCertificate{CertificateType: v16.CertificateUse(use), Certificate: certificate}, &res)
	return string(res.Status), err
}

func certificateIDs16(ctx context.Context, s *session, use string) (string, []CertificateHash, error) {
	var res v16.GetInstalledCertificateIdsResponse
	if err := s.call(ctx, &v16.GetInstalledCertificateIds{CertificateType: v16.CertificateUse(use)}, &res); err != nil {
		return "", nil, err
	}
	list := make([]CertificateHash, len(res.CertificateHashData))
	for i, h := range res.CertificateHashData {
		list[i] = CertificateHash{string(h.HashAlgorithm), h.IssuerNameHash, h.IssuerKeyHash, h.SerialNumber}
	}
	return string(res.Status), list, nil
}

func deleteCertificate16(ctx context.Context, s *session, h CertificateHash) (string, error) {
	var res v16.DeleteCertificateResponse
	err := s.call(ctx, &v16.DeleteCertificate{CertificateHashData: v16.CertificateHashData{
		HashAlgorithm: v16.HashAlgorithm(h.Algorithm), IssuerNameHash: h.IssuerName, IssuerKeyHash: h.IssuerKey, SerialNumber: h.Serial,
	}}, &res)
	return string(res.Status), err
}
