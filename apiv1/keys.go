package apiv1

import (
	"context"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// apiKey is how v1 shows an [auth.KeyRecord]: never its text.
type apiKey struct {
	ID           string       `json:"id" example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Name         string       `json:"name" example:"Billing"`
	Prefix       *string      `json:"prefix" doc:"Begin of the key, to know it by; null for one that was given and not made." example:"lk_q7c3n5tk"`
	Scopes       []string     `json:"scopes" example:"transactions:read"`
	LimitedTo    *shownLimits `json:"limitedTo" doc:"With which chargers it may do that; null for all."`
	Status       string       `json:"status" enum:"active,disabled,expired,revoked" doc:"Only an active key lets anybody in." example:"active"`
	CreatedAt    rest.Time    `json:"createdAt" nullable:"false"`
	LastUsed     rest.Time    `json:"lastUsed" doc:"To the minute."`
	ExpiresAt    rest.Time    `json:"expiresAt" doc:"When it ends by itself; null for never."`
	DisabledAt   rest.Time    `json:"disabledAt" doc:"Since when it is disabled."`
	RevokedAt    rest.Time    `json:"revokedAt" doc:"When it was revoked."`
	OldKeyEndsAt rest.Time    `json:"oldKeyEndsAt" doc:"Until when the text from before the last rotation is good too; null when it is not."`
}

func (a *api) presentKey(k *auth.KeyRecord) apiKey {
	now := a.Ledger.Now()
	out := apiKey{
		ID: k.ID, Name: k.Name, Prefix: orNull(k.Prefix), Scopes: k.Scopes.Names(), LimitedTo: presentLimits(k.LimitedTo),
		Status:    credentialStatus(k.RevokedAt, k.DisabledAt, k.ExpiresAt, now),
		CreatedAt: rest.Time{Time: k.CreatedAt}, LastUsed: rest.Time{Time: k.LastUsedAt}, ExpiresAt: rest.Time{Time: k.ExpiresAt},
		DisabledAt: rest.Time{Time: k.DisabledAt}, RevokedAt: rest.Time{Time: k.RevokedAt},
	}
	if now.Before(k.OldUntil) {
		out.OldKeyEndsAt = rest.Time{Time: k.OldUntil}
	}
	return out
}

// newKey is an API key that has just been made.
type newKey struct {
	ID        string       `json:"id" example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Name      string       `json:"name" example:"Billing"`
	Key       string       `json:"key" doc:"Shown here and never again."`
	Scopes    []string     `json:"scopes" example:"transactions:read"`
	LimitedTo *shownLimits `json:"limitedTo" doc:"With which chargers it may do that; null for all."`
	ExpiresAt rest.Time    `json:"expiresAt" doc:"When it ends by itself; null for never."`
	CreatedAt rest.Time    `json:"createdAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
}

func presentNewKey(k *auth.KeyRecord, text auth.Secret) newKey {
	return newKey{
		k.ID, k.Name, string(text), k.Scopes.Names(), presentLimits(k.LimitedTo), rest.Time{Time: k.ExpiresAt}, rest.Time{Time: k.CreatedAt},
	}
}

// rotatedKey is an API key that has just got another text.
type rotatedKey struct {
	ID           string    `json:"id" example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Name         string    `json:"name" example:"Billing"`
	Key          string    `json:"key" doc:"Shown here and never again."`
	OldKeyEndsAt rest.Time `json:"oldKeyEndsAt" doc:"Until when the text before it is good too; null when it has ended." example:"2026-02-07T12:00:00.000Z"`
}

type keyList struct {
	APIKeys    []apiKey   `json:"apiKeys"`
	Pagination pagination `json:"pagination"`
}

// A KeyPath names an API key in a path.
type KeyPath struct {
	ID string `path:"keyId" maxLength:"100" doc:"Id of the key." example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
}

type addKeyInput struct{ Body credentialSpec }

type changeKeyInput struct {
	KeyPath
	rest.Precondition
	Body credentialPatch
}

type revokeKeyInput struct {
	KeyPath
	rest.Precondition
}

// defaultGrace is how long a rotated key stays good, in seconds: a day.
const defaultGrace = 24 * 60 * 60

type rotateKeyInput struct {
	KeyPath
	Body *struct {
		GraceSeconds *int `json:"graceSeconds,omitempty" minimum:"0" maximum:"2592000" default:"86400" doc:"How long the old text stays good: a day when left out, at most 30." example:"86400"`
	} `nameHint:"V1RotateKey"`
}

func (a *api) serveKeys() {
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/auth/api-keys", ID: "v1AddAPIKey", Tag: tagKeys,
		Summary: "Make an API key",
		Description: "Makes a key with these scopes. Its text is shown in this reply only. " +
			"With `limitedTo` it may use its scopes with those chargers alone: others, and all that is about them, are not there for it.",
		Scope: auth.Admin, Status: http.StatusCreated, Errors: conflict(),
	}, a.addKey)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/auth/api-keys", ID: "v1ListAPIKeys", Tag: tagKeys,
		Summary:     "List API keys",
		Description: "All keys, the oldest first, revoked ones too.",
		Scope:       auth.Admin,
	}, inParts("api-keys", partRows, a.listKeys, func(l *keyList) []apiKey { return l.APIKeys }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/auth/api-keys/{keyId}", ID: "v1GetAPIKey", Tag: tagKeys,
		Summary:     "Get an API key",
		Description: "What is kept of a key; not its text.",
		Scope:       auth.Admin, Errors: notFound(),
	}, a.getKey)
	handle(a, rest.Operation{
		Method: http.MethodPatch, Path: "/auth/api-keys/{keyId}", ID: "v1ChangeAPIKey", Tag: tagKeys,
		Summary:     "Change an API key",
		Description: "Changes what is given, from the next request on; null takes a limit or an end away. A key that is disabled can be enabled again.",
		Scope:       auth.Admin, Errors: notFoundOrConflict(),
	}, a.changeKey)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/auth/api-keys/{keyId}", ID: "v1RevokeAPIKey", Tag: tagKeys,
		Summary:     "Revoke an API key",
		Description: "Ends a key for good, from the next request on. Revoking it again changes nothing.",
		Scope:       auth.Admin, Errors: notFound(),
	}, a.revokeKey)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/auth/api-keys/{keyId}/rotate", ID: "v1RotateAPIKey", Tag: tagKeys,
		Summary: "Give an API key a new text",
		Description: "The key stays the same one, with its id and its scopes; its new text is shown in this reply only. " +
			"The old text is good for `graceSeconds` more, so that nobody who uses it is interrupted. One from before that ends at once.",
		Scope: auth.Admin, Errors: notFoundOrConflict(),
	}, a.rotateKey)
}

func (a *api) addKey(ctx context.Context, in *addKeyInput) (*created[newKey], error) {
	spec, err := a.credentialSpec(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	k, text, err := a.Registrar.CreateKey(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &created[newKey]{Location: prefix + "/auth/api-keys/" + k.ID, Body: presentNewKey(&k, text)}, nil
}

func (a *api) listKeys(ctx context.Context, in *rest.Window) (*bodied[keyList], error) {
	keys, err := a.Registrar.Keys(ctx)
	if err != nil {
		return nil, err
	}
	page, pages, err := pageOf(ctx, *in, keys, func(k *auth.KeyRecord) leyden.Cursor {
		return leyden.Cursor{At: k.CreatedAt, Name: k.ID}
	})
	if err != nil {
		return nil, err
	}
	out := &bodied[keyList]{keyList{[]apiKey{}, pages}}
	for _, k := range page {
		out.Body.APIKeys = append(out.Body.APIKeys, a.presentKey(&k))
	}
	return out, nil
}

func (a *api) getKey(ctx context.Context, in *KeyPath) (*tagged[apiKey], error) {
	k, err := a.Registrar.Key(ctx, in.ID)
	return a.taggedKey(&k), named("API key", in.ID, err)
}

func (a *api) taggedKey(k *auth.KeyRecord) *tagged[apiKey] {
	return &tagged[apiKey]{rest.Versioned{Edition: keyEdition(k)}, a.presentKey(k)}
}

func (a *api) changeKey(ctx context.Context, in *changeKeyInput) (*tagged[apiKey], error) {
	edit, err := a.credentialEdit(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	k, err := a.Registrar.UpdateKey(ctx, in.ID, edit, knows(in.Precondition, keyEdition))
	return a.taggedKey(&k), err
}

func (a *api) revokeKey(ctx context.Context, in *revokeKeyInput) (*bodied[apiKey], error) {
	k, err := a.Registrar.RevokeKey(ctx, in.ID, knows(in.Precondition, keyEdition))
	return &bodied[apiKey]{a.presentKey(&k)}, err
}

func (a *api) rotateKey(ctx context.Context, in *rotateKeyInput) (*bodied[rotatedKey], error) {
	grace := defaultGrace
	if in.Body != nil {
		grace = valueOr(in.Body.GraceSeconds, grace)
	}
	k, text, err := a.Registrar.RotateKey(ctx, in.ID, time.Duration(grace)*time.Second)
	if err != nil {
		return nil, err
	}
	return &bodied[rotatedKey]{rotatedKey{k.ID, k.Name, string(text), rest.Time{Time: k.OldUntil}}}, nil
}
