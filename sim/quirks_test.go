package sim_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"leyden/ocmf"
	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

// quirky runs a station with quirks for a charge each before, while and after it
// is cut off, and returns the payloads of its messages by action, as they were
// sent.
func quirky(t *testing.T, quirks ...sim.Quirk) map[string][]string {
	t.Helper()
	c := newCentral(t)
	sent := map[string][]string{}
	c.payload = func(f ocpp.Frame) { sent[f.Action] = append(sent[f.Action], f.Payload) }
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) { // a quirk may be no word of an honest station
		if _, ok := m.(*v16.StartTransaction); ok {
			return ocpp.Reply{}, false
		}
		return ocpp.Reply{Message: v16.NewResponse(m.Action())}, m.Action() == "StopTransaction" || m.Action() == "MeterValues"
	}
	visits := func(_ string, _, n int) (sim.Visit, bool) {
		v := sim.Visit{After: 5 * time.Minute, IDTag: "TAG", Capacity: 60_000, Power: 50_000, Stay: 10 * time.Minute, Ending: "Local"}
		if n == 0 {
			v.OfflineAfter, v.Offline = 5*time.Minute, 14*time.Minute // the next charge begins meanwhile
		}
		return v, true
	}
	r := run(t, sim.Options{Visits: visits, Sessions: 3, Quirks: quirks}, c, nil)
	if r.Started != 3 || r.Completed != 3 {
		t.Fatalf("%v: %d started, %d completed, %v", quirks, r.Started, r.Completed, r.Err())
	}
	return sent
}

func TestQuirks(t *testing.T) {
	has := func(list []string, part string) int {
		n := 0
		for _, s := range list {
			if strings.Contains(s, part) {
				n++
			}
		}
		return n
	}
	honest := quirky(t)
	if n := has(honest["StartTransaction"], `Z"`); n != 3 {
		t.Errorf("%d starts have a zone", n)
	}
	if n := has(quirky(t, sim.NoZone)["StartTransaction"], `Z"`); n != 0 {
		t.Errorf("%d starts have a zone", n)
	}
	session := quirky(t, sim.SessionRegister)
	if has(honest["StartTransaction"], `"meterStart":0,`) != 0 || has(session["StartTransaction"], `"meterStart":0,`) != 3 {
		t.Errorf("starts were %v, with quirk %v", honest["StartTransaction"], session["StartTransaction"])
	}
	if n := has(quirky(t, sim.FractionalMeters)["StopTransaction"], `.4,"timestamp"`); n != 3 {
		t.Errorf("%d stops have a fraction", n)
	}
	offline := quirky(t, sim.OfflineIDs)
	if a, b := has(offline["StopTransaction"], `"transactionId":-1`), has(honest["StopTransaction"], `"transactionId":-1`); a != 1 || b != 0 {
		t.Errorf("%d stops of −1 with the quirk, %d without", a, b)
	}
	if _, err := sim.NewFleet(sim.Options{Dial: newCentral(t).Dial, Quirks: []sim.Quirk{"odd"}}); err == nil {
		t.Error("a quirk that is none is taken")
	}
}

func TestSignedReadings(t *testing.T) {
	c := newCentral(t)
	o := sim.Options{Stations: 3, Sessions: 2, Seed: 5, Signed: true}
	r := run(t, o, c, nil)
	if err := r.Err(); err != nil || len(r.Charges) != 6 {
		t.Fatalf("%d charges, %v", len(r.Charges), err)
	}
	for _, ch := range r.Charges {
		text, err := o.MeterKey(ch.Station)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ocmf.ParseKey(text, "")
		if err != nil {
			t.Fatal(err)
		}
		data := c.ids[ch.TransactionIDs[0]].stop.TransactionData
		for i, v := range data[len(data)-2:] {
			wrapped := ocmf.Unwrap(v.SampledValue[0].Value)
			record, err := wrapped.Record()
			if err == nil {
				err = key.Verify(&record)
			}
			sent, keyErr := ocmf.ParseKey(wrapped.PublicKey, "")
			if err != nil || keyErr != nil || !reflect.DeepEqual(sent, key) || len(record.Content.Readings) != i+1 {
				t.Errorf("%s: %v, %v: %s", ch.Station, err, keyErr, wrapped.Text)
			}
		}
	}
}
