// Package v16 holds the messages of OCPP 1.6 and of its security extension:
// for each action a request of the action's name and a response, with what
// both are made of.
//
// A required property is a plain field, an optional one an [ocpp.Opt], a list a
// slice, where an optional list that is absent and one that is empty are the
// same. Enums are string types: a value that the schemas do not list is kept as
// it was sent, and its Known is false.
//
// Decode reads tolerantly and tells all: the struct holds what could be
// understood, the Violations say what the schema forbids, and whoever handles
// the action decides what that means. Nothing is a fault of the whole message
// but broken JSON. AppendJSON writes what the schema wants, provided Check
// finds nothing.
//
// Beyond the schemas Decode and Check know: connectorId is at least 0, in
// StartTransaction at least 1; the idTag of Authorize and StartTransaction is
// not empty; the value of a sample may come as a number, which is a violation
// but kept.
package v16
