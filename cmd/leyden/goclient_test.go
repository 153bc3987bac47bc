package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leyden/client"
	"leyden/feed"
)

// TestGoClient asks a real server through the Go client.
func TestGoClient(t *testing.T) {
	t.Parallel()
	p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"), "--admission", "open")
	lossy := &lossyTransport{next: http.DefaultTransport}
	c := client.New(p.url, client.Key(adminKey), client.Over(&http.Client{Transport: lossy}))
	for i := range 7 {
		if _, err := c.AddIDTag(t.Context(), client.NewIDTag{IDTag: fmt.Sprintf("TAG-%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if lossy.lost.Load() == 0 {
		t.Error("no reply was lost on its way")
	}
	var tags []string
	for tag, err := range c.AllIDTags(t.Context(), client.ListIDTagsQuery{Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, tag.IDTag)
	}
	if len(tags) != 7 {
		t.Errorf("got the tags %v over cursors, want 7", tags)
	}
	_, err := c.GetTransaction(t.Context(), "12345", client.GetTransactionQuery{})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusNotFound || e.Code != "NOT_FOUND" || e.RequestID == "" {
		t.Errorf("what is not there: got %v", err)
	}
	_, err = c.RemoteStart(t.Context(), "NOWHERE", client.RemoteStart{ConnectorID: 1, IDTag: strings.Repeat("x", 21)})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "VALIDATION_ERROR" || len(e.Details) != 1 || e.Details[0].Field != "idTag" {
		t.Errorf("what is not valid: got %v", err)
	}
	billing, err := c.AddClient(t.Context(), client.CredentialSpec{Name: "billing", Scopes: []string{"transactions:read"}})
	if err != nil {
		t.Fatal(err)
	}
	v2 := client.New(p.url, client.ClientCredentials(p.url, billing.ClientID, billing.ClientSecret))
	if list, err := v2.V2ListTransactions(t.Context(), client.V2ListTransactionsQuery{FilterBy: "InsertedAt"}); err != nil || len(list) != 0 {
		t.Errorf("v2: got %v, %v", list, err)
	}
}

// TestGoClientFollows follows the feed while a station charges, from the begin and
// from a place in between.
func TestGoClientFollows(t *testing.T) {
	t.Parallel()
	p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"), "--admission", "open")
	c := client.New(p.url, client.Key(adminKey))
	must(t, "simulate", "--url", "ws"+strings.TrimPrefix(p.url, "http")+"/ocpp", "--sessions", "1", "--speed", "100000")
	follow := func(after int64) (seqs []int64, events []string) {
		for e, err := range c.Follow(t.Context(), after, client.ListChangesQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			seqs, events = append(seqs, e.Seq), append(events, e.Event)
			if e.Event == "transaction.stopped" {
				break
			}
		}
		return seqs, events
	}
	seqs, events := follow(0)
	if text := strings.Join(events, " "); !strings.Contains(text, "transaction.started") {
		t.Fatalf("got %v", events)
	}
	if rest, _ := follow(seqs[1]); len(rest) != len(seqs)-2 {
		t.Errorf("from %d on: got %v of %v", seqs[1], rest, seqs)
	}
}

// The client takes what the server signs, and nothing else.
func TestGoClientVerifiesWebhooks(t *testing.T) {
	t.Parallel()
	now, body := time.Now(), []byte(`{"id":"evt_1"}`)
	secret, other := feed.NewSigningSecret(), feed.NewSigningSecret()
	signature, err := secret.Sign("evt_1", now, body)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	header.Set(feed.HeaderID, "evt_1")
	header.Set(feed.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(feed.HeaderSignature, "v1,AAAA "+signature)
	if err := client.VerifyWebhook(header, body, now, string(other), string(secret)); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"another secret": client.VerifyWebhook(header, body, now, string(other)),
		"another body":   client.VerifyWebhook(header, []byte(`{}`), now, string(secret)),
		"an old one":     client.VerifyWebhook(header, body, now.Add(time.Hour), string(secret)),
		"no headers":     client.VerifyWebhook(http.Header{}, body, now, string(secret)),
	} {
		if err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

// A lossyTransport loses every third reply to a POST, after it was carried out.
type lossyTransport struct {
	next       http.RoundTripper
	seen, lost atomic.Int64
}

// RoundTrip sends a request.
func (l *lossyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost || l.seen.Add(1)%3 != 0 {
		return res, err
	}
	l.lost.Add(1)
	_, err = io.Copy(io.Discard, res.Body)
	return nil, errors.Join(io.ErrUnexpectedEOF, err, res.Body.Close())
}
