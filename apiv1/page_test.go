package apiv1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/device"
	"leyden/memory"
)

// TestWalkLists goes through every list with cursors, one item at a time, and
// finds what the list shows at once.
func TestWalkLists(t *testing.T) {
	inWorld(t, func(w *world) {
		w.fill()
		for _, list := range []string{
			"/transactions", "/transactions?sort=startTime&status=active,completed", "/transactions?sort=-insertedAt",
			"/transactions/1/events", "/transactions/1/meter-values", "/chargers", "/chargers?status=offline", "/id-tags", "/vehicles",
			"/auth/api-keys", "/auth/clients", "/quarantine", "/quarantine?status=waiting", "/security-events",
			"/chargers/C1/reservations", "/chargers/C1/commands", "/chargers/C1/notifications?kind=firmware", "/chargers/C1/certificates",
			"/certificates", "/chargers/C1/meter-keys", "/chargers/C1/local-list", "/chargers/C1/charging-profiles",
			"/chargers/C1/continuity", "/charging-profiles",
		} {
			w.walk(list)
		}
	})
}

// walk compares a list with what its cursors lead through.
func (w *world) walk(list string) {
	w.t.Helper()
	join := "?"
	if strings.Contains(list, "?") {
		join = "&"
	}
	all, _, total := w.listed(list + join + "limit=500")
	if len(all) < 2 || total != len(all) {
		w.t.Errorf("%s: %d items and a total of %d; want some", list, len(all), total)
	}
	var walked []string
	for cursor, first := "", true; first || cursor != ""; first = false {
		target := list + join + "limit=1"
		if !first {
			target += "&cursor=" + url.QueryEscape(cursor)
		}
		page, next, n := w.listed(target)
		if len(page) != 1 || n != total || len(walked) > len(all) {
			w.t.Fatalf("%s: %d items and a total of %d; want 1 of %d", target, len(page), n, total)
		}
		walked, cursor = append(walked, page...), next
	}
	if !slices.Equal(all, walked) {
		w.t.Errorf("%s: at once\n%s\nby cursor\n%s", list, strings.Join(all, "\n"), strings.Join(walked, "\n"))
	}
}

// listed returns the items of a list, as they are, the cursor of the next page
// and the total.
func (w *world) listed(list string) (shown []string, cursor string, total int) {
	w.t.Helper()
	body := w.want(http.StatusOK, "GET "+list, "")
	var fields map[string]json.RawMessage
	var pagination struct {
		Total      int
		NextCursor string
	}
	w.must(json.Unmarshal([]byte(body), &fields))
	w.must(json.Unmarshal(fields["pagination"], &pagination))
	for name, field := range fields {
		var items []json.RawMessage
		if name == "reported" || name == "knownKeys" || json.Unmarshal(field, &items) != nil {
			continue
		}
		for _, item := range items {
			shown = append(shown, string(item))
		}
	}
	return shown, pagination.NextCursor, pagination.Total
}

// fill puts a few of everything that is listed into the store.
func (w *world) fill() {
	ctx, at := w.t.Context(), func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	for i, id := range []leyden.StationID{"C1", "C2", "C3"} {
		w.register(id)
		w.want(http.StatusCreated, "POST /id-tags", fmt.Sprintf(`{"idTag":"CARD%d"}`, i))
		w.want(http.StatusCreated, "POST /vehicles", fmt.Sprintf(`{"vehicleId":"VAN%d"}`, i))
		w.want(http.StatusCreated, "POST /auth/clients", fmt.Sprintf(`{"name":"client %d","scopes":["admin"]}`, i))
		w.keyWith("admin")
		w.want(http.StatusCreated, "POST /charging-profiles", fmt.Sprintf(`{"name":"P%d","profile":%s}`, i, aProfile))
	}
	e := &leyden.Entry{Station: "C1"}
	for i := range 4 {
		// Two of each share a time.
		tx := leyden.Transaction{
			ID: leyden.TransactionID(i + 1), PublicID: fmt.Sprint("txn_", i), Station: "C1", Connector: 1, Status: leyden.Completed, Version: 1,
			UpdatedAt: at(30), StartedAt: at(i / 2), StoppedAt: at(10 + i/2), InsertedAt: at(20 + i/2),
			MeterStart: new(leyden.WattHours(100 * i)), MeterStop: new(leyden.WattHours(100*i + 50)), Evidence: leyden.Evidence{StartKey: "start"},
		}
		e.Transactions = append(e.Transactions, leyden.Change{Transaction: tx})
		e.Events = append(e.Events, leyden.Event{
			Transaction: 1, Station: "C1", Key: fmt.Sprint("k", i), Kind: leyden.Updated, ReceivedAt: at(i),
			Samples: []leyden.Sample{{At: at(i / 2), Value: fmt.Sprint(i)}},
		})
		e.Quarantine = append(e.Quarantine, leyden.Quarantined{Station: "C1", Key: fmt.Sprint("q", i), Reason: "why", ReceivedAt: at(1)})
		e.Reservations = append(e.Reservations, leyden.Reservation{
			ID: i + 1, Station: "C1", Connector: i, Token: leyden.IDToken{Value: "A"}, ExpiresAt: at(90), CreatedAt: at(i / 2),
			Status: leyden.ReservationExpired, EndedAt: at(91), Version: 1,
		})
	}
	w.must(w.store.Append(ctx, e))
	w.fillDevices(w.store, at)
}

const aProfile = `{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Relative",` +
	`"chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16}]}}`

// fillDevices adds what stations have apart from charging.
func (w *world) fillDevices(s *memory.Store, at func(int) time.Time) {
	ctx := w.t.Context()
	list := device.LocalList{Station: "C1", Version: 1, Known: true, UpdatedAt: at(1)}
	for i := range 3 {
		id := fmt.Sprint(i)
		w.must(s.SaveCommand(ctx, device.Command{ID: "cmd_" + id, Station: "C1", Action: "Reset", Outcome: device.Answered, AskedAt: at(i / 2)}))
		w.must(s.AddNotification(ctx, &device.Notification{Station: "C1", Kind: device.Firmware, Type: id, ReceivedAt: at(1)}))
		w.must(s.AddNotification(ctx, &device.Notification{Station: "C1", Kind: device.Security, Type: id, ReceivedAt: at(1)}))
		w.must(s.SaveCertificate(ctx, device.Certificate{ID: "crt_" + id, Station: "C1", Status: device.Requested, RequestedAt: at(i / 2), UpdatedAt: at(1)}))
		w.must(s.SaveMeterKey(ctx, leyden.MeterKey{ID: id, Station: "C1", Connector: i / 2, Public: []byte{1}, AddedAt: at(1)}))
		w.must(s.InstallProfile(ctx, device.InstalledProfile{
			Station: "C1", Connector: 1, InstalledAt: at(1),
			Profile: device.ChargingProfile{ID: i + 1, StackLevel: i * 5, Purpose: "TxDefaultProfile", Kind: "Relative", Schedule: device.ChargingSchedule{
				Unit: "A", Periods: []device.ChargingPeriod{{Limit: 16}},
			}},
		}))
		list.Entries = append(list.Entries, device.LocalListEntry{IDTag: id})
	}
	w.must(s.SaveLocalList(ctx, list))
}

func TestRefusesCursors(t *testing.T) {
	inWorld(t, func(w *world) {
		w.fill()
		_, cursor, _ := w.listed("/transactions?limit=2&chargeBoxId=C1")
		for target, reason := range map[string]string{
			"/transactions?limit=3&chargeBoxId=C1&cursor=" + cursor:                "",
			"/transactions?limit=2&offset=0&chargeBoxId=C1&cursor=" + cursor:       "does not go with offset",
			"/transactions?limit=2&offset=2&chargeBoxId=C1&cursor=" + cursor:       "does not go with offset",
			"/transactions?limit=2&chargeBoxId=C2&cursor=" + cursor:                "belongs to a list with other filters or in another order",
			"/transactions?limit=2&chargeBoxId=C1&sort=startTime&cursor=" + cursor: "belongs to a list with other filters or in another order",
			"/id-tags?cursor=" + cursor:                                            "belongs to a list with other filters or in another order",
			"/id-tags?cursor=A":                                                    "is none that a list returned",
			"/id-tags?cursor=" + strings.Repeat("A", 900):                          "is none that a list returned",
			"/auth/api-keys?cursor=" + cursor[:8]:                                  "is none that a list returned",
		} {
			if reason == "" {
				w.want(http.StatusOK, "GET "+target, "")
				continue
			}
			details := w.wantError("GET "+target, "", 400, "VALIDATION_ERROR", "cursor: "+reason)
			if len(details) != 1 || details[0].Field != "cursor" {
				t.Errorf("%s: details are %v", target, details)
			}
		}
	})
}
