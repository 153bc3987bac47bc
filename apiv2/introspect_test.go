package apiv2_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"leyden/auth"
	"leyden/calls"
	"leyden/csms"
	"leyden/memory"
	"leyden/rest"
)

// client makes another client and returns the header with which it logs in.
func (i *issuer) client(scopes ...string) (id, header string) {
	i.t.Helper()
	client, secret, err := i.registrar.CreateClient(i.t.Context(), auth.Spec{Name: "other", Scopes: scopes})
	i.must(err)
	return client.ID, i.basic(client.ID, string(secret))
}

func asked(token string) string {
	return url.Values{"token": {token}, "token_type_hint": {"access_token"}}.Encode()
}

func TestRevoke(t *testing.T) {
	i := newIssuer(t)
	i.bearer = i.token()
	_, other := i.client("admin")
	login := i.basic(i.id, i.secret)
	for _, test := range []struct {
		name, body, header string
		status             int
		reply              string
	}{
		{"another client", asked(i.bearer), other, 400, `{"error":"invalid_request","error_description":"the access token belongs to another client"}`},
		{"nobody", asked(i.bearer), "X-None: ", 401, `{"error":"invalid_client","error_description":"no client credentials"}`},
		{"no token", "token_type_hint=access_token", login, 400, `{"error":"invalid_request","error_description":"token is missing"}`},
		{"nonsense", asked("nonsense"), login, 200, ""},
	} {
		if w := i.do("POST /oauth2/revoke", test.body, form, test.header); w.Code != test.status || w.Body.String() != test.reply {
			t.Errorf("%s: got %d %s, want %d %s", test.name, w.Code, w.Body, test.status, test.reply)
		}
	}
	if w := i.get("GET /v2/transactions"); w.Code != http.StatusOK {
		t.Fatalf("before it is revoked: %d %s", w.Code, w.Body)
	}
	for range 2 {
		if w := i.do("POST /oauth2/revoke", asked(i.bearer)+"&client_id="+i.id+"&client_secret="+i.secret, form); w.Code != http.StatusOK || w.Body.Len() > 0 {
			t.Errorf("revoke: %d %s", w.Code, w.Body)
		}
	}
	w := i.get("GET /v2/transactions")
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "the access token is revoked") {
		t.Errorf("revoked: %d %s", w.Code, w.Body)
	}
}

// TestRevokeIsRecorded: the audit log has who ended an access token, and who tried,
// but no token.
func TestRevokeIsRecorded(t *testing.T) {
	var book *calls.Book
	records := memory.New(time.Now)
	i := newIssuer(t, func(c *rest.Config) {
		var err error
		if book, err = calls.NewBook(calls.Config{Store: records, Secret: make([]byte, 32), Mask: csms.Masked, Now: c.Now}); err != nil {
			t.Fatal(err)
		}
		c.Calls = book
	})
	token := i.token()
	other, login := i.client("admin")
	i.do("POST /oauth2/revoke", asked(token), form, login)
	i.do("POST /oauth2/revoke", asked(token), form, "X-None: ")
	i.do("POST /oauth2/introspect", asked(token), form, login)
	i.do("POST /oauth2/revoke", asked(token), form, i.basic(i.id, i.secret))
	list, _, err := book.Store.Records(t.Context(), calls.RecordQuery{Operation: "revokeAccessToken"})
	i.must(err)
	if len(list) != 2 || list[0].By != i.id || list[0].Status != http.StatusOK || list[0].Name != "reader" || list[0].Kind != calls.ByClient ||
		list[1].By != other || list[1].Status != http.StatusBadRequest {
		t.Errorf("got %+v", list)
	}
	for _, r := range list {
		if strings.Contains(fmt.Sprintf("%+v", r), token) {
			t.Errorf("a record holds the token: %+v", r)
		}
	}
	if _, n, err := book.Store.Records(t.Context(), calls.RecordQuery{}); err != nil || n != 2 {
		t.Errorf("%d records, %v; want the two revocations alone", n, err)
	}
}

func TestIntrospect(t *testing.T) {
	i := newIssuer(t)
	token := i.token()
	_, resource := i.client("chargers:read")
	var got struct {
		Active                                      bool
		Scope, TokenType, Sub, Iss, Jti, ClientName string
		ClientID                                    string `json:"client_id"`
		Type                                        string `json:"token_type"`
		Exp, Iat                                    int64
	}
	w := i.do("POST /oauth2/introspect", asked(token), form, resource)
	i.must(json.Unmarshal(w.Body.Bytes(), &got))
	if w.Code != http.StatusOK || !got.Active || got.Scope != "transactions:read chargers:read" || got.ClientID != i.id || got.Sub != i.id ||
		got.Type != "Bearer" || got.Iss != "leyden" || got.Jti == "" || got.Iat != i.now.Unix() || got.Exp != i.now.Unix()+3600 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	inactive := func(name, token string) {
		t.Helper()
		w := i.do("POST /oauth2/introspect", asked(token), form, resource)
		if w.Code != http.StatusOK || w.Body.String() != `{"active":false}` {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
	inactive("nonsense", "nonsense")
	inactive("tampered", token+"A")
	i.now = i.now.Add(time.Hour)
	inactive("expired", token)
	for name, header := range map[string]string{"nobody": "X-None: ", "a wrong secret": i.basic(i.id, "ls_x"), "a token": "Authorization: Bearer " + token} {
		if w := i.do("POST /oauth2/introspect", asked(token), form, header); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"invalid_client"`) {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
	if w := i.do("POST /oauth2/introspect", "", form, resource); w.Code != http.StatusBadRequest {
		t.Errorf("no token: got %d %s", w.Code, w.Body)
	}
}

// TestJWKS verifies an access token as an outsider would.
func TestJWKS(t *testing.T) {
	i := newIssuer(t)
	token := i.token()
	w := i.do("GET /.well-known/jwks.json", "")
	var set struct {
		Keys []struct{ Kty, Crv, Kid, Use, Alg, X, D string }
	}
	i.must(json.Unmarshal(w.Body.Bytes(), &set))
	if w.Code != http.StatusOK || len(set.Keys) != 1 || w.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Fatalf("got %d %s %v", w.Code, w.Body, w.Header())
	}
	k := set.Keys[0]
	if k.Kty != "OKP" || k.Crv != "Ed25519" || k.Use != "sig" || k.Alg != "EdDSA" || k.D != "" {
		t.Errorf("key %+v", k)
	}
	x, err := base64.RawURLEncoding.DecodeString(k.X)
	i.must(err)
	signed, signature, _ := cutLast(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	i.must(err)
	if !ed25519.Verify(x, []byte(signed), raw) {
		t.Error("the key does not verify the token")
	}
	header, err := base64.RawURLEncoding.DecodeString(signed[:strings.IndexByte(signed, '.')])
	i.must(err)
	if !strings.Contains(string(header), `"kid":"`+k.Kid+`"`) {
		t.Errorf("header %s, want kid %s", header, k.Kid)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func TestAuthorizationServer(t *testing.T) {
	i := newIssuer(t)
	w := i.do("GET /.well-known/oauth-authorization-server", "")
	var got map[string]any
	i.must(json.Unmarshal(w.Body.Bytes(), &got))
	if w.Code != http.StatusOK || got["issuer"] != "http://example.com" || got["token_endpoint"] != "http://example.com/oauth2/token" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := i.do("GET /.well-known/security.txt", ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `"error":`) {
		t.Errorf("what is not there: got %d %s", w.Code, w.Body)
	}
}
