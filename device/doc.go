// Package device is what operators do with stations apart from charging, and
// what stations report of themselves: commands and their life, notifications
// (security events, firmware, diagnostics, logs), charging profiles, local
// authorization lists and station certificates.
//
// It knows no protocol and keeps nothing itself: [Store] says what a driver
// keeps. Nothing here is a fact about energy: what is lost here costs no
// charge, and a failure here must never fail a message about one.
//
// Records are values; what a Store returns shares no memory with what was
// saved. Times of our clock are kept to the microsecond, the zero time is
// absent, empty and nil are the same.
package device
