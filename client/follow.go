package client

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// followWait is how long the server may wait for the next change, in seconds.
const followWait = 25

// Follow tells every change after a place in the feed, as it comes, until the
// context ends. Whoever keeps the Seq of the last change that it dealt with, and
// follows from there when it starts anew, misses none and sees none twice but that
// one at most. An error ends it; one with status 410 says that the server has
// forgotten changes after that place.
func (c *Client) Follow(ctx context.Context, after int64, query ListChangesQuery, options ...Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		query.After, query.Wait = strconv.FormatInt(after, 10), followWait
		for ctx.Err() == nil {
			page, err := c.ListChanges(ctx, query, options...)
			if err != nil {
				if ctx.Err() == nil {
					yield(Event{}, err)
				}
				return
			}
			for _, change := range page.Events {
				if !yield(change, nil) {
					return
				}
			}
			query.After = strconv.FormatInt(page.LastSeq, 10)
		}
	}
}

// ClientCredentials is the credential of an OAuth2 client: it gets an access token
// when it needs one, and a new one a minute before that ends.
func ClientCredentials(base, id, secret string) Credential {
	var mu sync.Mutex
	var token string
	var until time.Time
	plain := New(base, func(_ context.Context, r *http.Request) error {
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
		return nil
	})
	return func(ctx context.Context, r *http.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().After(until) {
			grant := "client_credentials"
			got, err := plain.IssueAccessToken(ctx, V2TokenRequest{GrantType: &grant})
			if err != nil {
				return fmt.Errorf("access token: %w", err)
			}
			token, until = got.AccessToken, time.Now().Add(time.Duration(got.ExpiresIn)*time.Second-time.Minute)
		}
		return Bearer(token)(ctx, r)
	}
}

// webhookAge is how old a webhook may be, and how far ahead of the clock.
const webhookAge = 5 * time.Minute

// VerifyWebhook proves that a webhook was signed with one of the secrets, whsec_…,
// and lately: by the convention of Standard Webhooks. Keep the old secret beside
// the new one while a rotation lasts.
func VerifyWebhook(header http.Header, body []byte, now time.Time, secrets ...string) error {
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil {
		return errors.New("webhook: webhook-id or webhook-timestamp is missing")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > webhookAge || age < -webhookAge {
		return fmt.Errorf("webhook: it was signed %v ago", age)
	}
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return fmt.Errorf("webhook: secret: %w", err)
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for given := range strings.FieldsSeq(header.Get("webhook-signature")) {
			if hmac.Equal([]byte(given), []byte(want)) {
				return nil
			}
		}
	}
	return errors.New("webhook: no signature fits")
}
