package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"leyden"
	"leyden/ocpp"
	"leyden/sim"
)

var (
	kills        = flag.Int("kills", 12, "how many times the crash test kills the server")
	killStations = flag.Int("kill-stations", 50, "how many stations charge meanwhile")
)

// A process is a real `leyden serve`.
type process struct {
	t    *testing.T
	bin  string
	args []string
	cmd  *exec.Cmd
	log  *os.File
}

// build builds the binary once a test.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "leyden")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// start starts the server and returns when it serves.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "Leyden serves") {
		p.t.Fatalf("the server did not start: %q; its log is\n%s", lines.Text(), p.tail())
	}
}

// end sends a signal and waits.
func (p *process) end(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func (p *process) tail() string {
	data, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-4000):])
}

// freeAddress returns a loopback address that nobody uses just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestKill kills a real server again and again while stations charge, lose
// connections and resend, and compares what physically happened with the ledger:
// nothing lost, nothing doubled, every Wh right.
//
//	go test ./cmd/leyden -run TestKill -args -kills 200
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while; leave out -short")
	}
	data, address := t.TempDir(), freeAddress(t)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{t: t, bin: build(t), log: log, args: []string{
		"serve", "--listen", address, "--data", data, "--admission", "open", "--log-level", "error",
	}}
	fleet, err := sim.NewFleet(sim.Options{
		Dial: sim.WebSocket("ws://"+address+"/ocpp", ocpp.DialOptions{}), Stations: *killStations, Connectors: 2, Seed: 7, Speed: 1000,
		Faults: sim.Faults{Cut: 0.02, Repeat: 0.05}, RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond,
		CallTimeout: 5 * time.Second, Record: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.start()
	done := make(chan *sim.Report, 1)
	go func() { done <- fleet.Run(context.WithoutCancel(t.Context())) }()
	r := rand.New(rand.NewPCG(7, 7))
	for range *kills {
		// Not a wait for anything: the moment of the kill is what is random.
		<-time.After(time.Duration(100+r.IntN(500)) * time.Millisecond)
		if err := p.end(syscall.SIGKILL); err == nil {
			t.Fatal("the server had ended before it was killed")
		}
		p.start()
	}
	fleet.Stop()
	report := <-done
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("the server ended with %v; its log is\n%s", err, p.tail())
	}
	if err := report.Err(); err != nil {
		t.Errorf("%v\n%v", err, report)
	}
	compare(t, data, report.Charges)
	if out, err := exec.Command(p.bin, "check", "--data", data).CombinedOutput(); err != nil {
		t.Errorf("leyden check: %v\n%s", err, out)
	}
	t.Logf("%d kills, %d charges\n%v", *kills, len(report.Charges), report)
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
	for tx, err := range db.Scan(t.Context(), leyden.Query{Statuses: []leyden.Status{leyden.Active, leyden.Stopping, leyden.Completed}}) {
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
		if diff := differs(c, ledger[key{c.Station, c.Connector, c.StartedAt.UnixMilli()}]); diff != "" {
			t.Errorf("charge %+v:\n%s", c, diff)
		}
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
	}
	return ""
}
