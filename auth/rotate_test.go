package auth_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
)

// A rotation is a registered station whose password is replaced.
type rotation struct {
	*world
	t    *testing.T
	gate *auth.StationGate
}

const (
	oldKey = "the old password"
	keyA   = "a0000000000000000000000000000000000000ff"
	keyB   = "b0000000000000000000000000000000000000ff"
)

func newRotation(t *testing.T) *rotation {
	w := newWorld(t)
	w.station(t, auth.StationSpec{Station: "S1", Password: oldKey})
	return &rotation{w, t, auth.NewStationGate(w.config, auth.AdmitRegistered)}
}

// rotate returns how to take it back.
func (r *rotation) rotate(password auth.Secret) func() {
	r.t.Helper()
	takeBack, err := r.gate.Rotate(r.t.Context(), "S1", password)
	if err != nil {
		r.t.Fatal(err)
	}
	return func() {
		r.t.Helper()
		if err := takeBack(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// steps does one after the other: "rotate X" is sent and not answered,
// "refuse X" is sent and refused, "+X" enters and "-X" does not.
func (r *rotation) steps(text string) {
	r.t.Helper()
	keys := map[string]string{"old": oldKey, "A": keyA, "B": keyB}
	for step := range strings.SplitSeq(text, ", ") {
		word, name, _ := strings.Cut(step, " ")
		switch word {
		case "rotate":
			r.rotate(auth.Secret(keys[name]))
		case "refuse":
			r.rotate(auth.Secret(keys[name]))()
		default:
			err := r.gate.Admit(r.t.Context(), login("S1", keys[step[1:]]))
			if (err == nil) != (step[0] == '+') {
				r.t.Fatalf("%s of %q: %v", step, text, err)
			}
		}
	}
}

// TestRotate: whichever password the station has, it enters; once it used one,
// those before it are gone.
func TestRotate(t *testing.T) {
	for _, steps := range []string{
		"+old, -A",
		"rotate A, +old, +A, -old, +A",
		"rotate A, +old, +old, +A, -old",
		"refuse A, +old, -A",
		"rotate A, refuse B, -B, +old, +A, -old",
		"rotate A, refuse A, +old, +A", // the refused call may have come second
		"rotate A, rotate A, +A, -old",
		"rotate A, rotate B, +old, +A, -old, +A, +B, -A, -old",
		"rotate A, rotate B, +B, -A, -old, +B",
		"rotate A, +A, rotate old, +A, +old, -A",
		"rotate old, +old",
		"refuse old, +old",
		"rotate A, refuse old, +old, +A",
		"rotate A, +A, refuse A, +A",
	} {
		t.Run(steps, func(t *testing.T) { newRotation(t).steps(steps) })
	}
}

// TestRotateForms: as with any password hex and bytes are the same.
func TestRotateForms(t *testing.T) {
	b, err := hex.DecodeString(keyA)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{"text": keyA, "upper case": strings.ToUpper(keyA), "bytes": string(b)} {
		t.Run(name, func(t *testing.T) {
			r := newRotation(t)
			r.rotate(keyA)
			wantError(t, "new password", r.gate.Admit(t.Context(), login("S1", form)), nil)
			r.steps("+A, -old, +A")
		})
	}
}

// TestTakenBackTooLate: a station that said no and uses the password all the
// same stays in.
func TestTakenBackTooLate(t *testing.T) {
	r := newRotation(t)
	takeBack := r.rotate(keyA)
	r.steps("+A")
	takeBack()
	r.steps("+A, -old")
	takeBack()
	r.steps("+A")
}

func TestRotateRefuses(t *testing.T) {
	r := newRotation(t)
	r.station(t, auth.StationSpec{Station: "FREE", Profile: auth.ProfileNone})
	for name, c := range map[string]struct {
		station  leyden.StationID
		password auth.Secret
	}{
		"nothing":            {"S1", ""},
		"too short":          {"S1", "fifteen chars.."},
		"too long":           {"S1", auth.Secret(strings.Repeat("x", 41))},
		"not printable":      {"S1", "sixteen or more\n"},
		"not ASCII":          {"S1", "sixteen or möre!"},
		"no password so far": {"FREE", keyA},
		"not registered":     {"NEW", keyA},
	} {
		_, err := r.gate.Rotate(t.Context(), c.station, c.password)
		wantInvalid(t, name, err, "value")
		if err != nil && c.password != "" && strings.Contains(err.Error(), string(c.password)) {
			t.Errorf("%s: %v tells the password", name, err)
		}
	}
	r.steps("+old")
	wantError(t, "station without a password", r.gate.Admit(t.Context(), leyden.Attempt{Station: "FREE"}), nil)
	if c := r.store.stations["FREE"]; c.Profile != auth.ProfileNone || len(c.Next) > 0 {
		t.Errorf("station without a password: %+v with %d next", c.Profile, len(c.Next))
	}
}

// TestRotateOverTLSOnly: a next password opens no more than the current one.
func TestRotateOverTLSOnly(t *testing.T) {
	r := newRotation(t)
	r.station(t, auth.StationSpec{Station: "S1", Profile: auth.ProfileBasicTLS, Password: oldKey})
	r.rotate(keyA)
	wantError(t, "without TLS", r.gate.Admit(t.Context(), login("S1", keyA)), auth.ErrDenied)
	for _, password := range []string{oldKey, keyA} { // the attempt without TLS was no use of it
		attempt := login("S1", password)
		attempt.TLS = true
		wantError(t, "over TLS", r.gate.Admit(t.Context(), attempt), nil)
	}
	if c := r.store.stations["S1"]; c.Profile != auth.ProfileBasicTLS || len(c.Next) > 0 {
		t.Errorf("profile %s with %d next", c.Profile, len(c.Next))
	}
}

// TestSetStationEndsRotation: whoever sets a password means that one alone.
func TestSetStationEndsRotation(t *testing.T) {
	r := newRotation(t)
	takeBack := r.rotate(keyA)
	r.station(t, auth.StationSpec{Station: "S1", Password: keyB})
	r.steps("-old, -A, +B")
	takeBack()
	r.steps("+B")
	r.rotate(keyA)
	r.station(t, auth.StationSpec{Station: "S1", Profile: auth.ProfileNone})
	r.station(t, auth.StationSpec{Station: "S1", Profile: auth.ProfileBasic, Password: oldKey})
	r.steps("-A, +old")
}

func TestRotateLimit(t *testing.T) {
	r := newRotation(t)
	key := func(i int) string { return strings.Repeat(string(rune('a'+i)), auth.MinPassword) }
	for i := range auth.MaxNextPasswords + 1 {
		r.rotate(auth.Secret(key(i)))
	}
	wantError(t, "the oldest of too many", r.gate.Admit(t.Context(), login("S1", key(0))), auth.ErrDenied)
	for i := range auth.MaxNextPasswords {
		wantError(t, "one of the others", r.gate.Admit(t.Context(), login("S1", key(i+1))), nil)
	}
	r.steps("-old")
}

// TestRotationIsWritten: when it is used, by whom ever, and not when it is not.
func TestRotationIsWritten(t *testing.T) {
	r := newRotation(t)
	created := r.now
	r.pass(time.Hour)
	r.rotate(keyA)
	version := r.store.stations["S1"].Version
	r.steps("+old, +old")
	if c := r.store.stations["S1"]; c.Version != version || !c.UpdatedAt.Equal(r.now) || !c.CreatedAt.Equal(created) {
		t.Errorf("after the old password: %+v, want version %d", c, version)
	}
	r.pass(time.Hour)
	r.steps("+A, +A")
	if c := r.store.stations["S1"]; c.Version != version+1 || !c.UpdatedAt.Equal(r.now) || len(c.Next) > 0 {
		t.Errorf("after the new one: %+v, want version %d", c, version+1)
	}
	if log := r.log.String(); strings.Count(log, "new password") != 1 || strings.Contains(log, keyA) || strings.Contains(log, oldKey) {
		t.Errorf("the log should tell once, and no secret:\n%s", log)
	}
}

// A racing store lets somebody else in before it saves.
type racingStore struct {
	*testStore
	before func()
}

func (s *racingStore) SaveStationCredential(ctx context.Context, c auth.StationCredential) error {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.testStore.SaveStationCredential(ctx, c)
}

// TestRotateRaces: whoever loses a race decides again on what the other left.
func TestRotateRaces(t *testing.T) {
	r := newRotation(t)
	race := &racingStore{testStore: r.store}
	config := r.config
	config.Store = race
	slow := auth.NewStationGate(config, auth.AdmitRegistered)

	race.before = func() { r.rotate(keyA) }
	if _, err := slow.Rotate(t.Context(), "S1", keyB); err != nil {
		t.Fatal(err)
	}
	race.before = func() { r.steps("+A") }
	wantError(t, "the same password at once", slow.Admit(t.Context(), login("S1", keyA)), nil)
	r.steps("-old, +A, +B, -A")

	r.rotate(keyA)
	race.before = func() { r.store.fail(leyden.ErrUnavailable) }
	err := slow.Admit(t.Context(), login("S1", keyA))
	if !errors.Is(err, leyden.ErrUnavailable) || errors.Is(err, auth.ErrDenied) {
		t.Errorf("a store that cannot keep the change: %v", err)
	}
	r.store.fail(nil)
	r.steps("+B, +A, -B")
}
