package auth

import (
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Config is what the parts of this package work with. All fields must be
// set, but for Operator.
type Config struct {
	Store    Store
	Secrets  Secrets
	Issuer   string // iss of access tokens, the same on every node and at every start
	Operator string // the organization (O) in certificates of stations; "" admits none by certificate
	Now      func() time.Time
	Log      *slog.Logger
}

// A Registrar makes, lists, changes and revokes credentials. It may be used by
// several goroutines, and beside a running server.
type Registrar struct{ Config }

// NewRegistrar returns a registrar for the store of c.
func NewRegistrar(c Config) *Registrar { return &Registrar{c} }

// Limits of what a Registrar makes.
const (
	MaxKeys          = 10_000 // API keys, revoked ones included
	MaxClients       = 10_000 // OAuth2 clients, revoked ones included
	MaxClientSecrets = 2
	MaxName          = 100 // characters
)

// A Spec says what a new key or client shall be.
type Spec struct {
	Name   string   // 1 to MaxName characters
	Scopes []string // names of at least one scope
}

// An Edit says what changes of a key or client. Fields that are nil leave
// things as they are.
type Edit struct {
	Name   *string
	Scopes []string
}

func (s Spec) check() (name string, scopes Scopes, err error) {
	if name, err = checkName(s.Name); err != nil {
		return "", nil, err
	}
	scopes, err = checkScopes(s.Scopes)
	return name, scopes, err
}

// apply changes name and scopes, both or none.
func (e Edit) apply(name *string, scopes *Scopes) error {
	spec := Spec{*name, scopes.Names()}
	if e.Name != nil {
		spec.Name = *e.Name
	}
	if e.Scopes != nil {
		spec.Scopes = e.Scopes
	}
	newName, newScopes, err := spec.check()
	if err != nil {
		return err
	}
	*name, *scopes = newName, newScopes
	return nil
}

func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxName {
		return "", &InvalidError{"name", "must have 1 to 100 characters"}
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", &InvalidError{"name", "must be readable text"}
	}
	return name, nil
}

func checkScopes(names []string) (Scopes, error) {
	if len(names) == 0 {
		return nil, &InvalidError{"scopes", "must name at least one scope"}
	}
	return ScopesOf(names)
}

// time returns our clock as it is stored.
func (r *Registrar) time() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }

// maxTries limits how often a change is decided again because somebody else
// changed the same record meanwhile.
const maxTries = 5

// decided calls change until it does not find its record stale.
func decided(change func() error) (err error) {
	for range maxTries {
		if err = change(); !errors.Is(err, ErrStale) {
			return err
		}
	}
	return err
}
