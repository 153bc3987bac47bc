package sim_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

// entry returns one of a local list; an empty status removes the idTag.
func entry(tag string, status v16.AuthorizationStatus) v16.AuthorizationData {
	return v16.AuthorizationData{IDTag: tag, IDTagInfo: ocpp.Opt[v16.IDTagInfo]{Value: v16.IDTagInfo{Status: status}, Set: status != ""}}
}

func (c *central) sendList(kind v16.UpdateType, version int, want v16.UpdateStatus, version2 int, entries ...v16.AuthorizationData) {
	c.t.Helper()
	var res v16.SendLocalListResponse
	c.call(station, &v16.SendLocalList{UpdateType: kind, ListVersion: version, LocalAuthorizationList: entries}, &res)
	var now v16.GetLocalListVersionResponse
	c.call(station, new(v16.GetLocalListVersion), &now)
	if res.Status != want || now.ListVersion != version2 {
		c.t.Errorf("%s list %d is %s, version %d; want %s, %d", kind, version, res.Status, now.ListVersion, want, version2)
	}
}

func TestLocalList(t *testing.T) {
	c := newCentral(t)
	passive(t, 1, c, func() {
		c.sendList("Differential", 0, "VersionMismatch", 0)
		c.sendList("Full", 3, "Accepted", 3, entry("A", "Accepted"), entry("B", "Blocked"))
		c.sendList("Differential", 3, "VersionMismatch", 3, entry("C", "Accepted"))
		c.sendList("Differential", 2, "VersionMismatch", 3, entry("C", "Accepted"))
		c.sendList("Differential", 9, "Accepted", 9, entry("C", "Accepted"), entry("a", ""))
		c.sendList("Full", 10, "Failed", 9, entry("D", "Accepted"), entry("E", ""))
		c.sendList("Full", 1, "Accepted", 1, entry("D", "Accepted"))
		c.sendList("Full", 5, "Accepted", 0)
		c.change("LocalAuthListEnabled", "false", "Accepted")
		c.sendList("Full", 5, "NotSupported", -1, entry("D", "Accepted"))
	})
}

// TestLocalListDecidesOffline: without a connection a station charges for whom
// its list accepts, for nobody whom it does not, and for strangers if it may.
func TestLocalListDecidesOffline(t *testing.T) {
	c := newCentral(t)
	var away atomic.Bool
	c.dial = func(sim.Login) error {
		if away.Load() {
			return errors.New("no way")
		}
		return nil
	}
	tags := []string{"FINE", "BLOCKED", "EXPIRED", "STRANGER", "FINE"}
	visits := func(_ string, _, n int) (sim.Visit, bool) {
		return sim.Visit{After: 10 * time.Minute, IDTag: tags[n], Capacity: 60_000, Power: 50_000, Stay: 20 * time.Minute, Ending: "Local"}, true
	}
	r := run(t, sim.Options{Visits: visits, Sessions: len(tags), Patience: 24 * time.Hour}, c, func(*sim.Fleet) {
		sleep(time.Second)
		old := entry("expired", "Accepted")
		old.IDTagInfo.Value.ExpiryDate = ocpp.Some(time.Now().Add(-time.Hour))
		c.sendList("Full", 1, "Accepted", 1, entry("fine", "Accepted"), entry("BLOCKED", "Blocked"), old)
		c.change("AllowOfflineTxForUnknownId", "false", "Accepted")
		away.Store(true)
		if err := c.conns[station].Close(ocpp.CloseNormal, ""); err != nil {
			t.Error(err)
		}
		sleep(4 * time.Hour)
		away.Store(false)
	})
	if err := r.Err(); err != nil || len(r.Charges) != 2 || r.Refused != 3 {
		t.Fatalf("%v: %d charges, %d refused", err, len(r.Charges), r.Refused)
	}
	for _, ch := range r.Charges {
		if ch.IDTag != "FINE" {
			t.Errorf("charged was %+v", ch)
		}
		compare(t, c, ch)
	}
}

func TestLocalListAuthorizesBefore(t *testing.T) {
	c := newCentral(t)
	passive(t, 2, c, func() {
		c.change("AuthorizeRemoteTxRequests", "true", "Accepted")
		c.change("LocalPreAuthorize", "true", "Accepted")
		c.sendList("Full", 1, "Accepted", 1, entry("FINE", "Accepted"))
		c.remoteStart(1, "FINE")
		sleep(time.Minute)
		if n := count(c.log(station), "Authorize"); n != 0 {
			t.Errorf("%d Authorize for one of the list", n)
		}
		c.remoteStart(2, "STRANGER")
		sleep(time.Minute)
		if n := count(c.log(station), "Authorize"); n != 1 {
			t.Errorf("%d Authorize for a stranger", n)
		}
	})
}
