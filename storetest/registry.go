package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
)

// RunRegistry tests the registries that open returns. Each call must return an
// empty one.
func RunRegistry(t *testing.T, open func(*testing.T) leyden.Registry) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, leyden.Registry)
	}{
		{"Stations", stations},
		{"StationRemoved", stationRemoved},
		{"Sightings", sightings},
		{"RecentStation", recentStations},
		{"ConnectedStations", connectedStations},
		{"StationList", stationList},
		{"StationsAt", stationsAt},
		{"MeterKeys", meterKeys},
		{"Tokens", tokens},
		{"SeenTokens", seenTokens},
		{"TokenList", tokenList},
		{"TokenFilters", tokenFilters},
		{"RecentToken", recentTokens},
		{"TokenScan", tokenScan},
		{"AddToken", addToken},
		{"SaveTokens", saveTokens},
		{"OneAddWins", oneAddWins},
		{"Vehicles", vehicles},
		{"VehicleTokens", vehicleTokens},
		{"VehicleList", vehicleList},
		{"StationVersions", stationVersions},
		{"TokenVersions", tokenVersions},
		{"VehicleVersions", vehicleVersions},
		{"OneSaveWins", oneSaveWins},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
}

// station returns one with every field filled.
func station(id leyden.StationID) leyden.Station {
	return leyden.Station{
		ID: id, PublicID: "chg_" + string(id), Name: "Näme", Location: "Somewhere", Site: "Hof " + string(id[:1]), Registration: leyden.RegistrationPending,
		Listed: true, RegisteredAt: minute(1), Sighting: sighting(2),
		Quirks: leyden.Quirks{Register: leyden.RegisterSession, OfflineIDs: new(false), TimeZone: "Europe/Berlin"},
	}
}

func sighting(n int) leyden.Sighting {
	return leyden.Sighting{
		Vendor: fmt.Sprint("vendor", n), Model: "m", Serial: "s", Firmware: "f", Protocol: "ocpp1.6",
		BootedAt: minute(n), ConnectedAt: minute(n + 1), DisconnectedAt: minute(n + 2), SeenAt: minute(n + 2), HeartbeatAt: minute(n + 3),
		ClockSkew: -1500 * time.Millisecond, ClockAt: minute(n), StartTimeout: 90 * time.Second,
		Habits: leyden.Habits{
			Register: leyden.RegisterCumulative, Continued: leyden.Habit{Count: n, SeenAt: minute(n)}, MissingZone: leyden.Habit{Count: 1, SeenAt: minute(1)},
		},
		ReportedKeys: []leyden.ReportedKey{{Connector: 1, Text: "30", Source: "MeterPublicKey1", SeenAt: minute(n)}, {Text: "\x00é"}},
		Connectors: []leyden.Connector{
			{Number: 0, Status: "Available", UpdatedAt: minute(n)},
			{Number: 2, Status: "Preparing", ErrorCode: "NoError", Info: "i", At: minute(n), UpdatedAt: minute(n), PluggedAt: minute(n)},
		},
	}
}

func stations(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	want := station("S")
	wantErr(t, "AddStation", r.AddStation(ctx, want), nil)
	same(t, "Station", must[leyden.Station](t)(r.Station(ctx, "S")), want)
	same(t, "StationByPublicID", must[leyden.Station](t)(r.StationByPublicID(ctx, "chg_S")), want)
	_, err := r.Station(ctx, "s")
	wantErr(t, "Station in another case", err, leyden.ErrNotFound)
	_, err = r.StationByPublicID(ctx, "S")
	wantErr(t, "StationByPublicID", err, leyden.ErrNotFound)

	wantErr(t, "AddStation again", r.AddStation(ctx, station("S")), leyden.ErrExists)
	double := station("T")
	double.PublicID = want.PublicID
	wantErr(t, "AddStation with another's public id", r.AddStation(ctx, double), leyden.ErrExists)

	want.Name, want.Location, want.Site, want.Listed, want.Registration = "New", "", "", false, leyden.RegistrationAccepted
	want.Quirks = leyden.Quirks{FractionalMeters: new(true)}
	changed := want
	changed.Sighting = leyden.Sighting{Vendor: "what an operator cannot say"}
	wantErr(t, "SaveStation", r.SaveStation(ctx, changed), nil)
	same(t, "saved Station", must[leyden.Station](t)(r.Station(ctx, "S")), want)
	wantErr(t, "SaveStation of nobody", r.SaveStation(ctx, station("nobody")), leyden.ErrNotFound)
	wantErr(t, "AddStation, cancelled", r.AddStation(done(ctx), station("T")), done(ctx).Err())
}

func stationRemoved(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	gone := station("S")
	lastRemoved := func(what string, want time.Time) {
		t.Helper()
		same(t, "LastRemoved, "+what, must[time.Time](t)(r.LastRemoved(ctx, "S")), want)
	}
	lastRemoved("unknown", time.Time{})
	wantErr(t, "AddStation", r.AddStation(ctx, gone), nil)
	lastRemoved("there", time.Time{})
	gone.RemovedAt = fine(9)
	wantErr(t, "SaveStation, removed", r.SaveStation(ctx, gone), nil)
	_, err := r.Station(ctx, "S")
	wantErr(t, "Station, removed", err, leyden.ErrNotFound)
	_, err = r.StationByPublicID(ctx, "chg_S")
	wantErr(t, "StationByPublicID, removed", err, leyden.ErrNotFound)
	if list, n, err := r.Stations(ctx, leyden.StationQuery{}); len(list) != 0 || n != 0 || err != nil {
		t.Errorf("Stations = %d of %d, %v; want none", len(list), n, err)
	}
	wantErr(t, "SaveStation of a removed one", r.SaveStation(ctx, gone), leyden.ErrNotFound)
	wantErr(t, "SaveSightings of a removed one", r.SaveSightings(ctx, map[leyden.StationID]leyden.Sighting{"S": sighting(5)}, nil), nil)

	lastRemoved("removed", fine(9))
	anew := leyden.Station{ID: "S", PublicID: "chg_new", Registration: leyden.RegistrationAccepted, RegisteredAt: minute(10)}
	wantErr(t, "AddStation anew", r.AddStation(ctx, anew), nil)
	lastRemoved("there anew", fine(9))
	same(t, "new Station", must[leyden.Station](t)(r.Station(ctx, "S")), anew)
	_, err = r.StationByPublicID(ctx, "chg_S")
	wantErr(t, "StationByPublicID of the old one", err, leyden.ErrNotFound)

	for _, at := range []int{8, 12} { // also by a clock that was set back
		anew.RemovedAt = fine(at)
		wantErr(t, "SaveStation, removed again", r.SaveStation(ctx, anew), nil)
		lastRemoved("removed again", fine(max(9, at)))
		anew.RemovedAt = time.Time{}
		wantErr(t, "AddStation once more", r.AddStation(ctx, anew), nil)
		lastRemoved("there once more", fine(max(9, at)))
		anew.Name = "other"
		wantErr(t, "SaveStation", r.SaveStation(ctx, anew), nil)
		lastRemoved("changed", fine(max(9, at)))
	}
	same(t, "LastRemoved of another", must[time.Time](t)(r.LastRemoved(ctx, "s")), time.Time{})
}

func sightings(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	s1, s2 := station("S"), station("T")
	wantErr(t, "AddStation", r.AddStation(ctx, s1), nil)
	wantErr(t, "AddStation", r.AddStation(ctx, s2), nil)
	s1.Sighting = sighting(7)
	s1.Connectors = s1.Connectors[1:]
	wantErr(t, "SaveSightings", r.SaveSightings(ctx, map[leyden.StationID]leyden.Sighting{
		"S": s1.Sighting, "nobody": sighting(3),
	}, nil), nil)
	same(t, "seen Station", must[leyden.Station](t)(r.Station(ctx, "S")), s1)
	same(t, "other Station", must[leyden.Station](t)(r.Station(ctx, "T")), s2)
	_, err := r.Station(ctx, "nobody")
	wantErr(t, "Station that was only sighted", err, leyden.ErrNotFound)

	got := must[leyden.Station](t)(r.Station(ctx, "S"))
	got.Connectors[0].Status = "changed"
	same(t, "Station after its copy was changed", must[leyden.Station](t)(r.Station(ctx, "S")), s1)
}

// recentStations: what this process changes shows at once.
func recentStations(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	agrees := func(after string) {
		t.Helper()
		for range 2 { // what was looked up before shows the second time
			want, missing := r.Station(ctx, "S")
			got, err := r.RecentStation(ctx, "S")
			same(t, "RecentStation after "+after, got, want)
			if !errors.Is(err, missing) {
				t.Errorf("RecentStation after %s: %v; Station %v", after, err, missing)
			}
		}
	}
	agrees("nothing")
	s := station("S")
	wantErr(t, "AddStation", r.AddStation(ctx, s), nil)
	agrees("AddStation")
	s.Registration = leyden.RegistrationRejected
	wantErr(t, "SaveStation", r.SaveStation(ctx, s), nil)
	agrees("SaveStation")
	wantErr(t, "SaveSightings", r.SaveSightings(ctx, map[leyden.StationID]leyden.Sighting{"S": sighting(7)}, nil), nil)
	agrees("SaveSightings")
	got := must[leyden.Station](t)(r.RecentStation(ctx, "S"))
	got.Connectors[0].Status = "changed"
	*got.Quirks.OfflineIDs = true
	agrees("its copy was changed")
	s.RemovedAt = minute(4)
	wantErr(t, "SaveStation", r.SaveStation(ctx, s), nil)
	agrees("its removal")
	_, err := r.RecentStation(done(ctx), "S")
	wantErr(t, "RecentStation of a context that is done", err, context.Canceled)
}

// connectedStations are those that came and are not known to have left.
func connectedStations(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	for _, id := range []leyden.StationID{"never", "here", "left", "here too", "removed"} {
		st := station(id)
		st.Sighting = leyden.Sighting{}
		if id != "never" {
			st.ConnectedAt = minute(3)
		}
		if id == "left" || id == "here too" {
			st.DisconnectedAt = minute(2)
		}
		wantErr(t, "AddStation", r.AddStation(ctx, st), nil)
	}
	gone := station("removed")
	gone.RemovedAt = minute(4)
	wantErr(t, "SaveStation", r.SaveStation(ctx, gone), nil)
	wantErr(t, "SaveSightings", r.SaveSightings(ctx, map[leyden.StationID]leyden.Sighting{
		"left": {ConnectedAt: minute(3), DisconnectedAt: minute(3)},
	}, nil), nil)
	var ids []leyden.StationID
	list, n, err := r.Stations(ctx, leyden.StationQuery{Connected: true})
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	if err != nil || n != 2 || !slices.Equal(ids, []leyden.StationID{"here", "here too"}) {
		t.Errorf("connected are %q, %d, %v", ids, n, err)
	}
}

func stationList(t *testing.T, r leyden.Registry) {
	for _, id := range []leyden.StationID{"b", "B", "a", "b2"} {
		wantErr(t, "AddStation", r.AddStation(t.Context(), station(id)), nil)
	}
	for _, test := range []struct {
		q     leyden.StationQuery
		total int
		want  []leyden.StationID
	}{
		{leyden.StationQuery{}, 4, []leyden.StationID{"B", "a", "b", "b2"}},
		{leyden.StationQuery{Limit: 2}, 4, []leyden.StationID{"B", "a"}},
		{leyden.StationQuery{Limit: 2, Offset: 3}, 4, []leyden.StationID{"b2"}},
		{leyden.StationQuery{Limit: 2, Offset: 9}, 4, nil},
		{leyden.StationQuery{Site: "Hof b"}, 2, []leyden.StationID{"b", "b2"}},
		{leyden.StationQuery{Site: "hof b"}, 0, nil},
		{leyden.StationQuery{Within: []leyden.StationID{"b2", "a", "nobody"}}, 2, []leyden.StationID{"a", "b2"}},
		{leyden.StationQuery{Within: []leyden.StationID{}}, 0, nil},
		{leyden.StationQuery{Site: "Hof b", Within: []leyden.StationID{"b2", "a"}, Limit: 1}, 1, []leyden.StationID{"b2"}},
	} {
		list, n, err := r.Stations(t.Context(), test.q)
		if err != nil || n != test.total {
			t.Errorf("Stations(%+v): %d in all, %v; want %d", test.q, n, err, test.total)
		}
		var want []leyden.Station
		for _, id := range test.want {
			want = append(want, station(id))
		}
		same(t, fmt.Sprintf("Stations(%+v)", test.q), list, want)
	}
}

func stationsAt(t *testing.T, r leyden.Registry) {
	s, ok := r.(auth.StationStore)
	if !ok {
		t.Fatalf("%T does not say which stations are where", r)
	}
	for _, id := range []leyden.StationID{"b2", "a", "b", "c", "none"} {
		st := station(id)
		if id == "none" {
			st.Site = ""
		}
		wantErr(t, "AddStation", r.AddStation(t.Context(), st), nil)
	}
	gone := station("b")
	gone.RemovedAt = fine(9)
	wantErr(t, "SaveStation, removed", r.SaveStation(t.Context(), gone), nil)
	for _, test := range []struct {
		sites []string
		want  []leyden.StationID
	}{
		{[]string{"Hof b"}, []leyden.StationID{"b", "b2"}},
		{[]string{"Hof c", "nowhere", "Hof a", "Hof c"}, []leyden.StationID{"a", "c"}},
		{[]string{"HOF B", ""}, nil},
		{nil, nil},
	} {
		same(t, fmt.Sprintf("StationsAt(%q)", test.sites), must[[]leyden.StationID](t)(s.StationsAt(t.Context(), test.sites)), test.want)
	}
}

// token returns one with every field filled, but for its vehicle.
func token(value string) leyden.Token {
	return leyden.Token{
		Value: value, Status: leyden.TokenBlocked, Expiry: minute(100), Parent: "P", MaxActive: 2, Note: "n",
		Listed: true, CreatedAt: minute(1), SeenAt: minute(2),
	}
}

func tokens(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	want := token("Täg")
	wantErr(t, "SaveToken", r.SaveToken(ctx, want), nil)
	for _, value := range []string{"Täg", "TÄG", "täg"} {
		same(t, "Token "+value, must[leyden.Token](t)(r.Token(ctx, value)), want)
	}
	_, err := r.Token(ctx, "Tag")
	wantErr(t, "another Token", err, leyden.ErrNotFound)

	want.VehicleID = "car"
	wantErr(t, "SaveToken of no vehicle", r.SaveToken(ctx, want), leyden.ErrInvalid)
	wantErr(t, "SaveVehicle", r.SaveVehicle(ctx, leyden.Vehicle{ID: "car"}), nil)
	other := want
	other.Value, other.Status, other.Listed = "TÄG", leyden.TokenAccepted, false
	wantErr(t, "SaveToken in another case", r.SaveToken(ctx, other), nil)
	want.Status, want.Listed = other.Status, false
	same(t, "replaced Token", must[leyden.Token](t)(r.Token(ctx, "täg")), want)
	wantErr(t, "SaveToken without a value", r.SaveToken(ctx, leyden.Token{}), leyden.ErrInvalid)

	wantErr(t, "RemoveToken", r.RemoveToken(ctx, "tÄg", 0), nil)
	_, err = r.Token(ctx, "Täg")
	wantErr(t, "removed Token", err, leyden.ErrNotFound)
	wantErr(t, "RemoveToken again", r.RemoveToken(ctx, "Täg", 0), leyden.ErrNotFound)
}

func seenTokens(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	listed := token("Listed")
	wantErr(t, "SaveToken", r.SaveToken(ctx, listed), nil)
	seen := leyden.Token{Value: "New", Status: leyden.TokenAccepted, CreatedAt: minute(5), SeenAt: minute(5)}
	wantErr(t, "SeeTokens", r.SeeTokens(ctx, []leyden.Token{{Value: "LISTED", SeenAt: minute(6)}, seen}), nil)
	listed.SeenAt = minute(6)
	same(t, "listed Token", must[leyden.Token](t)(r.Token(ctx, "listed")), listed)
	same(t, "seen Token", must[leyden.Token](t)(r.Token(ctx, "new")), seen)

	wantErr(t, "SeeTokens late", r.SeeTokens(ctx, []leyden.Token{{Value: "new", SeenAt: minute(4)}}), nil)
	same(t, "Token seen before", must[leyden.Token](t)(r.Token(ctx, "new")), seen)
	pushy := leyden.Token{Value: "pushy", Listed: true, VehicleID: "no such"}
	wantErr(t, "SeeTokens", r.SeeTokens(ctx, []leyden.Token{pushy}), nil)
	same(t, "Token that was only seen", must[leyden.Token](t)(r.Token(ctx, "pushy")), leyden.Token{Value: "pushy"})
}

func tokenList(t *testing.T, r leyden.Registry) {
	for _, value := range []string{"b", "C", "a", "B2"} {
		wantErr(t, "SaveToken", r.SaveToken(t.Context(), token(value)), nil)
	}
	list, n, err := r.Tokens(t.Context(), leyden.TokenQuery{})
	wantErr(t, "Tokens", err, nil)
	same(t, "Tokens", list, []leyden.Token{token("a"), token("b"), token("B2"), token("C")})
	part, m, err := r.Tokens(t.Context(), leyden.TokenQuery{Limit: 2, Offset: 1})
	wantErr(t, "part of Tokens", err, nil)
	same(t, "part of Tokens", part, []leyden.Token{token("b"), token("B2")})
	same(t, "counts", []int{n, m}, []int{4, 4})
}

func vehicles(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	want := leyden.Vehicle{ID: "car", Name: "Cär", Tokens: []string{"a", "B"}, CreatedAt: minute(1)}
	wantErr(t, "SaveVehicle", r.SaveVehicle(ctx, want), nil)
	same(t, "Vehicle", must[leyden.Vehicle](t)(r.Vehicle(ctx, "car")), want)
	want.Name, want.Tokens = "New", []string{"B"}
	wantErr(t, "SaveVehicle again", r.SaveVehicle(ctx, want), nil)
	same(t, "replaced Vehicle", must[leyden.Vehicle](t)(r.Vehicle(ctx, "car")), want)
	_, err := r.Vehicle(ctx, "CAR")
	wantErr(t, "Vehicle in another case", err, leyden.ErrNotFound)
	wantErr(t, "SaveVehicle without an ID", r.SaveVehicle(ctx, leyden.Vehicle{}), leyden.ErrInvalid)
	wantErr(t, "SaveVehicle with a token without a value", r.SaveVehicle(ctx, leyden.Vehicle{ID: "x", Tokens: []string{""}}), leyden.ErrInvalid)

	wantErr(t, "RemoveVehicle", r.RemoveVehicle(ctx, "car", 0), nil)
	_, err = r.Vehicle(ctx, "car")
	wantErr(t, "removed Vehicle", err, leyden.ErrNotFound)
	wantErr(t, "RemoveVehicle again", r.RemoveVehicle(ctx, "car", 0), leyden.ErrNotFound)
	if left := must[leyden.Token](t)(r.Token(ctx, "B")); left.VehicleID != "" || !left.Listed {
		t.Errorf("token of a removed vehicle: %+v; want it listed, of no vehicle", left)
	}
}

func vehicleTokens(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	blocked := token("Blocked")
	wantErr(t, "SaveToken", r.SaveToken(ctx, blocked), nil)
	wantErr(t, "SeeTokens", r.SeeTokens(ctx, []leyden.Token{{Value: "Seen", Status: leyden.TokenInvalid, SeenAt: minute(3)}}), nil)
	one := leyden.Vehicle{ID: "one", Tokens: []string{"BLOCKED", "seen", "New", "NEW"}}
	wantErr(t, "SaveVehicle", r.SaveVehicle(ctx, one), nil)
	same(t, "tokens as first given", must[leyden.Vehicle](t)(r.Vehicle(ctx, "one")).Tokens, []string{"Blocked", "New", "Seen"})

	blocked.VehicleID = "one"
	same(t, "listed Token", must[leyden.Token](t)(r.Token(ctx, "blocked")), blocked)
	for _, value := range []string{"seen", "new"} {
		got := must[leyden.Token](t)(r.Token(ctx, value))
		if !got.Listed || got.Status != leyden.TokenAccepted || got.VehicleID != "one" {
			t.Errorf("Token %s = %+v; want it listed, accepted and of vehicle one", value, got)
		}
	}
	wantErr(t, "SaveVehicle", r.SaveVehicle(ctx, leyden.Vehicle{ID: "two", Tokens: []string{"new"}}), nil)
	same(t, "tokens that stayed", must[leyden.Vehicle](t)(r.Vehicle(ctx, "one")).Tokens, []string{"Blocked", "Seen"})
	same(t, "tokens that moved", must[leyden.Vehicle](t)(r.Vehicle(ctx, "two")).Tokens, []string{"New"})

	free := must[leyden.Token](t)(r.Token(ctx, "new"))
	free.VehicleID = ""
	wantErr(t, "SaveToken", r.SaveToken(ctx, free), nil)
	same(t, "tokens after one left", must[leyden.Vehicle](t)(r.Vehicle(ctx, "two")).Tokens, nil)
}

func vehicleList(t *testing.T, r leyden.Registry) {
	var all []leyden.Vehicle
	for _, id := range []string{"C", "a", "b"} {
		v := leyden.Vehicle{ID: id, Tokens: []string{"t" + id}, CreatedAt: minute(1)}
		wantErr(t, "SaveVehicle", r.SaveVehicle(t.Context(), v), nil)
		all = append(all, v)
	}
	list, n, err := r.Vehicles(t.Context(), leyden.Slice{})
	wantErr(t, "Vehicles", err, nil)
	same(t, "Vehicles", list, all)
	part, m, err := r.Vehicles(t.Context(), leyden.Slice{Limit: 1, Offset: 1})
	wantErr(t, "part of Vehicles", err, nil)
	same(t, "part of Vehicles", part, all[1:2])
	same(t, "counts", []int{n, m}, []int{3, 3})
}
