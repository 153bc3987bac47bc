// Package sim is virtual OCPP 1.6 stations: an honest outsider that knows the
// protocol, and nothing of the system that it talks to.
//
// A [Fleet] drives stations with cars, drivers, meters and faults, and keeps
// what physically happened, so that whoever owns a ledger can compare: every
// [Charge] must be exactly one transaction there, with the same energy, and
// nothing that was answered may be missing. What a central system must do on
// the wire (answer as the schemas say, answer a resent start like the first
// one, never use a number twice) the stations expect themselves; where they
// are disappointed the [Report] has a [Breach].
//
// A [Load] is the opposite: no faults, no thinking, as many short sessions as
// get answered, to measure how many that is.
//
// # Seeds
//
// What is charged follows from the seed alone: the n-th visit at a connector
// is the same [Visit] in every run, however long answers take. A charge that
// ends as its visit planned delivers the same energy too, to the Wh. Faults
// are drawn from a stream of their own.
//
// # Time
//
// A station's clock is the real one: every timestamp is the moment at which
// the thing happened, never ahead of the central system's clock. Speed makes
// visits shorter and not power greater: at speed 60 all waits, the interval
// between readings and the stay of a car take a 60th of their time, and the
// car's battery holds a 60th of its energy. So the state of charge runs
// through its whole range while register, power and clock always agree, which
// a central system may check. What belongs to the network (retries, timeouts,
// heartbeats) is not accelerated. Inside testing/synctest the real clock is the
// bubble's, and speed 1 is as fast as any other.
//
// # What it does, and what it only says
//
// A station speaks all of OCPP 1.6 and its security extension. Charging profiles
// limit what a car gets, reservations keep drivers away, the local list decides
// without a connection, certificates that it is sent are used for its next
// connection, SecurityProfile only rises, and only to what the station can do (the
// URL at which it comes stays), and keys are real. Files are not: firmware,
// diagnostics and logs are never transferred. A location that is no URL of http,
// https, ftp, ftps or sftp cannot be reached, firmware with "corrupt" in its
// location is damaged, and any signature is taken for valid that comes with a
// certificate. Profiles and their times are those of the real clock; what happens
// to files goes at Speed.
//
// # Delivery
//
// Transaction messages (StartTransaction, StopTransaction, MeterValues) go
// through a queue that outlives connections and resets. They leave in order,
// one at a time, and stay until they are answered with a CALLRESULT. A lost
// connection burns no attempt; a CALLERROR or silence does, and after
// TransactionMessageAttempts of them the message is deleted, for a start with
// all that belongs to it (OCPP 1.6 §4.8, as widely deployed firmware does it).
// That is a Breach: energy was delivered that nobody will bill. All other messages
// are told once, or when the connection is back. A central system need not know
// those of the security extension.
package sim
