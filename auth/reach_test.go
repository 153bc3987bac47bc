package auth_test

import (
	"fmt"
	"slices"
	"testing"

	"leyden"
	"leyden/auth"
)

func TestReach(t *testing.T) {
	w := newWorld(t)
	w.store.sites = map[leyden.StationID]string{"A2": "A", "A1": "A", "B1": "B"}
	limit := &auth.Limit{Chargers: []leyden.StationID{"X", "A1", "X"}, Sites: []string{" A ", "A", "nowhere"}}
	_, key, err := w.CreateKey(t.Context(), auth.Spec{Name: "k", Scopes: []string{"chargers:read"}, LimitedTo: limit})
	if err != nil {
		t.Fatal(err)
	}
	c, secret, err := w.CreateClient(t.Context(), auth.Spec{Name: "c", Scopes: []string{"chargers:read"}, LimitedTo: limit})
	if err != nil {
		t.Fatal(err)
	}
	g := w.token(t, auth.ClientLogin{ID: c.ID, Secret: secret})
	byKey, keyErr := w.withKey(t, key)
	byToken, tokenErr := w.withToken(t, g.Text)
	for _, test := range []struct {
		p   auth.Principal
		err error
	}{{byKey, keyErr}, {byToken, tokenErr}} {
		if test.err != nil || !slices.Equal(test.p.Reach.Within(), []leyden.StationID{"A1", "A2", "X"}) {
			t.Fatalf("%+v reaches %v, %v", test.p, test.p.Reach.Within(), test.err)
		}
		for id, want := range map[leyden.StationID]bool{"A1": true, "A2": true, "X": true, "B1": false, "": false} {
			if got := test.p.Reach.Covers(id); got != want {
				t.Errorf("covers %q: %v", id, got)
			}
		}
		if r := test.p.Reach; !r.CoversSite("A") || r.CoversSite("B") || r.CoversSite("") {
			t.Errorf("sites %v", r.Sites)
		}
	}
	// A charger that moves is seen at the next request, also with an old token.
	w.store.sites["B1"] = "A"
	if p, err := w.withToken(t, g.Text); err != nil || !p.Reach.Covers("B1") {
		t.Errorf("moved: %v, %v", p.Reach.Within(), err)
	}
}

// TestNoReach: the nil Reach covers all, and one of a site without chargers
// nothing.
func TestNoReach(t *testing.T) {
	w := newWorld(t)
	_, key := w.key(t, "admin")
	p, err := w.withKey(t, key)
	if err != nil || p.Reach.Within() != nil || !p.Reach.Covers("any") || !p.Reach.CoversSite("any") {
		t.Errorf("unlimited: %v, %v", p.Reach, err)
	}
	_, key, err = w.CreateKey(t.Context(), auth.Spec{Name: "k", Scopes: []string{"chargers:read"}, LimitedTo: &auth.Limit{Sites: []string{"empty"}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err = w.withKey(t, key)
	if err != nil || p.Reach.Within() == nil || len(p.Reach.Within()) != 0 || p.Reach.Covers("any") {
		t.Errorf("limited to nothing: %v, %v", p.Reach.Within(), err)
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t)
	var many []leyden.StationID
	for i := range auth.MaxLimit + 1 {
		many = append(many, leyden.StationID(fmt.Sprint("S", i)))
	}
	for _, test := range []struct {
		name   string
		scopes []string
		limit  auth.Limit
	}{
		{"nothing", []string{"chargers:read"}, auth.Limit{}},
		{"admin", []string{"chargers:read", "admin"}, auth.Limit{Sites: []string{"A"}}},
		{"no identity", []string{"chargers:read"}, auth.Limit{Chargers: []leyden.StationID{"a b"}}},
		{"no name", []string{"chargers:read"}, auth.Limit{Sites: []string{" "}}},
		{"unreadable", []string{"chargers:read"}, auth.Limit{Sites: []string{"a\x00"}}},
		{"too many", []string{"chargers:read"}, auth.Limit{Chargers: many}},
	} {
		_, _, err := w.CreateKey(t.Context(), auth.Spec{Name: "k", Scopes: test.scopes, LimitedTo: &test.limit})
		wantError(t, test.name+", key", err, leyden.ErrInvalid)
		_, _, err = w.CreateClient(t.Context(), auth.Spec{Name: "c", Scopes: test.scopes, LimitedTo: &test.limit})
		wantError(t, test.name+", client", err, leyden.ErrInvalid)
	}
	if _, _, err := w.CreateKey(t.Context(), auth.Spec{Name: "k", Scopes: []string{"chargers:read"}, LimitedTo: &auth.Limit{Chargers: many[1:]}}); err != nil {
		t.Errorf("as many as may be: %v", err)
	}
}

func TestChangeLimit(t *testing.T) {
	w := newWorld(t)
	k, key := w.key(t, "chargers:read")
	reach := func(what string, e auth.Edit, want error) *auth.Reach {
		t.Helper()
		_, err := w.UpdateKey(t.Context(), k.ID, e)
		wantError(t, what, err, want)
		p, err := w.withKey(t, key)
		if err != nil {
			t.Fatal(err)
		}
		return p.Reach
	}
	limit := &auth.Limit{Chargers: []leyden.StationID{"S"}}
	if r := reach("limited", auth.Edit{LimitedTo: limit}, nil); !slices.Equal(r.Within(), limit.Chargers) {
		t.Errorf("limited: %v", r.Within())
	}
	if r := reach("made admin", auth.Edit{Scopes: []string{"admin"}}, leyden.ErrInvalid); r == nil {
		t.Error("a refused change took the limit away")
	}
	if r := reach("named", auth.Edit{Name: new("other")}, nil); r == nil {
		t.Error("a change of the name took the limit away")
	}
	if r := reach("unlimited", auth.Edit{LimitedTo: &auth.Limit{}, Scopes: []string{"admin"}}, nil); r != nil {
		t.Errorf("unlimited: %v", r.Within())
	}
}
