package csms

// Shown is what timestamps without a zone are read with.
var Shown = shown
