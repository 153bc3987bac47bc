// Package auth decides who may do what: callers of the REST façades by API key
// or OAuth2 access token, stations by the password or the client certificate of
// OCPP's security profiles 1 to 3. It knows no HTTP, no TLS and no SQL.
//
// # Parts
//
//	Scopes         what a credential allows
//	Secrets        the key material of an installation, one file in its data folder
//	Registrar      makes, lists, changes and revokes credentials (REST, command line)
//	Authenticator  recognises the caller of a request; issues access tokens
//	StationGate    admits stations
//	Store          where credentials are kept; package storetest says what it must do
//
// # What it promises
//
// The text of a key, secret or password is returned once, by the call that
// made it, and kept only as an HMAC-SHA-256 under the installation's pepper.
// What we mint has 160 bits of entropy, so a fast hash is enough, and
// 10,000 stations that reconnect at once cost milliseconds. A copy of the
// database without the secrets file is no use for guessing, and a database
// restored without its secrets file recognises nobody.
//
// Nothing is cached: every decision reads the Store, so a credential changed
// by another process counts from the next request on. That holds for access
// tokens too, whose client must still exist and still have the scope.
//
// A credential may be limited to chargers and sites. What it reaches is looked up
// with it: a charger that moves counts from the next request on, also for access
// tokens that were issued before. The scope admin cannot be limited.
//
// The key that signs access tokens may be rotated in the data folder beside
// running servers; the old one verifies until what it signed has expired.
//
// A station that is sent a new password may use it and the old one until it
// first used the new one: no lost answer locks it out.
//
// A station never comes lower than it came before: the highest security profile
// that it proved is the least from then on, until an operator sets another.
//
// Guessing is slowed, never answered with a lock-out: after [MaxGuesses] wrong
// guesses within [GuessWindow] from one address, or at one station's identity,
// the next wrong one gets a [ThrottledError]; a right one enters at any time.
//
// Values of type [Secret], [Hash] and [Secrets] mask themselves in logs.
package auth
