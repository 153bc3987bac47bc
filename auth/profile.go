package auth

import "slices"

// A Profile is a security profile of OCPP (1.6 security white paper §3). The
// zero Profile is unknown and admits nobody.
type Profile string

// The profiles that stations may have.
const (
	ProfileNone      Profile = "none"       // 0: no password; somebody must have asked for it
	ProfileBasic     Profile = "basic"      // 1: password
	ProfileBasicTLS  Profile = "basic-tls"  // 2: password, over TLS only
	ProfileMutualTLS Profile = "mutual-tls" // 3: client certificate
)

// profiles are all there are, each at OCPP's number of it.
func profiles() []Profile {
	return []Profile{ProfileNone, ProfileBasic, ProfileBasicTLS, ProfileMutualTLS}
}

// profileRange says what a number of a profile is.
const profileRange = "must be 0, 1, 2 or 3"

// ProfileOf returns the profile with OCPP's number, or an [InvalidError].
func ProfileOf(number int) (Profile, error) {
	if number < 0 || number >= len(profiles()) {
		return "", &InvalidError{"securityProfile", profileRange}
	}
	return profiles()[number], nil
}

// Number returns OCPP's number of the profile, or -1 when it is unknown.
func (p Profile) Number() int { return slices.Index(profiles(), p) }
