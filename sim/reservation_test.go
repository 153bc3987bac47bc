package sim_test

import (
	"slices"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

func (c *central) reserve(id, connector int, tag, parent string, d time.Duration, want v16.ReservationStatus) {
	c.t.Helper()
	var res v16.ReserveNowResponse
	c.call(station, &v16.ReserveNow{
		ConnectorID: connector, ExpiryDate: time.Now().Add(d), IDTag: tag,
		ParentIDTag: ocpp.Opt[string]{Value: parent, Set: parent != ""}, ReservationID: id,
	}, &res)
	if res.Status != want {
		c.t.Errorf("reservation %d of connector %d is %s, want %s", id, connector, res.Status, want)
	}
	sleep(time.Millisecond)
}

func (c *central) cancelReservation(id int, want v16.GenericStatus) {
	c.t.Helper()
	var res v16.CancelReservationResponse
	c.call(station, &v16.CancelReservation{ReservationID: id}, &res)
	if res.Status != want {
		c.t.Errorf("cancelling %d is %s, want %s", id, res.Status, want)
	}
	sleep(time.Millisecond)
}

// lastStatus returns what was told of a connector last.
func (c *central) lastStatus(connector int) v16.ChargePointStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range slices.Backward(c.said) {
		if m, ok := m.(*v16.StatusNotification); ok && m.ConnectorID == connector {
			return m.Status
		}
	}
	return ""
}

func (c *central) wantStatus(connector int, want v16.ChargePointStatus) {
	c.t.Helper()
	if got := c.lastStatus(connector); got != want {
		c.t.Errorf("connector %d is %s, want %s", connector, got, want)
	}
}

func TestReservationIsUsed(t *testing.T) {
	c := newCentral(t)
	passive(t, 2, c, func() {
		c.reserve(7, 1, "HOLDER", "", time.Hour, "Accepted")
		c.wantStatus(1, "Reserved")
		c.reserve(8, 1, "OTHER", "", time.Hour, "Occupied")
		c.reserve(9, 3, "OTHER", "", time.Hour, "Rejected")
		c.reserve(9, 2, "OTHER", "", -time.Second, "Rejected")
		if got := c.remoteStart(1, "OTHER"); got != "Rejected" {
			t.Errorf("another's remote start is %s", got)
		}
		if got := c.remoteStart(0, "holder"); got != "Accepted" {
			t.Errorf("the holder's remote start is %s", got)
		}
		sleep(time.Minute)
		c.cancelReservation(7, "Rejected") // it is used
		c.reserve(10, 1, "OTHER", "", time.Hour, "Occupied")
	})
	if start := c.ids[1].start; start.ConnectorID != 1 || start.ReservationID != ocpp.Some(7) {
		t.Errorf("started was %+v", start)
	}
}

func TestReservationEnds(t *testing.T) {
	c := newCentral(t)
	passive(t, 2, c, func() {
		c.reserve(7, 1, "HOLDER", "", 10*time.Minute, "Accepted")
		c.reserve(7, 2, "HOLDER", "", 10*time.Minute, "Accepted") // the same one, moved
		c.wantStatus(1, "Available")
		c.wantStatus(2, "Reserved")
		sleep(9 * time.Minute)
		c.wantStatus(2, "Reserved")
		sleep(time.Minute)
		c.wantStatus(2, "Available")
		c.cancelReservation(7, "Rejected")
		c.reserve(8, 2, "HOLDER", "", time.Hour, "Accepted")
		c.cancelReservation(8, "Accepted")
		c.wantStatus(2, "Available")
		c.reserve(9, 2, "HOLDER", "", time.Hour, "Accepted")
		var res v16.ChangeAvailabilityResponse
		c.call(station, &v16.ChangeAvailability{ConnectorID: 2, Type: v16.AvailabilityTypeInoperative}, &res)
		sleep(time.Second)
		c.wantStatus(2, "Unavailable")
		c.cancelReservation(9, "Rejected")
		c.reserve(10, 2, "HOLDER", "", time.Hour, "Unavailable")
	})
}

func TestReservationOfAnyConnector(t *testing.T) {
	c := newCentral(t)
	passive(t, 2, c, func() {
		c.reserve(1, 0, "HOLDER", "", time.Hour, "Accepted")
		c.reserve(1, 0, "HOLDER", "", 2*time.Hour, "Accepted")
		c.wantStatus(1, "Available")
		if got := c.remoteStart(2, "OTHER"); got != "Accepted" {
			t.Errorf("a start on the one connector is %s", got)
		}
		sleep(time.Minute)
		if got := c.remoteStart(1, "THIRD"); got != "Rejected" {
			t.Errorf("a start on the last connector is %s", got)
		}
		c.reserve(2, 0, "FOURTH", "", time.Hour, "Occupied")
		if got := c.remoteStart(1, "HOLDER"); got != "Accepted" {
			t.Errorf("the holder's start is %s", got)
		}
		sleep(time.Minute)
	})
	if a, b := c.ids[1].start, c.ids[2].start; a.ReservationID.Set || b.ReservationID != ocpp.Some(1) {
		t.Errorf("started were %+v and %+v", a, b)
	}
}

// TestReservationForAGroup: who is of the group may use it, which only the
// central system knows.
func TestReservationForAGroup(t *testing.T) {
	c := newCentral(t)
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if m, ok := m.(*v16.Authorize); ok {
			return ocpp.Reply{Message: &v16.AuthorizeResponse{
				IDTagInfo: v16.IDTagInfo{Status: "Accepted", ParentIDTag: ocpp.Some("GROUP OF " + m.IDTag)},
			}}, true
		}
		return ocpp.Reply{}, false
	}
	visits := func(_ string, _, n int) (sim.Visit, bool) {
		v := sim.Visit{After: time.Minute, IDTag: []string{"A", "B"}[n%2], Capacity: 60_000, Power: 50_000, Stay: 30 * time.Minute, Ending: "Local"}
		return v, n < 2
	}
	r := run(t, sim.Options{Visits: visits, Sessions: 2}, c, func(*sim.Fleet) {
		sleep(time.Second)
		c.reserve(5, 1, "C", "group of b", 24*time.Hour, "Accepted")
	})
	if err := r.Err(); err != nil || len(r.Charges) != 1 || r.Charges[0].IDTag != "B" || r.Refused != 1 {
		t.Fatalf("%v, %d refused, charged was %+v", err, r.Refused, r.Charges)
	}
	if id := c.ids[1].start.ReservationID; id != ocpp.Some(5) {
		t.Errorf("the start has reservation %+v", id)
	}
}
