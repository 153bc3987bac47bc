package apiv2

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"leyden/auth"
	"leyden/rest"
)

// keysAge is how long others may keep the keys that verify access tokens, in
// seconds. Who meets a kid that is not among them fetches them anew (RFC 7517
// §4.5).
const keysAge = 300

// presented is the form of RFC 7009 §2.1 and RFC 7662 §2.1: an access token that
// a client asks about. What a client adds is ignored.
type presented struct {
	_            struct{} `additionalProperties:"true"`
	Token        string   `json:"token,omitempty" doc:"The access token."`
	Hint         string   `json:"token_type_hint,omitempty" doc:"Not needed: there is one kind of tokens." example:"access_token"`
	ClientID     string   `json:"client_id,omitempty" doc:"Unless sent with HTTP Basic."`
	ClientSecret string   `json:"client_secret,omitempty" doc:"Unless sent with HTTP Basic."`
}

type presentedInput struct {
	Authorization string    `header:"Authorization" hidden:"true"`
	Body          presented `contentType:"application/x-www-form-urlencoded"`
}

// login returns who asks, and the token it asks about.
func (in *presentedInput) login(ctx context.Context) (auth.ClientLogin, auth.Secret, error) {
	login, err := auth.ParseClientLogin(in.Authorization, formOf(map[string]string{
		"client_id": in.Body.ClientID, "client_secret": in.Body.ClientSecret,
	}), rest.ClientAddr(ctx))
	if err == nil && in.Body.Token == "" {
		err = fmt.Errorf("%w: token is missing", auth.ErrInvalidRequest)
	}
	return login, auth.Secret(in.Body.Token), err
}

// meet recognises the client that logs in. It comes before anything is done for the
// client: whoever asks too often is refused here.
func meet(ctx context.Context, tokens *auth.Authenticator, login auth.ClientLogin) error {
	c, err := tokens.AuthenticateClient(ctx, login)
	if err != nil {
		return err
	}
	return rest.Introduce(ctx, auth.Principal{ID: c.ID, Name: c.Name, Client: true})
}

// formOf returns a form with the fields that are not empty.
func formOf(fields map[string]string) url.Values {
	form := url.Values{}
	for name, value := range fields {
		if value != "" {
			form.Set(name, value)
		}
	}
	return form
}

// introspection is the reply of RFC 7662 §2.2.
type introspection struct {
	Active    bool   `json:"active" doc:"Whether it is a valid access token; the other members are there only then." example:"true"`
	Scope     string `json:"scope,omitempty" doc:"What it allows now, with spaces between." example:"transactions:read"`
	ClientID  string `json:"client_id,omitempty" example:"cli_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	TokenType string `json:"token_type,omitempty" enum:"Bearer" example:"Bearer"`
	Exp       int64  `json:"exp,omitempty" doc:"When it expires, in seconds since 1970." example:"1770382800"`
	Iat       int64  `json:"iat,omitempty" doc:"When it was issued." example:"1770379200"`
	Sub       string `json:"sub,omitempty" doc:"The client." example:"cli_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	Iss       string `json:"iss,omitempty" example:"leyden"`
	Jti       string `json:"jti,omitempty" doc:"The id of the token." example:"01jm2v8xkq4w7c5n3t6y9b2d4f"`
}

type introspectOutput struct{ Body introspection }

// emptyOutput is 200 without a body (RFC 7009 §2.2).
type emptyOutput struct{}

// publicKey is a key of RFC 8037 §2 in a set of RFC 7517 §5.
type publicKey struct {
	Kty string `json:"kty" enum:"OKP"`
	Crv string `json:"crv" enum:"Ed25519"`
	Kid string `json:"kid" doc:"The thumbprint of RFC 7638; access tokens name it." example:"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"`
	Use string `json:"use" enum:"sig"`
	Alg string `json:"alg" enum:"EdDSA"`
	X   string `json:"x" doc:"The key, in base64url." example:"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
}

type keysOutput struct {
	CacheControl string `header:"Cache-Control" doc:"How long it may be kept."`
	Body         struct {
		Keys []publicKey `json:"keys" doc:"The one that signs first; then those that were rotated out, while tokens of theirs live."`
	} `nameHint:"JSONWebKeySet"`
}

// metadata is what RFC 8414 §2 tells of this server.
type metadata struct {
	Issuer            string   `json:"issuer" doc:"Where this server is." example:"https://csms.example"`
	TokenEndpoint     string   `json:"token_endpoint" example:"https://csms.example/oauth2/token"`
	RevocationURL     string   `json:"revocation_endpoint" example:"https://csms.example/oauth2/revoke"`
	IntrospectionURL  string   `json:"introspection_endpoint" example:"https://csms.example/oauth2/introspect"`
	KeysURL           string   `json:"jwks_uri" example:"https://csms.example/.well-known/jwks.json"`
	Grants            []string `json:"grant_types_supported" example:"client_credentials"`
	ResponseTypes     []string `json:"response_types_supported" doc:"None: there is no authorization endpoint."`
	Scopes            []string `json:"scopes_supported" example:"transactions:read"`
	TokenAuth         []string `json:"token_endpoint_auth_methods_supported" example:"client_secret_basic"`
	RevocationAuth    []string `json:"revocation_endpoint_auth_methods_supported" example:"client_secret_basic"`
	IntrospectionAuth []string `json:"introspection_endpoint_auth_methods_supported" example:"client_secret_basic"`
	Documentation     string   `json:"service_documentation" example:"https://csms.example/docs"`
}

type metadataOutput struct {
	CacheControl string `header:"Cache-Control" doc:"How long it may be kept."`
	Body         metadata
}

func registerTokenLife(api *rest.API, oauth *rest.Facade, tokens *auth.Authenticator) {
	rest.Handle(api, oauth, rest.Operation{
		Method: http.MethodPost, Path: "/oauth2/revoke", ID: "revokeAccessToken", Tag: tagTokens, Public: true, LogsIn: true,
		Summary: "Revoke an access token",
		Description: "RFC 7009. The client logs in as at `/oauth2/token` and ends an access token of its own, on every server of this ledger. " +
			"What is no valid access token is answered alike; one of another client is 400 `invalid_request`.",
		Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests},
	}, func(ctx context.Context, in *presentedInput) (*emptyOutput, error) {
		login, text, err := in.login(ctx)
		if err != nil {
			return nil, err
		}
		if err := meet(ctx, tokens, login); err != nil {
			return nil, err
		}
		_, err = tokens.RevokeToken(ctx, login, text)
		return &emptyOutput{}, err
	})
	rest.Handle(api, oauth, rest.Operation{
		Method: http.MethodPost, Path: "/oauth2/introspect", ID: "introspectAccessToken", Tag: tagTokens,
		Public: true, LogsIn: true, Unrecorded: true,
		Summary: "Introspect an access token",
		Description: "RFC 7662: tells a client whether an access token that it was shown is valid now, and what it allows. " +
			"Whatever is none is `{\"active\":false}`: expired, revoked, of a client that is gone, or never ours.",
		Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests},
	}, func(ctx context.Context, in *presentedInput) (*introspectOutput, error) {
		return introspect(ctx, tokens, in)
	})
}

func registerWellKnown(api *rest.API, wellKnown *rest.Facade, tokens *auth.Authenticator) {
	rest.Handle(api, wellKnown, rest.Operation{
		Method: http.MethodGet, Path: "/.well-known/jwks.json", ID: "getJSONWebKeySet", Tag: tagTokens, Public: true,
		Summary: "The keys that verify access tokens",
		Description: "A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037). Whoever meets a `kid` that is not in it fetches it anew: " +
			"the key that signs may be rotated.",
	}, func(context.Context, *struct{}) (*keysOutput, error) { return keySet(tokens) })
	rest.Handle(api, wellKnown, rest.Operation{
		Method: http.MethodGet, Path: "/.well-known/oauth-authorization-server", ID: "getAuthorizationServer", Tag: tagTokens, Public: true,
		Summary:     "What this authorization server can do",
		Description: "RFC 8414, for clients that find the endpoints by themselves.",
	}, func(ctx context.Context, _ *struct{}) (*metadataOutput, error) {
		return &metadataOutput{cacheable(), describeServer(ctx, tokens)}, nil
	})
}

func introspect(ctx context.Context, tokens *auth.Authenticator, in *presentedInput) (*introspectOutput, error) {
	login, text, err := in.login(ctx)
	if err != nil {
		return nil, err
	}
	if err := meet(ctx, tokens, login); err != nil {
		return nil, err
	}
	t, active, err := tokens.Introspect(ctx, login, text)
	if err != nil || !active {
		return &introspectOutput{}, err
	}
	return &introspectOutput{introspection{
		Active: true, Scope: t.Scopes.String(), ClientID: t.ClientID, TokenType: "Bearer",
		Exp: t.ExpiresAt.Unix(), Iat: t.IssuedAt.Unix(), Sub: t.ClientID, Iss: tokens.Issuer(), Jti: t.ID,
	}}, nil
}

func keySet(tokens *auth.Authenticator) (*keysOutput, error) {
	keys, err := tokens.PublicKeys()
	out := &keysOutput{CacheControl: cacheable()}
	for _, k := range keys {
		out.Body.Keys = append(out.Body.Keys, publicKey{"OKP", "Ed25519", k.ID, "sig", "EdDSA", k.X})
	}
	return out, err
}

func cacheable() string { return fmt.Sprintf("public, max-age=%d", keysAge) }

// describeServer names the endpoints below the issuer, or, when that is no
// address, below the host that was asked.
func describeServer(ctx context.Context, tokens *auth.Authenticator) metadata {
	base := tokens.Issuer()
	if !strings.Contains(base, "://") {
		base = rest.Origin(ctx)
	}
	var scopes []string
	for _, s := range auth.KnownScopes() {
		scopes = append(scopes, string(s))
	}
	methods := []string{"client_secret_basic", "client_secret_post"}
	return metadata{
		Issuer: base, TokenEndpoint: base + "/oauth2/token", RevocationURL: base + "/oauth2/revoke",
		IntrospectionURL: base + "/oauth2/introspect", KeysURL: base + "/.well-known/jwks.json",
		Grants: []string{"client_credentials"}, ResponseTypes: []string{}, Scopes: scopes,
		TokenAuth: methods, RevocationAuth: methods, IntrospectionAuth: methods, Documentation: base + "/docs",
	}
}
