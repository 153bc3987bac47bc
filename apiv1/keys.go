package apiv1

import (
	"context"
	"net/http"

	"leyden/auth"
	"leyden/rest"
)

// apiKey is how v1 shows an [auth.KeyRecord]: never its text.
type apiKey struct {
	ID        string    `json:"id" example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Name      string    `json:"name" example:"Billing"`
	Prefix    *string   `json:"prefix" doc:"Begin of the key, to know it by; null for one that was given and not made." example:"lk_q7c3n5tk"`
	Scopes    []string  `json:"scopes" example:"transactions:read"`
	CreatedAt rest.Time `json:"createdAt" nullable:"false"`
	LastUsed  rest.Time `json:"lastUsed" doc:"To the minute."`
	RevokedAt rest.Time `json:"revokedAt" doc:"When it was revoked."`
}

func presentKey(k *auth.KeyRecord) apiKey {
	return apiKey{
		k.ID, k.Name, orNull(k.Prefix), k.Scopes.Names(),
		rest.Time{Time: k.CreatedAt}, rest.Time{Time: k.LastUsedAt}, rest.Time{Time: k.RevokedAt},
	}
}

// newKey is an API key that has just been made.
type newKey struct {
	ID        string    `json:"id" example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Name      string    `json:"name" example:"Billing"`
	Key       string    `json:"key" doc:"Shown here and never again."`
	Scopes    []string  `json:"scopes" example:"transactions:read"`
	CreatedAt rest.Time `json:"createdAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
}

type keyList struct {
	APIKeys    []apiKey   `json:"apiKeys"`
	Pagination pagination `json:"pagination"`
}

type keyPath struct {
	ID string `path:"keyId" maxLength:"100" doc:"Id of the key." example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
}

// credentialSpec says what a new key or client shall be.
type credentialSpec struct {
	Name   string   `json:"name" minLength:"1" maxLength:"100" doc:"What it is for." example:"Billing"`
	Scopes []string `json:"scopes" minItems:"1" maxItems:"20" enum:"transactions:read,transactions:control,chargers:read,chargers:control,tags:write,webhooks:write,admin" doc:"What it may do. admin implies all." example:"transactions:read"`
}

func (s *credentialSpec) spec() auth.Spec { return auth.Spec{Name: s.Name, Scopes: s.Scopes} }

// credentialPatch changes what is given of a key or client.
type credentialPatch struct {
	Name   *string  `json:"name,omitempty" minLength:"1" maxLength:"100" doc:"What it is for." example:"Billing"`
	Scopes []string `json:"scopes,omitempty" minItems:"1" maxItems:"20" enum:"transactions:read,transactions:control,chargers:read,chargers:control,tags:write,webhooks:write,admin" doc:"What it may do." example:"transactions:read"`

	given given
}

// UnmarshalJSON tells null from absent.
func (p *credentialPatch) UnmarshalJSON(data []byte) error {
	type plain credentialPatch
	return p.given.decode(data, (*plain)(p))
}

func (p *credentialPatch) edit() (auth.Edit, error) {
	return auth.Edit{Name: p.Name, Scopes: p.Scopes}, p.given.keep("name", "scopes")
}

type addKeyInput struct{ Body credentialSpec }

type changeKeyInput struct {
	ID   string `path:"keyId" maxLength:"100" doc:"Id of the key." example:"key_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Body credentialPatch
}

func (a *api) serveKeys() {
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/auth/api-keys", ID: "v1AddAPIKey", Tag: tagKeys,
		Summary:     "Make an API key",
		Description: "Makes a key with these scopes. Its text is shown in this reply only.",
		Scope:       auth.Admin, Status: http.StatusCreated, Errors: conflict(),
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
		Description: "Changes name or scopes, from the next request on.",
		Scope:       auth.Admin, Errors: notFoundOrConflict(),
	}, a.changeKey)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/auth/api-keys/{keyId}", ID: "v1RevokeAPIKey", Tag: tagKeys,
		Summary:     "Revoke an API key",
		Description: "Ends a key for good, from the next request on. Revoking it again changes nothing.",
		Scope:       auth.Admin, Errors: notFound(),
	}, a.revokeKey)
}

func (a *api) addKey(ctx context.Context, in *addKeyInput) (*created[newKey], error) {
	k, text, err := a.Registrar.CreateKey(ctx, in.Body.spec())
	if err != nil {
		return nil, err
	}
	return &created[newKey]{
		Location: prefix + "/auth/api-keys/" + k.ID,
		Body:     newKey{k.ID, k.Name, string(text), k.Scopes.Names(), rest.Time{Time: k.CreatedAt}},
	}, nil
}

func (a *api) listKeys(ctx context.Context, in *rest.Window) (*bodied[keyList], error) {
	keys, err := a.Registrar.Keys(ctx)
	if err != nil {
		return nil, err
	}
	out := &bodied[keyList]{keyList{[]apiKey{}, paginationOf(*in, len(keys))}}
	for _, k := range pageOf(keys, *in) {
		out.Body.APIKeys = append(out.Body.APIKeys, presentKey(&k))
	}
	return out, nil
}

func (a *api) getKey(ctx context.Context, in *keyPath) (*bodied[apiKey], error) {
	k, err := a.Registrar.Key(ctx, in.ID)
	return &bodied[apiKey]{presentKey(&k)}, named("API key", in.ID, err)
}

func (a *api) changeKey(ctx context.Context, in *changeKeyInput) (*bodied[apiKey], error) {
	edit, err := in.Body.edit()
	if err != nil {
		return nil, err
	}
	k, err := a.Registrar.UpdateKey(ctx, in.ID, edit)
	return &bodied[apiKey]{presentKey(&k)}, err
}

func (a *api) revokeKey(ctx context.Context, in *keyPath) (*bodied[apiKey], error) {
	k, err := a.Registrar.RevokeKey(ctx, in.ID)
	return &bodied[apiKey]{presentKey(&k)}, err
}
