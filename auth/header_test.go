package auth_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"leyden/auth"
)

func TestParseBasic(t *testing.T) {
	for _, test := range []struct {
		header, user, password string
		ok                     bool
	}{
		{"Basic dTpw", "u", "p", true},
		{"basic dTpw", "u", "p", true},
		{"  BASIC   dTpw ", "u", "p", true},
		{"Basic dTo=", "u", "", true},
		{"Basic dTo", "u", "", true}, // padding left out
		{"Basic OnA=", "", "p", true},
		{"Basic YTpiOmM=", "a", "b:c", true},
		{"Basic dTr/AP8=", "u", "\xff\x00\xff", true},
		{"Basic dQ==", "u", "", false}, // no colon
		{"Basic", "", "", false},
		{"Basic ", "", "", false},
		{"Basic !!!!", "", "", false},
		{"Basic dTpw dTpw", "", "", false},
		{"Bearer dTpw", "", "", false},
		{"dTpw", "", "", false},
		{"", "", "", false},
		{"Basic " + strings.Repeat("dTpw", 2000), "", "", false},
	} {
		user, password, ok := auth.ParseBasic(test.header)
		if ok != test.ok || ok && (user != test.user || string(password) != test.password) {
			t.Errorf("ParseBasic(%.30q) = %q, %q, %v; want %q, %q, %v",
				test.header, user, string(password), ok, test.user, test.password, test.ok)
		}
	}
}

// FuzzParseBasic compares with the standard library, which is stricter about
// padding and spaces: what it reads we read the same.
func FuzzParseBasic(f *testing.F) {
	f.Add("Basic dTpw")
	f.Add("Basic dTo")
	f.Add("BASIC OnA=")
	f.Fuzz(func(t *testing.T, header string) {
		r := http.Request{Header: http.Header{"Authorization": {header}}}
		wantUser, wantPassword, want := r.BasicAuth()
		user, password, ok := auth.ParseBasic(header)
		if want && len(header) < 4000 && (!ok || user != wantUser || string(password) != wantPassword) {
			t.Errorf("ParseBasic(%q) = %q, %q, %v; want %q, %q", header, user, string(password), ok, wantUser, wantPassword)
		}
		if !ok && (user != "" && strings.Contains(user, ":")) {
			t.Errorf("user %q holds a colon", user)
		}
	})
}

func FuzzParseBearer(f *testing.F) {
	f.Add("Bearer a.b.c")
	f.Add("bearer  x")
	f.Fuzz(func(t *testing.T, header string) {
		text, ok := auth.ParseBearer(header)
		if ok != (text != "") || strings.ContainsAny(string(text), " \t\r\n\x00") {
			t.Errorf("ParseBearer(%q) = %q, %v", header, string(text), ok)
		}
		if again, okAgain := auth.ParseBearer("Bearer " + string(text)); ok && (!okAgain || again != text) {
			t.Errorf("ParseBearer of its own answer = %q, %v", string(again), okAgain)
		}
	})
}

func TestParseTokenRequest(t *testing.T) {
	const basic = "Basic dTpw" // u:p
	for _, test := range []struct {
		name, header, form string
		grant, id, secret  string
		scope              string
		want               error
	}{
		{"Basic", basic, "grant_type=client_credentials", "client_credentials", "u", "p", "", nil},
		{"Basic with scope", basic, "grant_type=client_credentials&scope=a+b", "client_credentials", "u", "p", "a b", nil},
		{"Basic and its id in the form", basic, "grant_type=x&client_id=u", "x", "u", "p", "", nil},
		{"encoded Basic", "Basic YSUzQWI6YyUyQmQrZQ==", "grant_type=x", "x", "a:b", "c+d e", "", nil},
		{"Basic that only looks encoded", "Basic dTpwJXp6", "grant_type=x", "x", "u", "p%zz", "", nil},
		{"form", "", "grant_type=x&client_id=u&client_secret=p", "x", "u", "p", "", nil},
		{"no grant type", basic, "", "", "u", "p", "", nil},
		{"unknown parameters", basic, "grant_type=x&foo=1&foo=2", "x", "u", "p", "", nil},
		{"secret twice over", basic, "grant_type=x&client_secret=p", "", "", "", "", auth.ErrInvalidRequest},
		{"two clients", basic, "grant_type=x&client_id=v", "", "", "", "", auth.ErrInvalidRequest},
		{"grant type twice", basic, "grant_type=x&grant_type=x", "", "", "", "", auth.ErrInvalidRequest},
		{"scope twice", basic, "grant_type=x&scope=a&scope=b", "", "", "", "", auth.ErrInvalidRequest},
		{"id twice", "", "client_id=a&client_id=b&client_secret=p", "", "", "", "", auth.ErrInvalidRequest},
		{"secret twice", "", "client_id=a&client_secret=p&client_secret=p", "", "", "", "", auth.ErrInvalidRequest},
		{"no credentials", "", "grant_type=client_credentials", "", "", "", "", auth.ErrInvalidClient},
		{"id alone", "", "grant_type=x&client_id=u", "", "", "", "", auth.ErrInvalidClient},
		{"secret alone", "", "grant_type=x&client_secret=p", "", "", "", "", auth.ErrInvalidClient},
		{"another scheme", "Bearer x", "grant_type=x", "", "", "", "", auth.ErrInvalidClient},
		{"unreadable Basic", "Basic !", "grant_type=x", "", "", "", "", auth.ErrInvalidClient},
	} {
		form, err := url.ParseQuery(test.form)
		if err != nil {
			t.Fatal(err)
		}
		r, err := auth.ParseTokenRequest(test.header, form, address(7))
		wantError(t, test.name, err, test.want)
		if code, ok := errors.AsType[auth.GrantError](err); ok && code != test.want {
			t.Errorf("%s: code %s, want %v", test.name, code, test.want)
		}
		want := auth.TokenRequest{GrantType: test.grant, Scope: test.scope}
		if test.want == nil {
			want.Login = auth.ClientLogin{ID: test.id, Secret: auth.Secret(test.secret), Addr: address(7)}
		}
		if r != want {
			t.Errorf("%s: got %+v %q, want %+v", test.name, r, string(r.Login.Secret), want)
		}
	}
}

// FuzzParseTokenRequest: a client reaches the token endpoint as who it says it
// is, or not at all.
func FuzzParseTokenRequest(f *testing.F) {
	f.Add("Basic dTpw", "grant_type=client_credentials&scope=admin")
	f.Add("", "client_id=u&client_secret=p&grant_type=x")
	f.Fuzz(func(t *testing.T, header, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		r, err := auth.ParseTokenRequest(header, form, address(1))
		if _, ok := errors.AsType[auth.GrantError](err); err != nil && !ok {
			t.Errorf("an error that is no GrantError: %v", err)
		}
		if err != nil && r != (auth.TokenRequest{}) {
			t.Errorf("%v, and a request %+v", err, r)
		}
	})
}
