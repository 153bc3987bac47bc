package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// ClientCredentials is the credential of an OAuth2 client: it gets an access token
// when it needs one, and a new one a minute before that ends, or when the server
// takes it no longer. The settings are those of [New].
func ClientCredentials(base, id, secret string, settings ...Setting) Credential {
	h := &holder{turn: make(chan struct{}, 1)}
	h.server = New(base, func(_ context.Context, r *http.Request) error {
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
		return nil
	}, settings...)
	return h.show
}

// A holder holds the access token that requests share.
type holder struct {
	server *Client
	turn   chan struct{} // has one in it while somebody looks at what follows
	token  string
	until  time.Time
}

// renewBefore is how long before its end an access token is replaced.
const renewBefore = time.Minute

// show puts the access token on a request.
func (h *holder) show(ctx context.Context, r *http.Request) error {
	shown, _ := ctx.Value(showingKey{}).(*showing)
	if shown == nil {
		shown = new(showing)
	}
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !time.Now().Before(h.until) || h.token == shown.refused {
		if err := h.renew(ctx); err != nil {
			return err
		}
	}
	shown.token = h.token
	return Bearer(h.token)(ctx, r)
}

// renew gets a new access token. One that lives for less than twice renewBefore is
// good for half of its life.
func (h *holder) renew(ctx context.Context) error {
	grant := "client_credentials"
	got, err := h.server.IssueAccessToken(ctx, V2TokenRequest{GrantType: &grant})
	if err != nil {
		return fmt.Errorf("access token: %w", err)
	}
	life := time.Duration(got.ExpiresIn) * time.Second
	h.token, h.until = got.AccessToken, time.Now().Add(max(life-renewBefore, life/2))
	return nil
}

// A showing is what became of the access tokens that the sendings of one request
// showed.
type showing struct {
	token   string // that was shown last; "" for a credential that has none
	refused string
}

type showingKey struct{}

// outdated reports whether a request failed because of its access token alone, and
// is to be sent with another one: once.
func (s *showing) outdated(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != http.StatusUnauthorized || s.token == "" || s.refused != "" {
		return false
	}
	s.refused, s.token = s.token, ""
	return true
}
