// Package pki is the certificate authority for stations: it signs their
// requests for client certificates (OCPP 1.6 security white paper, §A02 and
// security profile 3), and, for operators without an authority of their own,
// certificates of servers. It knows no OCPP, no HTTP and no database.
//
// # Parts
//
//	Authority  signs; embedded in the data folder, or from given files
//	External   signs nothing and checks what another authority signed
//
// # What it promises
//
// A certificate of a station has the station's identity as its common name (CN)
// and the operator's name as its organization (O), is good for client
// authentication only, has a random serial number, and ends no later than its
// authority. It begins an hour early, for clocks that are slow, but not before an
// older station of the identity was removed. The key is the one of the request, whose signature proves that the
// station holds it: ECDSA on P-256, P-384 or P-521, or RSA with 2048 to 8192
// bits.
//
// The embedded authority is two files, [KeyFile] and [CertFile]. They are made at
// the first [Open] and durable when it returns; of several processes that do so
// at once one wins and all use the same. A certificate whose key was lost is
// never replaced: stations trust it.
//
// What a station asks for and cannot have is an error that wraps
// [leyden.ErrInvalid] and says why; it may be logged and shown. Nothing here
// panics on input, and no private key is ever in an error.
package pki
