package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
)

// The ways in which a station may come, and the profile that each proves; -1 is
// a certificate that lets nobody in.
var arrivals = []struct {
	name   string
	come   func(a *leyden.Attempt)
	proves int
}{
	{"with nothing", func(*leyden.Attempt) {}, 0},
	{"with nothing, over TLS", func(a *leyden.Attempt) { a.TLS = true }, 0},
	{"wrong password", withPassword("not the password"), 0},
	{"wrong password, over TLS", overTLS(withPassword("not the password")), 0},
	{"password", withPassword(given), 1},
	{"password over TLS", overTLS(withPassword(given)), 2},
	{"certificate", withCertificate("S1", operator), 3},
	{"certificate and password", both(withCertificate("S1", operator), withPassword(given)), 3},
	{"certificate and a wrong password", both(withCertificate("S1", operator), withPassword("not the password")), 3},
	{"certificate of another station", withCertificate("S2", operator), -1},
	{"certificate of another station, and the password", both(withCertificate("S2", operator), withPassword(given)), -1},
	{"certificate in another case", withCertificate("s1", operator), -1},
	{"certificate of another operator", withCertificate("S1", "Galvani"), -1},
	{"certificate of another operator, and the password", both(withCertificate("S1", "Galvani"), withPassword(given)), -1},
	{"certificate of no operator", withCertificate("S1", ""), -1},
	{"certificate of nobody", withCertificate("", ""), -1},
}

const operator = "Volta Charging"

func withPassword(password string) func(*leyden.Attempt) {
	return func(a *leyden.Attempt) { a.HasBasic, a.User, a.Password = true, string(a.Station), password }
}

func overTLS(f func(*leyden.Attempt)) func(*leyden.Attempt) {
	return func(a *leyden.Attempt) { f(a); a.TLS = true }
}

func withCertificate(name, org string) func(*leyden.Attempt) {
	return func(a *leyden.Attempt) { a.TLS, a.HasCert, a.CertName, a.CertOrg = true, true, name, org }
}

func both(f, g func(*leyden.Attempt)) func(*leyden.Attempt) {
	return func(a *leyden.Attempt) { f(a); g(a) }
}

// A standing is how a station is registered and what it proved since.
type standing struct {
	registered, proven int // -1: not registered; nothing above it
	password           bool
}

func (s standing) least() int { return max(s.registered, s.proven) }

func (s standing) String() string {
	return fmt.Sprintf("profile %d, proven %d, password %v", s.registered, s.proven, s.password)
}

// standings are all there can be.
func standings() []standing {
	list := []standing{{-1, -1, false}, {3, -1, false}}
	for registered := range 4 {
		for proven := -1; proven < 4; proven++ {
			if proven < 0 || proven > registered {
				list = append(list, standing{registered, proven, registered > 0})
			}
		}
	}
	return list
}

// profileWorld returns a world with the one station S1 that stands so.
func profileWorld(t *testing.T, s standing) *world {
	t.Helper()
	w := newWorld(t)
	w.config.Operator = operator
	if s.registered < 0 {
		return w
	}
	spec := auth.StationSpec{Station: "S1", Profile: profileOf(t, s.registered), KeepPassword: !s.password}
	if s.password {
		spec.Password = given
	}
	w.station(t, spec)
	if s.proven >= 0 {
		c := w.store.stations["S1"]
		c.Proven = profileOf(t, s.proven)
		w.store.stations["S1"] = c
	}
	return w
}

func profileOf(t *testing.T, number int) auth.Profile {
	t.Helper()
	p, err := auth.ProfileOf(number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProfilesAndAttempts tries every way to come at every standing under both
// admissions.
func TestProfilesAndAttempts(t *testing.T) {
	for _, s := range standings() {
		for _, arrival := range arrivals {
			for _, mode := range []auth.Admission{auth.AdmitRegistered, auth.AdmitOpen} {
				w := profileWorld(t, s)
				a := leyden.Attempt{Station: "S1", Addr: address(1)}
				arrival.come(&a)
				proves := arrival.proves
				if !s.password && (proves == 1 || proves == 2) {
					proves = 0 // there is no right password
				}
				want := proves >= s.least()
				if s.registered < 0 {
					want = mode == auth.AdmitOpen && proves >= 0
				}
				what := fmt.Sprintf("%v, %s admission, %s", s, mode, arrival.name)
				err := auth.NewStationGate(w.config, mode).Admit(t.Context(), a)
				if !want {
					wantError(t, what, err, auth.ErrDenied)
					wantSuspect(t, what, err, suspicion(s, proves))
				} else {
					wantError(t, what, err, nil)
				}
				wantProven(t, what, w, s, want, proves)
			}
		}
	}
}

// suspicion returns the event that a denial is, or "".
func suspicion(s standing, proves int) string {
	switch {
	case proves < 0:
		return "InvalidChargePointCertificate"
	case s.registered >= 0 && (proves > 0 || s.registered == 0):
		return "SecurityProfileTooLow"
	}
	return ""
}

func wantSuspect(t *testing.T, what string, err error, want string) {
	t.Helper()
	got := ""
	if e, ok := errors.AsType[*auth.SuspectError](err); ok {
		got, _ = e.SecurityEvent()
	}
	if got != want {
		t.Errorf("%s: security event %q, want %q", what, got, want)
	}
}

// wantProven: what a station that entered proved above all before is kept, and
// nothing else.
func wantProven(t *testing.T, what string, w *world, s standing, entered bool, proves int) {
	t.Helper()
	want := s.proven
	if entered && s.registered >= 0 && proves > s.least() {
		want = proves
	}
	if got := w.store.stations["S1"].Proven.Number(); got != want {
		t.Errorf("%s: proven %d, want %d", what, got, want)
	}
}

// TestProvenProfileHolds: a station that came higher once is refused lower, also
// by another gate, until an operator says otherwise.
func TestProvenProfileHolds(t *testing.T) {
	w := profileWorld(t, standing{registered: 1, proven: -1, password: true})
	try := func(come func(*leyden.Attempt), want error) {
		t.Helper()
		a := leyden.Attempt{Station: "S1", Addr: address(1)}
		come(&a)
		wantError(t, "attempt", auth.NewStationGate(w.config, auth.AdmitRegistered).Admit(t.Context(), a), want)
	}
	ws, wss, cert := withPassword(given), overTLS(withPassword(given)), withCertificate("S1", operator)
	set := func(spec auth.StationSpec) string {
		t.Helper()
		spec.Station, spec.KeepPassword = "S1", true
		return w.station(t, spec)
	}
	try(ws, nil)
	version := w.store.stations["S1"].Version
	try(ws, nil)
	try(wss, nil)
	try(ws, auth.ErrDenied)
	try(wss, nil)
	if got := w.store.stations["S1"].Version; got != version+1 {
		t.Errorf("version %d, want it raised once from %d", got, version)
	}
	try(cert, nil)
	try(wss, auth.ErrDenied)
	set(auth.StationSpec{}) // changes nothing
	try(wss, auth.ErrDenied)
	if password := set(auth.StationSpec{Profile: auth.ProfileBasicTLS}); password != "" {
		t.Errorf("the password that was to be kept is new, of %d characters", len(password))
	}
	try(ws, auth.ErrDenied)
	try(wss, nil)
	set(auth.StationSpec{Profile: auth.ProfileBasic})
	try(ws, nil)
	set(auth.StationSpec{Profile: auth.ProfileMutualTLS})
	try(wss, auth.ErrDenied)
	try(cert, nil)
	if log := w.log.String(); strings.Count(log, "higher security profile") != 2 || strings.Contains(log, given) {
		t.Errorf("the log should tell twice, and no secret:\n%s", log)
	}
}

// TestNoOperator: without an operator's name no certificate lets anybody in.
func TestNoOperator(t *testing.T) {
	w := profileWorld(t, standing{registered: 3, proven: -1})
	w.config.Operator = ""
	a := leyden.Attempt{Station: "S1", Addr: address(1)}
	withCertificate("S1", "")(&a)
	wantError(t, "certificate", auth.NewStationGate(w.config, auth.AdmitRegistered).Admit(t.Context(), a), auth.ErrDenied)
}

// TestProofThatIsNotKept: what cannot be made durable lets nobody in yet.
func TestProofThatIsNotKept(t *testing.T) {
	w := profileWorld(t, standing{registered: 1, proven: -1, password: true})
	race := &racingStore{testStore: w.store}
	race.before = func() { w.store.fail(leyden.ErrUnavailable) }
	w.config.Store = race
	a := leyden.Attempt{Station: "S1", Addr: address(1)}
	withCertificate("S1", operator)(&a)
	gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
	if err := gate.Admit(t.Context(), a); !errors.Is(err, leyden.ErrUnavailable) || errors.Is(err, auth.ErrDenied) {
		t.Errorf("%v, want %v", err, leyden.ErrUnavailable)
	}
	w.store.fail(nil)
	wantError(t, "later", gate.Admit(t.Context(), a), nil)
}

// TestRotateUnderProfile3: a station with a certificate may have a password too.
func TestRotateUnderProfile3(t *testing.T) {
	w := profileWorld(t, standing{registered: 3, proven: -1})
	gate := auth.NewStationGate(w.config, auth.AdmitRegistered)
	_, err := gate.Rotate(t.Context(), "S1", keyA)
	wantInvalid(t, "without a password", err, "value")
	w.station(t, auth.StationSpec{Station: "S1", Password: given})
	if p := w.store.stations["S1"].Profile; p != auth.ProfileMutualTLS {
		t.Errorf("a new password changed the profile to %q", p)
	}
	if _, err := gate.Rotate(t.Context(), "S1", keyA); err != nil {
		t.Fatal(err)
	}
	a := leyden.Attempt{Station: "S1", Addr: address(1)}
	both(withCertificate("S1", operator), withPassword(keyA))(&a)
	wantError(t, "certificate and the next password", gate.Admit(t.Context(), a), nil)
	if c := w.store.stations["S1"]; len(c.Next) > 0 {
		t.Errorf("%d next passwords after one was used", len(c.Next))
	}
}

// TestCertificateOfRemovedStation: what a station was given before it was removed
// does not open the identity's next registration; what came after does.
func TestCertificateOfRemovedStation(t *testing.T) {
	w := profileWorld(t, standing{registered: 3, proven: -1})
	w.pass(400 * time.Millisecond)
	come := func(from time.Time, more ...func(*leyden.Attempt)) error {
		a := leyden.Attempt{Station: "S1", Addr: address(1)}
		withCertificate("S1", operator)(&a)
		a.CertFrom = from.Truncate(time.Second) // as certificates have it
		for _, f := range more {
			f(&a)
		}
		return auth.NewStationGate(w.config, auth.AdmitRegistered).Admit(t.Context(), a)
	}
	before := w.now
	wantError(t, "before", come(before), nil)
	w.store.removed["S1"] = w.now
	if err := w.DeleteStation(t.Context(), "S1"); err != nil {
		t.Fatal(err)
	}
	err := come(before)
	wantError(t, "removed", err, auth.ErrDenied)
	wantSuspect(t, "removed", err, "InvalidChargePointCertificate")

	w.pass(200 * time.Millisecond)
	w.station(t, auth.StationSpec{Station: "S1", Profile: auth.ProfileMutualTLS, KeepPassword: true})
	for name, from := range map[string]time.Time{"old": before, "older": before.Add(-time.Hour), "of no known age": {}} {
		err := come(from)
		wantError(t, name, err, auth.ErrDenied)
		wantSuspect(t, name, err, "InvalidChargePointCertificate")
	}
	since, err := w.CertificatesSince(t.Context(), "S1")
	if err != nil || since.Sub(before) > time.Second {
		t.Fatalf("certificates count from %v, %v", since, err)
	}
	wantError(t, "new", come(since), nil)

	// With its password the station may renew what it has.
	w.station(t, auth.StationSpec{Station: "S1", Profile: auth.ProfileBasicTLS, Password: given})
	wantError(t, "old, with the password", come(before, withPassword(given)), nil)
	if c := w.store.stations["S1"]; c.Proven != "" {
		t.Errorf("an old certificate proved %q", c.Proven)
	}
	wantError(t, "old, of another operator, with the password", come(before, withCertificate("S1", "Galvani"), withPassword(given)), auth.ErrDenied)
	wantError(t, "old, with a wrong password", come(before, withPassword("not the password")), auth.ErrDenied)
}

// TestUnknownRemoval: nobody is let in while it is not known whether the
// certificate still counts.
func TestUnknownRemoval(t *testing.T) {
	w := profileWorld(t, standing{registered: 3, proven: -1})
	w.config.Store = &forgetful{w.store}
	a := leyden.Attempt{Station: "S1", Addr: address(1)}
	withCertificate("S1", operator)(&a)
	wantError(t, "Admit", auth.NewStationGate(w.config, auth.AdmitRegistered).Admit(t.Context(), a), leyden.ErrUnavailable)
}

// A forgetful store does not know what was removed.
type forgetful struct{ *testStore }

func (*forgetful) LastRemoved(context.Context, leyden.StationID) (time.Time, error) {
	return time.Time{}, leyden.ErrUnavailable
}
