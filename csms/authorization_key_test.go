package csms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/ocpp"
)

// authGate is the gate of package auth, as package csms asks for it.
type authGate struct{ *auth.StationGate }

func (g authGate) Rotate(ctx context.Context, id leyden.StationID, password string) (func(context.Context) error, error) {
	return g.StationGate.Rotate(ctx, id, auth.Secret(password))
}

const (
	oldKey    = "the old password"
	newKey    = "4c6f6e67506173737730726421313233343536ff"
	newBytes  = "LongPassw0rd!123456\xff"
	keyChange = `"ChangeConfiguration",{"key":"AuthorizationKey","value":"` + newKey + `"}]`
)

// A keyWorld is a world behind a real gate, that writes down what it logs.
type keyWorld struct {
	*world
	registrar *auth.Registrar
	url       string
	log       logbook
}

// A logbook is what was logged. It may be read while somebody logs.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newKeyWorld(t *testing.T, profile auth.Profile) *keyWorld {
	w := &keyWorld{world: newWorld(t)}
	w.options.Log = slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config := auth.Config{Store: w.store.Store, Secrets: auth.NewSecrets(), Issuer: "leyden", Now: time.Now, Log: w.options.Log}
	w.registrar = auth.NewRegistrar(config)
	w.options.Gate = authGate{auth.NewStationGate(config, auth.AdmitRegistered)}
	spec := auth.StationSpec{Station: cp, Profile: profile}
	if profile != auth.ProfileNone {
		spec.Password = oldKey
	}
	if _, err := w.registrar.SetStation(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	w.url = w.listen() + string(cp)
	return w
}

// login connects the station with a password.
func (w *keyWorld) login(password string) (*station, error) {
	opt := ocpp.DialOptions{Protocols: []string{"ocpp1.6"}, Header: http.Header{}}
	opt.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(string(cp)+":"+password)))
	tr, _, err := ocpp.Dial(w.t.Context(), w.url, opt)
	if err != nil {
		return nil, err
	}
	s := newStation(w.world, cp, tr)
	s.send(`[2,"ready","Heartbeat",{}]`)
	s.expect(w.t, `[3,"ready"`)
	return s, nil
}

// logins tries one password after the other, "+" those that open and "-" those
// that do not.
func (w *keyWorld) logins(text string) {
	w.t.Helper()
	passwords := map[string]string{"old": oldKey, "text": newKey, "TEXT": strings.ToUpper(newKey), "bytes": newBytes}
	for try := range strings.FieldsSeq(text) {
		s, err := w.login(passwords[try[1:]])
		if err == nil {
			s.close()
		}
		if (err == nil) != (try[0] == '+') {
			w.t.Fatalf("%s of %q: %v", try, text, err)
		}
	}
}

// TestAuthorizationKey: a station that is given a new key comes back, whatever
// it answered and whichever form it logs in with; the old key opens until the
// new one was used.
func TestAuthorizationKey(t *testing.T) {
	answer := func(payload string) func(*station, string) {
		return func(s *station, id string) { s.send(`[3,"` + id + `",` + payload + `]`) }
	}
	accepted := answer(`{"status":"Accepted"}`)
	leaves := func(s *station, _ string) { s.close() }
	for name, c := range map[string]struct {
		answer func(s *station, id string)
		want   string // status, or word of the error
		logins string
	}{
		"accepted, hex text":      {accepted, "Accepted", "+text -old +text +bytes"},
		"accepted, bytes":         {accepted, "Accepted", "+bytes -old +bytes"},
		"accepted, other case":    {accepted, "Accepted", "+TEXT -old +text"},
		"accepted, not yet used":  {accepted, "Accepted", "+old +old +text -old"},
		"after a reboot":          {answer(`{"status":"RebootRequired"}`), "RebootRequired", "+old +text -old"},
		"rejected":                {answer(`{"status":"Rejected"}`), "Rejected", "+old -text -bytes +old"},
		"rejected, other case":    {answer(`{"status":"rejected"}`), "rejected", "+old -text"},
		"not supported":           {answer(`{"status":"NotSupported"}`), "NotSupported", "+old -text"},
		"error":                   {func(s *station, id string) { s.send(`[4,"` + id + `","InternalError","bad ` + newKey + `",{}]`) }, "station:InternalError", "+old -text"},
		"leaves, has it":          {leaves, "offline", "+text -old"},
		"leaves, has it not":      {leaves, "offline", "+old +text -old"},
		"answer of another kind":  {answer(`{"state":"` + newKey + `"}`), "station:OccurenceConstraintViolation", "+old +bytes -old"},
		"answer that is cut":      {func(s *station, id string) { s.send(`[3,"` + id + `"]`) }, "station:FormationViolation", "+old +text -old"},
		"a word nobody knows":     {answer(`{"status":"Later"}`), "Later", "+old +text -old"},
		"unknown key, 2.x habits": {answer(`{"status":"NotImplemented"}`), "NotImplemented", "+old +text -old"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newKeyWorld(t, auth.ProfileBasic)
			s, err := w.login(oldKey)
			if err != nil {
				t.Fatal(err)
			}
			w.wg.Go(func() {
				frame := s.next()
				f, err := ocpp.ParseFrame([]byte(frame))
				if err != nil || !strings.HasSuffix(frame, keyChange) {
					t.Errorf("sent %s, %v; want …%s", frame, err, keyChange)
				}
				c.answer(s, f.ID)
			})
			got, err := w.server.ChangeConfiguration(t.Context(), cp, "AuthorizationKey", newKey)
			if err != nil {
				got = word(err)
			}
			if got != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
			w.tellsNothing(err)
			s.close()
			w.logins(c.logins)
			w.end()
			w.tellsNothing(nil)
		})
	}
}

// tellsNothing fails if an error or the log quotes a password.
func (w *keyWorld) tellsNothing(err error) {
	w.t.Helper()
	text := w.log.String()
	if err != nil {
		text += err.Error()
	}
	for _, secret := range []string{oldKey, newKey, newBytes, hex.EncodeToString([]byte(oldKey))} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			w.t.Errorf("%q is in what was told:\n%s", secret, text)
		}
	}
}

// TestAuthorizationKeyIsKnownFirst: a station that applies the key before it
// answers, or instead of answering, gets in.
func TestAuthorizationKeyIsKnownFirst(t *testing.T) {
	w := newKeyWorld(t, auth.ProfileBasic)
	s, err := w.login(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	back := make(chan struct{})
	w.wg.Go(func() {
		defer close(back)
		s.next()
		w.logins("+text -old") // this replaces the connection on which it was asked
	})
	if _, err := w.server.ChangeConfiguration(t.Context(), cp, "authorizationKEY", newKey); !errors.Is(err, leyden.ErrOffline) {
		t.Errorf("%v; want %v", err, leyden.ErrOffline)
	}
	<-back // or the next login replaces that one
	w.logins("+bytes")
	w.tellsNothing(nil)
}

// TestAuthorizationKeyOfCallerWhoLeft: the answer counts all the same.
func TestAuthorizationKeyOfCallerWhoLeft(t *testing.T) {
	w := newKeyWorld(t, auth.ProfileBasic)
	s, err := w.login(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	w.wg.Go(func() {
		f, err := ocpp.ParseFrame([]byte(s.next()))
		if err != nil {
			t.Error(err)
		}
		leave()
		s.send(`[3,"` + f.ID + `",{"status":"Rejected"}]`)
	})
	if status, err := w.server.ChangeConfiguration(ctx, cp, "AuthorizationKey", newKey); status != "Rejected" {
		t.Errorf("%s, %v; want Rejected", status, err)
	}
	s.close()
	w.logins("-text +old")
}

// TestInvalidAuthorizationKey: what cannot be the station's password is not
// sent, and the client is told why without a word of it.
func TestInvalidAuthorizationKey(t *testing.T) {
	for name, c := range map[string]struct {
		profile auth.Profile
		value   string
		reason  string
	}{
		"empty":      {auth.ProfileBasic, "", "16 to 40 printable"},
		"too short":  {auth.ProfileBasic, "c2VjcmV0", "16 to 40 printable"},
		"too long":   {auth.ProfileBasic, newKey + "0", "16 to 40 printable"},
		"unreadable": {auth.ProfileBasic, "c2VjcmV0\u00a0c2VjcmV0", "16 to 40 printable"},
		"profile 0":  {auth.ProfileNone, newKey, "securityProfile"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newKeyWorld(t, c.profile)
			s, err := w.login(oldKey)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.server.ChangeConfiguration(t.Context(), cp, "AuthorizationKey", c.value)
			if !errors.Is(err, leyden.ErrInvalid) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v; want %v because of %q", err, leyden.ErrInvalid, c.reason)
			}
			r := httptest.NewRequest(http.MethodPost, "/api/v1/chargers/CP-1/configuration/change",
				strings.NewReader(`{"key":"AuthorizationKey","value":"`+c.value+`"}`))
			out := httptest.NewRecorder()
			facade(t, w.server, w.store.Store).ServeHTTP(out, r)
			if body := out.Body.String(); out.Code != 400 || !strings.Contains(body, c.reason) || !strings.Contains(body, `"field":"value"`) ||
				c.value != "" && strings.Contains(body+err.Error(), c.value) {
				t.Errorf("%d %s; want 400 because of %q, without the value", out.Code, body, c.reason)
			}
			if got := s.inbox(); len(got) > 0 {
				t.Errorf("sent %s; want nothing", got)
			}
			s.close()
			w.logins("+old")
			w.tellsNothing(err)
		})
	}
}

// TestAuthorizationKeyThatNeverLeft: a station that is not there was sent
// nothing, and a gate that cannot keep the key keeps it from being sent.
func TestAuthorizationKeyThatNeverLeft(t *testing.T) {
	w := newKeyWorld(t, auth.ProfileBasic)
	w.logins("+old")
	w.server.Disconnect(cp, "test")
	w.end()
	if _, err := w.server.ChangeConfiguration(t.Context(), cp, "AuthorizationKey", newKey); !errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("while draining: %v; want %v", err, leyden.ErrUnavailable)
	}
	if c, err := w.registrar.Station(t.Context(), cp); err != nil || len(c.Next) > 0 {
		t.Errorf("%d next keys, %v; want none", len(c.Next), err)
	}

	lost := newWorld(t)
	lost.options.Gate = new(failingGate)
	s := lost.connectReady(cp)
	defer lost.end()
	if _, err := lost.server.ChangeConfiguration(t.Context(), cp, "AuthorizationKey", newKey); !errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("%v; want %v", err, leyden.ErrUnavailable)
	}
	if got := s.inbox(); len(got) > 0 {
		t.Errorf("sent %s; want nothing", got)
	}
	s.close()
}

// A failingGate cannot keep anything.
type failingGate struct{ gate }

func (*failingGate) Rotate(context.Context, leyden.StationID, string) (func(context.Context) error, error) {
	return nil, leyden.ErrUnavailable
}
