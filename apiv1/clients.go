package apiv1

import (
	"context"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// client is how v1 shows an [auth.ClientRecord]: never a secret.
type client struct {
	ClientID   string         `json:"clientId" example:"cli_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Name       string         `json:"name" example:"Billing"`
	Scopes     []string       `json:"scopes" example:"transactions:read"`
	LimitedTo  *shownLimits   `json:"limitedTo" doc:"With which chargers it may do that; null for all."`
	Status     string         `json:"status" enum:"active,disabled,expired,revoked" doc:"Only an active client lets anybody in." example:"active"`
	Secrets    []clientSecret `json:"secrets" doc:"One, or two while they are rotated."`
	CreatedAt  rest.Time      `json:"createdAt" nullable:"false"`
	LastUsed   rest.Time      `json:"lastUsed" doc:"To the minute."`
	ExpiresAt  rest.Time      `json:"expiresAt" doc:"When it ends by itself; null for never."`
	DisabledAt rest.Time      `json:"disabledAt" doc:"Since when it is disabled."`
	RevokedAt  rest.Time      `json:"revokedAt" doc:"When it was revoked."`
}

type clientSecret struct {
	ID        string    `json:"id" example:"sec_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Prefix    *string   `json:"prefix" doc:"Begin of the secret, to know it by; null for one of an older server." example:"ls_q7c3n5tk"`
	CreatedAt rest.Time `json:"createdAt" nullable:"false"`
	LastUsed  rest.Time `json:"lastUsed" doc:"To the minute."`
	ExpiresAt rest.Time `json:"expiresAt" doc:"When it ends by itself; null for never."`
}

type secretList struct {
	Secrets []clientSecret `json:"secrets" doc:"The older first."`
}

func (a *api) presentClient(c *auth.ClientRecord) client {
	return client{
		ClientID: c.ID, Name: c.Name, Scopes: c.Scopes.Names(), LimitedTo: presentLimits(c.LimitedTo),
		Status: credentialStatus(c.RevokedAt, c.DisabledAt, c.ExpiresAt, a.Ledger.Now()), Secrets: presentSecrets(c.Secrets),
		CreatedAt: rest.Time{Time: c.CreatedAt}, LastUsed: rest.Time{Time: c.LastUsedAt}, ExpiresAt: rest.Time{Time: c.ExpiresAt},
		DisabledAt: rest.Time{Time: c.DisabledAt}, RevokedAt: rest.Time{Time: c.RevokedAt},
	}
}

func presentSecrets(list []auth.ClientSecret) []clientSecret {
	out := make([]clientSecret, len(list))
	for i, s := range list {
		out[i] = clientSecret{
			s.ID, orNull(s.Prefix), rest.Time{Time: s.CreatedAt}, rest.Time{Time: s.LastUsedAt}, rest.Time{Time: s.ExpiresAt},
		}
	}
	return out
}

// newClient is a client that has just been made, or given another secret.
type newClient struct {
	ClientID     string       `json:"clientId" example:"cli_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	ClientSecret string       `json:"clientSecret" doc:"Shown here and never again."`
	SecretID     string       `json:"secretId" doc:"To remove the secret by." example:"sec_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Name         string       `json:"name" example:"Billing"`
	Scopes       []string     `json:"scopes" example:"transactions:read"`
	LimitedTo    *shownLimits `json:"limitedTo" doc:"With which chargers it may do that; null for all."`
	ExpiresAt    rest.Time    `json:"expiresAt" doc:"When the client ends by itself; null for never."`
	CreatedAt    rest.Time    `json:"createdAt" nullable:"false" doc:"Of the client."`
}

// presentNew shows a client with the text of its youngest secret.
func presentNew(c *auth.ClientRecord, text auth.Secret) newClient {
	return newClient{
		c.ID, string(text), c.Secrets[len(c.Secrets)-1].ID, c.Name, c.Scopes.Names(), presentLimits(c.LimitedTo),
		rest.Time{Time: c.ExpiresAt}, rest.Time{Time: c.CreatedAt},
	}
}

type clientList struct {
	Clients    []client   `json:"clients"`
	Pagination pagination `json:"pagination"`
}

// A ClientPath names an OAuth2 client in a path.
type ClientPath struct {
	ID string `path:"clientId" maxLength:"100" doc:"The client." example:"cli_01jm2v8xkq4w7c5n3t6y9b2d4f"`
}

type addClientInput struct{ Body credentialSpec }

type changeClientInput struct {
	ClientPath
	rest.Precondition
	Body credentialPatch
}

type revokeClientInput struct {
	ClientPath
	rest.Precondition
}

type addSecretInput struct {
	ClientPath
	Body *struct {
		ExpiresAt rest.Time `json:"expiresAt,omitzero" doc:"When the secret ends by itself; null for never."`
	} `nameHint:"V1AddSecret"`
}

type removeSecretInput struct {
	ClientPath
	SecretID string `path:"secretId" maxLength:"100" doc:"Id of the secret." example:"sec_01jm2v8xkq4w7c5n3t6y9b2d4f"`
}

func (a *api) serveClients() {
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/auth/clients", ID: "v1AddClient", Tag: tagClients,
		Summary: "Make an OAuth2 client",
		Description: "Makes a client for `POST /oauth2/token`. Its secret is shown in this reply only. " +
			"With `limitedTo` its access tokens are good for those chargers alone: others, and all that is about them, are not there for them.",
		Scope: auth.Admin, Status: http.StatusCreated, Errors: conflict(),
	}, a.addClient)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/auth/clients", ID: "v1ListClients", Tag: tagClients,
		Summary:     "List OAuth2 clients",
		Description: "All clients, the oldest first, revoked ones too.",
		Scope:       auth.Admin,
	}, inParts("clients", partRows, a.listClients, func(l *clientList) []client { return l.Clients }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/auth/clients/{clientId}", ID: "v1GetClient", Tag: tagClients,
		Summary:     "Get an OAuth2 client",
		Description: "What is kept of a client; not its secrets.",
		Scope:       auth.Admin, Errors: notFound(),
	}, a.getClient)
	handle(a, rest.Operation{
		Method: http.MethodPatch, Path: "/auth/clients/{clientId}", ID: "v1ChangeClient", Tag: tagClients,
		Summary:     "Change an OAuth2 client",
		Description: "Changes what is given; null takes a limit or an end away. What it loses is lost to its access tokens too, from the next request on.",
		Scope:       auth.Admin, Errors: notFoundOrConflict(),
	}, a.changeClient)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/auth/clients/{clientId}", ID: "v1RevokeClient", Tag: tagClients,
		Summary:     "Revoke an OAuth2 client",
		Description: "Ends a client and its access tokens for good. Revoking it again changes nothing.",
		Scope:       auth.Admin, Errors: notFound(),
	}, a.revokeClient)
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/auth/clients/{clientId}/secrets", ID: "v1ListClientSecrets", Tag: tagClients,
		Summary:     "List the secrets of a client",
		Description: "One or two; not their texts.",
		Scope:       auth.Admin, Errors: notFound(),
	}, a.listSecrets)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/auth/clients/{clientId}/secrets", ID: "v1AddClientSecret", Tag: tagClients,
		Summary: "Add a second secret",
		Description: "Gives a client a second secret, so that it can be rotated without an interruption: add one, " +
			"use it everywhere, remove the old one. 409 when it has two.",
		Scope: auth.Admin, Status: http.StatusCreated, Errors: notFoundOrConflict(),
	}, a.addSecret)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/auth/clients/{clientId}/secrets/{secretId}", ID: "v1RemoveClientSecret", Tag: tagClients,
		Summary:     "Remove a secret",
		Description: "Ends one of two secrets; the last one stays (409). Access tokens that were issued for it stay valid.",
		Scope:       auth.Admin, Errors: notFoundOrConflict(),
	}, a.removeSecret)
}

func (a *api) addClient(ctx context.Context, in *addClientInput) (*created[newClient], error) {
	spec, err := a.credentialSpec(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	c, text, err := a.Registrar.CreateClient(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &created[newClient]{Location: prefix + "/auth/clients/" + c.ID, Body: presentNew(&c, text)}, nil
}

func (a *api) listClients(ctx context.Context, in *rest.Window) (*bodied[clientList], error) {
	clients, err := a.Registrar.Clients(ctx)
	if err != nil {
		return nil, err
	}
	page, pages, err := pageOf(ctx, *in, clients, func(c *auth.ClientRecord) leyden.Cursor {
		return leyden.Cursor{At: c.CreatedAt, Name: c.ID}
	})
	if err != nil {
		return nil, err
	}
	out := &bodied[clientList]{clientList{[]client{}, pages}}
	for _, c := range page {
		out.Body.Clients = append(out.Body.Clients, a.presentClient(&c))
	}
	return out, nil
}

func (a *api) getClient(ctx context.Context, in *ClientPath) (*tagged[client], error) {
	c, err := a.Registrar.Client(ctx, in.ID)
	return a.taggedClient(&c), named("client", in.ID, err)
}

func (a *api) taggedClient(c *auth.ClientRecord) *tagged[client] {
	return &tagged[client]{rest.Versioned{Edition: clientEdition(c)}, a.presentClient(c)}
}

func (a *api) changeClient(ctx context.Context, in *changeClientInput) (*tagged[client], error) {
	edit, err := a.credentialEdit(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	c, err := a.Registrar.UpdateClient(ctx, in.ID, edit, knows(in.Precondition, clientEdition))
	return a.taggedClient(&c), err
}

func (a *api) revokeClient(ctx context.Context, in *revokeClientInput) (*bodied[client], error) {
	c, err := a.Registrar.RevokeClient(ctx, in.ID, knows(in.Precondition, clientEdition))
	return &bodied[client]{a.presentClient(&c)}, err
}

func (a *api) listSecrets(ctx context.Context, in *ClientPath) (*bodied[secretList], error) {
	c, err := a.Registrar.Client(ctx, in.ID)
	return &bodied[secretList]{secretList{presentSecrets(c.Secrets)}}, named("client", in.ID, err)
}

func (a *api) addSecret(ctx context.Context, in *addSecretInput) (*created[newClient], error) {
	var expires time.Time
	if in.Body != nil {
		expires = in.Body.ExpiresAt.Time
	}
	c, text, err := a.Registrar.AddClientSecret(ctx, in.ID, expires)
	if err != nil {
		return nil, err
	}
	return &created[newClient]{Location: prefix + "/auth/clients/" + c.ID, Body: presentNew(&c, text)}, nil
}

func (a *api) removeSecret(ctx context.Context, in *removeSecretInput) (*bodied[client], error) {
	c, err := a.Registrar.RemoveClientSecret(ctx, in.ID, in.SecretID)
	return &bodied[client]{a.presentClient(&c)}, err
}
