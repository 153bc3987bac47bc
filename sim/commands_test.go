package sim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

const station = "SIM-0001"

// passive runs one station without drivers of its own, and stops it in the end.
func passive(t *testing.T, connectors int, c *central, do func()) *sim.Report {
	t.Helper()
	r := run(t, sim.Options{Passive: true, Connectors: connectors, Seed: 4}, c, func(f *sim.Fleet) {
		sleep(time.Second)
		do()
		f.Stop()
	})
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	return r
}

// remoteStart returns the status of a remote start on a connector, 0 for any.
func (c *central) remoteStart(connector int, tag string) v16.GenericStatus {
	c.t.Helper()
	var res v16.RemoteStartTransactionResponse
	c.call(station, &v16.RemoteStartTransaction{IDTag: tag, ConnectorID: ocpp.Opt[int]{Value: connector, Set: connector > 0}}, &res)
	return res.Status
}

func (c *central) remoteStop(id int) v16.GenericStatus {
	c.t.Helper()
	var res v16.RemoteStopTransactionResponse
	c.call(station, &v16.RemoteStopTransaction{TransactionID: id}, &res)
	return res.Status
}

func TestRemoteStartAndStop(t *testing.T) {
	c := newCentral(t)
	r := passive(t, 2, c, func() {
		for i, want := range []v16.GenericStatus{"Accepted", "Accepted", "Rejected"} {
			if got := c.remoteStart(0, fmt.Sprint("TAG", i)); got != want {
				t.Errorf("remote start %d is %s, want %s", i, got, want)
			}
		}
		sleep(time.Minute)
		for _, bad := range []int{1, 2, 3, -1} {
			if got := c.remoteStart(bad, "TAG"); bad > 0 && got != "Rejected" {
				t.Errorf("remote start on connector %d is %s", bad, got)
			}
		}
		if got := c.remoteStop(3); got != "Rejected" {
			t.Errorf("remote stop of an unknown transaction is %s", got)
		}
		sleep(9 * time.Minute)
		if got := c.remoteStop(1); got != "Accepted" {
			t.Errorf("remote stop is %s", got)
		}
		sleep(time.Minute)
		if got := c.remoteStop(1); got != "Rejected" {
			t.Errorf("a second remote stop is %s", got)
		}
	})
	if len(r.Charges) != 2 {
		t.Fatalf("%d charges, want 2", len(r.Charges))
	}
	first := r.Charges[0]
	if !first.Remote || first.IDTag != "TAG0" || first.Reason != "Remote" || first.Number != -1 {
		t.Errorf("charged was %+v", first)
	}
	for _, ch := range r.Charges {
		compare(t, c, ch)
	}
}

func TestRemoteStartMayBeAuthorized(t *testing.T) {
	c := newCentral(t)
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if m, ok := m.(*v16.Authorize); ok && m.IDTag == "BLOCKED" {
			return ocpp.Reply{Message: &v16.AuthorizeResponse{IDTagInfo: v16.IDTagInfo{Status: "Blocked"}}}, true
		}
		return ocpp.Reply{}, false
	}
	r := passive(t, 2, c, func() {
		c.change("AuthorizeRemoteTxRequests", "true", "Accepted")
		c.remoteStart(1, "BLOCKED")
		c.remoteStart(2, "FINE")
		sleep(2 * time.Minute)
	})
	if len(r.Charges) != 1 || r.Charges[0].IDTag != "FINE" || r.Refused != 1 {
		t.Errorf("%d charges, %d drivers refused", len(r.Charges), r.Refused)
	}
	if log := c.log(station); !slices.Contains(log, "Authorize") || log[len(log)-1] == "1 Preparing" {
		t.Errorf("the station told %v", log)
	}
}

func TestReset(t *testing.T) {
	for kind, reason := range map[v16.ResetType]string{v16.ResetTypeSoft: "SoftReset", v16.ResetTypeHard: "HardReset"} {
		c := newCentral(t)
		r := passive(t, 1, c, func() {
			c.remoteStart(1, "TAG")
			sleep(10 * time.Minute)
			var res v16.ResetResponse
			c.call(station, &v16.Reset{Type: kind}, &res)
			if res.Status != v16.GenericStatusAccepted {
				t.Errorf("%s reset is %s", kind, res.Status)
			}
			sleep(2 * time.Minute)
		})
		if c.boots[station] != 2 || r.Reconnects != 1 || len(r.Charges) != 1 || r.Charges[0].Reason != reason {
			t.Errorf("%s: %d boots, %d reconnects, charged %+v", kind, c.boots[station], r.Reconnects, r.Charges)
		}
		compare(t, c, r.Charges[0])
	}
}

func (c *central) change(key, value string, want v16.ConfigurationStatus) {
	c.t.Helper()
	var res v16.ChangeConfigurationResponse
	c.call(station, &v16.ChangeConfiguration{Key: key, Value: value}, &res)
	if res.Status != want {
		c.t.Errorf("changing %s to %q is %s, want %s", key, value, res.Status, want)
	}
}

func (c *central) configuration(keys ...string) (told map[string]string, unknown []string) {
	c.t.Helper()
	var res v16.GetConfigurationResponse
	c.call(station, &v16.GetConfiguration{Key: keys}, &res)
	told = map[string]string{}
	for _, k := range res.ConfigurationKey {
		told[k.Key] = k.Value.Or("secret")
		if k.Readonly {
			told[k.Key] += " readonly"
		}
	}
	return told, slices.Clone(res.UnknownKey)
}

func TestConfiguration(t *testing.T) {
	c := newCentral(t)
	passive(t, 2, c, func() {
		if all, _ := c.configuration(); len(all) < 20 {
			t.Errorf("only %d keys", len(all))
		}
		c.change("ConnectionTimeOut", "45", "Accepted")
		c.change("ConnectionTimeOut", "soon", "Rejected")
		c.change("ConnectionTimeOut", "-1", "Rejected")
		c.change("NumberOfConnectors", "9", "Rejected")
		c.change("NoSuchKey", "1", "NotSupported")
		c.change("StopTransactionOnInvalidId", "FALSE", "Accepted")
		c.change("StopTransactionOnInvalidId", "perhaps", "Rejected")
		c.change("AuthorizationKey", "short", "Rejected")
		told, unknown := c.configuration("ConnectionTimeOut", "numberofconnectors", "AuthorizationKey", "StopTransactionOnInvalidId", "HeartbeatInterval", "NoSuchKey")
		want := map[string]string{
			"ConnectionTimeOut": "45", "NumberOfConnectors": "2 readonly", "AuthorizationKey": "secret",
			"StopTransactionOnInvalidId": "false", "HeartbeatInterval": "600",
		}
		if diff := cmp.Diff(want, told); diff != "" || !slices.Equal(unknown, []string{"NoSuchKey"}) {
			t.Errorf("unknown are %v; (-want +got)\n%s", unknown, diff)
		}
	})
}

func TestConfigurationTakesEffect(t *testing.T) {
	c := newCentral(t)
	count := func(what string) int {
		return len(slices.DeleteFunc(c.log(station), func(m string) bool { return m != what }))
	}
	passive(t, 1, c, func() {
		c.change("HeartbeatInterval", "60", "Accepted")
		c.change("MeterValueSampleInterval", "10", "Accepted")
		c.change("MeterValuesSampledData", "Power.Active.Import,Voltage,Frequency", "Accepted")
		c.change("StopTxnSampledData", "Energy.Active.Import.Register", "Accepted")
		c.remoteStart(1, "TAG")
		sleep(18 * time.Minute)
		if n := count("MeterValues"); n < 100 || n > 110 {
			t.Errorf("%d MeterValues in 18 minutes, one each 10 s", n)
		}
		if n := count("Heartbeat"); n < 7 || n > 9 {
			t.Errorf("%d Heartbeats in 8 minutes after the first of the old interval, one a minute", n)
		}
		c.remoteStop(1)
		sleep(time.Second)
	})
	r := c.ids[1]
	if n := len(r.stop.TransactionData); n < 100 {
		t.Errorf("the stop has %d readings", n)
	}
	for _, v := range r.values {
		for _, x := range v.MeterValue[0].SampledValue {
			if m := x.Measurand.Or(v16.MeasurandEnergyActiveImportRegister); m != v16.MeasurandPowerActiveImport && m != v16.MeasurandVoltage {
				t.Fatalf("sampled is %s", m)
			}
		}
	}
}

func TestNewKeyOpensTheNextConnection(t *testing.T) {
	const key = "4c6f6e67506173737730726421313233343536ff" // 20 bytes
	c := newCentral(t)
	var used []string
	c.dial = func(who sim.Login) error {
		used = append(used, who.Password)
		return nil
	}
	o := sim.Options{Passive: true, Password: func(string) string { return "first password 1" }}
	run(t, o, c, func(f *sim.Fleet) {
		sleep(time.Second)
		c.change("AuthorizationKey", key, "Accepted")
		var res v16.ResetResponse
		c.call(station, &v16.Reset{Type: v16.ResetTypeSoft}, &res)
		sleep(time.Minute)
		f.Stop()
	})
	if len(used) != 2 || used[0] != "first password 1" || used[1] != key && used[1] != "LongPassw0rd!123456\xff" {
		t.Errorf("logged in with %q", used)
	}
}

func TestAvailability(t *testing.T) {
	c := newCentral(t)
	set := func(connector int, kind v16.AvailabilityType, want v16.AvailabilityStatus) {
		t.Helper()
		var res v16.ChangeAvailabilityResponse
		c.call(station, &v16.ChangeAvailability{ConnectorID: connector, Type: kind}, &res)
		if res.Status != want {
			t.Errorf("%s for connector %d is %s, want %s", kind, connector, res.Status, want)
		}
		sleep(time.Second)
	}
	passive(t, 2, c, func() {
		c.remoteStart(1, "TAG")
		sleep(time.Minute)
		set(1, v16.AvailabilityTypeInoperative, v16.AvailabilityStatusScheduled)
		set(2, v16.AvailabilityTypeInoperative, v16.AvailabilityStatusAccepted)
		set(3, v16.AvailabilityTypeInoperative, v16.AvailabilityStatusRejected)
		if got := c.remoteStart(2, "TAG"); got != "Rejected" {
			t.Errorf("remote start on an inoperative connector is %s", got)
		}
		c.remoteStop(1)
		sleep(2 * time.Minute)
		set(0, v16.AvailabilityTypeInoperative, v16.AvailabilityStatusAccepted)
		set(1, v16.AvailabilityTypeOperative, v16.AvailabilityStatusAccepted)
		set(0, v16.AvailabilityTypeOperative, v16.AvailabilityStatusAccepted)
	})
	var statuses []string
	for _, m := range c.log(station) {
		if strings.Contains(m, "vailable") {
			statuses = append(statuses, m)
		}
	}
	want := []string{"0 Available", "1 Available", "2 Available", "2 Unavailable", "1 Unavailable", "0 Unavailable", "0 Available", "1 Available"}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("(-want +told)\n%s", diff)
	}
}

func TestUnlockEndsTheCharge(t *testing.T) {
	c := newCentral(t)
	unlock := func(connector int) v16.UnlockStatus {
		var res v16.UnlockConnectorResponse
		c.call(station, &v16.UnlockConnector{ConnectorID: connector}, &res)
		return res.Status
	}
	r := passive(t, 2, c, func() {
		c.remoteStart(1, "TAG")
		sleep(10 * time.Minute)
		for connector, want := range []v16.UnlockStatus{"NotSupported", "Unlocked", "Unlocked", "NotSupported"} {
			if got := unlock(connector); got != want {
				t.Errorf("unlocking connector %d is %s, want %s", connector, got, want)
			}
		}
		sleep(time.Second)
	})
	if len(r.Charges) != 1 || r.Charges[0].Reason != "UnlockCommand" {
		t.Errorf("charged was %+v", r.Charges)
	}
}

func TestTrigger(t *testing.T) {
	c := newCentral(t)
	trigger := func(m v16.MessageTrigger, connector ocpp.Opt[int], want v16.TriggerMessageStatus) []string {
		t.Helper()
		before := len(c.log(station))
		var res v16.TriggerMessageResponse
		c.call(station, &v16.TriggerMessage{RequestedMessage: m, ConnectorID: connector}, &res)
		if res.Status != want {
			t.Errorf("%s is %s, want %s", m, res.Status, want)
		}
		sleep(time.Second)
		return c.log(station)[before:]
	}
	all := ocpp.Opt[int]{}
	passive(t, 2, c, func() {
		c.remoteStart(1, "TAG")
		sleep(30 * time.Second)
		for _, x := range []struct {
			m         v16.MessageTrigger
			connector ocpp.Opt[int]
			want      []string
		}{
			{"Heartbeat", all, []string{"Heartbeat"}},
			{"StatusNotification", all, []string{"0 Available", "1 Charging", "2 Available"}},
			{"StatusNotification", ocpp.Some(2), []string{"2 Available"}},
			{"StatusNotification", ocpp.Some(0), []string{"0 Available"}},
			{"MeterValues", ocpp.Some(1), []string{"MeterValues"}},
			{"MeterValues", all, []string{"MeterValues", "MeterValues"}},
			{"FirmwareStatusNotification", all, []string{"FirmwareStatusNotification"}},
			{"DiagnosticsStatusNotification", all, []string{"DiagnosticsStatusNotification"}},
		} {
			if got := trigger(x.m, x.connector, "Accepted"); !slices.Equal(got, x.want) {
				t.Errorf("%s %+v made the station tell %v, want %v", x.m, x.connector, got, x.want)
			}
		}
		trigger("BootNotification", all, "Accepted")
		if c.boots[station] != 2 {
			t.Errorf("%d boots, want 2", c.boots[station])
		}
		trigger("StatusNotification", ocpp.Some(7), "Rejected")
	})
}

func TestWhatIsNotSupported(t *testing.T) {
	c := newCentral(t)
	passive(t, 1, c, func() {
		for action, want := range map[string]ocpp.ErrorCode{
			"Fly": ocpp.NotImplemented, "StartTransaction": ocpp.NotSupported, "SecurityEventNotification": ocpp.NotSupported,
		} {
			_, err := c.conns[station].CallRaw(context.Background(), action, nil)
			if e, ok := errors.AsType[*ocpp.Error](err); !ok || e.Code != want {
				t.Errorf("%s is answered with %v, want %s", action, err, want)
			}
		}
		var cache v16.ClearCacheResponse
		c.call(station, new(v16.ClearCache), &cache)
		if cache.Status != v16.GenericStatusAccepted {
			t.Errorf("ClearCache is %s", cache.Status)
		}
		var data v16.DataTransferResponse
		c.call(station, &v16.DataTransfer{VendorID: "Nobody"}, &data)
		if data.Status != v16.DataTransferStatusUnknownVendorId {
			t.Errorf("DataTransfer is %s", data.Status)
		}
	})
}
