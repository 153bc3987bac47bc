// Package ocmf reads signed meter values and tells whether a key has signed
// them: texts in the Open Charge Metering Format,
//
//	OCMF|{what the meter says}|{its signature}
//
// alone, or inside the JSON object that OCPP 1.6 stations send them in (Open
// Charge Alliance, "Signed Meter Values in OCPP").
//
// [Unwrap] takes a text out of that object, [Parse] splits it, [ParseKey] reads
// a public key in the forms in which meters and their makers print them, and
// [Key.Verify] checks. What was signed is the payload byte for byte: it is never
// built anew. Texts and keys come from anywhere, so nothing in them is a reason
// to panic.
//
// A signature proves who signed. That the key is the meter's is for somebody
// else to know: one that came with the text proves nothing.
package ocmf
