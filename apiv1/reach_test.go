package apiv1_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/device"
	"leyden/feed"
)

// A site has one charger, and a few of everything that there is about chargers.
// Its word is in every text of that.
type siteOf struct {
	word    string
	station leyden.StationID
	number  leyden.TransactionID // of its transactions the first
	message int64                // its message in quarantine
	webhook string               // the id of its webhook
}

func (s siteOf) of(kind string) string { return kind + "_" + strings.ToLower(s.word) }

func (s siteOf) meterKey() string { return fmt.Sprintf("%032x", s.number) }

// build fills a site.
func (w *walker) build(s *siteOf) {
	w.t.Helper()
	ctx, id, at := w.t.Context(), s.station, func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	w.must(w.store.AddStation(ctx, leyden.Station{
		ID: id, PublicID: s.of("chg"), Name: s.word, Location: s.word, Site: s.word, Listed: true,
		Registration: leyden.RegistrationAccepted, RegisteredAt: at(0),
	}))
	_, err := w.registrar.SetStation(ctx, auth.StationSpec{Station: id})
	w.must(err)
	w.must(w.store.Append(ctx, w.history(*s)))
	hook, _, err := w.hooks.Create(ctx, feed.WebhookSpec{
		URL: "https://" + strings.ToLower(s.word) + ".example/", Description: s.word, Reach: &feed.Reach{Sites: []string{s.word}},
	})
	w.must(err)
	s.webhook = hook.ID
	w.must(w.store.SaveCommand(ctx, device.Command{ID: s.of("cmd"), Station: id, Action: s.word, Outcome: device.Answered, AskedAt: at(0)}))
	for _, kind := range []device.Kind{device.Security, device.Firmware, device.Log, device.Diagnostics} {
		w.must(w.store.AddNotification(ctx, &device.Notification{Station: id, Kind: kind, Type: s.word, ReceivedAt: at(1)}))
	}
	w.must(w.store.SaveCertificate(ctx, device.Certificate{ID: s.of("crt"), Station: id, Status: device.Requested, RequestedAt: at(0), UpdatedAt: at(1)}))
	w.must(w.store.SaveMeterKey(ctx, leyden.MeterKey{ID: s.meterKey(), Station: id, Serial: s.word, Public: []byte{1}, AddedAt: at(1)}))
	w.must(w.store.InstallProfile(ctx, device.InstalledProfile{
		Station: id, Connector: 1, InstalledAt: at(1),
		Profile: device.ChargingProfile{ID: int(s.number), Purpose: "TxDefaultProfile", Kind: "Relative", Schedule: device.ChargingSchedule{
			Unit: "A", Periods: []device.ChargingPeriod{{Limit: 16}},
		}},
	}))
	w.must(w.store.SaveLocalList(ctx, device.LocalList{
		Station: id, Version: 1, Known: true, UpdatedAt: at(1), Entries: []device.LocalListEntry{{IDTag: s.word}},
	}))
	w.must(w.frames.WriteFrames(ctx, []leyden.Frame{{
		Station: id, At: at(0), Type: leyden.FrameCall, Action: "Heartbeat", Transaction: s.number, Text: `[2,"` + s.word + `","Heartbeat",{}]`,
	}}))
}

// history is what a site's charger told.
func (w *walker) history(s siteOf) *leyden.Entry {
	e := &leyden.Entry{Station: s.station}
	for i, status := range []leyden.Status{leyden.Completed, leyden.Active, leyden.Pending} {
		at := noon.Add(time.Duration(i) * time.Minute)
		tx := leyden.Transaction{
			ID: s.number + leyden.TransactionID(i), PublicID: fmt.Sprintf("%s%d", s.of("txn"), i), Station: s.station, Connector: i + 1,
			Status: status, Version: 1, Token: leyden.IDToken{Value: s.word}, VehicleID: s.word, RequestedAt: at, UpdatedAt: at,
		}
		if status != leyden.Pending {
			tx.StartedAt, tx.Evidence = at, leyden.Evidence{StartKey: fmt.Sprint("start", i)}
		}
		if status == leyden.Completed {
			tx.StoppedAt = at.Add(time.Minute)
		}
		e.Transactions = append(e.Transactions, leyden.Change{Transaction: tx, Stamp: status == leyden.Completed})
		e.Events = append(e.Events, leyden.Event{
			Transaction: tx.ID, Station: s.station, Key: fmt.Sprint("start", i), Kind: leyden.Started, ReceivedAt: at, At: at,
			Token: tx.Token, Samples: []leyden.Sample{{At: at, Value: "1", Measurand: "Energy.Active.Import.Register"}},
		})
		e.Notices = append(e.Notices, leyden.Notice{Topic: leyden.TopicStarted, Station: s.station, Transaction: tx.ID, Version: 1, At: at})
	}
	e.Quarantine = []leyden.Quarantined{{Station: s.station, Key: "q", Action: "StartTransaction", Frame: s.word, Reason: s.word, ReceivedAt: noon}}
	e.Reservations = []leyden.Reservation{{
		ID: int(s.number), Station: s.station, Connector: 1, Token: leyden.IDToken{Value: s.word}, ExpiresAt: noon.Add(time.Hour),
		CreatedAt: noon, Status: leyden.ReservationActive, Version: 1,
	}}
	return e
}

// values are what parameters of an operation may be to reach a site, by name.
func (s siteOf) values() map[string][]string {
	number := fmt.Sprint(s.number)
	return map[string][]string{
		"chargeBoxId": {string(s.station), s.of("chg")}, "chargerId": {string(s.station)},
		"transactionId": {number, s.of("txn") + "0", fmt.Sprint(s.number + 1)}, "TransactionID": {number, s.of("txn") + "0"},
		"commandId": {s.of("cmd")}, "certificateId": {s.of("crt")}, "meterKeyId": {s.meterKey()}, "reservationId": {number},
		"quarantineId": {fmt.Sprint(s.message)}, "site": {s.word}, "idTag": {s.word}, "vehicleId": {s.word}, "limit": {"500"},
		"webhookId": {s.webhook}, "expand": {"meterValues,events"}, "after": {"0"}, "number": {"1"},
	}
}

// TestWalkReach: whoever is limited to one site learns nothing of another from
// any operation that the document has, and changes nothing there.
func TestWalkReach(t *testing.T) {
	inWalk(t, func(w *walker) {
		ours := siteOf{word: "Alpha", station: "ALPHA-1", number: 555000001, message: 1}
		theirs := siteOf{word: "Bravo", station: "BRAVO-1", number: 777000001, message: 2}
		w.build(&ours)
		w.build(&theirs)
		var spec auth.Spec
		for _, scope := range auth.KnownScopes() {
			if scope != auth.Admin {
				spec.Scopes = append(spec.Scopes, string(scope))
			}
		}
		spec.Name, spec.LimitedTo = "limited", &auth.Limit{Sites: []string{ours.word}}
		before := w.state(theirs)
		limited := map[string]string{"X-API-Key": w.keyOf(spec), "Authorization": w.bearer(spec)}
		shown := w.walkAll(theirs, limited)
		if after := w.state(theirs); after != before {
			t.Errorf("the other site was changed: was\n%s\nis\n%s", before, after)
		}
		if len(shown) < 25 {
			t.Errorf("only %d operations show an admin what is of a site: %q", len(shown), shown)
		}
		w.reachOwn(ours, limited["X-API-Key"])
	})
}

// walkAll asks all operations about a site with credentials that do not reach it,
// and returns those that show it to an admin.
func (w *walker) walkAll(s siteOf, limited map[string]string) (shown []string) {
	w.t.Helper()
	mark := regexp.MustCompile(`(?i)` + s.word + `|777000`)
	for _, o := range w.all() {
		if o.scope == "" {
			continue
		}
		leaks := false
		for _, q := range w.questions(o, s.values()) {
			for header, credential := range limited {
				got := w.ask(q, header, credential)
				if found := mark.FindString(w.said(q, got.Code, got.Body.String())); found != "" {
					w.t.Errorf("%s with %s: got %d, which tells of %q:\n%.2000s", q, header, got.Code, found, got.Body)
				}
				if got.Code == http.StatusInternalServerError {
					w.t.Errorf("%s: got %d %s", q, got.Code, got.Body)
				}
			}
			if o.method == http.MethodGet && !leaks {
				leaks = mark.MatchString(w.ask(q, "X-API-Key", w.key).Body.String())
			}
		}
		if leaks {
			shown = append(shown, o.String())
		}
	}
	return shown
}

// said returns what a reply tells: a refusal may repeat what it was asked.
func (w *walker) said(q question, status int, body string) string {
	if status < 400 {
		return body
	}
	for _, word := range regexp.MustCompile(`[\w.:@|*+-]+`).FindAllString(q.target+" "+q.body, -1) {
		body = strings.ReplaceAll(body, word, "…")
	}
	return body
}

// state is all of a site that a request could change.
func (w *walker) state(s siteOf) string {
	w.t.Helper()
	ctx := w.t.Context()
	station, err := w.store.Station(ctx, s.station)
	w.must(err)
	page, err := w.store.Transactions(ctx, leyden.Query{Station: s.station})
	w.must(err)
	reservations, _, err := w.store.Reservations(ctx, leyden.ReservationQuery{Station: s.station})
	w.must(err)
	messages, err := w.store.Quarantined(ctx, leyden.QuarantineQuery{Station: s.station})
	w.must(err)
	commands, _, err := w.store.Commands(ctx, device.CommandQuery{Station: s.station})
	w.must(err)
	keys, err := w.store.MeterKeys(ctx, s.station)
	w.must(err)
	credential, err := w.store.StationCredential(ctx, s.station)
	w.must(err)
	return fmt.Sprintf("%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v", station, page, reservations, messages, commands, keys, credential.Version)
}

// reachOwn: what is of one's own site is there.
func (w *walker) reachOwn(s siteOf, key string) {
	w.t.Helper()
	for target, want := range map[string]string{
		"/api/v1/transactions":                           `"total":3`,
		"/api/v1/transactions/555000001":                 `"chargeBoxId":"ALPHA-1"`,
		"/v2/transactions":                               `"ChargerID":"ALPHA-1"`,
		"/v2/transactions/555000001":                     `"ChargerID":"ALPHA-1"`,
		"/api/v1/chargers":                               `"total":1`,
		"/api/v1/chargers?site=Alpha":                    `"total":1`,
		"/api/v1/chargers/chg_alpha":                     `"site":"Alpha"`,
		"/api/v1/quarantine":                             `"total":1`,
		"/api/v1/quarantine/1":                           `"id":1`,
		"/api/v1/security-events":                        `"total":1`,
		"/api/v1/certificates":                           `"total":1`,
		"/api/v1/webhooks/" + s.webhook:                  `"Alpha"`,
		"/api/v1/changes?after=0":                        `"ALPHA-1"`,
		"/api/v1/chargers/ALPHA-1/frames":                `Alpha`,
		"/api/v1/transactions/txn_alpha0/meter-values":   `"value":"1"`,
		"/api/v1/chargers/ALPHA-1/commands/cmd_alpha":    `"cmd_alpha"`,
		"/api/v1/chargers/ALPHA-1/certificates":          `"total":1`,
		"/api/v1/transactions?format=ndjson":             `"ALPHA-1"`,
		"/api/v1/transactions?chargeBoxId=BRAVO-1":       `"total":0`,
		"/api/v1/chargers?status=offline&site=Bravo":     `"total":0`,
		"/v2/transactions?chargerId=BRAVO-1":             `[]`,
		"/api/v1/quarantine?chargeBoxId=BRAVO-1":         `"total":0`,
		"/api/v1/security-events?chargeBoxId=chg_bravo":  `"total":0`,
		"/api/v1/transactions/555000001/signed-values":   `{`,
		"/api/v1/chargers/ALPHA-1/reservations?limit=10": `"total":1`,
	} {
		got := w.ask(question{method: http.MethodGet, target: target}, "X-API-Key", key)
		if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), want) {
			w.t.Errorf("GET %s: got %d %s, want %s", target, got.Code, got.Body, want)
		}
	}
}

// TestReachOfLedger: what is of the whole ledger refuses limited credentials.
func TestReachOfLedger(t *testing.T) {
	inWalk(t, func(w *walker) {
		key := w.keyOf(auth.Spec{
			Name: "limited", Scopes: []string{"chargers:read", "chargers:control", "tags:write"}, LimitedTo: &auth.Limit{Sites: []string{"Alpha"}},
		})
		for _, line := range []string{
			"GET /api/v1/id-tags", "POST /api/v1/id-tags", "GET /api/v1/id-tags/X", "POST /api/v1/id-tags/import", "GET /api/v1/vehicles",
			"PATCH /api/v1/vehicles/X", "POST /api/v1/charging-profiles", "DELETE /api/v1/charging-profiles/prf_x",
		} {
			method, target, _ := strings.Cut(line, " ")
			if got := w.ask(question{method: method, target: target}, "X-API-Key", key); got.Code != http.StatusForbidden {
				t.Errorf("%s: got %d %s", line, got.Code, got.Body)
			}
		}
	})
}

// TestRegisterWithinReach: a limited credential registers chargers at its sites,
// and gets hold of none that was another's.
func TestRegisterWithinReach(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.key
		w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"B-GONE","site":"Bravo"}`)
		w.want(http.StatusOK, "DELETE /chargers/B-GONE", "")
		w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"A-GONE","site":"Alpha"}`)
		w.want(http.StatusOK, "DELETE /chargers/A-GONE", "")
		w.register("NOWHERE")
		_, text, err := w.registrar.CreateKey(t.Context(), auth.Spec{
			Name: "limited", Scopes: []string{"chargers:control"},
			LimitedTo: &auth.Limit{Sites: []string{"Alpha", "Annex"}, Chargers: []leyden.StationID{"NAMED"}},
		})
		w.must(err)
		w.key = string(text)
		for _, test := range []struct {
			line, body string
			status     int
		}{
			{"POST /chargers", `{"chargeBoxId":"A1"}`, 403},
			{"POST /chargers", `{"chargeBoxId":"A1","site":"Bravo"}`, 403},
			{"POST /chargers", `{"chargeBoxId":"A1","site":"Alpha"}`, 201},
			{"POST /chargers", `{"chargeBoxId":"A1","site":"Alpha"}`, 409},
			{"POST /chargers", `{"chargeBoxId":"B-GONE","site":"Alpha"}`, 409},
			{"POST /chargers", `{"chargeBoxId":"NOWHERE","site":"Alpha"}`, 409},
			{"POST /chargers", `{"chargeBoxId":"A-GONE","site":"Alpha"}`, 201},
			{"POST /chargers", `{"chargeBoxId":"NAMED","site":"Bravo"}`, 403},
			{"POST /chargers", `{"chargeBoxId":"NAMED"}`, 201},
			{"PATCH /chargers/A1", `{"name":"new"}`, 200},
			{"PATCH /chargers/A1", `{"site":"Bravo"}`, 403},
			{"PATCH /chargers/A1", `{"site":null}`, 403},
			{"PATCH /chargers/A1", `{"site":"Annex"}`, 200},
			{"PATCH /chargers/A1", `{"site":"Alpha"}`, 200},
			{"PATCH /chargers/NOWHERE", `{"site":"Alpha"}`, 404},
			{"PATCH /chargers/NAMED", `{"site":"Alpha"}`, 200},
			{"PATCH /chargers/NAMED", `{"site":null}`, 200},
			{"PATCH /chargers/A1", `{"site":" Alpha"}`, 400},
		} {
			if got := w.do(test.line, test.body); got.Code != test.status {
				t.Errorf("%s %s: got %d %s, want %d", test.line, test.body, got.Code, got.Body, test.status)
			}
		}
		// Who moves a charger away from a site takes it from those who are limited to it.
		w.key = admin
		w.want(http.StatusOK, "PATCH /chargers/A1", `{"site":"Bravo"}`)
		w.key = string(text)
		w.want(http.StatusNotFound, "PATCH /chargers/A1", `{"name":"mine"}`)
	})
}

func TestLimitedCredentials(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("S1")
		public := field(t, w.want(http.StatusOK, "GET /chargers/S1", ""), "id")
		for _, path := range []string{"/auth/api-keys", "/auth/clients"} {
			made := w.want(http.StatusCreated, "POST "+path,
				`{"name":"n","scopes":["chargers:read"],"expiresAt":"2026-02-06T13:00:00Z","limitedTo":{"chargers":["`+public+`","LATER"],"sites":["Alpha"]}}`)
			want := `"limitedTo":{"chargers":["LATER","S1"],"sites":["Alpha"]},"expiresAt":"2026-02-06T13:00:00.000Z"`
			if !strings.Contains(made, want) {
				t.Errorf("POST %s: got %s, want %s", path, made, want)
			}
			name := "id"
			if path == "/auth/clients" {
				name = "clientId"
			}
			line := path + "/" + field(t, made, name)
			for _, step := range []struct{ body, want string }{
				{`{"enabled":false}`, `"status":"disabled"`},
				{`{"enabled":true,"limitedTo":{"sites":["Beta"]}}`, `"limitedTo":{"chargers":[],"sites":["Beta"]},"status":"active"`},
				{`{"expiresAt":null,"name":"m"}`, `"expiresAt":null`},
				{`{"limitedTo":null,"scopes":["admin"]}`, `"limitedTo":null`},
			} {
				if got := w.want(http.StatusOK, "PATCH "+line, step.body); !strings.Contains(got, step.want) {
					t.Errorf("PATCH %s %s: got %s, want %s", line, step.body, got, step.want)
				}
			}
			for body, message := range map[string]string{
				`{"limitedTo":{"sites":["Beta"]}}`:          "limitedTo: cannot go with the scope admin, which is of all chargers",
				`{"limitedTo":{}}`:                          "limitedTo: must name a charger or a site; null for no limit",
				`{"limitedTo":{"chargers":["chg_nobody"]}}`: "limitedTo.chargers: there is no charger chg_nobody",
				`{"expiresAt":"2026-02-06T12:00:00Z"}`:      "expiresAt: is over already",
				`{"enabled":null}`:                          "enabled: must not be null",
			} {
				w.wantError("PATCH "+line, body, 400, "VALIDATION_ERROR", message)
			}
		}
	})
}

func TestRotateAPIKey(t *testing.T) {
	inWorld(t, func(w *world) {
		made := w.want(http.StatusCreated, "POST /auth/api-keys", `{"name":"Billing","scopes":["chargers:read"]}`)
		id, first := field(t, made, "id"), field(t, made, "key")
		line := "/auth/api-keys/" + id
		var keys []string
		for body, ends := range map[string]time.Duration{"": 24 * time.Hour, `{"graceSeconds":60}`: time.Minute} {
			got := w.want(http.StatusOK, "POST "+line+"/rotate", body)
			if want := noon.Add(ends).Format("2006-01-02T15:04:05.000Z"); field(t, got, "oldKeyEndsAt") != want {
				t.Errorf("rotate %s: got %s, want %s", body, got, want)
			}
			keys = append(keys, field(t, got, "key"))
			if body == "" {
				w.want(http.StatusOK, "GET "+line, "")
			}
		}
		got := []int{w.withKey(first, "GET /chargers"), w.withKey(keys[0], "GET /chargers"), w.withKey(keys[1], "GET /chargers")}
		if !slices.Equal(got, []int{401, 200, 200}) {
			t.Errorf("the last three texts: got %d", got)
		}
		time.Sleep(25 * time.Hour)
		out := w.do("GET /chargers", "", "X-API-Key: "+keys[0])
		if out.Code != http.StatusUnauthorized || !strings.Contains(out.Body.String(), "the API key was replaced by a new one") {
			t.Errorf("after the grace: got %d %s", out.Code, out.Body)
		}
		w.wantError("POST "+line+"/rotate", `{"graceSeconds":-1}`, 400, "VALIDATION_ERROR", "graceSeconds: expected number >= 0")
		w.wantError("POST /auth/api-keys/key_x/rotate", "", 404, "NOT_FOUND", "key key_x: not found")
	})
}
