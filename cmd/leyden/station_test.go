package main

import (
	"errors"
	"testing"
	"time"

	"leyden"
	"leyden/device"
)

// TestRemovedStationLeavesNothing: one that is added under an identity has nothing
// of the one before, not even what that told after it was removed.
func TestRemovedStationLeavesNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	db, err := open(t.Context(), data, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	tell := func() {
		t.Helper()
		if err := db.SaveLocalList(t.Context(), device.LocalList{Station: "S1", Version: 3, UpdatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	wantNothing := func(when string) {
		t.Helper()
		if l, err := db.LocalList(t.Context(), "S1"); !errors.Is(err, leyden.ErrNotFound) {
			t.Errorf("%s: %+v, %v; want nothing", when, l, err)
		}
	}
	if out, _, err := runLeyden(t, "station", "add", "S1", "--password", "short", "--data", data); err == nil {
		t.Errorf("a short password is taken: %s", out)
	}
	if at, err := db.LastRemoved(t.Context(), "S1"); err != nil || !at.IsZero() {
		t.Errorf("one that never was is removed at %v, %v", at, err)
	}
	must(t, "station", "add", "S1", "--data", data)
	tell()
	must(t, "station", "remove", "S1", "--data", data)
	wantNothing("removed")
	tell()
	must(t, "station", "add", "S1", "--data", data)
	wantNothing("added anew")
}
