package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"leyden"
)

func tokenFilters(t *testing.T, r leyden.Registry) {
	seen := leyden.Token{Value: "seen", Status: leyden.TokenAccepted, SeenAt: minute(1)}
	plain := leyden.Token{Value: "Äb-1", Status: leyden.TokenAccepted, Parent: "Flöet", Note: "ALICE's Ä", Listed: true}
	member := leyden.Token{Value: "ab%2", Status: leyden.TokenAccepted, Parent: "FLÖET", Listed: true}
	wantErr(t, "SaveTokens", r.SaveTokens(t.Context(), []leyden.Token{token("Z"), seen, plain, member}), nil)
	for i, test := range []struct {
		q     leyden.TokenQuery
		total int
		want  []string
	}{
		{leyden.TokenQuery{}, 4, []string{"ab%2", "seen", "Z", "Äb-1"}},
		{leyden.TokenQuery{Listed: new(true)}, 3, []string{"ab%2", "Z", "Äb-1"}},
		{leyden.TokenQuery{Listed: new(false)}, 1, []string{"seen"}},
		{leyden.TokenQuery{Status: leyden.TokenBlocked}, 1, []string{"Z"}},
		{leyden.TokenQuery{Status: leyden.TokenAccepted, Limit: 1, Offset: 1}, 3, []string{"seen"}},
		{leyden.TokenQuery{Status: "Odd"}, 0, nil},
		{leyden.TokenQuery{Parent: "flöeT"}, 2, []string{"ab%2", "Äb-1"}},
		{leyden.TokenQuery{Parent: "flöet", Listed: new(true), Limit: 1, Offset: 1}, 2, []string{"Äb-1"}},
		{leyden.TokenQuery{Text: "äB"}, 1, []string{"Äb-1"}},
		{leyden.TokenQuery{Text: "B%"}, 1, []string{"ab%2"}},
		{leyden.TokenQuery{Text: "b_"}, 0, nil},
		{leyden.TokenQuery{Text: "alice"}, 1, []string{"Äb-1"}},
		{leyden.TokenQuery{Text: "n"}, 2, []string{"seen", "Z"}},
	} {
		list, total, err := r.Tokens(t.Context(), test.q)
		wantErr(t, "Tokens", err, nil)
		var got []string
		for _, tok := range list {
			got = append(got, tok.Value)
		}
		same(t, fmt.Sprintf("%d: idTags of %+v", i, test.q), got, test.want)
		same(t, fmt.Sprintf("%d: total of %+v", i, test.q), total, test.total)
		scanned := 0
		for _, err := range r.ScanTokens(t.Context(), test.q) {
			wantErr(t, "ScanTokens", err, nil)
			scanned++
		}
		same(t, fmt.Sprintf("%d: scanned of %+v", i, test.q), scanned, test.total)
	}
}

// recentTokens: what this process changes shows at once, in whatever case an idTag
// is written.
func recentTokens(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	agrees := func(after string) {
		t.Helper()
		for _, value := range []string{"tag", "TAG", "other", "nobody"} {
			want, missing := r.Token(ctx, value)
			got, err := r.RecentToken(ctx, value)
			same(t, fmt.Sprintf("%s after %s", value, after), got, want)
			if !errors.Is(err, missing) {
				t.Errorf("RecentToken %s after %s: %v; Token %v", value, after, err, missing)
			}
		}
	}
	agrees("nothing")
	listed := leyden.Token{Value: "Tag", Status: leyden.TokenAccepted, Listed: true}
	_, err := r.AddToken(ctx, listed)
	wantErr(t, "AddToken", err, nil)
	agrees("AddToken")
	listed.Status = leyden.TokenBlocked
	wantErr(t, "SaveToken", r.SaveToken(ctx, listed), nil)
	agrees("SaveToken")
	wantErr(t, "SaveTokens", r.SaveTokens(ctx, []leyden.Token{listed, token("other")}), nil)
	agrees("SaveTokens")
	wantErr(t, "AddVehicle", r.AddVehicle(ctx, leyden.Vehicle{ID: "van", Tokens: []string{"tag"}}), nil)
	agrees("AddVehicle")
	wantErr(t, "SaveVehicle", r.SaveVehicle(ctx, leyden.Vehicle{ID: "van", Tokens: []string{"other"}}), nil)
	agrees("SaveVehicle")
	wantErr(t, "SeeTokens", r.SeeTokens(ctx, []leyden.Token{{Value: "OTHER", SeenAt: minute(5)}}), nil)
	agrees("SeeTokens")
	wantErr(t, "RemoveVehicle", r.RemoveVehicle(ctx, "van", 0), nil)
	agrees("RemoveVehicle")
	wantErr(t, "RemoveToken", r.RemoveToken(ctx, "tag", 0), nil)
	agrees("RemoveToken")
}

// tokenScan: all are yielded, in order, however many there are.
func tokenScan(t *testing.T, r leyden.Registry) {
	var list []leyden.Token
	for i := range 1201 {
		list = append(list, token(fmt.Sprintf("T%04d", i)))
	}
	wantErr(t, "SaveTokens", r.SaveTokens(t.Context(), list), nil)
	var got []leyden.Token
	for tok, err := range r.ScanTokens(t.Context(), leyden.TokenQuery{Limit: 3, Offset: 2}) {
		wantErr(t, "ScanTokens", err, nil)
		got = append(got, tok)
	}
	same(t, "ScanTokens", got, list)
	for tok, err := range r.ScanTokens(t.Context(), leyden.TokenQuery{}) {
		wantErr(t, "ScanTokens, left early", err, nil)
		same(t, "the first", tok, list[0])
		break
	}
	var last error
	for _, last = range r.ScanTokens(done(t.Context()), leyden.TokenQuery{}) {
	}
	wantErr(t, "ScanTokens, cancelled", last, done(t.Context()).Err())
}

func addToken(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	want := token("Täg")
	same(t, "AddToken", must[leyden.Token](t)(r.AddToken(ctx, want)), want)
	same(t, "added Token", must[leyden.Token](t)(r.Token(ctx, "täg")), want)
	there, err := r.AddToken(ctx, token("TÄG"))
	wantErr(t, "AddToken in another case", err, leyden.ErrExists)
	same(t, "AddToken of one that is there", there, want)
	same(t, "Token that was there", must[leyden.Token](t)(r.Token(ctx, "täg")), want)

	seen := leyden.Token{Value: "Seen", Status: leyden.TokenAccepted, CreatedAt: minute(3), SeenAt: minute(4)}
	wantErr(t, "SeeTokens", r.SeeTokens(ctx, []leyden.Token{seen}), nil)
	listed := token("SEEN")
	got := must[leyden.Token](t)(r.AddToken(ctx, listed))
	listed.Value, listed.CreatedAt, listed.SeenAt = "Seen", minute(3), minute(4)
	same(t, "AddToken of one that was seen", got, listed)
	same(t, "Token that was seen", must[leyden.Token](t)(r.Token(ctx, "seen")), listed)

	bad := token("bad")
	bad.VehicleID = "none"
	_, err = r.AddToken(ctx, bad)
	wantErr(t, "AddToken of no vehicle", err, leyden.ErrInvalid)
	_, err = r.AddToken(ctx, leyden.Token{})
	wantErr(t, "AddToken without a value", err, leyden.ErrInvalid)
	_, err = r.AddToken(done(ctx), token("late"))
	wantErr(t, "AddToken, cancelled", err, done(ctx).Err())

	car := leyden.Vehicle{ID: "car", Name: "Car", Tokens: []string{"Täg"}, CreatedAt: minute(1)}
	wantErr(t, "AddVehicle", r.AddVehicle(ctx, car), nil)
	other := car
	other.Name, other.Tokens = "Other", nil
	wantErr(t, "AddVehicle again", r.AddVehicle(ctx, other), leyden.ErrExists)
	same(t, "Vehicle that was there", must[leyden.Vehicle](t)(r.Vehicle(ctx, "car")), car)
	wantErr(t, "AddVehicle without an ID", r.AddVehicle(ctx, leyden.Vehicle{}), leyden.ErrInvalid)
}

// saveTokens: all of a list is written, or nothing.
func saveTokens(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	wantErr(t, "SaveTokens", r.SaveTokens(ctx, []leyden.Token{token("a"), token("b")}), nil)
	changed := token("A")
	changed.Note = "changed"
	bad := token("d")
	bad.VehicleID = "none"
	wantErr(t, "SaveTokens with a bad one", r.SaveTokens(ctx, []leyden.Token{changed, token("c"), bad}), leyden.ErrInvalid)
	same(t, "Token after a refusal", must[leyden.Token](t)(r.Token(ctx, "a")), token("a"))
	_, err := r.Token(ctx, "c")
	wantErr(t, "Token of a refused list", err, leyden.ErrNotFound)
	wantErr(t, "SaveTokens", r.SaveTokens(ctx, []leyden.Token{changed, token("c")}), nil)
	changed.Value = "a"
	same(t, "changed Token", must[leyden.Token](t)(r.Token(ctx, "a")), changed)
	wantErr(t, "SaveTokens of none", r.SaveTokens(ctx, nil), nil)
	if _, n, err := r.Tokens(ctx, leyden.TokenQuery{}); n != 3 || err != nil {
		t.Errorf("%d idTags, %v; want 3", n, err)
	}
}

// oneAddWins: of many who add the same at once, one does.
func oneAddWins(t *testing.T, r leyden.Registry) {
	for round := range 20 {
		var wg sync.WaitGroup
		tokens, vehicles := make(chan error, 8), make(chan error, 8)
		for range cap(tokens) {
			wg.Go(func() {
				_, err := r.AddToken(t.Context(), token(fmt.Sprint("t", round)))
				tokens <- err
				vehicles <- r.AddVehicle(t.Context(), leyden.Vehicle{ID: fmt.Sprint("v", round)})
			})
		}
		wg.Wait()
		close(tokens)
		close(vehicles)
		for what, errs := range map[string]chan error{"AddToken": tokens, "AddVehicle": vehicles} {
			wins := 0
			for err := range errs {
				if err == nil {
					wins++
				} else if !errors.Is(err, leyden.ErrExists) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if wins != 1 {
				t.Errorf("%s: %d of one succeeded", what, wins)
			}
		}
	}
}
