package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"leyden/auth"
)

// An Authenticator recognises callers: an [*auth.Authenticator], whose errors
// [auth.ErrUnauthorized] and [auth.ThrottledError] are 401 and 429 here.
type Authenticator interface {
	Authenticate(ctx context.Context, c auth.Credentials) (auth.Principal, error)
}

var _ Authenticator = (*auth.Authenticator)(nil)

// admit refuses who may not use an operation, and notes who may.
func (a *API) admit(w *reply, r *http.Request, op Operation) error {
	if op.Public {
		return nil
	}
	c := auth.Credentials{
		APIKey:        auth.Secret(r.Header.Get("X-API-Key")),
		Authorization: auth.Secret(r.Header.Get("Authorization")),
		Addr:          ClientAddr(r.Context()),
	}
	principal, err := a.config.Auth.Authenticate(r.Context(), c)
	if err != nil {
		return unauthenticated(c, err)
	}
	w.principal = principal
	if !principal.Allow(op.Scope) {
		return forbidden(op.Scope)
	}
	if principal.Reach != nil && !op.Limited {
		return Errorf(http.StatusForbidden, "the credential is limited to some chargers, and this is not theirs alone")
	}
	return nil
}

// ClientAddr returns the address that the request came from; the zero address
// when it is not known.
func ClientAddr(ctx context.Context) netip.Addr { return addrOf(replyOf(ctx).request) }

func addrOf(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr()
}

// unauthenticated says why nobody was recognised, without telling a guesser
// how near the guess was. RFC 6750 §3.1 for the challenge.
func unauthenticated(c auth.Credentials, err error) error {
	if throttled, ok := errors.AsType[*auth.ThrottledError](err); ok {
		return Errorf(http.StatusTooManyRequests, "too many wrong credentials came from this address").
			RetryAfter(throttled.RetryAfter).Because(err)
	}
	if !errors.Is(err, auth.ErrUnauthorized) {
		return fmt.Errorf("authenticate: %w", err)
	}
	if c.APIKey == "" && c.Authorization == "" {
		return Errorf(http.StatusUnauthorized, "a credential is missing: X-API-Key, or Authorization with a Bearer token").
			with("WWW-Authenticate", `Bearer realm="leyden"`).Because(err)
	}
	message := "the credential is unknown, expired or revoked"
	if lapsed, ok := errors.AsType[*auth.LapsedError](err); ok {
		message = lapsed.Why // only who presents what was right once comes here
	}
	return Errorf(http.StatusUnauthorized, "%s", message).
		with("WWW-Authenticate", `Bearer realm="leyden", error="invalid_token"`).Because(err)
}

func forbidden(scope auth.Scope) error {
	return Errorf(http.StatusForbidden, "the credential lacks the scope %s", scope).
		with("WWW-Authenticate", fmt.Sprintf(`Bearer realm="leyden", error="insufficient_scope", scope=%q`, string(scope)))
}
