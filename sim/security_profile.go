package sim

import (
	"slices"
	"strconv"

	"leyden/ocpp/v16"
)

// The security profiles of OCPP (security whitepaper, §3).
const (
	profileNone    = 0
	profileBasic   = 1 // a password
	profileTLS     = 2 // a password, over TLS
	profileClients = 3 // a certificate of its own
)

// delivered returns the security profile that the station first comes at.
func (s *station) delivered() int {
	if s.opt.SecurityProfile == profileNone && s.password != "" {
		return profileBasic
	}
	return s.opt.SecurityProfile
}

// mayRaise reports whether SecurityProfile may become value: it never falls, and
// what the new profile needs must be there before (security whitepaper, A05). With
// which URL the station comes is not a setting of its own.
func (s *station) mayRaise(value string) bool {
	to, err := strconv.Atoi(value)
	from := s.config.count(keySecurityProfile)
	if err != nil || to < from || to > profileClients {
		return false
	}
	trusts := from >= profileTLS || slices.ContainsFunc(s.roots, func(r root) bool {
		return r.use == v16.CertificateUseCentralSystemRootCertificate
	})
	switch {
	case to == from:
		return true
	case to == profileClients:
		return trusts && s.own != nil
	case to == profileTLS:
		return trusts && s.password != ""
	}
	return s.password != ""
}
