package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"leyden/ocpp"
)

// A listed is a transaction as v1 lists it.
type listed struct {
	TransactionID int
	ChargeBoxID   string
	Status        string
	StopReason    string
	RemoteStarted bool
}

func (p *process) transactions(query string) []listed {
	p.t.Helper()
	var page struct{ Transactions []listed }
	p.get("/api/v1/transactions?limit=500&"+query, &page)
	return page.Transactions
}

func (p *process) transaction(id int) listed {
	p.t.Helper()
	var tx listed
	p.get(fmt.Sprintf("/api/v1/transactions/%d", id), &tx)
	return tx
}

// websocket returns where stations connect.
func (p *process) websocket() string { return "ws" + strings.TrimPrefix(p.url, "http") + "/ocpp" }

// TestSimulateRemote starts and stops a charge of a passive station from afar.
func TestSimulateRemote(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data)
	fleet := launch(t, nil, "simulate", "--url", p.websocket(), "--data", data, "--passive", "--speed", "600")
	var begun struct{ TransactionID int }
	eventually(t, limit, "the station takes a remote start", func() bool {
		r := p.call(http.MethodPost, "/api/v1/chargers/SIM-0001/remote-start", adminKey, `{"connectorId":1,"idTag":"SIMTAG0001"}`)
		switch r.StatusCode {
		case http.StatusNotFound, http.StatusServiceUnavailable, http.StatusConflict:
			return false // it is on its way
		}
		if r.StatusCode != http.StatusAccepted {
			t.Fatalf("remote start: %s %s", r.Status, r.body)
		}
		decode(t, r.body, &begun)
		return true
	})
	eventually(t, limit, "the charge begins", func() bool { return p.transaction(begun.TransactionID).Status == "active" })
	r := p.call(http.MethodPost, fmt.Sprintf("/api/v1/transactions/%d/stop", begun.TransactionID), adminKey, "{}")
	if r.StatusCode != http.StatusAccepted {
		t.Fatalf("remote stop: %s %s", r.Status, r.body)
	}
	eventually(t, limit, "the charge ends", func() bool { return p.transaction(begun.TransactionID).Status == "completed" })
	if tx := p.transaction(begun.TransactionID); !tx.RemoteStarted || tx.StopReason != "Remote" {
		t.Errorf("got %+v", tx)
	}
	if err := fleet.end(syscall.SIGINT); err != nil {
		t.Errorf("simulate ended with %v; it said\n%s%s", err, fleet.stdout, fleet.stderr)
	}
	if !strings.Contains(fleet.stdout.String(), "charges      1 started, 1 completed") {
		t.Errorf("simulate said\n%s", fleet.stdout)
	}
	p.drain()
}

// TestSimulateStopped stops a charge that a driver began, while others charge,
// with connections lost and messages sent twice.
func TestSimulateStopped(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data)
	fleet := launch(t, nil, "simulate", "--url", p.websocket(), "--data", data, "--stations", "4", "--connectors", "2",
		"--duration", "10m", "--speed", "120", "--cut", "0.02", "--repeat", "0.1", "--offline", "0.1")
	stopped := 0
	eventually(t, limit, "a charge is stopped", func() bool {
		for _, tx := range p.transactions("status=active") {
			r := p.call(http.MethodPost, fmt.Sprintf("/api/v1/transactions/%d/stop", tx.TransactionID), adminKey, "{}")
			if r.StatusCode == http.StatusAccepted {
				stopped = tx.TransactionID
				return true
			}
		}
		return false // none is there yet, or its station is away
	})
	eventually(t, limit, "it ends", func() bool { return p.transaction(stopped).Status == "completed" })
	if tx := p.transaction(stopped); tx.StopReason != "Remote" && tx.StopReason != "Local" && tx.StopReason != "EVDisconnected" {
		t.Errorf("got %+v", tx)
	}
	if err := fleet.end(syscall.SIGTERM); err != nil {
		t.Errorf("simulate ended with %v; it said\n%s%s", err, fleet.stdout, fleet.stderr)
	}
	if !strings.Contains(fleet.stdout.String(), "broken       0 expectations") {
		t.Errorf("simulate said\n%s", fleet.stdout)
	}
	p.drain()
	must(t, "check", "--data", data)
}

// TestSimulateRepeats: what is charged follows from the seed.
func TestSimulateRepeats(t *testing.T) {
	t.Parallel()
	charged := func(seed string) []string {
		data := filepath.Join(t.TempDir(), "data")
		p := startServer(t, "--data", data)
		must(t, "simulate", "--url", p.websocket(), "--data", data, "--stations", "2", "--connectors", "2", "--sessions", "2", "--speed", "5000", "--seed", seed)
		rows, err := csv.NewReader(strings.NewReader(must(t, "transactions", "export", "--data", data))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		column := func(name string) int { return slices.Index(rows[0], name) }
		var charges []string
		for _, r := range rows[1:] {
			charges = append(charges, strings.Join([]string{r[column("chargeBoxId")], r[column("connectorId")], r[column("idTag")], r[column("energyDelivered")]}, " "))
		}
		slices.Sort(charges)
		return charges
	}
	first, again, other := charged("21"), charged("21"), charged("22")
	if len(first) != 8 || !slices.Equal(first, again) {
		t.Errorf("the same seed charged\n%v and\n%v", first, again)
	}
	if slices.Equal(first, other) {
		t.Errorf("another seed charged the same: %v", other)
	}
}

// TestSimulateExpects lets stations charge at central systems that do not do
// what they must.
func TestSimulateExpects(t *testing.T) {
	t.Parallel()
	var number atomic.Int64
	next := func() string {
		return fmt.Sprintf(`{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}`, number.Add(1))
	}
	for _, c := range []struct {
		name   string
		answer map[string]func() string // instead of the right one
		args   []string
		want   string // "" if all is well
	}{
		{name: "right"},
		{name: "a word that OCPP does not know", answer: map[string]func() string{"Authorize": func() string { return `{"idTagInfo":{"status":"Perhaps"}}` }}, want: "Authorize"},
		{name: "one number for all", answer: map[string]func() string{"StartTransaction": func() string { return `{"transactionId":7,"idTagInfo":{"status":"Accepted"}}` }}, args: []string{"--sessions", "2"}, want: "7"},
		{name: "another number for a resend", answer: map[string]func() string{"StartTransaction": next}, args: []string{"--repeat", "1"}, want: "StartTransaction"},
		{name: "nobody may charge", answer: map[string]func() string{"Authorize": func() string { return `{"idTagInfo":{"status":"Blocked"}}` }}, want: "no charge began"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := fakeCentral(t, c.answer)
			args := append([]string{"simulate", "--url", url, "--speed", "5000"}, c.args...)
			stdout, stderr, err := runLeyden(t, args...)
			if c.want == "" && err != nil || c.want != "" && err == nil {
				t.Fatalf("it ended with %v\n%s%s", err, stdout, stderr)
			}
			if !strings.Contains(stdout+stderr, c.want) || strings.Count(stderr, "\n") > 1 {
				t.Errorf("want a word of %q, got\n%s%s", c.want, stdout, stderr)
			}
		})
	}
}

// fakeCentral serves a central system that knows next to nothing.
func fakeCentral(t *testing.T, instead map[string]func() string) string {
	t.Helper()
	var number atomic.Int64
	now := func() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }
	right := map[string]func() string{
		"BootNotification":   func() string { return fmt.Sprintf(`{"status":"Accepted","interval":300,"currentTime":%q}`, now()) },
		"Heartbeat":          func() string { return fmt.Sprintf(`{"currentTime":%q}`, now()) },
		"Authorize":          func() string { return `{"idTagInfo":{"status":"Accepted"}}` },
		"StatusNotification": func() string { return `{}` },
		"MeterValues":        func() string { return `{}` },
		"StopTransaction":    func() string { return `{}` },
		"StartTransaction": func() string {
			return fmt.Sprintf(`{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}`, number.Add(1))
		},
	}
	for action, f := range instead {
		right[action] = f
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tr, _, err := ocpp.Upgrade(w, r, ocpp.UpgradeOptions{Protocols: []string{"ocpp1.6"}})
		if err != nil {
			return
		}
		_ = ocpp.NewConn(tr, ocpp.Options{}).Serve(context.Background(), func(_ context.Context, f ocpp.Frame) ocpp.Reply {
			answer, ok := right[f.Action]
			if !ok {
				return ocpp.Reply{Err: ocpp.Errorf(ocpp.NotImplemented, "%s is unknown here", f.Action)}
			}
			return ocpp.Reply{Message: ocpp.Raw(answer())}
		}) // until the station leaves
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/ocpp"
}
