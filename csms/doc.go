// Package csms is the side of OCPP that faces stations. It admits them, keeps
// their sessions, turns what they report into [leyden.Event]s, and remote
// starts, remote stops and commands into messages. It never writes SQL, and
// all it decides about transactions it leaves to the [leyden.Ledger].
//
// # What it promises
//
// A station is asked who it is before the WebSocket upgrade. The newest
// connection of a station counts: an older one is closed, and its late end does
// not touch the newer one.
//
// A transaction message is answered after the ledger has made it durable.
// When that cannot be done now, no error reaches the station, which would take
// it for an answer and delete the message: the connection is closed with 1013,
// and the station, which is offline then, tries again. A transaction message
// that can never be recorded gets a CALLERROR and is kept in quarantine; so is any
// message in which a name stands twice.
//
// Messages of one station are handled one after the other; stations do not wait
// for each other, and no lock is held while a station or storage is waited for.
// Calls to a station go out one at a time and wait for its answer at most
// [Options].CallTimeout.
//
// # Files
//
// One file for each functional block of an OCPP version: v16.go is all that OCPP
// 1.6 says about transactions, v16_core.go the rest of what its stations send,
// v16_commands.go what is sent to them. Conversations with stations are tested
// by the transcripts in testdata.
package csms
