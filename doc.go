// Package leyden is the domain of an EV charging platform: what a transaction
// is, which facts change it, and the ledger that keeps it.
//
// It knows no protocol, no HTTP and no SQL. Packages below it translate:
//
//	ocpp, ocpp/v16        the wire
//	csms                  OCPP messages to Events, commands to OCPP messages
//	memory, sqlite        Store and Registry on a storage engine
//	apiv1, apiv2          the two REST façades
//
// # Words
//
// Names follow OCPP 2.x; the 1.6 word is given where it differs.
//
//	Station      a Charging Station (1.6: Charge Point; REST: chargeBoxId, ChargerID)
//	Connector    where one vehicle at a time charges (2.x: EVSE)
//	IDToken      who asks to charge (1.6: idTag); "token" never means an API secret
//	Transaction  one charge, from its request or start to its end
//	Event        one fact about a transaction: a station's report, or a decision of the ledger
//	Register     a reading of the energy meter, in Wh
//
// # What the ledger promises
//
// An event is durable before anyone is answered. It is stored once, however
// often it is sent. A transaction is a fold of its events and comes out the
// same in whatever order they arrived. What a station reports is never
// refused for being strange; what cannot be attributed is kept and marked.
package leyden
