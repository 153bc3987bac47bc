package apiv2

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// tokenRequest is the form of RFC 6749 §4.4.2. What a client adds is ignored
// (§3.2).
type tokenRequest struct {
	_            struct{} `additionalProperties:"true"`
	GrantType    string   `json:"grant_type,omitempty" doc:"Always client_credentials." example:"client_credentials"`
	Scope        string   `json:"scope,omitempty" doc:"Scopes with spaces between them; all that the client has when left out." example:"transactions:read"`
	ClientID     string   `json:"client_id,omitempty" doc:"Unless sent with HTTP Basic."`
	ClientSecret string   `json:"client_secret,omitempty" doc:"Unless sent with HTTP Basic."`
}

type tokenInput struct {
	Authorization string       `header:"Authorization" hidden:"true"`
	Body          tokenRequest `contentType:"application/x-www-form-urlencoded"`
}

// tokenReply is the reply of RFC 6749 §5.1.
type tokenReply struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in" doc:"In seconds." example:"3600"`
	TokenType   string `json:"token_type" enum:"Bearer"`
}

type tokenOutput struct {
	Pragma string `header:"Pragma"`
	Body   tokenReply
}

// oauthError is how RFC 6749 §5.2 says an error.
type oauthError struct {
	Error       string `json:"error" example:"invalid_client"`
	Description string `json:"error_description"`
}

func registerToken(api *rest.API, tokens *auth.Authenticator) {
	oauth := oauthFacade("/oauth2/")
	rest.Handle(api, oauth, rest.Operation{
		Method:  http.MethodPost,
		Path:    "/oauth2/token",
		ID:      "issueAccessToken",
		Summary: "Issue an access token",
		Description: "Grant type `client_credentials` (RFC 6749 §4.4). The client logs in with HTTP Basic `clientId:clientSecret` or with the " +
			"form fields `client_id` and `client_secret`. Send the token as `Authorization: Bearer`.",
		Tag:    tagTokens,
		Public: true, LogsIn: true, Unrecorded: true,
		Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests},
	}, func(ctx context.Context, in *tokenInput) (*tokenOutput, error) { return issue(ctx, tokens, in) })
	registerTokenLife(api, oauth, tokens)
	registerWellKnown(api, oauthFacade("/.well-known/"), tokens)
}

// oauthFacade says errors as OAuth2 does.
func oauthFacade(prefix string) *rest.Facade {
	return &rest.Facade{
		Prefix:  prefix,
		Explain: explainGrant,
		Body: func(e *rest.Error, _ string) any {
			return oauthError{Error: e.Code, Description: plainText(e.Message)}
		},
	}
}

func issue(ctx context.Context, tokens *auth.Authenticator, in *tokenInput) (*tokenOutput, error) {
	form := formOf(map[string]string{
		"grant_type": in.Body.GrantType, "scope": in.Body.Scope, "client_id": in.Body.ClientID, "client_secret": in.Body.ClientSecret,
	})
	request, err := auth.ParseTokenRequest(in.Authorization, form, rest.ClientAddr(ctx))
	if err != nil {
		return nil, err
	}
	if err := meet(ctx, tokens, request.Login); err != nil {
		return nil, err
	}
	grant, err := tokens.IssueToken(ctx, request)
	if err != nil {
		return nil, err
	}
	// RFC 6749 §5.1: neither HTTP/1.1 nor HTTP/1.0 caches may keep it.
	return &tokenOutput{Pragma: "no-cache", Body: tokenReply{
		AccessToken: string(grant.Text),
		ExpiresIn:   int(auth.AccessTokenLife.Seconds()),
		TokenType:   "Bearer",
	}}, nil
}

// explainGrant says every error of the token endpoint in the words of RFC 6749
// §5.2 and, where it has none, of its §4.1.2.1.
func explainGrant(err error) *rest.Error {
	if grant, ok := errors.AsType[auth.GrantError](err); ok {
		return refusedGrant(grant, err)
	}
	if throttled, ok := errors.AsType[*auth.ThrottledError](err); ok {
		return oauthErrorf(http.StatusTooManyRequests, "temporarily_unavailable", "too many wrong credentials came from this address").
			RetryAfter(throttled.RetryAfter)
	}
	if errors.Is(err, leyden.ErrUnavailable) {
		return oauthErrorf(http.StatusServiceUnavailable, "temporarily_unavailable", "storage is unavailable").
			RetryAfter(retryStorage).Because(err)
	}
	if e, ok := errors.AsType[*rest.Error](err); ok {
		return refusedRequest(e)
	}
	return oauthErrorf(http.StatusInternalServerError, "server_error", "internal error").Because(err)
}

func refusedGrant(grant auth.GrantError, err error) *rest.Error {
	why := strings.TrimPrefix(err.Error(), string(grant)+": ") // the code stands beside it
	if grant != auth.ErrInvalidClient {
		return oauthErrorf(http.StatusBadRequest, string(grant), why)
	}
	e := oauthErrorf(http.StatusUnauthorized, string(grant), why)
	e.Header = http.Header{"Www-Authenticate": {`Basic realm="leyden"`}}
	return e
}

// refusedRequest gives what was refused before it came to a grant a code of
// OAuth2. A body of a wrong form is invalid_request, which is 400 there.
func refusedRequest(e *rest.Error) *rest.Error {
	said := *e
	switch {
	case e.Status >= http.StatusInternalServerError:
		said.Code = "server_error"
	case e.Status == http.StatusTooManyRequests:
		said.Code = "temporarily_unavailable"
	case e.Status == http.StatusUnsupportedMediaType:
		said.Status, said.Code = http.StatusBadRequest, string(auth.ErrInvalidRequest)
	default:
		said.Code = string(auth.ErrInvalidRequest)
	}
	return &said
}

func oauthErrorf(status int, code, description string) *rest.Error {
	return &rest.Error{Status: status, Code: code, Message: description}
}

// plainText keeps to the characters that an error_description may have (RFC
// 6749 §5.2).
func plainText(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\\', r < ' ', r > '~':
			return '?'
		}
		return r
	}, text)
}
