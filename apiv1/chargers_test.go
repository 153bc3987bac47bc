package apiv1_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/auth"
	"leyden/device"
)

const newCharger = `{"chargeBoxId":"CHARGER-001","name":"North gate","location":"Car park 2"}`

// admits reports whether a charger enters with a password, over TLS or not.
func (w *world) admits(id leyden.StationID, password string, tls bool) bool {
	w.t.Helper()
	gate := auth.NewStationGate(w.registrar.Config, auth.AdmitRegistered)
	return gate.Admit(w.t.Context(), leyden.Attempt{
		Station: id, HasBasic: password != "", User: string(id), Password: password, TLS: tls,
	}) == nil
}

func TestRegisterCharger(t *testing.T) {
	inWorld(t, func(w *world) {
		out := w.do("POST /chargers", newCharger)
		w.golden("charger_registered", out.Body.String())
		password := field(t, out.Body.String(), "password")
		if out.Code != http.StatusCreated || len(password) != 40 || strings.Trim(password, "0123456789abcdef") != "" {
			t.Errorf("got %d %s, want a password of 40 hex digits", out.Code, out.Body)
		}
		id := field(t, out.Body.String(), "id")
		wantHeader(t, out, "Location", "/api/v1/chargers/"+id)
		if !w.admits("CHARGER-001", password, false) || w.admits("CHARGER-001", "guess", false) {
			t.Error("the password does not open the gate, or a guess does")
		}
		details := w.want(http.StatusOK, "GET /chargers/"+id, "")
		w.golden("charger_offline", details)
		if strings.Contains(details, password) {
			t.Error("the password is shown again")
		}
		w.wantError("POST /chargers", newCharger, 409, "CONFLICT", "charger CHARGER-001: already exists")
		if !w.admits("CHARGER-001", password, false) {
			t.Error("a refused registration changed the password")
		}
	})
}

func TestRegisterChargerInOtherWays(t *testing.T) {
	inWorld(t, func(w *world) {
		given := `{"chargeBoxId":"C1","password":"correct horse battery"}`
		if got := field(t, w.want(http.StatusCreated, "POST /chargers", given), "password"); got != "correct horse battery" {
			t.Errorf("a given password: got %q", got)
		}
		open := w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"C0","securityProfile":0}`)
		if !strings.Contains(open, `"password":null,"securityProfile":0`) || !w.admits("C0", "", false) {
			t.Errorf("without a password: got %s", open)
		}
		secure := w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"C2","securityProfile":2}`)
		if password := field(t, secure, "password"); w.admits("C2", password, false) || !w.admits("C2", password, true) {
			t.Error("profile 2 is for TLS only")
		}
		certified := w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"C3","securityProfile":3}`)
		if !strings.Contains(certified, `"password":null,"securityProfile":3`) || w.admits("C3", "", true) {
			t.Errorf("profile 3: got %s", certified)
		}
		spare := w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"C4","securityProfile":3,"password":"correct horse battery"}`)
		if got := field(t, spare, "password"); got != "correct horse battery" || w.admits("C4", got, true) {
			t.Errorf("profile 3 with a password: got %s", spare)
		}
		odd := w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"A|b=+*@:._-9"}`)
		if got := field(t, odd, "connectionUrl"); got != "wss://csms.example/ocpp/A%7Cb=+%2A@:._-9" && got != "wss://csms.example/ocpp/A%7Cb=+*@:._-9" {
			t.Errorf("an odd identity: got %s", got)
		}
		w.want(http.StatusOK, "GET /chargers/A%7Cb=+*@:._-9", "")
	})
}

// A charger that came by itself under open admission can be registered and
// keeps what it said of itself.
func TestRegisterAdmittedCharger(t *testing.T) {
	inWorld(t, func(w *world) {
		w.must(w.store.AddStation(w.t.Context(), leyden.Station{ID: "C1", PublicID: "chg_seen", Registration: leyden.RegistrationAccepted}))
		w.reconnect("C1")
		body := w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"C1","name":"Found"}`)
		if !strings.Contains(body, `"id":"chg_seen"`) || !strings.Contains(body, `"status":"online","isOnline":true`) {
			t.Errorf("got %s", body)
		}
		if got := w.want(http.StatusOK, "GET /chargers/C1", ""); !strings.Contains(got, `"vendor":"Acme"`) || !strings.Contains(got, `"registered":true`) {
			t.Errorf("got %s", got)
		}
		w.wantError("POST /chargers", `{"chargeBoxId":"C1"}`, 409, "CONFLICT", "charger C1: already exists")
	})
}

func TestConnectionURLOfTheHostAsked(t *testing.T) {
	inWorld(t, func(w *world) {
		body := w.want(http.StatusCreated, "POST /chargers", newCharger)
		if got := field(t, body, "connectionUrl"); got != "ws://example.com/ocpp/CHARGER-001" {
			t.Errorf("got %s", got)
		}
	}, func(c *apiv1.Config) { c.PublicURL = "" })
}

func TestChargerDetails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.want(http.StatusCreated, "POST /chargers", newCharger)
		s := w.reconnect("CHARGER-001")
		time.Sleep(time.Minute)
		s.call("Heartbeat", `{}`)
		s.call("StatusNotification", `{"connectorId":0,"errorCode":"NoError","status":"Available"}`)
		s.call("StatusNotification", `{"connectorId":2,"errorCode":"GroundFailure","status":"Faulted","info":"pin 3"}`)
		s.status("Preparing")
		w.golden("charger_online", w.want(http.StatusOK, "GET /chargers/CHARGER-001", ""))
		w.golden("charger_list", w.want(http.StatusOK, "GET /chargers", ""))
	})
}

func TestListChargers(t *testing.T) {
	cases := []struct {
		query, ids string
		total      int
	}{
		{"", "C1 C2 C3 C4", 4},
		{"?status=online", "C2 C4", 2},
		{"?status=offline", "C1 C3", 2},
		{"?status=online&limit=1", "C2", 2},
		{"?status=online&limit=1&offset=1", "C4", 2},
		{"?status=online&offset=9", "", 2},
		{"?limit=2&offset=1", "C2 C3", 4},
	}
	inWorld(t, func(w *world) {
		w.register("C1")
		w.connect("C2")
		w.register("C3")
		w.connect("C4")
		for _, c := range cases {
			var got struct {
				Chargers   []struct{ ChargeBoxID string }
				Pagination struct{ Total int }
			}
			w.must(json.Unmarshal([]byte(w.want(http.StatusOK, "GET /chargers"+c.query, "")), &got))
			ids := []string{}
			for _, charger := range got.Chargers {
				ids = append(ids, charger.ChargeBoxID)
			}
			if strings.Join(ids, " ") != c.ids || got.Pagination.Total != c.total {
				t.Errorf("%s: got %v of %d, want %s of %d", c.query, ids, got.Pagination.Total, c.ids, c.total)
			}
		}
		w.wantError("GET /chargers?status=busy", "", 400, "VALIDATION_ERROR", `status: expected value to be one of "online, offline"`)
	})
}

func TestChangeCharger(t *testing.T) {
	inWorld(t, func(w *world) {
		first := field(t, w.want(http.StatusCreated, "POST /chargers", newCharger), "password")
		const line = "PATCH /chargers/CHARGER-001"
		if got := w.want(http.StatusOK, line, `{"name":"South gate"}`); !strings.Contains(got, `"name":"South gate"`) || !strings.Contains(got, `"location":"Car park 2"`) || strings.Contains(got, `"password"`) {
			t.Errorf("name: got %s", got)
		}
		if got := w.want(http.StatusOK, line, `{"name":null,"location":""}`); !strings.Contains(got, `"name":null`) || !strings.Contains(got, `"location":null`) {
			t.Errorf("null: got %s", got)
		}
		if got := w.want(http.StatusOK, line, `{"securityProfile":1}`); strings.Contains(got, `"password"`) || !w.admits("CHARGER-001", first, false) {
			t.Errorf("the same profile: got %s", got)
		}
		second := field(t, w.want(http.StatusOK, line, `{"rotatePassword":true}`), "password")
		if second == first || len(second) != 40 || w.admits("CHARGER-001", first, false) || !w.admits("CHARGER-001", second, false) {
			t.Errorf("a new password: got %q after %q", second, first)
		}
		if got := field(t, w.want(http.StatusOK, line, `{"password":"correct horse battery"}`), "password"); got != "correct horse battery" {
			t.Errorf("a given password: got %q", got)
		}
		const given = "correct horse battery"
		if got := w.want(http.StatusOK, line, `{"securityProfile":2}`); strings.Contains(got, `"password"`) || w.admits("CHARGER-001", given, false) || !w.admits("CHARGER-001", given, true) {
			t.Errorf("profile 2 is for TLS only, with the password that there is: got %s", got)
		}
		if got := w.want(http.StatusOK, line, `{"securityProfile":1}`); !strings.Contains(got, `"provenSecurityProfile":null`) || !w.admits("CHARGER-001", given, true) || w.admits("CHARGER-001", given, false) {
			t.Errorf("a station that came over TLS came without later: %s", got)
		}
		if got := w.want(http.StatusOK, line, `{"name":"Gate"}`); !strings.Contains(got, `"securityProfile":1`) || !strings.Contains(got, `"provenSecurityProfile":2`) {
			t.Errorf("another name: got %s", got)
		}
		if got := w.want(http.StatusOK, line, `{"securityProfile":1}`); !strings.Contains(got, `"provenSecurityProfile":null`) || !w.admits("CHARGER-001", given, false) {
			t.Errorf("the same profile after a higher one: got %s", got)
		}
		if got := w.want(http.StatusOK, line, `{"securityProfile":3}`); strings.Contains(got, `"password"`) || w.admits("CHARGER-001", given, true) {
			t.Errorf("profile 3: got %s", got)
		}
		if got := field(t, w.want(http.StatusOK, line, `{"rotatePassword":true}`), "password"); len(got) != 40 {
			t.Errorf("a new password under profile 3: %q", got)
		}
		open := w.want(http.StatusOK, line, `{"securityProfile":0}`)
		if !strings.Contains(open, `"securityProfile":0`) || strings.Contains(open, `"password"`) || !w.admits("CHARGER-001", "", false) {
			t.Errorf("profile 0: got %s", open)
		}
	})
}

// A charger whose registration changes comes back and learns of it.
func TestChangeRegistration(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("CHARGER-001")
		w.want(http.StatusOK, "PATCH /chargers/CHARGER-001", `{"registration":"Accepted"}`)
		synctest.Wait()
		if !w.stations.Online("CHARGER-001") {
			t.Fatal("nothing changed, and the connection was closed")
		}
		w.want(http.StatusOK, "PATCH /chargers/CHARGER-001", `{"registration":"Rejected"}`)
		synctest.Wait()
		if w.stations.Online("CHARGER-001") {
			t.Error("the connection is open still")
		}
		w.reconnect("CHARGER-001")
		w.wantError("POST /chargers/CHARGER-001/remote-start", remoteStart, 409, "CONNECTOR_NOT_READY",
			"connector is not ready: station CHARGER-001 is not accepted")
	})
}

func TestRemoveCharger(t *testing.T) {
	inWorld(t, func(w *world) {
		password := field(t, w.want(http.StatusCreated, "POST /chargers", newCharger), "password")
		s := w.reconnect("CHARGER-001")
		id := s.start(1000)
		details := w.wantError("DELETE /chargers/CHARGER-001", "", 409, "TRANSACTION_ACTIVE", "charger CHARGER-001 is charging")
		if fmt.Sprint(details) != "[{transactionId 1}]" {
			t.Errorf("details: %v", details)
		}
		s.stop(id, 2000, "")
		w.furnish("CHARGER-001")
		body := w.want(http.StatusOK, "DELETE /chargers/CHARGER-001", "")
		if !strings.Contains(body, `"chargeBoxId":"CHARGER-001"`) {
			t.Errorf("got %s", body)
		}
		synctest.Wait()
		if w.stations.Online("CHARGER-001") || w.admits("CHARGER-001", password, false) {
			t.Error("a removed charger is connected, or gets in")
		}
		w.wantError("GET /chargers/CHARGER-001", "", 404, "NOT_FOUND", "charger CHARGER-001: not found")
		w.wantError("DELETE /chargers/CHARGER-001", "", 404, "NOT_FOUND", "charger CHARGER-001: not found")
		w.want(http.StatusOK, "GET /transactions/1", "")
		again := w.want(http.StatusCreated, "POST /chargers", newCharger)
		if field(t, again, "id") == field(t, body, "id") || field(t, again, "password") == password {
			t.Error("the charger that is registered anew is the old one")
		}
		w.wantBare("CHARGER-001")
	})
}

// furnish gives a charger one of all that belongs to it and not to its history.
func (w *world) furnish(id leyden.StationID) {
	w.t.Helper()
	ctx, now := w.t.Context(), w.ledger.Now()
	_, err := w.ledger.BookConnector(ctx, leyden.ReservationRequest{Station: id, Connector: 1, Token: leyden.IDToken{Value: "USER123"}, ExpiresAt: now.Add(time.Hour)})
	if err := errors.Join(err,
		w.store.InstallProfile(ctx, device.InstalledProfile{Station: id, Connector: 1, InstalledAt: now, Profile: device.ChargingProfile{
			ID: 1, Purpose: "TxDefaultProfile", Kind: "Relative", Schedule: device.ChargingSchedule{Unit: "A", Periods: []device.ChargingPeriod{{Limit: 16}}},
		}}),
		w.store.SaveLocalList(ctx, device.LocalList{Station: id, Version: 3, Known: true, UpdatedAt: now}),
		w.store.SaveCertificate(ctx, device.Certificate{ID: "crt_1", Station: id, Status: device.Requested, Request: "CSR", RequestedAt: now}),
	); err != nil {
		w.t.Fatal(err)
	}
}

// wantBare: a charger has nothing that one before it had.
func (w *world) wantBare(id string) {
	w.t.Helper()
	for path, want := range map[string]string{
		"charging-profiles":        `"chargingProfiles":[]`,
		"local-list":               `"listVersion":null`,
		"certificates":             `"certificates":[]`,
		"reservations?status=open": `"reservations":[]`,
	} {
		if got := w.want(http.StatusOK, "GET /chargers/"+id+"/"+path, ""); !strings.Contains(got, want) {
			w.t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestChargerInput(t *testing.T) {
	const patch = "PATCH /chargers/C1"
	cases := []struct {
		line, body string
		status     int
		message    string
	}{
		{"POST /chargers", `{}`, 400, "chargeBoxId: is required"},
		{"POST /chargers", `{"chargeBoxId":""}`, 400, "chargeBoxId: expected string to be 1 to 48 of A-Z a-z 0-9 . _ : @ | = * + -"},
		{"POST /chargers", `{"chargeBoxId":"a/b"}`, 400, "chargeBoxId: expected string to be 1 to 48 of A-Z a-z 0-9 . _ : @ | = * + -"},
		{"POST /chargers", `{"chargeBoxId":"` + strings.Repeat("x", 49) + `"}`, 400, "chargeBoxId: expected string to be 1 to 48 of A-Z a-z 0-9 . _ : @ | = * + -"},
		{"POST /chargers", `{"chargeBoxId":"chg_1"}`, 400, "chargeBoxId: must not begin with chg_"},
		{"POST /chargers", `{"chargeBoxId":"C2","password":"short"}`, 400, "password: expected length >= 16"},
		{"POST /chargers", `{"chargeBoxId":"C2","password":"` + strings.Repeat("x", 41) + `"}`, 400, "password: expected length <= 40"},
		{"POST /chargers", `{"chargeBoxId":"C2","password":"pässword pässword"}`, 400, "password: expected string to be printable ASCII"},
		{"POST /chargers", `{"chargeBoxId":"C2","securityProfile":4}`, 400, "securityProfile: expected number <= 3"},
		{"POST /chargers", `{"chargeBoxId":"C2","securityProfile":0,"password":"correct horse battery"}`, 400, "password: has no use under security profile 0"},
		{"POST /chargers", `{"chargeBoxId":"C2","name":"` + strings.Repeat("x", 101) + `"}`, 400, "name: expected length <= 100"},
		{patch, `{"registration":"Maybe"}`, 400, `registration: expected value to be one of "Accepted, Pending, Rejected"`},
		{patch, `{"registration":null}`, 400, "registration: must not be null"},
		{patch, `{"password":"short"}`, 400, "password: expected length >= 16"},
		{patch, `{"password":"correct horse battery","rotatePassword":true}`, 400, "rotatePassword: makes a password, but one is given"},
		{patch, `{"password":"correct horse battery","securityProfile":0}`, 400, "password: has no use under security profile 0"},
		{patch, `{"chargeBoxId":"C3"}`, 400, "chargeBoxId: is unknown"},
		{"PATCH /chargers/C9", `{"name":"x"}`, 404, "charger C9: not found"},
		{"GET /chargers/C9", ``, 404, "charger C9: not found"},
		{"GET /chargers/chg_9", ``, 404, "charger chg_9: not found"},
		{"GET /chargers/C%2F9", ``, 400, "chargeBoxId: expected string to be the identity of a charger"},
		{"DELETE /chargers/C9", ``, 404, "charger C9: not found"},
	}
	inWorld(t, func(w *world) {
		w.register("C1")
		for _, c := range cases {
			code := map[int]string{400: "VALIDATION_ERROR", 404: "NOT_FOUND"}[c.status]
			w.wantError(c.line, c.body, c.status, code, c.message)
		}
		w.want(http.StatusNotFound, "GET /chargers/C2", "")
	})
}
