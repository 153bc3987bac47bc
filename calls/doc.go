// Package calls keeps what clients of the REST façades, and people at the command
// line, asked for: the audit log of every call that may have changed something,
// and the replies to calls that came with an Idempotency-Key. It knows no SQL and
// no routes; package storetest says what a [Store] must do.
//
// # What it promises
//
// The record of a call is durable before its reply is sent ([Book.Settle]). It
// says who asked for what, from where and with what result, and holds of the body
// an excerpt without secrets.
//
// A call with a key is claimed durably before it runs ([Book.Claim]), and its
// reply is kept, in the commit of its record, for [KeyAge]. Until then the same
// call with the same key gets that reply and runs no second time; another call
// with it is refused with [ErrMismatch], one that comes while the first runs with
// [ErrRunning]. A claim without a reply of which nobody runs the call was left
// behind when a server ended, or when storage failed: whether the call was
// carried out nobody knows, so that it is refused with an [UnknownError] and never
// run again.
//
// Replies may hold secrets that are shown once. They are kept sealed (AES-256-GCM)
// under a key of the installation, which is not in the database.
//
// Whoever holds a claim must settle it, whatever happens.
package calls
