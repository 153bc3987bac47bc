package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"leyden"
)

// stationVersions: what an operator says counts, what a station says does not.
func stationVersions(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	version := func() int { return must[leyden.Station](t)(r.Station(ctx, "S")).Version }
	wantErr(t, "AddStation", r.AddStation(ctx, station("S")), nil)
	s := must[leyden.Station](t)(r.Station(ctx, "S"))
	wantErr(t, "SaveSightings", r.SaveSightings(ctx, map[leyden.StationID]leyden.Sighting{"S": sighting(7)}, nil), nil)
	same(t, "versions of one that was added and seen", []int{s.Version, version()}, []int{1, 1})
	same(t, "version in a list", listedVersion(t, r), 1)

	s.Name = "new"
	wantErr(t, "SaveStation", r.SaveStation(ctx, s), nil)
	wantErr(t, "SaveStation of what changed", r.SaveStation(ctx, s), leyden.ErrStale)
	same(t, "version", version(), 2)
	s.Version = 0
	wantErr(t, "SaveStation, whatever it is", r.SaveStation(ctx, s), nil)
	same(t, "version", version(), 3)
	s.Version, s.RemovedAt = 3, fine(9)
	wantErr(t, "SaveStation, removed", r.SaveStation(ctx, s), nil)
	wantErr(t, "AddStation again", r.AddStation(ctx, station("S")), nil)
	if n := version(); n <= 4 {
		t.Errorf("version of one that was added again: %d", n)
	}
}

func listedVersion(t *testing.T, r leyden.Registry) int {
	t.Helper()
	list, _, err := r.Stations(t.Context(), leyden.StationQuery{})
	wantErr(t, "Stations", err, nil)
	return list[0].Version
}

func tokenVersions(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	get := func() leyden.Token { return must[leyden.Token](t)(r.Token(ctx, "tag")) }
	seen := leyden.Token{Value: "Tag", Status: leyden.TokenAccepted, SeenAt: minute(3)}
	wantErr(t, "SeeTokens", r.SeeTokens(ctx, []leyden.Token{seen}), nil)
	first := get()
	wantErr(t, "SeeTokens", r.SeeTokens(ctx, []leyden.Token{{Value: "tag", SeenAt: minute(4)}}), nil)
	same(t, "version of one that was seen again", get().Version, first.Version)
	added := must[leyden.Token](t)(r.AddToken(ctx, token("TAG")))
	same(t, "versions of one that was added", []int{added.Version, get().Version}, []int{first.Version + 1, first.Version + 1})

	wantErr(t, "SaveToken of what changed", r.SaveToken(ctx, first), leyden.ErrStale)
	wantErr(t, "SaveTokens of what changed", r.SaveTokens(ctx, []leyden.Token{token("other"), first}), leyden.ErrStale)
	_, err := r.Token(ctx, "other")
	wantErr(t, "Token of a refused list", err, leyden.ErrNotFound)
	wantErr(t, "SaveToken", r.SaveToken(ctx, added), nil)
	wantErr(t, "SaveToken, whatever it is", r.SaveToken(ctx, token("tag")), nil)
	same(t, "version", get().Version, added.Version+2)
	for got, err := range r.ScanTokens(ctx, leyden.TokenQuery{}) {
		wantErr(t, "ScanTokens", err, nil)
		same(t, "version in a list", got.Version, added.Version+2)
	}

	wantErr(t, "RemoveToken of what changed", r.RemoveToken(ctx, "tag", added.Version), leyden.ErrStale)
	wantErr(t, "RemoveToken", r.RemoveToken(ctx, "tag", get().Version), nil)
	wantErr(t, "SaveToken of what was removed", r.SaveToken(ctx, added), leyden.ErrStale)
}

func vehicleVersions(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	last := 0
	moved := func(what string, want bool) {
		t.Helper()
		v := must[leyden.Vehicle](t)(r.Vehicle(ctx, "car")).Version
		if v < last || (v > last) != want {
			t.Errorf("%s: version %d after %d; want it to have moved: %v", what, v, last, want)
		}
		last = v
	}
	car := leyden.Vehicle{ID: "car", Tokens: []string{"a", "b"}}
	wantErr(t, "AddVehicle", r.AddVehicle(ctx, car), nil)
	moved("added", true)
	car.Version = last
	wantErr(t, "SaveVehicle", r.SaveVehicle(ctx, car), nil)
	moved("saved", true)
	wantErr(t, "SaveVehicle of what changed", r.SaveVehicle(ctx, car), leyden.ErrStale)
	moved("refused", false)

	a := must[leyden.Token](t)(r.Token(ctx, "a"))
	a.Note = "x"
	wantErr(t, "SaveToken", r.SaveToken(ctx, a), nil)
	moved("with another note of a token", false)
	a.Version, a.VehicleID = 0, ""
	wantErr(t, "SaveToken", r.SaveToken(ctx, a), nil)
	moved("without a token", true)
	a.VehicleID = "car"
	wantErr(t, "SaveToken", r.SaveToken(ctx, a), nil)
	moved("with it again", true)
	wantErr(t, "SaveVehicle", r.SaveVehicle(ctx, leyden.Vehicle{ID: "van", Tokens: []string{"b"}}), nil)
	moved("without one that another vehicle has", true)
	wantErr(t, "RemoveToken", r.RemoveToken(ctx, "a", 0), nil)
	moved("without one that was removed", true)
	list, _, err := r.Vehicles(ctx, leyden.Slice{})
	wantErr(t, "Vehicles", err, nil)
	same(t, "version in a list", list[0].Version, last)

	wantErr(t, "RemoveVehicle of what changed", r.RemoveVehicle(ctx, "car", last-1), leyden.ErrStale)
	wantErr(t, "RemoveVehicle", r.RemoveVehicle(ctx, "car", last), nil)
}

// oneSaveWins: of many who change the version that they all know, one does.
func oneSaveWins(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	wantErr(t, "AddStation", r.AddStation(ctx, station("S")), nil)
	wantErr(t, "SaveToken", r.SaveToken(ctx, token("T")), nil)
	wantErr(t, "AddVehicle", r.AddVehicle(ctx, leyden.Vehicle{ID: "V"}), nil)
	s, tok := must[leyden.Station](t)(r.Station(ctx, "S")), must[leyden.Token](t)(r.Token(ctx, "T"))
	v := must[leyden.Vehicle](t)(r.Vehicle(ctx, "V"))
	for what, save := range map[string]func(context.Context, string) error{
		"SaveStation": func(ctx context.Context, name string) error {
			n := s
			n.Name = name
			return r.SaveStation(ctx, n)
		},
		"SaveToken": func(ctx context.Context, name string) error {
			n := tok
			n.Note = name
			return r.SaveToken(ctx, n)
		},
		"SaveVehicle": func(ctx context.Context, name string) error {
			n := v
			n.Name = name
			return r.SaveVehicle(ctx, n)
		},
	} {
		var all sync.WaitGroup
		errs := make(chan error, 8)
		for i := range cap(errs) {
			all.Go(func() { errs <- save(ctx, fmt.Sprint("name ", i)) })
		}
		all.Wait()
		close(errs)
		won := 0
		for err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, leyden.ErrStale):
				t.Errorf("%s: %v", what, err)
			}
		}
		if won != 1 {
			t.Errorf("%s: %d of one version succeeded", what, won)
		}
	}
}
