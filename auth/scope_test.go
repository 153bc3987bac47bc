package auth_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leyden"
	"leyden/auth"
)

func TestParseScopes(t *testing.T) {
	for _, test := range []struct{ list, want string }{
		{"", ""},
		{"  ", ""},
		{"admin", "admin"},
		{"tags:write chargers:read", "chargers:read tags:write"},
		{" admin  transactions:read\tadmin ", "transactions:read admin"},
	} {
		got, err := auth.ParseScopes(test.list)
		if err != nil || got.String() != test.want {
			t.Errorf("ParseScopes(%q) = %q, %v; want %q", test.list, got, err, test.want)
		}
	}
	for _, list := range []string{"Admin", "root", "transactions", "transactions:read,admin", "admin\x00", strings.Repeat("x", 1000)} {
		got, err := auth.ParseScopes(list)
		wantError(t, "ParseScopes("+list[:min(len(list), 20)]+")", err, leyden.ErrInvalid)
		if len(got) > 0 || len(err.Error()) > 100 {
			t.Errorf("ParseScopes(%.20q) = %v with an error of %d bytes", list, got, len(err.Error()))
		}
	}
}

func TestScopesAllow(t *testing.T) {
	for _, have := range auth.KnownScopes() {
		for _, want := range auth.KnownScopes() {
			if got := (auth.Scopes{have}).Allow(want); got != (have == want || have == auth.Admin) {
				t.Errorf("%s allows %s: %v", have, want, got)
			}
			if (auth.Scopes{}).Allow(want) {
				t.Errorf("no scope allows %s", want)
			}
		}
	}
}

// scopes draws a list of names in any order, some twice.
func scopes(r *rapid.T, label string) auth.Scopes {
	list, err := auth.ScopesOf(rapid.SliceOf(rapid.Map(rapid.SampledFrom(auth.KnownScopes()),
		func(s auth.Scope) string { return string(s) })).Draw(r, label))
	if err != nil {
		r.Fatal(err)
	}
	return list
}

func TestScopesProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := scopes(r, "a"), scopes(r, "b")
		again, err := auth.ParseScopes(a.String())
		if err != nil || !slices.Equal(again, a) {
			r.Fatalf("%v reads back as %v, %v", a, again, err)
		}
		for _, s := range auth.KnownScopes() {
			if a.Covers(b) && b.Allow(s) && !a.Allow(s) {
				r.Fatalf("%v covers %v but does not allow %s", a, b, s)
			}
		}
		if everyAllowed := !slices.ContainsFunc(b, func(s auth.Scope) bool { return !a.Allow(s) }); a.Covers(b) != everyAllowed {
			r.Fatalf("%v covers %v: %v", a, b, a.Covers(b))
		}
	})
}

// TestTokenScopes: an access token allows what it was granted as long as its
// client may do that, and nothing else.
func TestTokenScopes(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(r *rapid.T) {
		granted, later := scopes(r, "granted"), scopes(r, "later")
		if len(granted) == 0 || len(later) == 0 {
			return
		}
		c, login := w.client(t, granted.Names()...)
		g := w.token(t, login)
		if _, err := w.UpdateClient(t.Context(), c.ID, auth.Edit{Scopes: later.Names()}); err != nil {
			r.Fatal(err)
		}
		p, err := w.withToken(t, g.Text)
		if err != nil {
			r.Fatal(err)
		}
		for _, s := range auth.KnownScopes() {
			if got, want := p.Allow(s), granted.Allow(s) && later.Allow(s); got != want {
				r.Fatalf("granted %v, client now has %v: %s is %v", granted, later, s, got)
			}
		}
	})
}

func FuzzParseScopes(f *testing.F) {
	f.Add("admin tags:write")
	f.Add("admin,tags:write")
	f.Fuzz(func(t *testing.T, list string) {
		scopes, err := auth.ParseScopes(list)
		if err != nil {
			return
		}
		for _, name := range strings.Fields(list) {
			if !slices.Contains(scopes, auth.Scope(name)) {
				t.Errorf("%q is lost from %q", name, list)
			}
		}
		if len(scopes) > len(auth.KnownScopes()) {
			t.Errorf("%q has %d scopes", list, len(scopes))
		}
	})
}
