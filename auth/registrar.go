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
	Name      string    // 1 to MaxName characters
	Scopes    []string  // names of at least one scope
	LimitedTo *Limit    // nil: it reaches all; never with the scope admin
	ExpiresAt time.Time // zero: never
}

// An Edit says what changes of a key or client. Fields that are nil leave
// things as they are.
type Edit struct {
	Name      *string
	Scopes    []string
	LimitedTo *Limit     // one that names nothing takes the limit away
	ExpiresAt *time.Time // the zero time takes the end away
	Enabled   *bool      // what is disabled is refused until it is enabled again
}

// terms are what keys and clients have in common.
type terms struct {
	name                  *string
	scopes                *Scopes
	limit                 **Limit
	expiresAt, disabledAt *time.Time
}

// set gives a credential what s says, or nothing of it.
func (t terms) set(s Spec) error {
	name, err := checkName(s.Name)
	if err != nil {
		return err
	}
	scopes, err := checkScopes(s.Scopes)
	if err != nil {
		return err
	}
	limit := s.LimitedTo
	if limit != nil && scopes.Allow(Admin) {
		return &InvalidError{"limitedTo", "cannot go with the scope admin, which is of all chargers"}
	}
	if limit != nil {
		if limit, err = limit.check(); err != nil {
			return err
		}
	}
	*t.name, *t.scopes, *t.limit, *t.expiresAt = name, scopes, limit, s.ExpiresAt
	return nil
}

// begin is set for a new credential.
func (t terms) begin(s Spec, now time.Time) (err error) {
	if s.ExpiresAt, err = checkEnd(s.ExpiresAt, now); err != nil {
		return err
	}
	return t.set(s)
}

// apply changes what e says, all or nothing.
func (t terms) apply(e Edit, now time.Time) error {
	spec := Spec{*t.name, t.scopes.Names(), *t.limit, *t.expiresAt}
	if e.Name != nil {
		spec.Name = *e.Name
	}
	if e.Scopes != nil {
		spec.Scopes = e.Scopes
	}
	if l := e.LimitedTo; l != nil {
		spec.LimitedTo = l
		if l.isEmpty() {
			spec.LimitedTo = nil
		}
	}
	if e.ExpiresAt != nil {
		end, err := checkEnd(*e.ExpiresAt, now)
		if err != nil {
			return err
		}
		spec.ExpiresAt = end
	}
	if err := t.set(spec); err != nil {
		return err
	}
	switch {
	case e.Enabled == nil:
	case *e.Enabled:
		*t.disabledAt = time.Time{}
	case t.disabledAt.IsZero():
		*t.disabledAt = now
	}
	return nil
}

// checkEnd returns an end as it is kept. One that is over would end what is being
// made before it began.
func checkEnd(at, now time.Time) (time.Time, error) {
	if at.IsZero() {
		return time.Time{}, nil
	}
	if !at.After(now) {
		return time.Time{}, &InvalidError{"expiresAt", "is over already"}
	}
	return at.UTC().Truncate(time.Microsecond), nil
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

// allow returns what the first of may says against a record.
func allow[R any](record R, may []func(R) error) error {
	for _, one := range may {
		if err := one(record); err != nil {
			return err
		}
	}
	return nil
}

// decided calls change until it does not find its record stale.
func decided(change func() error) (err error) {
	for range maxTries {
		if err = change(); !errors.Is(err, ErrStale) {
			return err
		}
	}
	return err
}
