package apiv1

import (
	"context"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// limits are the chargers and sites to which a credential is limited.
type limits struct {
	_        struct{} `nullable:"true"`
	Chargers []string `json:"chargers,omitempty" maxItems:"1000" doc:"By their OCPP identity, or by their id. They need not be registered yet." example:"CHARGER-001"`
	Sites    []string `json:"sites,omitempty" maxItems:"1000" doc:"All chargers of these sites, those to come too." example:"Depot 2"`
}

// shownLimits are limits in a reply.
type shownLimits struct {
	_        struct{}           `nullable:"true"`
	Chargers []leyden.StationID `json:"chargers" example:"CHARGER-001"`
	Sites    []string           `json:"sites" example:"Depot 2"`
}

func presentLimits(l *auth.Limit) *shownLimits {
	if l == nil {
		return nil
	}
	return &shownLimits{Chargers: append([]leyden.StationID{}, l.Chargers...), Sites: append([]string{}, l.Sites...)}
}

// limitOf returns limits in the words of package auth; nil for none.
func (a *api) limitOf(ctx context.Context, l *limits) (*auth.Limit, error) {
	if l == nil {
		return nil, nil
	}
	if len(l.Chargers)+len(l.Sites) == 0 {
		return nil, rest.Invalid("limitedTo", "must name a charger or a site; null for no limit")
	}
	limit := &auth.Limit{Sites: l.Sites}
	for _, ref := range l.Chargers {
		id, err := a.stationOf(ctx, ref)
		if err != nil {
			return nil, rest.Invalid("limitedTo.chargers", "there is no charger "+ref).Because(err)
		}
		limit.Chargers = append(limit.Chargers, id)
	}
	return limit, nil
}

// credentialSpec says what a new key or client shall be.
type credentialSpec struct {
	Name      string    `json:"name" minLength:"1" maxLength:"100" doc:"What it is for." example:"Billing"`
	Scopes    []string  `json:"scopes" minItems:"1" maxItems:"20" enum:"transactions:read,transactions:control,chargers:read,chargers:control,tags:write,webhooks:write,admin" doc:"What it may do. admin implies all." example:"transactions:read"`
	LimitedTo *limits   `json:"limitedTo,omitempty" doc:"With which chargers it may do that, and of which it may know; null for all. Not with the scope admin."`
	ExpiresAt rest.Time `json:"expiresAt,omitzero" doc:"When it ends by itself; null for never."`
}

func (a *api) credentialSpec(ctx context.Context, s *credentialSpec) (auth.Spec, error) {
	limit, err := a.limitOf(ctx, s.LimitedTo)
	return auth.Spec{Name: s.Name, Scopes: s.Scopes, LimitedTo: limit, ExpiresAt: s.ExpiresAt.Time}, err
}

// credentialPatch changes what is given of a key or client.
type credentialPatch struct {
	Name      *string   `json:"name,omitempty" minLength:"1" maxLength:"100" doc:"What it is for." example:"Billing"`
	Scopes    []string  `json:"scopes,omitempty" minItems:"1" maxItems:"20" enum:"transactions:read,transactions:control,chargers:read,chargers:control,tags:write,webhooks:write,admin" doc:"What it may do." example:"transactions:read"`
	LimitedTo *limits   `json:"limitedTo,omitempty" doc:"With which chargers; null for all."`
	ExpiresAt rest.Time `json:"expiresAt,omitzero" doc:"When it ends by itself; null for never."`
	Enabled   *bool     `json:"enabled,omitempty" doc:"false refuses it until true lets it in again." example:"true"`

	given given
}

// UnmarshalJSON tells null from absent.
func (p *credentialPatch) UnmarshalJSON(data []byte) error {
	type plain credentialPatch
	return p.given.decode(data, (*plain)(p))
}

func (a *api) credentialEdit(ctx context.Context, p *credentialPatch) (auth.Edit, error) {
	e := auth.Edit{Name: p.Name, Scopes: p.Scopes, Enabled: p.Enabled}
	if err := p.given.keep("name", "scopes", "enabled"); err != nil {
		return e, err
	}
	if p.given.has("expiresAt") {
		e.ExpiresAt = &p.ExpiresAt.Time
	}
	if !p.given.has("limitedTo") {
		return e, nil
	}
	limit, err := a.limitOf(ctx, p.LimitedTo)
	if limit == nil {
		limit = &auth.Limit{}
	}
	e.LimitedTo = limit
	return e, err
}

// The states of a credential.
const (
	credentialActive   = "active"
	credentialDisabled = "disabled"
	credentialExpired  = "expired"
	credentialRevoked  = "revoked"
)

// credentialStatus returns in which state a credential is.
func credentialStatus(revoked, disabled, expires, now time.Time) string {
	switch {
	case !revoked.IsZero():
		return credentialRevoked
	case !disabled.IsZero():
		return credentialDisabled
	case !expires.IsZero() && !now.Before(expires):
		return credentialExpired
	}
	return credentialActive
}
