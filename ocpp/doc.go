// Package ocpp speaks OCPP-J, the JSON over WebSocket form of OCPP that all
// versions share: it carries, frames and correlates messages, in both
// directions, and never looks into a payload. The packages below it know the
// messages of each version.
package ocpp
