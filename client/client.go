package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Client speaks to one server. It may be used by several goroutines.
type Client struct {
	base       string
	credential Credential
	http       *http.Client
	retries    int
}

// A Credential puts on a request who asks.
type Credential func(context.Context, *http.Request) error

// Key is the credential of an API key.
func Key(key string) Credential {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-API-Key", key)
		return nil
	}
}

// Bearer is the credential of an access token.
func Bearer(token string) Credential {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

// A Setting changes a client from what [New] makes of it.
type Setting func(*Client)

// Over makes a client use an HTTP client of its own [http.DefaultClient], but for
// its CheckRedirect: see [New].
func Over(h *http.Client) Setting { return func(c *Client) { c.http = h } }

// Retries sets how often a request is sent again that failed for a moment [4].
func Retries(n int) Setting { return func(c *Client) { c.retries = n } }

// New returns a client of the server at a base URL such as https://csms.example.com.
// It follows no redirect: the credential is for nobody else, and a POST would become
// a GET. Such a reply is an [*Error].
func New(base string, credential Credential, settings ...Setting) *Client {
	c := &Client{base: strings.TrimSuffix(base, "/"), credential: credential, http: http.DefaultClient, retries: 4}
	for _, set := range settings {
		set(c)
	}
	own := *c.http
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &own
	return c
}

// An Option is about one request.
type Option func(http.Header)

// WithHeader sends a header along.
func WithHeader(name, value string) Option { return func(h http.Header) { h.Set(name, value) } }

// WithIdempotencyKey sends a key of the caller's with a POST instead of a random
// one, so that it is carried out once even if the caller itself starts anew.
func WithIdempotencyKey(key string) Option { return WithHeader("Idempotency-Key", key) }

// IfMatch carries a change out only if the resource still has that ETag, else it is
// refused with 412.
func IfMatch(etag string) Option { return WithHeader("If-Match", etag) }

// An Error is a refusal.
type Error struct {
	Status     int
	Code       string // of v1, such as NOT_FOUND; of OAuth2, such as invalid_client
	Message    string
	Details    []Detail
	RequestID  string
	RetryAfter time.Duration // 0 when the server did not say
}

// Error says what was refused.
func (e *Error) Error() string {
	return fmt.Sprintf("%d %s: %s (request %s)", e.Status, e.Code, e.Message, e.RequestID)
}

// request is what an operation sends.
type request struct {
	method, path string
	query        url.Values
	contentType  string
	body         any
}

// mostBody bounds what is read of a reply that is no list to the end.
const mostBody = 256 << 20

// longestWait bounds how long a client waits before it sends a request again. Who is
// told to come back later than that learns so, in RetryAfter of the [Error].
const longestWait = time.Minute

// do sends a request, again while that is safe and may help, and reads the reply.
func (c *Client) do(ctx context.Context, r request, reply any, options []Option) error {
	header := http.Header{}
	if r.method == http.MethodPost && !strings.HasPrefix(r.path, "/oauth2/") {
		header.Set("Idempotency-Key", rand.Text())
	}
	for _, o := range options {
		o(header)
	}
	body, err := r.encode()
	if err != nil {
		return err
	}
	shown := new(showing)
	ctx = context.WithValue(ctx, showingKey{}, shown)
	for attempt := 0; ; attempt++ {
		err := c.once(ctx, r, header, body, reply)
		if shown.outdated(err) {
			continue
		}
		wait, again := retryAfter(err, attempt)
		if !again || wait > longestWait || !r.repeatable(header) || attempt >= c.retries || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// repeatable reports whether a request may be sent twice.
func (r request) repeatable(header http.Header) bool {
	return r.method == http.MethodGet || header.Get("Idempotency-Key") != ""
}

func (r request) encode() ([]byte, error) {
	switch body := r.body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return body, nil
	}
	data, err := json.Marshal(r.body)
	if err != nil || r.contentType == "application/json" {
		return data, err
	}
	var fields map[string]string
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("form: %w", err)
	}
	form := url.Values{}
	for name, value := range fields {
		form.Set(name, value)
	}
	return []byte(form.Encode()), nil
}

// once sends a request and reads the reply.
func (c *Client) once(ctx context.Context, r request, header http.Header, body []byte, reply any) error {
	res, err := c.send(ctx, r, header, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, mostBody))
	switch {
	case err != nil:
		return fmt.Errorf("reply of %s %s: %w", r.method, r.path, err)
	case res.StatusCode == http.StatusNotModified:
		return nil
	case res.StatusCode >= http.StatusMultipleChoices:
		return refusal(res, data)
	case reply == nil:
		return nil
	}
	if err := json.Unmarshal(data, reply); err != nil {
		return fmt.Errorf("reply of %s %s: %w", r.method, r.path, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, r request, header http.Header, body []byte) (*http.Response, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if scheme := req.URL.Scheme; scheme != "http" && scheme != "https" || req.URL.Host == "" {
		return nil, errBase
	}
	req.Header = header.Clone()
	if body != nil {
		req.Header.Set("Content-Type", r.contentType)
	}
	if c.credential != nil {
		if err := c.credential(ctx, req); err != nil {
			return nil, fmt.Errorf("credential: %w", err)
		}
	}
	return c.http.Do(req)
}

var errBase = errors.New("the base URL is no http://HOST or https://HOST")

// refusal makes an error of a reply, in whichever of the façades' words it is.
func refusal(res *http.Response, data []byte) error {
	e := &Error{Status: res.StatusCode, RequestID: res.Header.Get("X-Request-ID"), Code: http.StatusText(res.StatusCode)}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	var v1 struct {
		Error struct {
			Code, Message string
			Details       []Detail
		}
	}
	var other struct {
		Message     string `json:"message"`
		OAuth       string `json:"error"`
		Description string `json:"error_description"`
		Detail      string `json:"detail"`
		Code        any    `json:"code"`
	}
	switch {
	case json.Unmarshal(data, &v1) == nil && v1.Error.Code != "":
		e.Code, e.Message, e.Details = v1.Error.Code, v1.Error.Message, v1.Error.Details
	case json.Unmarshal(data, &other) == nil:
		e.Message = other.Message + other.Description + other.Detail
		if code, ok := other.Code.(string); ok {
			e.Code = code
		}
		if other.OAuth != "" {
			e.Code = other.OAuth
		}
	}
	if to := res.Header.Get("Location"); e.Message == "" && to != "" {
		e.Message = "what was asked for is at " + to
	}
	return e
}

// retryAfter says how long to wait before a request is worth sending again, if it
// is at all.
func retryAfter(err error, attempt int) (time.Duration, bool) {
	if err == nil {
		return 0, false
	}
	wait := time.Duration(math.Pow(2, float64(min(attempt, 16))) * float64(200*time.Millisecond))
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return wait, lost(err)
	}
	return max(wait, e.RetryAfter), e.RetryAfter > 0
}

// lost reports whether a connection was lost, or could not be made, in a way that
// may pass.
func lost(err error) bool {
	if _, foreign := errors.AsType[*tls.CertificateVerificationError](err); foreign {
		return false
	}
	_, lost := errors.AsType[net.Error](err)
	return lost || errors.Is(err, io.ErrUnexpectedEOF)
}

// all follows the cursors of a list.
func all[T any](page func(cursor string) (items []T, next *string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for cursor := ""; ; {
			items, next, err := page(cursor)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == nil || *next == "" {
				return
			}
			cursor = *next
		}
	}
}
