package auth

import (
	"fmt"
	"slices"
	"strings"
)

// A Scope is one thing that a credential may allow.
type Scope string

// The scopes there are.
const (
	TransactionsRead    Scope = "transactions:read"    // transactions, meter values, events
	TransactionsControl Scope = "transactions:control" // remote start and stop
	ChargersRead        Scope = "chargers:read"        // chargers, idTags and vehicles
	ChargersControl     Scope = "chargers:control"     // every other command; writing chargers
	TagsWrite           Scope = "tags:write"           // writing idTags and vehicles
	WebhooksWrite       Scope = "webhooks:write"       // webhooks
	Admin               Scope = "admin"                // keys, clients, quarantine; implies all others
)

// KnownScopes returns all scopes, in the order in which lists of them are kept.
func KnownScopes() []Scope {
	return []Scope{TransactionsRead, TransactionsControl, ChargersRead, ChargersControl, TagsWrite, WebhooksWrite, Admin}
}

// Scopes is a list of scopes, each once, in the order of [KnownScopes].
type Scopes []Scope

// ScopesOf returns the scopes with these names. A name that no scope has is an
// [InvalidError]; a name given twice counts once.
func ScopesOf(names []string) (Scopes, error) {
	known := KnownScopes()
	var found [16]bool
	for _, name := range names {
		i := slices.Index(known, Scope(name))
		if i < 0 {
			return nil, &InvalidError{"scopes", fmt.Sprintf("%.40q is no scope", name)}
		}
		found[i] = true
	}
	scopes := make(Scopes, 0, len(names))
	for i, scope := range known {
		if found[i] {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// ParseScopes reads a list as OAuth2 writes it: names with spaces between them
// (RFC 6749 §3.3).
func ParseScopes(list string) (Scopes, error) { return ScopesOf(strings.Fields(list)) }

// Allow reports whether the list holds want, or [Admin].
func (s Scopes) Allow(want Scope) bool {
	return slices.Contains(s, want) || slices.Contains(s, Admin)
}

// Covers reports whether the list allows everything that others allows.
func (s Scopes) Covers(others Scopes) bool {
	return !slices.ContainsFunc(others, func(o Scope) bool { return !s.Allow(o) })
}

// Names returns the scopes as texts; never nil.
func (s Scopes) Names() []string {
	names := make([]string, len(s))
	for i, scope := range s {
		names[i] = string(scope)
	}
	return names
}

// String returns the list as OAuth2 writes it.
func (s Scopes) String() string { return strings.Join(s.Names(), " ") }

// and returns what both lists allow.
func (s Scopes) and(other Scopes) Scopes {
	both := Scopes{}
	for _, scope := range KnownScopes() {
		held := slices.Contains(s, scope) || slices.Contains(other, scope)
		if held && s.Allow(scope) && other.Allow(scope) {
			both = append(both, scope)
		}
	}
	return both
}
