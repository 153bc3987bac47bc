package csms_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/csms"
	"leyden/device"
	"leyden/ocpp"
)

// lives returns what became of all commands to the station, the first asked first.
func (w *world) lives() []device.Command {
	w.t.Helper()
	list, _, err := w.store.Commands(w.t.Context(), device.CommandQuery{Station: cp})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

// answer answers the next call to the station.
func (s *station) answer(t testing.TB, payload string) (asked ocpp.Frame) {
	f, err := ocpp.ParseFrame([]byte(s.next()))
	if err != nil {
		t.Errorf("no call: %v", err)
		return f
	}
	s.send(`[3,"` + f.ID + `",` + payload + `]`)
	return f
}

// A command whose caller left while it waited for its turn was surely not sent.
func TestCommandThatNeverLeft(t *testing.T) {
	w := newWorld(t)
	s := w.connectReady(cp)
	defer w.end()
	asked := make(chan string)
	w.wg.Go(func() {
		f, err := ocpp.ParseFrame([]byte(s.next()))
		if err != nil {
			t.Error(err)
		}
		asked <- f.ID
	})
	w.wg.Go(func() {
		if _, err := w.server.Reset(csms.As(t.Context(), "key_1"), cp, "Soft"); err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	id := <-asked
	ctx, leave := context.WithCancel(csms.As(t.Context(), "key_2"))
	leave()
	if _, err := w.server.ClearCache(ctx, cp); !errors.Is(err, context.Canceled) {
		t.Errorf("the second: %v; want %v", err, context.Canceled)
	}
	if lives := w.lives(); len(lives) != 2 || lives[1].Outcome != device.NotSent || lives[1].By != "key_2" || !lives[1].SentAt.IsZero() || lives[1].ID != csms.CommandOf(ctx) {
		t.Errorf("on record: %+v; want a second one that was not sent", lives)
	}
	s.send(`[3,"` + id + `",{"status":"Accepted"}]`)
	s.close()
}

// What a station accepts is kept also when the caller left before it answered.
func TestCommandIsSeenThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		s := w.connectReady(cp)
		defer s.close()
		ctx, leave := context.WithCancel(csms.As(t.Context(), "key_1"))
		w.wg.Go(func() {
			f, err := ocpp.ParseFrame([]byte(s.next()))
			if err != nil {
				t.Error(err)
			}
			leave()
			synctest.Wait()
			s.send(`[3,"` + f.ID + `",{"listVersion":7}]`)
		})
		if version, err := w.server.LocalListVersion(ctx, cp); version != 7 || err != nil {
			t.Errorf("version %d, %v; want 7", version, err)
		}
		if kept, err := w.store.LocalList(t.Context(), cp); kept.Version != 7 || err != nil {
			t.Errorf("kept: %+v, %v; want version 7", kept, err)
		}
		if lives := w.lives(); len(lives) != 1 || lives[0].Outcome != device.Answered {
			t.Errorf("on record: %+v; want it answered", lives)
		}
	})
}

// Nothing is kept where there is no place for it, and commands work.
func TestCommandsOfWhichNothingIsKept(t *testing.T) {
	w := newWorld(t)
	w.options.Devices = nil
	s := w.connectReady(cp)
	defer w.end()
	w.wg.Go(func() { s.answer(t, `{"status":"Accepted"}`) })
	ctx := csms.As(t.Context(), "key_1")
	if status, err := w.server.Reset(ctx, cp, "Soft"); status != "Accepted" || err != nil || csms.CommandOf(ctx) != "" {
		t.Errorf("%s, %v, %q; want Accepted of which nothing is known", status, err, csms.CommandOf(ctx))
	}
	s.close()
}

// What is kept of a command holds no secret, whatever the station says of it, and
// no payload that is very long.
func TestCommandLifeKeepsNoSecret(t *testing.T) {
	const secret = "s3cret-s3cret-s3cret"
	w := newWorld(t)
	s := w.connectReady(cp)
	defer w.end()
	long := `{"vendorId":"v","data":"` + strings.Repeat("x", 64<<10) + `"}`
	for _, c := range []struct{ action, payload, answer string }{
		{"ChangeConfiguration", `{"key":"AuthorizationKey","value":"` + secret + `"}`, `[4,"@","GenericError","not ` + secret + `",{"was":"` + secret + `"}]`},
		{"GetDiagnostics", `{"location":"ftp://u:` + secret + `@h/"}`, `[3,"@",{"fileName":"ftp://u:` + secret + `@h/f"}]`},
		{"GetConfiguration", `{}`, `[3,"@",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"` + secret + `"}]}]`},
		{"DataTransfer", long, `[3,"@",` + strings.Replace(long, `"vendorId":"v"`, `"status":"Accepted"`, 1) + `]`},
	} {
		w.wg.Go(func() {
			f, err := ocpp.ParseFrame([]byte(s.next()))
			if err != nil {
				t.Error(err)
			}
			s.send(strings.Replace(c.answer, "@", f.ID, 1))
		})
		if _, err := w.server.Call(t.Context(), cp, c.action, []byte(c.payload)); err != nil {
			t.Errorf("%s: %v", c.action, err)
		}
	}
	lives := w.lives()
	for _, l := range lives {
		if kept := toJSON(l); strings.Contains(kept, secret) || len(kept) > 1000 {
			t.Errorf("on record: %.1000s", kept)
		}
	}
	if last := lives[len(lives)-1]; last.Status != "Accepted" || last.Outcome != device.Answered {
		t.Errorf("on record of the long one: %+v", last)
	}
	s.close()
}

// A password that is sent as a message is changed here, too, and no error quotes it.
func TestCallChangesThePassword(t *testing.T) {
	const secret = "0123456789abcdef0123"
	g := &rotation{}
	w := newWorld(t)
	w.options.Gate = g
	s := w.connectReady(cp)
	defer w.end()
	payload := []byte(`{"value":"` + secret + `","key":"authorizationkey"}`)
	w.wg.Go(func() { s.answer(t, `{"status":"Accepted"}`) })
	answer, err := w.server.Call(t.Context(), cp, "ChangeConfiguration", payload)
	if err != nil || string(answer.Result) != `{"status":"Accepted"}` || g.password != secret || g.takenBack {
		t.Errorf("%s, %v, %+v; want it accepted, and kept", answer.Result, err, g)
	}
	w.wg.Go(func() {
		f, err := ocpp.ParseFrame([]byte(s.next()))
		if err != nil {
			t.Error(err)
		}
		s.send(`[4,"` + f.ID + `","GenericError","not ` + secret + `",{"was":"` + secret + `"}]`)
	})
	answer, err = w.server.Call(t.Context(), cp, "ChangeConfiguration", payload)
	if err != nil || answer.Error == nil || answer.Error.Code != "GenericError" || !g.takenBack || strings.Contains(toJSON(answer), secret) {
		t.Errorf("%s, %v, %+v; want an error without the secret, and the password taken back", toJSON(answer), err, g)
	}
	s.close()
}

// A rotation is a gate that sees one password change.
type rotation struct {
	csms.Gate
	password  string
	takenBack bool
}

func (g *rotation) Rotate(_ context.Context, _ leyden.StationID, password string) (func(context.Context) error, error) {
	g.password, g.takenBack = password, false
	return func(context.Context) error { g.takenBack = true; return nil }, nil
}

// What a station says in an error goes to the log and to whoever asked: without
// secrets, and not at all if it may quote one that it was sent.
func TestWordsOfErrors(t *testing.T) {
	const secret = "0123456789abcdef0123"
	w := newWorld(t)
	s := w.connectReady(cp)
	defer w.end()
	for _, c := range []struct{ action, payload, answer, want string }{
		{"Reset", `{"type":"Hard"}`, `"GenericError","busy with ftp://u:` + secret + `@h/",{"password":"` + secret + `","since":7}`, `busy with ftp://u:***@h/ {"password":"***","since":7}`},
		{"Reset", `{"type":"Hard"}`, `"GenericError","AuthorizationKey ` + secret + ` is in use",{"key":"AuthorizationKey","value":"` + secret + `"}`, `*** {"key":"AuthorizationKey","value":"***"}`},
		{"Reset", `{"type":"Hard"}`, `"AuthorizationKey ` + secret + `","",{}`, ` `},
		{"GetConfiguration", `{"key":["AuthorizationKey"]}`, `"GenericError","it is ` + secret + `, the AuthorizationKey",{}`, `*** `},
		{"GetDiagnostics", `{"location":"ftp://u:` + secret + `@h/"}`, `"GenericError","not ` + secret + `",{"was":"` + secret + `"}`, `its words may quote the secret and are left out `},
		{"ClearCache", `{}`, `"NotSupported","no cache here",{"since":"always"}`, `no cache here {"since":"always"}`},
	} {
		w.wg.Go(func() {
			f, err := ocpp.ParseFrame([]byte(s.next()))
			if err != nil {
				t.Error(err)
			}
			s.send(`[4,"` + f.ID + `",` + c.answer + `]`)
		})
		answer, err := w.server.Call(t.Context(), cp, c.action, []byte(c.payload))
		if err != nil || answer.Error == nil {
			t.Fatalf("%s: %+v, %v; want an error of the station", c.answer, answer, err)
		}
		if got := answer.Error.Description + " " + answer.Error.Details; got != c.want || strings.Contains(answer.Error.Error(), secret) {
			t.Errorf("%s: got %q %v, want %q", c.answer, got, answer.Error, c.want)
		}
	}
	w.wg.Go(func() { s.answer(t, `{"status":"ftp://u:`+secret+`@h/"}`) })
	_, err := w.server.RemoteStart(t.Context(), leyden.StartRequest{Station: cp, Connector: 1, Token: leyden.IDToken{Value: "USER123"}})
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("an answer that is no word of OCPP: %v", err)
	}
	s.close()
}

// What a server left running that ended abruptly, the next one settles.
func TestRecover(t *testing.T) {
	w := newWorld(t)
	defer w.end()
	w.begin()
	for i, outcome := range []device.Outcome{device.Asked, device.Sent, device.Answered} {
		c := device.Command{ID: "cmd_" + string(outcome), Station: cp, Action: "Reset", Outcome: outcome, AskedAt: noon.Add(time.Duration(i) * time.Second)}
		if err := w.store.SaveCommand(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	w.server.Recover(t.Context())
	lives := w.lives()
	for _, l := range lives[:2] {
		if l.Outcome != device.Left || !strings.Contains(l.Error, "the server ended") {
			t.Errorf("%s: %+v; want it left by the server", l.ID, l)
		}
	}
	if last := lives[2]; last.Outcome != device.Answered || last.Error != "" {
		t.Errorf("%+v; want it as it was", last)
	}
}
