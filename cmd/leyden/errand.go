package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"leyden/auth"
)

// An errand is what a running server does in a command's stead, over its REST API:
// only one process may write to the ledger.
type errand struct {
	url, key string
	what     string     // "replay the message"
	scope    auth.Scope // that the key needs
}

// adminKeyVariable has the text of an administrator's key, for the server and for
// commands that ask it.
const adminKeyVariable = "LEYDEN_ADMIN_KEY"

// remoteTimeout is how long the server may take.
const remoteTimeout = 60 * time.Second

// serverFlags lets a command take where the server is, and the key with the scope
// that it is asked with.
func serverFlags(f *pflag.FlagSet, address, key *string, scope auth.Scope) {
	f.StringVar(address, "url", "http://127.0.0.1:8080", "where the server is; given, it is asked whatever the data folder says")
	keyFlag(f, key, scope)
}

func keyFlag(f *pflag.FlagSet, key *string, scope auth.Scope) {
	f.StringVar(key, "key", "", fmt.Sprintf("API key with the scope %s for the server; default $%s", scope, adminKeyVariable))
}

// keyGiven returns the key that a server is asked with; the flag has it, or the
// environment.
func keyGiven(flag string) string { return cmp.Or(flag, os.Getenv(adminKeyVariable)) }

// serverAddress reads where a server is.
func serverAddress(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usagef("--url is no address of a server: write http://HOST:PORT or https://HOST")
	}
	return base, nil
}

// serverClient returns what asks servers. It follows no redirect: the key is for
// nobody else.
func serverClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// send asks the server, at a path below /api/v1, and returns what it answered, but
// for a key that it does not take.
func (e *errand) send(ctx context.Context, method, path, body string) (status int, text []byte, err error) {
	base, err := serverAddress(e.url)
	if err != nil {
		return 0, nil, err
	}
	if e.key == "" {
		return 0, nil, fmt.Errorf("a server serves from the data folder and has to %s: give its admin key with --key or %s (it is asked at %s; name another address with --url)", e.what, adminKeyVariable, base.Redacted())
	}
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, base.JoinPath("api", "v1", path).String(), strings.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("--url: %w", err)
	}
	req.Header.Set("X-API-Key", e.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := serverClient().Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // it quotes the address
		}
		return 0, nil, fmt.Errorf("the server at %s cannot be asked to %s: %w; name its address with --url", base.Redacted(), e.what, err)
	}
	defer res.Body.Close()
	return e.answered(res)
}

func (e *errand) answered(res *http.Response) (int, []byte, error) {
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("answer of the server: %w", err)
	}
	if !json.Valid(text) || !strings.HasPrefix(string(text), "{") {
		return 0, nil, fmt.Errorf("what answers at %s is no leyden (HTTP %d); name its address with --url", res.Request.URL.Redacted(), res.StatusCode)
	}
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		return 0, nil, fmt.Errorf("the server does not take the key: %s; give one with the scope %s, with --key or %s", refusalIn(text), e.scope, adminKeyVariable)
	}
	return res.StatusCode, text, nil
}

// refusalIn returns the message of a refusal of v1.
func refusalIn(text []byte) string {
	var said struct{ Error struct{ Message string } }
	if err := json.Unmarshal(text, &said); err != nil {
		return "an answer that cannot be read"
	}
	return said.Error.Message
}
