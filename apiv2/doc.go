// Package apiv2 is the REST façade below /v2, and the token endpoint of OAuth2
// that opens it. It reads charging events and changes nothing.
//
// Shapes are those of the Transaction Management API: names in PascalCase,
// energy in Wh, a bare array for a list. Each shape is one struct, and the
// order of its fields is the order of the reply; unknown is null and always
// present. What never became a charge, and a stop whose start is not known, is
// no charging event: it is not listed and not found.
package apiv2
