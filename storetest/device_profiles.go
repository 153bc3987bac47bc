package storetest

import (
	"fmt"
	"testing"

	"leyden"
	"leyden/device"
)

// installed returns a profile of station S.
func installed(id, connector int, purpose string, level int) device.InstalledProfile {
	return device.InstalledProfile{Station: "S", Connector: connector, InstalledAt: fine(id), Profile: device.ChargingProfile{
		ID: id, StackLevel: level, Purpose: purpose, Kind: "Absolute",
		Schedule: device.ChargingSchedule{Unit: "A", Periods: []device.ChargingPeriod{{Limit: 16.1}}},
	}}
}

func template(n int) device.ProfileTemplate {
	return device.ProfileTemplate{ID: fmt.Sprint("prf_", n), Name: "night", Profile: installed(n, 0, "TxProfile", 0).Profile, CreatedAt: fine(n)}
}

func install(t *testing.T, s device.Store, profiles ...device.InstalledProfile) {
	t.Helper()
	for _, p := range profiles {
		wantErr(t, "InstallProfile", s.InstallProfile(t.Context(), p), nil)
	}
}

// profileIDs returns those of the installed profiles of station S.
func profileIDs(t *testing.T, s device.Store) []int {
	t.Helper()
	var ids []int
	for _, p := range must[[]device.InstalledProfile](t)(s.InstalledProfiles(t.Context(), "S")) {
		ids = append(ids, p.Profile.ID)
	}
	return ids
}

func profileReadBack(t *testing.T, s device.Store) {
	want := filled[device.InstalledProfile]()
	install(t, s, want)
	got := must[[]device.InstalledProfile](t)(s.InstalledProfiles(t.Context(), want.Station))
	same(t, "InstalledProfiles", got, []device.InstalledProfile{want})
	got[0].Profile.Schedule.Periods[0].Limit = 99
	got = must[[]device.InstalledProfile](t)(s.InstalledProfiles(t.Context(), want.Station))
	same(t, "InstalledProfiles after a copy was changed", got, []device.InstalledProfile{want})

	bare := installed(0, 0, "TxProfile", 0)
	install(t, s, bare)
	got = must[[]device.InstalledProfile](t)(s.InstalledProfiles(t.Context(), "S"))
	same(t, "InstalledProfiles of another", got, []device.InstalledProfile{bare})
	none := must[[]device.InstalledProfile](t)(s.InstalledProfiles(t.Context(), "nobody"))
	same(t, "InstalledProfiles of nobody", none, nil)
}

// profileReplaced: a profile takes the place of the one with its number, and of
// the one with its connector, purpose and level.
func profileReplaced(t *testing.T, s device.Store) {
	install(t, s, installed(1, 1, "TxProfile", 0), installed(2, 1, "TxProfile", 1), installed(3, 2, "TxProfile", 0),
		installed(4, 1, "TxDefaultProfile", 0), installed(5, 0, "TxDefaultProfile", 0))
	same(t, "profiles by connector, purpose and level", profileIDs(t, s), []int{5, 4, 1, 2, 3})
	other := installed(1, 1, "TxProfile", 0)
	other.Station = "T"
	install(t, s, other)
	same(t, "profiles after another station's", profileIDs(t, s), []int{5, 4, 1, 2, 3})
	install(t, s, installed(3, 0, "ChargePointMaxProfile", 2))
	same(t, "profiles after a number again", profileIDs(t, s), []int{3, 5, 4, 1, 2})
	install(t, s, installed(6, 1, "TxProfile", 1))
	same(t, "profiles after a level again", profileIDs(t, s), []int{3, 5, 4, 1, 6})
	install(t, s, installed(1, 1, "TxDefaultProfile", 0)) // the number of one, the place of another
	same(t, "profiles after both", profileIDs(t, s), []int{3, 5, 1, 6})
	got := must[[]device.InstalledProfile](t)(s.InstalledProfiles(t.Context(), "T"))
	same(t, "profiles of the other", got, []device.InstalledProfile{other})
}

func profilesCleared(t *testing.T, s device.Store) {
	all := []device.InstalledProfile{
		installed(1, 0, "ChargePointMaxProfile", 0), installed(2, 0, "TxDefaultProfile", 1),
		installed(3, 1, "TxDefaultProfile", 1), installed(4, 1, "TxProfile", 0),
	}
	other := installed(1, 1, "TxProfile", 0)
	other.Station = "T"
	install(t, s, other)
	for _, test := range []struct {
		what string
		f    device.ProfileFilter
		left []int
	}{
		{"a number alone", device.ProfileFilter{ID: new(3), Connector: new(0), Purpose: "TxProfile"}, []int{1, 2, 4}},
		{"the whole station", device.ProfileFilter{Connector: new(0)}, []int{3, 4}},
		{"a connector", device.ProfileFilter{Connector: new(1)}, []int{1, 2}},
		{"a purpose", device.ProfileFilter{Purpose: "TxDefaultProfile"}, []int{1, 4}},
		{"level 0", device.ProfileFilter{StackLevel: new(0)}, []int{2, 3}},
		{"all three", device.ProfileFilter{Connector: new(1), Purpose: "TxDefaultProfile", StackLevel: new(1)}, []int{1, 2, 4}},
		{"nothing", device.ProfileFilter{ID: new(9)}, []int{1, 2, 3, 4}},
		{"all", device.ProfileFilter{}, nil},
	} {
		install(t, s, all...)
		wantErr(t, test.what, s.ClearProfiles(t.Context(), "S", test.f), nil)
		same(t, "profiles without "+test.what, profileIDs(t, s), test.left)
	}
	got := must[[]device.InstalledProfile](t)(s.InstalledProfiles(t.Context(), "T"))
	same(t, "profiles of the other", got, []device.InstalledProfile{other})
}

func templateReadBack(t *testing.T, s device.Store) {
	ctx := t.Context()
	want := filled[device.ProfileTemplate]()
	wantErr(t, "SaveTemplate", s.SaveTemplate(ctx, want), nil)
	same(t, "Template", must[device.ProfileTemplate](t)(s.Template(ctx, want.ID)), want)
	id := want.ID
	want = device.ProfileTemplate{ID: id}
	wantErr(t, "SaveTemplate again", s.SaveTemplate(ctx, want), nil)
	same(t, "Template", must[device.ProfileTemplate](t)(s.Template(ctx, id)), want)
	wantErr(t, "RemoveTemplate", s.RemoveTemplate(ctx, id), nil)
	wantErr(t, "RemoveTemplate again", s.RemoveTemplate(ctx, id), leyden.ErrNotFound)
	_, err := s.Template(ctx, id)
	wantErr(t, "Template", err, leyden.ErrNotFound)
}

func templateList(t *testing.T, s device.Store) {
	together := template(3)
	together.CreatedAt = fine(1)
	for _, p := range []device.ProfileTemplate{together, template(2), template(1)} {
		wantErr(t, "SaveTemplate", s.SaveTemplate(t.Context(), p), nil)
	}
	name := func(p device.ProfileTemplate) string { return p.ID }
	list, n, err := s.Templates(t.Context(), device.Page{})
	listed(t, "all", list, n, err, name, 3, "prf_1", "prf_3", "prf_2")
	list, n, err = s.Templates(t.Context(), device.Page{Limit: 1, Offset: 1})
	listed(t, "a part", list, n, err, name, 3, "prf_3")
}

func localLists(t *testing.T, s device.Store) {
	ctx := t.Context()
	_, err := s.LocalList(ctx, "S")
	wantErr(t, "LocalList", err, leyden.ErrNotFound)
	want := filled[device.LocalList]()
	want.Station = "S"
	want.Entries = []device.LocalListEntry{
		{IDTag: "b", Info: leyden.TokenInfo{Status: leyden.TokenAccepted, Expiry: fine(1), Parent: "p"}},
		{IDTag: "B"}, {IDTag: "a"},
	}
	wantErr(t, "SaveLocalList", s.SaveLocalList(ctx, want), nil)
	other := device.LocalList{Station: "T", Version: 3}
	wantErr(t, "SaveLocalList", s.SaveLocalList(ctx, other), nil)
	got := must[device.LocalList](t)(s.LocalList(ctx, "S"))
	same(t, "LocalList", got, want)
	got.Entries[0].IDTag = "changed"
	same(t, "LocalList after a copy was changed", must[device.LocalList](t)(s.LocalList(ctx, "S")), want)

	want = device.LocalList{Station: "S"}
	wantErr(t, "SaveLocalList again", s.SaveLocalList(ctx, want), nil)
	same(t, "LocalList", must[device.LocalList](t)(s.LocalList(ctx, "S")), want)
	same(t, "LocalList of another", must[device.LocalList](t)(s.LocalList(ctx, "T")), other)
}
