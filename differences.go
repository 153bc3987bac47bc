package leyden

import (
	"maps"
	"time"
)

// Differences names what differs between two foldings of the same events, one
// stored and one made anew. Left out is what depends on when we heard of it, and
// what only the Store knows (see [Apply]). It is empty for transactions that agree.
func Differences(a, b Transaction) []string {
	var diff []string
	note := func(name string, equal bool) {
		if !equal {
			diff = append(diff, name)
		}
	}
	sameTime := func(a, b time.Time) bool { return a.UnixMicro() == b.UnixMicro() }
	note("id", a.ID == b.ID)
	note("station", a.Station == b.Station)
	note("connector", a.Connector == b.Connector)
	note("idTag", a.Token == b.Token)
	note("vehicleId", a.VehicleID == b.VehicleID)
	note("status", a.Status == b.Status)
	note("remoteStarted", a.Remote == b.Remote)
	note("metadata", maps.Equal(a.Metadata, b.Metadata))
	note("requestedAt", sameTime(a.RequestedAt, b.RequestedAt))
	note("expiresAt", sameTime(a.ExpiresAt, b.ExpiresAt))
	note("startedAt", sameTime(a.StartedAt, b.StartedAt))
	note("stoppedAt", sameTime(a.StoppedAt, b.StoppedAt))
	note("meterStart", equal(a.MeterStart, b.MeterStart))
	note("meterStop", equal(a.MeterStop, b.MeterStop))
	note("reservationId", equal(a.Reservation, b.Reservation))
	note("stopIdTag", a.StopToken == b.StopToken)
	note("stopReason", a.StopReason == b.StopReason && a.StopReasonText == b.StopReasonText)
	note("closeReason", a.CloseReason == b.CloseReason)
	note("note", a.Note == b.Note)
	note("notBillable", a.NotBillable == b.NotBillable)
	note("corrections", a.Corrections() == b.Corrections())
	note("energy", equal(a.Energy, b.Energy) && a.EnergySource == b.EnergySource)
	note("power", equal(a.Power, b.Power))
	note("initialSoC", equal(a.InitialSoC, b.InitialSoC))
	note("endSoC", equal(a.EndSoC, b.EndSoC))
	note("sessionStart", sameTime(a.SessionStart, b.SessionStart))
	note("sessionEnd", sameTime(a.SessionEnd, b.SessionEnd))
	note("flags", a.Flags == b.Flags)
	note("stopRound", a.StopRound == b.StopRound)
	return diff
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }
