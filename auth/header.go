package auth

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// maxCredential limits, in bytes, what is read as a key, secret or access token.
const maxCredential = 4096

// ParseBearer returns the access token of an Authorization header of scheme
// Bearer (RFC 6750 §2.1).
func ParseBearer(header string) (Secret, bool) {
	rest, ok := cutScheme(header, "Bearer")
	if !ok || rest == "" || len(rest) > maxCredential || !printable(rest) {
		return "", false
	}
	return Secret(rest), true
}

// ParseBasic returns user and password of an Authorization header of scheme
// Basic (RFC 7617), whatever bytes they are. It does without the padding that
// some senders leave out.
func ParseBasic(header string) (user string, password Secret, ok bool) {
	rest, ok := cutScheme(header, "Basic")
	if !ok || len(rest) > maxCredential {
		return "", "", false
	}
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(rest, "="))
	if err != nil {
		return "", "", false
	}
	user, word, ok := strings.Cut(string(text), ":")
	return user, Secret(word), ok
}

func cutScheme(header, scheme string) (rest string, ok bool) {
	word, rest, ok := strings.Cut(strings.TrimSpace(header), " ")
	if !ok || !strings.EqualFold(word, scheme) {
		return "", false
	}
	return strings.TrimLeft(rest, " "), true
}

// A ClientLogin is how an OAuth2 client says who it is.
type ClientLogin struct {
	ID     string
	Secret Secret
	Addr   netip.Addr // where the request came from
}

// ParseClientLogin finds the credentials of a client in the Authorization
// header or in the form of a request, but not in both (RFC 6749 §2.3). It fails
// with [ErrInvalidRequest] or, where there are none, [ErrInvalidClient].
func ParseClientLogin(authorization string, form url.Values, from netip.Addr) (ClientLogin, error) {
	id, inForm, err := formText(form, "client_id")
	if err != nil {
		return ClientLogin{}, err
	}
	secret, _, err := formText(form, "client_secret")
	if err != nil {
		return ClientLogin{}, err
	}
	if authorization == "" {
		if !inForm || secret == "" {
			return ClientLogin{}, fmt.Errorf("%w: no client credentials", ErrInvalidClient)
		}
		return ClientLogin{id, Secret(secret), from}, nil
	}
	user, password, ok := ParseBasic(authorization)
	if !ok {
		return ClientLogin{}, fmt.Errorf("%w: the Authorization header is not Basic credentials", ErrInvalidClient)
	}
	user, password = formDecoded(user), Secret(formDecoded(string(password)))
	if secret != "" || inForm && id != user {
		return ClientLogin{}, fmt.Errorf("%w: client credentials in the header and in the form", ErrInvalidRequest)
	}
	return ClientLogin{user, password, from}, nil
}

// formDecoded undoes the encoding that RFC 6749 §2.3.1 asks for inside Basic
// credentials and that many clients leave out. What we mint is the same
// either way.
func formDecoded(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

// ParseTokenRequest reads a request to the token endpoint. It fails with a
// [GrantError].
func ParseTokenRequest(authorization string, form url.Values, from netip.Addr) (TokenRequest, error) {
	grant, _, err := formText(form, "grant_type")
	if err != nil {
		return TokenRequest{}, err
	}
	scope, _, err := formText(form, "scope")
	if err != nil {
		return TokenRequest{}, err
	}
	login, err := ParseClientLogin(authorization, form, from)
	if err != nil {
		return TokenRequest{}, err
	}
	return TokenRequest{Login: login, GrantType: grant, Scope: scope}, nil
}

// formText returns a parameter that may be given once (RFC 6749 §3.2).
func formText(form url.Values, name string) (text string, ok bool, err error) {
	values := form[name]
	if len(values) > 1 {
		return "", false, fmt.Errorf("%w: %s is given twice", ErrInvalidRequest, name)
	}
	if len(values) == 0 {
		return "", false, nil
	}
	return values[0], true, nil
}
