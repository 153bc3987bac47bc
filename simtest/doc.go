// Package simtest tests the whole system at once, by simulation: hundreds of virtual
// stations (package sim) charge at a server (packages csms, apiv1, apiv2 and the
// ledger) over a network and a disk in memory, and everything that can go wrong does.
// Time is simulated, so that days take seconds. It has nothing but tests.
//
// # What goes wrong
//
// All of it follows from a seed. Stations lose connections before and after answers,
// send messages again under old and new message ids, some that were answered too, let
// them overtake each other, restart, charge without a connection, have wrong clocks, and
// meters that begin anew. The disk fails, before or after it has written. The server ends
// abruptly: before something was written, after it but before the answer, after the answer,
// and as it starts again. An operator starts and stops charges remotely, and resets
// stations, all the while.
//
// # What must be true
//
// When the stations have told all they have to tell, every charge that physically
// happened is exactly one completed transaction with its times, its idTag and its
// energy to the Wh, in v1, in v2 and in the store, and there is nothing else. Every
// message that was answered is an event, once. The events of each transaction fold to
// what is stored. No station was answered what it may not be, and who fetches by windows
// of InsertedAt has got each final record.
//
// # Seeds
//
//	go test ./simtest -seeds 20000          so many, from 1
//	go test ./simtest -seed 17 -seeds 1 -v  just that one, with what happened
//
// One processor does all of it, one thing after the other, so that a seed does the same
// again, message by message; whoever has more processors starts more tests.
//
// A seed that fails says how it is run again. Most seeds keep the ledger in memory, every
// twentieth with SQLite, in files that are copied as they are when the server crashes.
package simtest
