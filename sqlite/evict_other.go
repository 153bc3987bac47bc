//go:build !linux

package sqlite

// evict does nothing: there is no way to have the system forget a file.
func evict(string) error { return nil }
