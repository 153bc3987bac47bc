package auth_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leyden"
	"leyden/auth"
)

// station registers one and returns its password.
func (w *world) station(t testing.TB, spec auth.StationSpec) string {
	t.Helper()
	password, err := w.SetStation(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(password)
}

// login is an attempt as a station makes it that sends its identity and a
// password.
func login(id leyden.StationID, password string) leyden.Attempt {
	return leyden.Attempt{Station: id, HasBasic: true, User: string(id), Password: password, Addr: address(1)}
}

const given = "sixteen or more!"

// stations registers some of every kind. MINTED has the password that it
// returns, in hex and as bytes.
func (w *world) stations(t *testing.T) (minted, bytes string) {
	t.Helper()
	minted = w.station(t, auth.StationSpec{Station: "MINTED"})
	b, err := hex.DecodeString(minted)
	if err != nil || len(b) != 20 {
		t.Fatalf("minted password: %d bytes, %v", len(b), err)
	}
	w.station(t, auth.StationSpec{Station: "GIVEN", Password: given})
	w.station(t, auth.StationSpec{Station: "FREE", Profile: auth.ProfileNone})
	w.station(t, auth.StationSpec{Station: "TLS", Profile: auth.ProfileBasicTLS, Password: given})
	w.station(t, auth.StationSpec{Station: "a:b:", Password: given})
	w.station(t, auth.StationSpec{Station: "COLON", Password: "user:" + given})
	w.station(t, auth.StationSpec{Station: "HEX16", Password: "0123456789abcdef"})
	w.station(t, auth.StationSpec{Station: "HEX32", Password: "0123456789abcdef0123456789abcdef"})
	return minted, string(b)
}

func TestAdmit(t *testing.T) {
	w := newWorld(t)
	minted, bytes := w.stations(t)
	over := func(a leyden.Attempt) leyden.Attempt { a.TLS = true; return a }
	as := func(user string, a leyden.Attempt) leyden.Attempt { a.User = user; return a }
	for _, test := range []struct {
		name             string
		attempt          leyden.Attempt
		registered, open bool
	}{
		{"minted password in hex", login("MINTED", minted), true, true},
		{"minted password in upper case", login("MINTED", strings.ToUpper(minted)), true, true},
		{"minted password as bytes", login("MINTED", bytes), true, true},
		{"minted password cut", login("MINTED", minted[:39]), false, false},
		{"minted password with more", login("MINTED", minted+"0"), false, false},
		{"bytes cut", login("MINTED", bytes[:19]), false, false},
		{"given password", login("GIVEN", given), true, true},
		{"given password in hex", login("GIVEN", hex.EncodeToString([]byte(given))), true, true},
		{"given password in upper case", login("GIVEN", strings.ToUpper(given)), false, false},
		{"another station's password", login("MINTED", given), false, false},
		{"wrong password", login("GIVEN", given+"?"), false, false},
		{"empty password", login("GIVEN", ""), false, false},
		{"no credentials", leyden.Attempt{Station: "GIVEN"}, false, false},
		{"password that was not sent", leyden.Attempt{Station: "GIVEN", User: "GIVEN", Password: given}, false, false},
		{"another user", as("MINTED", login("GIVEN", given)), false, false},
		{"user in another case", as("given", login("GIVEN", given)), false, false},
		{"no user", as("", login("GIVEN", given)), false, false},
		{"identity in another case", login("given", given), false, true},
		{"identity with colons", leyden.Attempt{Station: "a:b:", HasBasic: true, User: "a", Password: "b::" + given}, true, true},
		{"identity with colons, read as a whole", login("a:b:", given), true, true},
		{"identity cut at a colon", leyden.Attempt{Station: "a:b:", HasBasic: true, User: "a", Password: given}, false, false},
		{"password with a colon", login("COLON", "user:"+given), true, true},
		{"password with a colon, its begin as user", as("user", login("COLON", given)), false, false},
		{"16 digits in upper case are no hex form", login("HEX16", "0123456789ABCDEF"), false, false},
		{"32 digits as bytes", login("HEX32", "\x01#Eg\x89\xab\xcd\xef\x01#Eg\x89\xab\xcd\xef"), true, true},
		{"station without a password", leyden.Attempt{Station: "FREE"}, true, true},
		{"station without a password that sends one", login("FREE", given), true, true},
		{"profile 2 over TLS", over(login("TLS", given)), true, true},
		{"profile 2 without TLS", login("TLS", given), false, false},
		{"profile 2, wrong password", over(login("TLS", "x")), false, false},
		{"profile 1 over TLS", over(login("GIVEN", given)), true, true},
		{"unknown station", leyden.Attempt{Station: "NEW"}, false, true},
		{"unknown station with a password", login("NEW", given), false, true},
		{"identity that none may have", leyden.Attempt{Station: "a/b"}, false, false},
		{"no identity", leyden.Attempt{}, false, false},
		{"too long an identity", leyden.Attempt{Station: leyden.StationID(strings.Repeat("x", 49))}, false, false},
	} {
		for mode, want := range map[auth.Admission]bool{
			auth.AdmitRegistered: test.registered, auth.AdmitOpen: test.open, "": test.registered,
		} {
			err := auth.NewStationGate(w.config, mode).Admit(t.Context(), test.attempt)
			if want {
				wantError(t, test.name+", "+string(mode), err, nil)
				continue
			}
			wantError(t, test.name+", "+string(mode), err, auth.ErrDenied)
		}
	}
	if log := w.log.String(); !strings.Contains(log, "station=FREE") || strings.Count(log, "GIVEN") != 1 {
		t.Errorf("the log should tell of the station without a password, and once of the one that came over TLS:\n%s", log)
	}
}

// TestDenialsAreAlike: a denial does not tell whether the station is known.
func TestDenialsAreAlike(t *testing.T) {
	w := newWorld(t)
	w.station(t, auth.StationSpec{Station: "KNOWN"})
	gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
	known, unknown := login("KNOWN", given), login("OTHER", given)
	unknown.Addr = address(2)
	for i := range 3 * auth.MaxGuesses {
		a, b := gate.Admit(t.Context(), known), gate.Admit(t.Context(), unknown)
		if a == nil || b == nil || a.Error() != b.Error() {
			t.Fatalf("guess %d: %v at a known station, %v at an unknown one", i, a, b)
		}
		w.pass(time.Second)
	}
}

// TestTrueStationUnderAttack: 10,000 wrong guesses at one identity, from one
// address, and from the station's own; it enters all the while.
func TestTrueStationUnderAttack(t *testing.T) {
	w := newWorld(t)
	password := w.station(t, auth.StationSpec{Station: "S1"})
	for name, from := range map[string]func(i int) int{
		"from one address":         func(int) int { return 2 },
		"from many addresses":      func(i int) int { return 2 + i },
		"from the station's own":   func(int) int { return 1 },
		"from a hundred at a time": func(i int) int { return i % 100 },
	} {
		gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
		denied := 0
		for i := range 10_000 {
			attack := login("S1", fmt.Sprint("a wrong password ", i))
			attack.Addr = address(from(i))
			switch err := gate.Admit(t.Context(), attack); {
			case errors.Is(err, auth.ErrDenied):
				denied++
			default:
				wantThrottled(t, name, err)
			}
			if err := gate.Admit(t.Context(), login("S1", password)); err != nil {
				t.Fatalf("%s: the station after %d wrong guesses: %v", name, i+1, err)
			}
		}
		if denied != auth.MaxGuesses {
			t.Errorf("%s: %d guesses were answered, want %d", name, denied, auth.MaxGuesses)
		}
		w.pass(time.Hour)
	}
}

// TestGuessingFromOneAddress: a guesser that goes from identity to identity.
func TestGuessingFromOneAddress(t *testing.T) {
	w := newWorld(t)
	gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
	for i := range auth.MaxGuesses {
		wantError(t, "guess", gate.Admit(t.Context(), login(leyden.StationID(fmt.Sprint("S", i)), given)), auth.ErrDenied)
	}
	wantThrottled(t, "eleventh identity", gate.Admit(t.Context(), login("S11", given)))
	elsewhere := login("S11", given)
	elsewhere.Addr = address(2)
	wantError(t, "another address", gate.Admit(t.Context(), elsewhere), auth.ErrDenied)
	invalid := login("no/identity", given)
	wantThrottled(t, "an identity that none may have", gate.Admit(t.Context(), invalid))
}

// TestFloodOfIdentities: one address cannot push out what is known of others'
// guesses by making up identities.
func TestFloodOfIdentities(t *testing.T) {
	w := newWorld(t)
	gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
	guess := func(id leyden.StationID, from int) error {
		a := login(id, given)
		a.Addr = address(from)
		return gate.Admit(t.Context(), a)
	}
	for i := range auth.MaxGuesses {
		wantError(t, "guess at S1", guess("S1", 100+i), auth.ErrDenied)
	}
	for i := range 2 * auth.MaxTracked {
		guess(leyden.StationID(fmt.Sprint("X", i)), 1)
	}
	wantThrottled(t, "guess at S1 after the flood", guess("S1", 99))
}

func TestChangesCountAtOnce(t *testing.T) {
	w := newWorld(t)
	gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
	beside := auth.NewRegistrar(w.config) // the command line's
	expect := func(what, password string, want error) {
		t.Helper()
		wantError(t, what, gate.Admit(t.Context(), login("S1", password)), want)
	}
	set := func(spec auth.StationSpec) string {
		password, err := beside.SetStation(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		return string(password)
	}
	expect("before it is registered", given, auth.ErrDenied)
	first := set(auth.StationSpec{Station: "S1"})
	expect("registered", first, nil)
	second := set(auth.StationSpec{Station: "S1"})
	expect("old password", first, auth.ErrDenied)
	expect("new password", second, nil)
	if free := set(auth.StationSpec{Station: "S1", Profile: auth.ProfileNone}); free != "" {
		t.Errorf("a station without a password has one of %d characters", len(free))
	}
	expect("under profile 0", "", nil)
	if err := beside.DeleteStation(t.Context(), "S1"); err != nil {
		t.Fatal(err)
	}
	expect("deleted", second, auth.ErrDenied)
	wantError(t, "second delete", beside.DeleteStation(t.Context(), "S1"), leyden.ErrNotFound)
	expect("registered anew", set(auth.StationSpec{Station: "S1"}), nil)
}

func TestSetStationKeepsCreation(t *testing.T) {
	w := newWorld(t)
	created := w.now
	w.station(t, auth.StationSpec{Station: "S1"})
	w.pass(time.Hour)
	w.station(t, auth.StationSpec{Station: "S1", Profile: auth.ProfileBasicTLS})
	c, err := w.Station(t.Context(), "S1")
	if err != nil || !c.CreatedAt.Equal(created) || !c.UpdatedAt.Equal(w.now) || c.Profile != auth.ProfileBasicTLS || c.Version != 2 {
		t.Errorf("Station = %+v, %v", c, err)
	}
}

func TestSetStationRefuses(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		field string
		spec  auth.StationSpec
	}{
		{"chargeBoxId", auth.StationSpec{}},
		{"chargeBoxId", auth.StationSpec{Station: "a b"}},
		{"chargeBoxId", auth.StationSpec{Station: "chg_x"}},
		{"securityProfile", auth.StationSpec{Station: "S", Profile: "3"}},
		{"password", auth.StationSpec{Station: "S", Password: "fifteen chars.."}},
		{"password", auth.StationSpec{Station: "S", Password: auth.Secret(strings.Repeat("x", 41))}},
		{"password", auth.StationSpec{Station: "S", Password: "sixteen or more\n"}},
		{"password", auth.StationSpec{Station: "S", Password: "sixteen or möre!"}},
		{"password", auth.StationSpec{Station: "S", Profile: auth.ProfileNone, Password: given}},
	} {
		_, err := w.SetStation(t.Context(), test.spec)
		wantInvalid(t, fmt.Sprintf("%+v", test.spec), err, test.field)
	}
	if len(w.store.stations) > 0 {
		t.Error("something was stored")
	}
	for _, password := range []auth.Secret{given, auth.Secret(strings.Repeat("~", 40))} {
		if _, err := w.SetStation(t.Context(), auth.StationSpec{Station: "S", Password: password}); err != nil {
			t.Errorf("a password of %d characters: %v", len(password), err)
		}
	}
}

func TestProfiles(t *testing.T) {
	for number, want := range []auth.Profile{auth.ProfileNone, auth.ProfileBasic, auth.ProfileBasicTLS, auth.ProfileMutualTLS} {
		got, err := auth.ProfileOf(number)
		if err != nil || got != want || got.Number() != number {
			t.Errorf("ProfileOf(%d) = %q, %v; its number is %d", number, got, err, got.Number())
		}
	}
	for _, number := range []int{-1, 4} {
		_, err := auth.ProfileOf(number)
		wantInvalid(t, fmt.Sprint("profile ", number), err, "securityProfile")
	}
	if n := auth.Profile("").Number(); n != -1 {
		t.Errorf("the unknown profile has number %d", n)
	}
}

// TestRecordsWithoutAProfile: what a store should never give back admits
// nobody.
func TestRecordsWithoutAProfile(t *testing.T) {
	w := newWorld(t)
	w.store.stations["S1"] = auth.StationCredential{Station: "S1"}
	for _, mode := range []auth.Admission{auth.AdmitRegistered, auth.AdmitOpen} {
		gate := auth.NewStationGate(w.config, mode)
		wantError(t, string(mode), gate.Admit(t.Context(), leyden.Attempt{Station: "S1"}), auth.ErrDenied)
		wantError(t, string(mode), gate.Admit(t.Context(), login("S1", "")), auth.ErrDenied)
	}
}

// TestPasswordProperty: of any two passwords the one opens to the other only if
// they are the same, or one is the hex form of the other's bytes.
func TestPasswordProperty(t *testing.T) {
	w := newWorld(t)
	bytesOf := func(password string) string {
		b, err := hex.DecodeString(password)
		if err != nil || len(password) < 32 || len(password) > 40 {
			return password
		}
		return string(b)
	}
	text := rapid.OneOf(rapid.StringMatching(`[ -~]{16,40}`), rapid.StringMatching(`[0-9a-fA-F]{16,40}`))
	rapid.Check(t, func(r *rapid.T) {
		set := text.Draw(r, "set")
		w.station(t, auth.StationSpec{Station: "S1", Password: auth.Secret(set)})
		gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
		near := []string{set, strings.ToUpper(set), strings.ToLower(set), hex.EncodeToString([]byte(set)), set[1:], set + "0", bytesOf(set)}
		try := rapid.OneOf(rapid.SampledFrom(near), text).Draw(r, "try")
		err := gate.Admit(t.Context(), login("S1", try))
		if (err == nil) != (bytesOf(set) == bytesOf(try)) {
			r.Fatalf("set %q, tried %q: %v", set, try, err)
		}
	})
}

// TestStoredPasswords: the store holds no password, and does not tell who
// shares one.
func TestStoredPasswords(t *testing.T) {
	w := newWorld(t)
	w.station(t, auth.StationSpec{Station: "S1", Password: given})
	w.station(t, auth.StationSpec{Station: "S2", Password: given})
	a, b := w.store.stations["S1"], w.store.stations["S2"]
	if a.Hash == b.Hash || a.Hash == (auth.Hash{}) || strings.Contains(string(a.Hash[:]), given[:8]) {
		t.Errorf("hashes %x and %x", a.Hash[:], b.Hash[:])
	}
}

func FuzzAdmit(f *testing.F) {
	w := newWorld(f)
	w.station(f, auth.StationSpec{Station: "S:1", Password: given})
	gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
	f.Add("S:1", "S", "1:"+given)
	f.Add("S:1", "S:1", given)
	f.Add("S", "S", "1:"+given)
	f.Fuzz(func(t *testing.T, id, user, password string) {
		err := gate.Admit(t.Context(), leyden.Attempt{Station: leyden.StationID(id), HasBasic: true, User: user, Password: password})
		right := id == "S:1" && (user+":"+password == "S:1:"+given ||
			strings.EqualFold(user+":"+password, "S:1:"+hex.EncodeToString([]byte(given))) && strings.HasPrefix(user+":"+password, "S:1:"))
		if (err == nil) != right {
			t.Errorf("Admit(%q, %q, %q): %v", id, user, password, err)
		}
	})
}

// BenchmarkAdmit10000 is the reconnection of 10,000 stations.
func BenchmarkAdmit10000(b *testing.B) {
	w := newWorld(b)
	attempts := make([]leyden.Attempt, 10_000)
	for i := range attempts {
		id := leyden.StationID(fmt.Sprint("S", i))
		attempts[i] = login(id, w.station(b, auth.StationSpec{Station: id}))
	}
	gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		for _, a := range attempts {
			if err := gate.Admit(ctx, a); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkAuthenticateToken is one request with an access token.
func BenchmarkAuthenticateToken(b *testing.B) {
	w := newWorld(b)
	_, login := w.client(b, "admin")
	c := auth.Credentials{Authorization: "Bearer " + w.token(b, login).Text}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(ctx, c); err != nil {
			b.Fatal(err)
		}
	}
}
