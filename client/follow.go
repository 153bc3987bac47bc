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
	"slices"
	"strconv"
	"strings"
	"time"
)

// followWait is how long the server may wait for the next change, in seconds.
const followWait = 25

// followPatience bounds how long Follow waits before it asks a server again that
// does not answer, and how much longer than it was asked to wait an answer may take.
const followPatience = 30 * time.Second

// Follow tells every change after a place in the feed, as it comes, until the
// context ends. A server that restarts, is away or has too much to do is asked
// again until it answers. Whoever keeps the Seq of the last change that it dealt
// with, and follows from there when it starts anew, misses none and sees none twice
// but that one at most. Any other error ends it; one with status 410 says that the
// server has forgotten changes after that place.
func (c *Client) Follow(ctx context.Context, after int64, query ListChangesQuery, options ...Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		query.After, query.Wait = strconv.FormatInt(after, 10), followWait
		for failures := 0; ctx.Err() == nil; {
			page, err := c.changes(ctx, query, options)
			if wait, again := retryAfter(err, failures); again || unreachable(err) {
				failures++
				pause(ctx, min(wait, followPatience))
				continue
			}
			if err != nil {
				if ctx.Err() == nil {
					yield(Event{}, err)
				}
				return
			}
			failures = 0
			for _, change := range page.Events {
				if !yield(change, nil) {
					return
				}
			}
			query.After = strconv.FormatInt(page.LastSeq, 10)
		}
	}
}

// changes asks for changes once. A server that fell silent is not waited for: its
// machine may be gone without a word.
func (c *Client) changes(ctx context.Context, query ListChangesQuery, options []Option) (ChangeList, error) {
	ctx, cancel := context.WithTimeout(ctx, followWait*time.Second+followPatience)
	defer cancel()
	return c.ListChanges(ctx, query, options...)
}

// unreachable reports whether a proxy answered for a server that is away.
func unreachable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, e.Status)
}

// pause waits, or until the context ends.
func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// webhookAge is how old a webhook may be, and how far ahead of the clock.
const webhookAge = 5 * time.Minute

// leastSecret is how many bytes the secret of a webhook has at least: less is one
// that was never set.
const leastSecret = 24

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
		key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimPrefix(secret, "whsec_"), "="))
		if err != nil || len(key) < leastSecret {
			return errors.New("webhook: a secret is not whsec_ and base64 of 24 bytes or more")
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
