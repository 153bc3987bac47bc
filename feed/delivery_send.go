package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// AttemptTimeout is how long a receiver may take to answer.
	AttemptTimeout = 5 * time.Second
	// maxAnswer is how much of an answer is read, so that its connection can be
	// used again.
	maxAnswer = 4 << 10
)

// A Sender makes the requests of webhooks.
type Sender struct {
	Transport http.RoundTripper // of [Guard.Transport]
	Now       func() time.Time
	Agent     string // User-Agent
}

// A Message is what is sent to a webhook.
type Message struct {
	URL     string
	ID      string // the same at every attempt
	Body    []byte
	Secrets []SigningSecret
}

// An Answer is what came of sending a message.
type Answer struct {
	Attempt
	RetryAfter time.Duration // that the receiver asked for; 0 for none
	Gone       bool          // it wants nothing any more
}

// Send posts a message, once, and follows no redirect. Statuses of 200 to 299 are
// success; whatever else happens is the Error of the answer.
func (s *Sender) Send(ctx context.Context, m Message) Answer {
	begin := s.Now()
	a := Answer{Attempt: Attempt{At: begin}}
	ctx, cancel := context.WithTimeout(ctx, AttemptTimeout)
	defer cancel()
	err := s.post(ctx, m, &a)
	a.Duration = s.Now().Sub(begin)
	if err != nil {
		a.Error = readable(explain(err).Error())
	}
	return a
}

// explain says why nothing was answered, and nothing of our network: neither which
// address a name stands for where it is none to be reached, nor who said so.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", AttemptTimeout)
	}
	if errors.Is(err, errAddress) {
		return errAddress
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("look up %s: %s", e.Name, e.Err)
	}
	return err
}

func (s *Sender) post(ctx context.Context, m Message, a *Answer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return errors.New("the URL cannot be used")
	}
	signature, err := signatures(m.Secrets, m.ID, a.At, m.Body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", s.Agent)
	r.Header.Set(HeaderID, m.ID)
	r.Header.Set(HeaderTimestamp, timestamp(a.At))
	r.Header.Set(HeaderSignature, signature)
	out, err := s.Transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer out.Body.Close()
	a.Code = out.StatusCode
	a.Gone = out.StatusCode == http.StatusGone
	a.RetryAfter = retryAfter(out.Header.Get("Retry-After"), a.At)
	text, _ := io.ReadAll(io.LimitReader(out.Body, maxAnswer)) // the status counts, however the rest ends
	a.Excerpt = readable(string(text))
	switch {
	case out.StatusCode >= 300 && out.StatusCode <= 399:
		return fmt.Errorf("%s: redirects are not followed", statusText(out.StatusCode))
	case out.StatusCode < 200 || out.StatusCode > 299:
		return errors.New(statusText(out.StatusCode))
	}
	return nil
}

func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// readable returns the begin of a text as it may be kept and shown.
func readable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	text = strings.TrimSpace(text)
	if len(text) > MaxExcerpt {
		text = strings.ToValidUTF8(text[:MaxExcerpt], "")
	}
	return text
}

// retryAfter reads the header of that name: seconds, or a time (RFC 9110 §10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(0, min(time.Duration(seconds), maxBackoff/time.Second)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxBackoff))
	}
	return 0
}

const (
	firstBackoff = 5 * time.Second
	maxBackoff   = time.Hour
)

// backoff returns how long to wait after the n-th attempt failed: 5 s, doubling to
// an hour, less up to a quarter by chance, a number from 0 to 1, so that those
// that failed together do not come again together.
func backoff(n int, chance float64) time.Duration {
	d := maxBackoff
	if n < 20 {
		d = min(d, firstBackoff<<max(0, n-1))
	}
	return d - time.Duration(float64(d/4)*chance)
}
