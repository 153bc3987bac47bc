package csms_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/csms"
	"leyden/device"
)

// knocks asks to be let in as a station and returns the status of the refusal.
func (w *world) knocks(id string) int {
	w.begin()
	out := httptest.NewRecorder()
	w.server.ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/ocpp/"+id, nil))
	return out.Code
}

// events returns the security events of a station, the last first.
func (w *world) events(id leyden.StationID) []device.Notification {
	w.t.Helper()
	synctest.Wait()
	list, _, err := w.store.Notifications(w.t.Context(), device.NotificationQuery{Station: id, Kind: device.Security})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) registered(ids ...leyden.StationID) {
	w.t.Helper()
	for _, id := range ids {
		s := leyden.Station{ID: id, PublicID: "chg_" + string(id), Registration: leyden.RegistrationAccepted}
		if err := w.store.AddStation(w.t.Context(), s); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A flood of wrong passwords is one security event a minute for a station that
// is known, and none for a name that nobody has.
func TestGuessesAreOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.options.Gate = &gate{err: throttled{time.Minute}}
		w.registered("CP-1")
		for i := range 500 {
			for _, id := range []string{"CP-1", fmt.Sprintf("NOBODY-%d", i)} {
				if got := w.knocks(id); got != http.StatusTooManyRequests {
					t.Fatalf("%s: got %d", id, got)
				}
			}
			synctest.Wait()
		}
		list := w.events("")
		if len(list) != 1 || list[0].Station != "CP-1" || !list[0].Own || list[0].Type != "FailedToAuthenticateAtCentralSystem" || !strings.Contains(list[0].Info, "192.0.2.1") {
			t.Fatalf("events: %+v; want one of CP-1 with the address", list)
		}
		time.Sleep(time.Minute) // simulated
		w.knocks("CP-1")
		w.knocks("CP-1")
		if n := len(w.events("")); n != 2 {
			t.Errorf("%d events a minute later; want 2", n)
		}
	})
}

// Connections that replace each other too fast are a security event.
func TestSwapsAreAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.options.Gate = &gate{}
		for range 6 {
			defer w.connect("CP-1").close()
			synctest.Wait()
		}
		if n := len(w.events("CP-1")); n != 0 {
			t.Fatalf("%d events after five swaps; want none", n)
		}
		w.knocks("CP-1")
		if list := w.events("CP-1"); len(list) != 1 || list[0].Type != "ConnectionsReplaceEachOther" || !list[0].Own {
			t.Errorf("events: %+v; want one of swaps", list)
		}
	})
}

// A stuck store takes no notification for as long as it is waited for.
type stuck struct {
	*faulty
	waiting atomic.Int32
}

func (s *stuck) AddNotification(ctx context.Context, _ *device.Notification) error {
	s.waiting.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

// Storage that hangs holds up no refusal, and the answer to a notification for a
// while only; what waits for it is bounded.
func TestNotificationsWhileStorageHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		hanging := &stuck{faulty: w.store}
		w.options.Devices, w.options.Gate = hanging, &gate{err: throttled{time.Minute}}
		began := time.Now()
		for i := range 100 {
			id := leyden.StationID(fmt.Sprintf("CP-%d", i))
			w.registered(id)
			w.knocks(string(id))
		}
		synctest.Wait()
		if took, n := time.Since(began), hanging.waiting.Load(); took != 0 || n < 1 || n > 8 {
			t.Errorf("100 refusals took %v, %d events wait; want none, and 1 to 8", took, n)
		}
		s := w.connect("CP-1")
		defer s.close()
		s.send(`[2,"a","FirmwareStatusNotification",{"status":"Installed"}]`)
		if got := s.next(); got != `[3,"a",{}]` || time.Since(began) > 10*time.Second {
			t.Errorf("after %v: got %s; want an answer", time.Since(began), got)
		}
	})
}

// Without a store notifications are answered all the same.
func TestNotificationsOfWhichNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.options.Devices, w.options.Gate = nil, &gate{err: throttled{time.Minute}}
		s := w.connect("CP-1")
		defer s.close()
		s.send(`[2,"a","SecurityEventNotification",{"type":"FirmwareUpdated","timestamp":"2026-02-06T12:00:00Z"}]`)
		if got := s.next(); got != `[3,"a",{}]` {
			t.Errorf("got %s", got)
		}
		if got := w.knocks("CP-1"); got != http.StatusTooManyRequests {
			t.Errorf("got %d", got)
		}
	})
}

// The security whitepaper for OCPP 1.6 lists what is critical (§8).
func TestCriticalEvents(t *testing.T) {
	for typ, want := range map[string]bool{
		"FirmwareUpdated": true, "SettingSystemTime": true, "StartupOfTheDevice": true, "ResetOrReboot": true,
		"SecurityLogWasCleared": true, "MemoryExhaustion": true, "TamperDetectionActivated": true, "tamperDetectionActivated": true,
		"FailedToAuthenticateAtCentralSystem": false, "CentralSystemFailedToAuthenticate": false, "InvalidMessages": false,
		"ReconfigurationOfSecurityParameters": false, "AttemptedReplayAttacks": false, "InvalidFirmwareSignature": false,
		"InvalidFirmwareSigningCertificate": false, "InvalidCentralSystemCertificate": false, "InvalidChargePointCertificate": false,
		"InvalidTLSVersion": false, "InvalidTLSCipherSuite": false, "": false, "Anything": false,
	} {
		if got := csms.CriticalEvent(typ); got != want {
			t.Errorf("%s: %v; want %v", typ, got, want)
		}
	}
}
