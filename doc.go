// Package leyden is the domain of an EV charging platform: what a transaction
// is, which facts change it, and the ledger that keeps it.
package leyden
