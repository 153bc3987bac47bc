package apiv1_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// withProfile is profileOf with something in the place of something else.
func withProfile(old, new string) string { return strings.Replace(profileOf, old, new, 1) }

func TestProfileTemplates(t *testing.T) {
	inWorld(t, func(w *world) {
		made := w.do("POST /charging-profiles", `{"name":"Night","profile":`+profileOf+`}`)
		if made.Code != http.StatusCreated {
			t.Fatalf("added: %d %s", made.Code, made.Body)
		}
		id := field(t, made.Body.String(), "id")
		wantHeader(t, made, "Location", "/api/v1/charging-profiles/"+id)
		w.golden("profile_template", made.Body.String())
		if got := w.want(http.StatusOK, "GET /charging-profiles/"+id, ""); got != made.Body.String() {
			t.Errorf("read: %s", got)
		}
		if got := w.want(http.StatusOK, "GET /charging-profiles", ""); got != `{"chargingProfiles":[`+made.Body.String()+`],"pagination":{"total":1,"limit":50,"offset":0}}` {
			t.Errorf("listed: %s", got)
		}

		s := w.connect("CHARGER-001")
		w.want(http.StatusOK, "POST /chargers/CHARGER-001/charging-profiles", `{"connectorId":1,"templateId":"`+id+`"}`)
		if sent := s.calls("SetChargingProfile"); len(sent) != 1 || sent[0] != `{"connectorId":1,"csChargingProfiles":`+profileOf+`}` {
			t.Errorf("the charger was sent %s", sent)
		}
		w.wantError("POST /chargers/CHARGER-001/remote-start", `{"connectorId":1,"idTag":"USER123","chargingProfileId":"`+id+`"}`,
			400, "VALIDATION_ERROR", "chargingProfile.chargingProfilePurpose: must be TxProfile in a remote start")

		changed := w.want(http.StatusOK, "PATCH /charging-profiles/"+id, `{"profile":`+withProfile("TxDefaultProfile", "TxProfile")+`}`)
		if field(t, changed, "name") != "Night" || !strings.Contains(changed, `"TxProfile"`) {
			t.Errorf("changed: %s", changed)
		}
		w.want(http.StatusAccepted, "POST /chargers/CHARGER-001/remote-start", `{"connectorId":1,"idTag":"USER123","chargingProfileId":"`+id+`"}`)
		want := `{"connectorId":1,"idTag":"USER123","chargingProfile":` + withProfile("TxDefaultProfile", "TxProfile") + `}`
		if sent := s.calls("RemoteStartTransaction"); len(sent) != 1 || sent[0] != want {
			t.Errorf("the charger was sent %s, want %s", sent, want)
		}
		w.wantError("POST /chargers/CHARGER-001/charging-profiles", `{"connectorId":0,"templateId":"`+id+`"}`,
			400, "VALIDATION_ERROR", "templateId: the template does not fit: chargingProfilePurpose: TxProfile is for one connector, not for the whole station")

		w.want(http.StatusOK, "PATCH /charging-profiles/"+id, `{"name":"Day"}`)
		if got := w.want(http.StatusOK, "DELETE /charging-profiles/"+id, ""); field(t, got, "name") != "Day" {
			t.Errorf("removed: %s", got)
		}
		for _, line := range []string{"GET", "PATCH", "DELETE"} {
			w.wantError(line+" /charging-profiles/"+id, map[string]string{"PATCH": "{}"}[line], 404, "NOT_FOUND", "template "+id+": not found")
		}
		w.wantError("POST /chargers/CHARGER-001/charging-profiles", `{"connectorId":0,"templateId":"`+id+`"}`, 404, "NOT_FOUND", "template "+id+": not found")
	})
}

// What is wrong with a profile is named wherever the profile stands.
func TestProfileInput(t *testing.T) {
	twice := `{"startPeriod":0,"limit":16},{"startPeriod":0,"limit":6}`
	inWorld(t, func(w *world) {
		w.connect("CHARGER-001")
		for _, c := range []struct{ profile, message string }{
			{`{}`, "chargingProfileId: is required"},
			{withProfile(`"TxDefaultProfile"`, `"Default"`), `chargingProfilePurpose: expected value to be one of "ChargePointMaxProfile, TxDefaultProfile, TxProfile"`},
			{withProfile(`"limit":16`, `"limit":-1`), "chargingSchedule.chargingSchedulePeriod[0].limit: expected number >= 0"},
			{withProfile(`"limit":16`, `"limit":16.25`), "chargingSchedule.chargingSchedulePeriod[0].limit: has more than one decimal"},
			{withProfile(`"limit":16`, `"limit":16,"numberPhases":4`), "chargingSchedule.chargingSchedulePeriod[0].numberPhases: expected number <= 3"},
			{withProfile(`{"startPeriod":0,"limit":16}`, twice), "chargingSchedule.chargingSchedulePeriod[1].startPeriod: is not after the one before"},
			{withProfile(`{"startPeriod":0,"limit":16}`, ""), "chargingSchedule.chargingSchedulePeriod: expected array length >= 1"},
			{withProfile(`"Relative"`, `"Absolute"`), "chargingSchedule.startSchedule: is required for an Absolute or a Recurring profile"},
			{withProfile(`"stackLevel":0`, `"stackLevel":0,"validFrom":"2026-02-06T12:00:00Z","validTo":"2026-02-06T12:00:00Z"`), "validTo: is not after validFrom"},
		} {
			w.wantError("POST /charging-profiles", `{"name":"x","profile":`+c.profile+`}`, 400, "VALIDATION_ERROR", "profile."+c.message)
			w.wantError("POST /chargers/CHARGER-001/charging-profiles", `{"connectorId":1,"profile":`+c.profile+`}`, 400, "VALIDATION_ERROR", "profile."+c.message)
			w.wantError("POST /chargers/CHARGER-001/remote-start", `{"connectorId":1,"idTag":"USER123","chargingProfile":`+c.profile+`}`,
				400, "VALIDATION_ERROR", "chargingProfile."+c.message)
		}
		for _, c := range []struct{ path, body, message string }{
			{"chargers/CHARGER-001/charging-profiles", `{"connectorId":1}`, "profile: is required, or templateId"},
			{"chargers/CHARGER-001/charging-profiles", `{"connectorId":1,"templateId":"prf_x","profile":` + profileOf + `}`, "templateId: is given beside profile"},
			{"chargers/CHARGER-001/charging-profiles/clear", `{"id":1,"stackLevel":0}`, "id: must stand alone"},
			{"chargers/CHARGER-001/charging-profiles/clear", `{"purpose":"All"}`, `purpose: expected value to be one of "ChargePointMaxProfile, TxDefaultProfile, TxProfile"`},
			{"chargers/CHARGER-001/composite-schedule", `{"connectorId":1,"duration":0}`, "duration: expected number >= 1"},
			{"charging-profiles", `{"name":"x","profile":` + withProfile("TxDefaultProfile", `TxProfile","transactionId":7,"x":"`) + `}`, "profile.x: is unknown"},
			{"charging-profiles", `{"name":"x","profile":` + withProfile(`"TxDefaultProfile"`, `"TxProfile","transactionId":7`) + `}`,
				"profile.transactionId: has no place in a template"},
			{"charging-profiles", fmt.Sprintf(`{"name":%q,"profile":%s}`, strings.Repeat("x", 101), profileOf), "name: expected length <= 100"},
		} {
			w.wantError("POST /"+c.path, c.body, 400, "VALIDATION_ERROR", c.message)
		}
	})
}
