package main

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"leyden/internal/faultdisk"
	"leyden/internal/race"
	"leyden/ocpp"
	"leyden/sim"
)

var (
	cuts      = flag.Int("cuts", race.Fewer(8, 3), "how many times the power is cut")
	ioOutages = flag.Int("outages", 1, "how many times a disk fails and comes back")
)

// A failing is a disk that fails, with a file system mounted on it.
type failing struct {
	*faultdisk.Disk
	t      *testing.T
	device *faultdisk.Device // nil while it is not mounted
	folder string            // where it is mounted
}

// newFailing returns a disk with a fresh ext4, made with more options of mkfs.ext4
// if need be. The test is skipped where there can be none.
func newFailing(t *testing.T, size int64, options ...string) *failing {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a while; leave out -short")
	}
	if err := faultdisk.Private(); err != nil {
		t.Skipf("no disks that fail on this machine: %v", err)
	}
	f := &failing{Disk: faultdisk.New(size), t: t, folder: t.TempDir()}
	t.Cleanup(f.drop)
	f.attach()
	if err := f.device.Format(options...); err != nil {
		t.Fatal(err)
	}
	f.mount()
	return f
}

// drop takes away what a test that failed has left, once nobody uses it any more.
func (f *failing) drop() {
	if f.device == nil {
		return
	}
	f.Remove()
	_ = faultdisk.Unmount(f.folder) // it may not be mounted, nor all of it be well
	_ = f.device.Detach()
}

// data is the folder that the server gets.
func (f *failing) data() string { return filepath.Join(f.folder, "data") }

func (f *failing) attach() {
	f.t.Helper()
	var err error
	if f.device, err = f.Attach(f.t.TempDir()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *failing) mount() {
	f.t.Helper()
	if err := f.device.Mount(f.folder); err != nil {
		f.t.Fatal(err)
	}
}

// unmount takes the disk away; what the system remembers of it is gone as well.
func (f *failing) unmount() {
	f.t.Helper()
	if err := errors.Join(faultdisk.Unmount(f.folder), f.device.Detach()); err != nil {
		f.t.Fatal(err)
	}
	f.device = nil
}

// remount is what a restart of the machine is to a file system.
func (f *failing) remount() {
	f.t.Helper()
	f.unmount()
	f.attach()
	f.mount()
}

// cutPower cuts the power of a machine with this disk and a server, and has the
// disk in another.
func (f *failing) cutPower(p *process, r *rand.Rand) {
	f.t.Helper()
	left := f.Cut(r)
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		f.t.Fatalf("the server ended by itself: %v; it said\n%s", err, p.stderr)
	}
	f.Remove() // nothing of the server can wait for it any more
	if err := p.wait(); err == nil {
		f.t.Fatal("the server ended well although it was killed")
	}
	f.unmount()
	f.Disk = left
	f.attach()
	f.mount()
}

// judge compares the ledger that is on the disk with what happened. It does so on
// a copy: see package faultdisk about files in memory.
func (f *failing) judge(report *sim.Report) {
	f.t.Helper()
	f.remount()
	saved := filepath.Join(f.t.TempDir(), "data")
	if err := os.CopyFS(saved, os.DirFS(f.data())); err != nil {
		f.t.Fatal(err)
	}
	f.unmount()
	if err := report.Err(); err != nil {
		f.t.Errorf("%v\n%v", err, report)
	}
	compare(f.t, saved, report.Charges)
	must(f.t, "check", "--data", saved)
}

// A siege is a fleet that charges at an address, whoever serves there.
type siege struct {
	*sim.Fleet
	address string
	reports chan *sim.Report
}

// besiege has stations charge until the siege is lifted.
func besiege(t *testing.T, o sim.Options) *siege {
	t.Helper()
	s := &siege{address: stableAddress(t), reports: make(chan *sim.Report, 1)}
	o.Dial = sim.WebSocket("ws://"+s.address+"/ocpp", ocpp.DialOptions{})
	o.Seed, o.Speed, o.Connectors, o.Record = *killSeed, 1000, 2, true
	o.RetryMin, o.RetryMax = 20*time.Millisecond, 200*time.Millisecond
	var err error
	if s.Fleet, err = sim.NewFleet(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	go func() { s.reports <- s.Run(ctx) }()
	return s
}

// lift ends the siege, and returns what happened once all of it was answered.
func (s *siege) lift(t *testing.T) *sim.Report {
	t.Helper()
	s.Stop()
	return within(t, "the stations end their charges", s.reports)
}

// serve serves the stations of the siege from a folder.
func (s *siege) serve(t *testing.T, data string) *process {
	t.Helper()
	return startServer(t, "--listen", s.address, "--data", data, "--admission", "open", "--log-level", "error")
}

// TestPowerCut cuts the power of a machine again and again while stations charge at
// a server there: of what its disk was given since the last flush any part is
// lost. Everything that was answered must be there, once, and nothing else that
// did not happen. It takes the whole machine, so it has it alone.
//
//	go test ./cmd/leyden -run TestPowerCut -v -args -cuts 100
func TestPowerCut(t *testing.T) {
	f := newFailing(t, 1<<30)
	s := besiege(t, sim.Options{Stations: *killStations, Faults: sim.Faults{Cut: 0.02, Repeat: 0.05}, CallTimeout: 10 * time.Second})
	r := rand.New(rand.NewPCG(*killSeed, 1))
	for i := range *cuts {
		if i%4 == 3 { // the machine does not even come up
			p := launch(t, []string{"LEYDEN_ADMIN_KEY=" + adminKey}, "serve", "--listen", s.address, "--data", f.data(), "--admission", "open")
			elapse(r, 100*time.Millisecond)
			f.cutPower(p, r)
		}
		p := s.serve(t, f.data())
		if i%2 == 1 { // every other server is cut off as it begins
			awaitStations(t, p)
		}
		elapse(r, 600*time.Millisecond)
		f.cutPower(p, r)
	}
	p := s.serve(t, f.data())
	report := s.lift(t)
	p.drain()
	f.judge(report)
	t.Logf("%d power cuts, %d charges\n%v", *cuts, len(report.Charges), report)
}

// elapse lets a random time pass: no wait for anything, but what is random about a
// disaster.
func elapse(r *rand.Rand, most time.Duration) {
	time.Sleep(time.Duration(r.Int64N(int64(most))))
}

// awaitTrouble returns when a server says that it cannot keep anything.
func awaitTrouble(t *testing.T, p *process) {
	t.Helper()
	shed := regexp.MustCompile(`(?m)^leyden_connections_shed_total [1-9]`)
	eventually(t, limit, "the server says that it is not ready, and sends stations away", func() bool {
		ready := p.call(http.MethodGet, "/readyz", "", "")
		metrics := p.call(http.MethodGet, "/metrics", "", "")
		return ready.StatusCode == http.StatusServiceUnavailable && strings.Contains(ready.body, `"reasons":["storage"]`) && shed.MatchString(metrics.body)
	})
}

// try is call where the server may have ended.
func (p *process) try(path string) (reply, error) {
	return ask(p.t.Context(), http.DefaultClient, http.MethodGet, p.url+path, "", "")
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// awaitReady returns when a server is ready.
func (p *process) awaitReady() {
	p.t.Helper()
	eventually(p.t, limit, "the server is ready again", func() bool {
		r, err := p.try("/readyz")
		if p.ended() {
			p.t.Fatalf("the server ended with %v; it said\n%s", p.err, p.stderr)
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
}

// TestDiskErrors has a disk fail while stations charge: it refuses writes and
// flushes for a moment, and what it refused the system forgets, though it shows it
// until the machine is started anew, which is what follows. The server ends, for a
// supervisor to start it again. No station is told of an error; they are sent away,
// and come back with all they kept; what was answered is there in the end.
//
// A file system with a journal takes no more changes of its own after such a
// failure, so that only the machine can be started anew. Without a journal another
// server serves at once, beside what the system pretends to have.
//
//	go test ./cmd/leyden -run TestDiskErrors -v -args -outages 25
func TestDiskErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		faults  faultdisk.Faults
		journal bool
	}{
		{"writes and flushes", faultdisk.Faults{FailWrite: true, FailSync: true}, false},
		{"writes", faultdisk.Faults{FailWrite: true}, false},
		{"flushes", faultdisk.Faults{FailSync: true}, false},
		{"writes and flushes under a journal", faultdisk.Faults{FailWrite: true, FailSync: true}, true},
		{"flushes under a journal", faultdisk.Faults{FailSync: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := []string{"-O", "^has_journal"}
			if c.journal {
				options = nil
			}
			f := newFailing(t, 1<<30, options...)
			s := besiege(t, sim.Options{Stations: 20})
			r := rand.New(rand.NewPCG(*killSeed, 2))
			p := s.serve(t, f.data())
			for range *ioOutages {
				p = f.outage(s, p, c.faults, c.journal, r)
			}
			report := s.lift(t)
			p.drain()
			f.judge(report)
			t.Logf("%d outages, %d charges\n%v", *ioOutages, len(report.Charges), report)
		})
	}
}

// outage has the disk fail for a moment, until the server ends or a while longer; has
// another serve unless the file system has given up; and starts the machine anew.
func (f *failing) outage(s *siege, p *process, faults faultdisk.Faults, journal bool, r *rand.Rand) *process {
	f.t.Helper()
	awaitStations(f.t, p)
	elapse(r, 400*time.Millisecond)
	f.Set(faults)
	p.awaitEnd()
	elapse(r, 400*time.Millisecond)
	f.Set(faultdisk.Faults{})
	if !journal {
		p = s.serve(f.t, f.data())
		awaitStations(f.t, p)
		elapse(r, time.Second)
		_ = p.end(syscall.SIGKILL) // which it cannot but follow
	}
	f.remount()
	return s.serve(f.t, f.data())
}

// TestNoRoom lets a server run out of room on its file system, and finds it well
// again when there is room.
func TestNoRoom(t *testing.T) {
	f := newFailing(t, 256<<20)
	s := besiege(t, sim.Options{Stations: 20})
	p := s.serve(t, f.data())
	awaitStations(t, p)
	ballast := filepath.Join(f.folder, "ballast")
	fill(t, ballast, 1<<20)
	awaitTrouble(t, p)
	if r := p.call(http.MethodGet, "/v2/transactions", adminKey, ""); r.StatusCode != http.StatusOK {
		t.Errorf("what is there cannot be read: %s %.200s", r.Status, r.body)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.awaitReady()
	report := s.lift(t)
	p.drain()
	f.judge(report)
}

// fill makes a file that leaves only so much room on its file system.
func fill(t *testing.T, name string, leave int64) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fallocate(int(file.Fd()), 0, 0, int64(st.Bavail)*st.Bsize-leave); err != nil {
		t.Fatal(err)
	}
}

// slowSync is how long a flush takes on a slow disk.
const slowSync = 500 * time.Millisecond

// TestSlowDisk serves from a disk whose flushes take half a second. All goes on,
// only slower, and a station that has nothing to keep does not notice.
func TestSlowDisk(t *testing.T) {
	f := newFailing(t, 1<<30)
	f.Set(faultdisk.Faults{SlowSync: slowSync})
	s := besiege(t, sim.Options{Stations: race.Fewer(50, 20)})
	p := s.serve(t, f.data())
	awaitStations(t, p)
	bystander := enter(t, p, "BYSTANDER", "")
	var beats sample
	for began := time.Now(); time.Since(began) < 10*slowSync; {
		took, err := beat(bystander)
		if err != nil {
			t.Fatal(err)
		}
		beats.add(took)
		elapse(rand.New(rand.NewPCG(1, uint64(len(beats)))), 20*time.Millisecond)
	}
	if p99 := beats.percentile(99); p99 > *mostWait && !race.Enabled {
		t.Errorf("a Heartbeat takes %v, want at most %v", p99, *mostWait)
	}
	bystander.Close()
	f.Set(faultdisk.Faults{})
	report := s.lift(t)
	p.drain()
	f.judge(report)
	t.Logf("%d Heartbeats meanwhile: %v\n%v", len(beats), beats, report)
}
