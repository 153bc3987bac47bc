package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"leyden"
	"leyden/internal/race"
	"leyden/ocpp"
	"leyden/sim"
)

var (
	kills        = flag.Int("kills", race.Fewer(12, 4), "how many times the crash test kills the server")
	killStations = flag.Int("kill-stations", race.Fewer(50, 20), "how many stations charge meanwhile")
	killSeed     = flag.Uint64("kill-seed", 7, "what the crash test does follows from it")
)

// stableAddress returns a loopback address that nobody uses and that no
// outgoing connection is given: a server comes back to it.
func stableAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)) // below the ephemeral ports
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// TestKill kills a real server again and again while stations charge, lose
// connections and resend, and compares what physically happened with the ledger:
// nothing lost, nothing doubled, every Wh right. It takes the whole machine, so it
// has it alone.
//
//	go test ./cmd/leyden -run TestKill -v -args -kills 200
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while; leave out -short")
	}
	data, address := t.TempDir(), stableAddress(t)
	fleet, err := sim.NewFleet(sim.Options{
		Dial: sim.WebSocket("ws://"+address+"/ocpp", ocpp.DialOptions{}), Stations: *killStations, Connectors: 2,
		Seed: *killSeed, Speed: 1000, Faults: sim.Faults{Cut: 0.02, Repeat: 0.05},
		RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, CallTimeout: 10 * time.Second, Record: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	serve := func() *process {
		return startServer(t, "--listen", address, "--data", data, "--admission", "open", "--log-level", "error")
	}
	p := serve()
	reports := make(chan *sim.Report, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	go func() { reports <- fleet.Run(ctx) }()
	r := rand.New(rand.NewPCG(*killSeed, 0))
	for i := range *kills {
		if i%2 == 1 { // every other server is killed as it begins
			awaitStations(t, p)
		}
		select { // not a wait for anything: the moment of the kill is what is random
		case <-time.After(time.Duration(r.IntN(600)) * time.Millisecond):
		case <-p.exited:
			t.Fatalf("the server ended by itself with %v; it said\n%s", p.err, p.stderr)
		}
		if err := p.end(syscall.SIGKILL); err == nil {
			t.Fatal("the server ended well although it was killed")
		}
		p = serve()
	}
	fleet.Stop()
	report := within(t, "the stations end their charges", reports)
	p.drain()
	if err := report.Err(); err != nil {
		t.Errorf("%v\n%v", err, report)
	}
	compare(t, data, report.Charges)
	must(t, "check", "--data", data)
	t.Logf("%d kills, %d charges\n%v", *kills, len(report.Charges), report)
}

// awaitStations returns when stations are back, however slow the machine is.
func awaitStations(t *testing.T, p *process) {
	t.Helper()
	online := regexp.MustCompile(`(?m)^leyden_stations_online [1-9]`)
	eventually(t, limit, "stations are online", func() bool {
		return online.MatchString(p.call(http.MethodGet, "/metrics", "", "").body)
	})
}

// TestDiskFails lets a real server run into a limit on the size of its files, which
// it cannot tell from a disk that fails, while stations charge. It must say so, end
// for whoever supervises it, and lose nothing of what it answered; started anew it
// takes all that the stations kept. A disk without room is TestNoRoom's.
func TestDiskFails(t *testing.T) {
	data, address := filepath.Join(t.TempDir(), "data"), stableAddress(t)
	fleet, err := sim.NewFleet(sim.Options{
		Dial: sim.WebSocket("ws://"+address+"/ocpp", ocpp.DialOptions{}), Stations: 20, Connectors: 2, Seed: *killSeed, Speed: 1000,
		RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, Record: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"serve", "--listen", address, "--data", data, "--admission", "open"}
	// The shell's unit is 512 bytes or 1 KiB, so the limit 2 or 4 MiB.
	small := startProcess(t, exec.Command("sh", append([]string{"-c", `ulimit -f 4096; exec leyden "$@"`, "sh"}, args...)...), "LEYDEN_ADMIN_KEY="+adminKey)
	small.url = small.await(small.stdout, `Leyden serves (\S+)\n`)
	reports := make(chan *sim.Report, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	go func() { reports <- fleet.Run(ctx) }()
	small.awaitEnd()

	p := startServer(t, args[1:]...)
	fleet.Stop()
	report := within(t, "the stations end their charges", reports)
	p.drain()
	if err := report.Err(); err != nil {
		t.Errorf("%v\n%v", err, report)
	}
	compare(t, data, report.Charges)
	must(t, "check", "--data", data)
}

// compare wants the ledger in a data folder to hold just these charges.
func compare(t *testing.T, data string, charges []sim.Charge) {
	t.Helper()
	db, err := openFolder(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	type key struct {
		station   string
		connector int
		at        int64
	}
	ledger := make(map[key][]leyden.Transaction)
	n := 0
	for tx, err := range db.disk.EachTransaction(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		k := key{string(tx.Station), tx.Connector, tx.StartedAt.UnixMilli()}
		ledger[k] = append(ledger[k], tx)
	}
	if len(charges) == 0 || n != len(charges) {
		t.Errorf("the ledger has %d transactions of %d charges", n, len(charges))
	}
	for _, c := range charges {
		diff := differs(c, ledger[key{c.Station, c.Connector, c.StartedAt.UnixMilli()}])
		if diff == "" {
			diff = missing(t, db, c)
		}
		if diff != "" {
			t.Errorf("charge %+v:\n%s", c, diff)
		}
	}
	waiting, err := db.Quarantined(t.Context(), leyden.QuarantineQuery{Status: leyden.QuarantineWaiting})
	if err != nil || len(waiting) > 0 {
		t.Errorf("quarantined: %+v, %v", waiting, err)
	}
}

// differs says what is wrong with what the ledger made of a charge.
func differs(c sim.Charge, found []leyden.Transaction) string {
	if len(found) != 1 {
		return fmt.Sprintf("is there %d times", len(found))
	}
	tx := found[0]
	switch {
	case len(c.TransactionIDs) != 1 || c.TransactionIDs[0] != int(tx.ID):
		return fmt.Sprintf("has number %d; the station was told %v", tx.ID, c.TransactionIDs)
	case tx.Status != leyden.Completed || !c.StopAnswered:
		return fmt.Sprintf("is %v; its stop was answered: %v", tx.Status, c.StopAnswered)
	case tx.Energy == nil || int(*tx.Energy) != c.MeterStop-c.MeterStart:
		return fmt.Sprintf("has %s Wh by %q, want %d", whText(tx.Energy), tx.EnergySource, c.MeterStop-c.MeterStart)
	case tx.StoppedAt.UnixMilli() != c.StoppedAt.UnixMilli() || tx.Token.Value != c.IDTag || tx.EndResult() != c.Reason:
		return fmt.Sprintf("is %+v", tx)
	case tx.Flags&^leyden.Offline != 0:
		return fmt.Sprintf("is marked %v", tx.Flags.Names())
	}
	return ""
}

// missing says whether the readings of a charge that were answered are there,
// each once.
func missing(t *testing.T, db *folder, c sim.Charge) string {
	t.Helper()
	events, err := db.Events(t.Context(), leyden.TransactionID(c.TransactionIDs[0]))
	if err != nil {
		t.Fatal(err)
	}
	var recorded, answered []int64
	for i := range events {
		if events[i].Kind == leyden.Updated {
			recorded = append(recorded, events[i].At.UnixMilli())
		}
	}
	for _, a := range c.Answers {
		if a.Action == "MeterValues" {
			answered = append(answered, a.At.UnixMilli())
		}
	}
	slices.Sort(recorded)
	slices.Sort(answered)
	if !slices.Equal(recorded, answered) {
		return fmt.Sprintf("has %d readings, %d were answered", len(recorded), len(answered))
	}
	return ""
}
