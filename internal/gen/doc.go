// Command gen writes the Go types of the OCPP versions from their JSON schemas.
//
//	go run ./internal/gen [-schemas DIR] [-check]
//
// For every overlay v*.json beside its source it reads the schemas in the folder
// of that version, one schema a message (drafts 04 and 06, with definitions and
// $ref). The overlay is ours: it names what the schemas leave unnamed, says who
// sends what, and adds the rules of the specification's text and our leniencies.
// The schemas stay unchanged and none of their prose is taken over.
//
// Into the version's package go *_gen.go files and nothing else: one an action,
// one for each struct that actions share, one for the enums that structs share,
// and actions_gen.go with what is known about all actions. The same input gives
// the same bytes. Generated files that nothing explains any more are removed.
//
// With -check nothing is written: the command lists the files that differ and
// fails if there are any. Where the schemas are not at hand it says so and
// succeeds, since whoever has no schemas cannot have changed the types.
//
// Every keyword that the generator does not know, every rule of an overlay that
// matches nothing and every enum without a name is an error: an update of the
// schemas cannot change anything silently.
package main

//go:generate go run leyden/internal/gen
