package client_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden/client"
)

// A server answers requests without a network. It is a [http.RoundTripper].
type server func(*http.Request) (*http.Response, error)

func (s server) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func (s server) over() client.Setting { return client.Over(&http.Client{Transport: s}) }

func answer(status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

const base = "http://leyden.example"

// A redirect is not followed: the key is for nobody else, and a POST stays one.
func TestRedirect(t *testing.T) {
	var asked []string
	s := server(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.Method+" "+r.URL.Host+" "+r.Header.Get("X-API-Key"))
		res, err := answer(http.StatusFound, "<a>")
		res.Header.Set("Location", "http://elsewhere.example/")
		return res, err
	})
	_, err := client.New(base, client.Key("secret"), s.over()).AddIDTag(t.Context(), client.NewIDTag{IDTag: "T"})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusFound || !strings.Contains(e.Message, "elsewhere") {
		t.Errorf("got %v", err)
	}
	if len(asked) != 1 || asked[0] != "POST leyden.example secret" {
		t.Errorf("asked %q", asked)
	}
}

// What is no address of a server is said at once, and so is another's certificate.
func TestHopeless(t *testing.T) {
	for _, address := range []string{"", "leyden.example", "ftp://leyden.example", "http:///x"} {
		for _, err := range client.New(address, nil).Follow(t.Context(), 0, client.ListChangesQuery{}) {
			if err == nil {
				t.Errorf("%q: no error", address)
			}
		}
	}
	foreign := server(func(*http.Request) (*http.Response, error) {
		return nil, &tls.CertificateVerificationError{Err: errors.New("unknown authority")}
	})
	ended := false
	for _, err := range client.New(base, nil, foreign.over()).Follow(t.Context(), 0, client.ListChangesQuery{}) {
		_, ended = errors.AsType[*tls.CertificateVerificationError](err)
	}
	if !ended {
		t.Error("the certificate was not told of")
	}
}

// A server that wants to be left alone for long is not waited for in secret: the
// caller decides.
func TestLongRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, began := 0, time.Now()
		full := server(func(*http.Request) (*http.Response, error) {
			asked++
			res, err := answer(http.StatusTooManyRequests, `{"error":{"code":"RATE_LIMIT_ERROR"}}`)
			res.Header.Set("Retry-After", "3600")
			return res, err
		})
		_, err := client.New(base, nil, full.over()).AddIDTag(t.Context(), client.NewIDTag{IDTag: "T"})
		if e, ok := errors.AsType[*client.Error](err); !ok || e.RetryAfter != time.Hour {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(began); asked != 1 || waited > 0 {
			t.Errorf("asked %d times in %v", asked, waited)
		}
	})
}

// A server whose machine went away without a word is asked again.
func TestFollowSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		s := server(func(r *http.Request) (*http.Response, error) {
			if asked++; asked == 1 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answer(http.StatusOK, `{"events":[{"seq":7}],"lastSeq":7}`)
		})
		begin := time.Now()
		for e, err := range client.New(base, nil, s.over()).Follow(t.Context(), 6, client.ListChangesQuery{}) {
			if err != nil || e.Seq != 7 {
				t.Errorf("got %v, %v", e, err)
			}
			break
		}
		if took := time.Since(begin); took > 2*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// An issuer is a server that issues access tokens t1, t2, … and takes but the last.
type issuer struct {
	issued int
	ended  bool // it takes none
}

func (i *issuer) serve(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/oauth2/token" {
		i.issued++
		return answer(http.StatusOK, fmt.Sprintf(`{"access_token":"t%d","expires_in":3600,"token_type":"Bearer"}`, i.issued))
	}
	if i.ended || r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", i.issued) {
		return answer(http.StatusUnauthorized, `{"error":{"code":"UNAUTHORIZED","message":"revoked"}}`)
	}
	return answer(http.StatusOK, `{"idTag":"T"}`)
}

// An access token is used until its last minute, or until the server takes it no
// longer.
func TestClientCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		over := server(i.serve).over()
		c := client.New(base, client.ClientCredentials(base, "id", "secret", over), over)
		ask := func(want int) {
			t.Helper()
			if _, err := c.GetIDTag(t.Context(), "T"); err != nil || i.issued != want {
				t.Errorf("got %v and %d tokens, want %d", err, i.issued, want)
			}
		}
		ask(1)
		time.Sleep(58 * time.Minute)
		ask(1)
		time.Sleep(time.Minute)
		ask(2)
		i.issued++ // the one that the client has was revoked
		ask(4)
		i.ended = true
		_, err := c.GetIDTag(t.Context(), "T")
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusUnauthorized || i.issued != 5 {
			t.Errorf("got %v and %d tokens", err, i.issued)
		}
	})
}

// Who waits for another's access token ends with his own context.
func TestClientCredentialsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := server(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c := client.New(base, client.ClientCredentials(base, "id", "secret", silent.over()), silent.over())
		first, end := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := c.GetIDTag(first, "T")
			ended <- err
		}()
		synctest.Wait()
		second, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.GetIDTag(second, "T"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		end()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the first got %v", err)
		}
	})
}

// A secret that was never set proves nothing, although anybody can sign with it.
func TestVerifyWebhookSecrets(t *testing.T) {
	now, body := time.Now(), `{"id":"evt_1"}`
	sign := func(key string) http.Header {
		h := http.Header{}
		h.Set("webhook-id", "evt_1")
		h.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "evt_1.%d.%s", now.Unix(), body)
		h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		return h
	}
	for _, c := range []struct {
		key, secret string
		ok          bool
	}{
		{"", "", false},
		{"", "whsec_", false},
		{"short", "whsec_" + base64.StdEncoding.EncodeToString([]byte("short")), false},
		{strings.Repeat("k", 25), "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 25))), true},
		{strings.Repeat("k", 25), "whsec_" + base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("k", 25))), true},
	} {
		if err := client.VerifyWebhook(sign(c.key), []byte(body), now, c.secret); err == nil != c.ok {
			t.Errorf("%q: got %v", c.secret, err)
		}
	}
}
