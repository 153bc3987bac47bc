package main

import "context"

// What --store takes.
const (
	storeSQLite   = "sqlite"
	storeMemory   = "memory"
	storePostgres = "postgres"
)

// checkStore finds what cannot be kept anywhere.
func (s *serveSettings) checkStore() error {
	if s.store == storeMemory && s.dataGiven {
		return usagef("--store memory keeps nothing; leave out --data")
	}
	return storeKnown(s.store)
}

// storeKnown says what is wrong with a value of --store.
func storeKnown(name string) error {
	switch name {
	case storeSQLite, storeMemory:
		return nil
	case storePostgres:
		return usagef("--store postgres: this build has no driver for PostgreSQL; take sqlite or memory")
	}
	return usagef("--store is sqlite or memory, not %q", name)
}

// openStore opens where the ledger is kept. The journal, and what belongs to
// certificates, are files in the data folder even if the ledger is in memory.
func (s *serveSettings) openStore(ctx context.Context, data string) (*folder, error) {
	if s.store == storeMemory {
		return inMemory(), nil
	}
	return open(ctx, data, true)
}
