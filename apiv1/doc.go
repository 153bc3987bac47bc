// Package apiv1 is the REST façade below /api/v1: camelCase, energy in kWh,
// pages by limit and offset.
//
// # What it promises
//
// Bodies are bare objects. A field that is unknown is null and always there;
// lists are never null. Times are UTC with milliseconds; kWh are exact
// decimals. The fields that the API was first described with come first and in
// that order; what was added stands behind them.
//
// Errors are {"success":false,"error":{"code","message","details"?,"requestId"}},
// or RFC 9457 for who asks for it. [Register] puts all operations on a
// [rest.API], which checks credentials, scopes and input before a handler here
// runs, and documents it all.
//
// What a station answers becomes a status: Accepted and words that are neither
// yes nor no are 200 or 202, Rejected is 409 REJECTED_BY_CHARGER, an error 502
// CHARGER_ERROR, silence 504 CHARGER_TIMEOUT; a station that is not connected
// is 503 SERVICE_UNAVAILABLE, one with too many calls waiting 429.
//
// # How it is made
//
// One file holds one resource: what its JSON looks like, its operations, and
// how they are done. Facts are read from the [leyden.Ledger] and its Store;
// what stations shall do goes through [Stations]. Nothing is kept here.
package apiv1
