package csms_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/csms"
	"leyden/memory"
	"leyden/ocpp"
)

// recorded is a world whose frames are kept.
func recorded(t *testing.T) (*world, *memory.Journal) {
	w := newWorld(t)
	j := memory.NewJournal(leyden.JournalLimits{}, time.Now)
	w.options.Journal = j
	return w, j
}

// told sends frames and waits until each is answered.
func (s *station) told(frames ...string) {
	for _, frame := range frames {
		s.send(frame)
		s.next()
	}
}

// asks has a command sent to the station, which answers with what follows the
// message id in an answer.
func (s *station) asks(w *world, kind, answer string, do func(ctx context.Context) error) {
	var wg sync.WaitGroup
	wg.Go(func() { _ = do(w.t.Context()) }) // the frames are what counts
	f, err := ocpp.ParseFrame([]byte(s.next()))
	if err != nil {
		w.t.Fatal(err)
	}
	s.send(`[` + kind + `,"` + f.ID + `",` + answer + `]`)
	wg.Wait()
}

// lines shows what a journal selects, ids of ours as @.
func lines(t *testing.T, j leyden.Journal, q leyden.FrameQuery) []string {
	t.Helper()
	q.Ascending = true
	frames, err := j.Frames(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range frames {
		arrow := ">"
		if f.Sent {
			arrow = "<"
		}
		text := f.Text
		if len(f.MessageID) > 5 {
			text = strings.Replace(text, f.MessageID, "@", 1)
		}
		list = append(list, fmt.Sprintf("%s %s %s %d %s", arrow, f.Type, f.Action, f.Transaction, text))
	}
	return list
}

func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("%s:\n%s\nwant\n%s", what, g, w)
	}
}

// TestJournal: every frame is kept, both ways and in order, with its action, its
// transaction, and without secrets.
func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(noon)) // simulated
		w, j := recorded(t)
		s := w.connect(cp)
		s.told(
			`[2,"1","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`,
			`[2,"2","MeterValues", {"connectorId":1,"transactionId":1,"meterValue":[{"timestamp":"2026-02-06T12:00:00Z","sampledValue":[{"value":"10"}]}]}]`,
			`[2,"3","MeterValues",{"connectorId":1,"transactionId":-1,"meterValue":[{"timestamp":"2026-02-06T12:00:00Z","sampledValue":[{"value":"11"}]}]}]`,
			`[2,"3","Heartbeat",{}]`,
			`[2,"4","Authorize",{"idTag":"USER123"`,
			`[2,"5","StopTransaction",{"transactionId":-1,"idTag":"USER123","meterStop":20,"timestamp":"2026-02-06T12:00:00Z"}]`,
			`[2,"6","StopTransaction",{"transactionId":7}]`,
			`[2,"7","Nonsense",{}]`,
		)
		s.asks(w, "3", `{"status":"Accepted"}`, func(ctx context.Context) error {
			_, err := w.server.RemoteStart(ctx, leyden.StartRequest{Station: cp, Connector: 2, Token: leyden.IDToken{Value: "USER123"}})
			return err
		})
		s.told(`[2,"8","StartTransaction",{"connectorId":2,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`)
		s.asks(w, "3", `{"status":"Rejected"}`, func(ctx context.Context) error {
			_, err := w.server.RemoteStop(ctx, 2, "")
			return err
		})
		s.asks(w, "4", `"GenericError","0123456789abcdef is no key",{}`, func(ctx context.Context) error {
			_, err := w.server.ChangeConfiguration(ctx, cp, "AuthorizationKey", "0123456789abcdef")
			return err
		})
		s.asks(w, "4", `"GenericError","MinutesPerHour is unknown",{}`, func(ctx context.Context) error {
			_, err := w.server.ChangeConfiguration(ctx, cp, "MinutesPerHour", "60")
			return err
		})
		s.asks(w, "4", `"GenericError","cannot reach ftp://me:hunter2@host/",{"apiKey":"hunter2"}`, func(ctx context.Context) error {
			_, err := w.server.Reset(ctx, cp, "Soft")
			return err
		})
		s.asks(w, "4", `"GenericError","hunter2 was refused",{}`, func(ctx context.Context) error {
			_, err := w.server.Diagnostics(ctx, cp, csms.LogRequest{Location: "https://host/upload?sig=hunter2"})
			return err
		})
		s.send(`[3,"nobody's",{"configurationKey":[{"key":"AuthorizationKey","value":"0123456789abcdef"}]}]`)
		s.send(`[3,"x",{"key":"AuthorizationKey","value":"0123456789abcdef`)
		s.next()
		s.close()
		w.end()

		all := lines(t, j, leyden.FrameQuery{Station: cp})
		wantLines(t, "journal", all, wantJournal...)
		wantLines(t, "transaction 1", lines(t, j, leyden.FrameQuery{Station: cp, Transaction: 1}), append(all[:6:6], all[10:12]...)...)
		if kept, lost := w.server.Counters().Journaled.Load(), w.server.Counters().Unjournaled.Load(); kept != uint64(len(all)) || lost != 0 {
			t.Errorf("%d frames counted and %d lost; there are %d", kept, lost, len(all))
		}
	})
}

// wantJournal is what TestJournal wants: frames of the station (>) and of ours
// (<) with type, action and transaction.
var wantJournal = []string{
	`> call StartTransaction 1 [2,"1","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`,
	`< result StartTransaction 1 [3,"1",{"idTagInfo":{"status":"Accepted"},"transactionId":1}]`,
	`> call MeterValues 1 [2,"2","MeterValues", {"connectorId":1,"transactionId":1,"meterValue":[{"timestamp":"2026-02-06T12:00:00Z","sampledValue":[{"value":"10"}]}]}]`,
	`< result MeterValues 1 [3,"2",{}]`,
	`> call MeterValues 1 [2,"3","MeterValues",{"connectorId":1,"transactionId":-1,"meterValue":[{"timestamp":"2026-02-06T12:00:00Z","sampledValue":[{"value":"11"}]}]}]`,
	`< result MeterValues 1 [3,"3",{}]`,
	`> call Heartbeat 0 [2,"3","Heartbeat",{}]`,
	`< result Heartbeat 0 [3,"3",{"currentTime":"2026-02-06T12:00:00.000Z"}]`,
	`> broken Authorize 0 [2,"4","Authorize",{"idTag":"USER123"`,
	`< error Authorize 0 [4,"4","FormationViolation","not JSON at byte 37",{}]`,
	`> call StopTransaction 1 [2,"5","StopTransaction",{"transactionId":-1,"idTag":"USER123","meterStop":20,"timestamp":"2026-02-06T12:00:00Z"}]`,
	`< result StopTransaction 1 [3,"5",{"idTagInfo":{"status":"Accepted"}}]`,
	`> call StopTransaction 7 [2,"6","StopTransaction",{"transactionId":7}]`,
	`< error StopTransaction 7 [4,"6","OccurenceConstraintViolation","meterStop is required",{}]`,
	`> call Nonsense 0 [2,"7","Nonsense",{}]`,
	`< error Nonsense 0 [4,"7","NotImplemented","OCPP 1.6 has no action Nonsense",{}]`,
	`< call RemoteStartTransaction 2 [2,"@","RemoteStartTransaction",{"connectorId":2,"idTag":"USER123"}]`,
	`> result RemoteStartTransaction 2 [3,"@",{"status":"Accepted"}]`,
	`> call StartTransaction 2 [2,"8","StartTransaction",{"connectorId":2,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`,
	`< result StartTransaction 2 [3,"8",{"idTagInfo":{"status":"Accepted"},"transactionId":2}]`,
	`< call RemoteStopTransaction 2 [2,"@","RemoteStopTransaction",{"transactionId":2}]`,
	`> result RemoteStopTransaction 2 [3,"@",{"status":"Rejected"}]`,
	`< call ChangeConfiguration 0 [2,"@","ChangeConfiguration",{"key":"AuthorizationKey","value":"***"}]`,
	`> error ChangeConfiguration 0 [4,"@","GenericError","***",{}]`,
	`< call ChangeConfiguration 0 [2,"@","ChangeConfiguration",{"key":"MinutesPerHour","value":"60"}]`,
	`> error ChangeConfiguration 0 [4,"@","GenericError","MinutesPerHour is unknown",{}]`,
	`< call Reset 0 [2,"@","Reset",{"type":"Soft"}]`,
	`> error Reset 0 [4,"@","GenericError","cannot reach ftp://me:***@host/",{"apiKey":"***"}]`,
	`< call GetDiagnostics 0 [2,"@","GetDiagnostics",{"location":"https://host/upload?sig=***"}]`,
	`> error GetDiagnostics 0 [4,"@","GenericError","***",{}]`,
	`> result  0 [3,"@",{"configurationKey":[{"key":"***","value":"***"}]}]`,
	`> broken  0 "***"`,
	`< error  0 [4,"x","FormationViolation","not JSON at byte 58",{}]`,
}

// TestJournalFollows: a frame is there soon after it came, while the station is
// connected and also when nothing follows.
func TestJournalFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, j := recorded(t)
		s := w.connect(cp)
		s.told(`[2,"1","Heartbeat",{}]`)
		if got := lines(t, j, leyden.FrameQuery{}); len(got) != 0 {
			t.Errorf("at once %q; want a batch", got)
		}
		time.Sleep(time.Second) // simulated
		if got := lines(t, j, leyden.FrameQuery{}); len(got) != 2 {
			t.Errorf("a second later %q", got)
		}
		h := w.store.hold()
		s.send(`[2,"2","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`)
		<-h.reached
		w.store.mode.Store("down")
		close(h.release)
		for s.next() != "" {
			continue
		}
		w.end()
		got := lines(t, j, leyden.FrameQuery{Action: "StartTransaction"})
		wantLines(t, "a start that was never answered", got,
			`> call StartTransaction 0 [2,"2","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`)
	})
}

// A badJournal does to writes what its mode says, until it is released.
type badJournal struct {
	leyden.Journal
	mode    string
	release chan struct{}
}

func (b *badJournal) WriteFrames(ctx context.Context, frames []leyden.Frame) error {
	select {
	case <-b.release:
		return b.Journal.WriteFrames(ctx, frames)
	default:
	}
	switch b.mode {
	case "blocks":
		<-b.release
	case "panics":
		panic("a bug of ours")
	case "slow":
		<-ctx.Done()
	}
	return errors.New("the disk is gone")
}

// TestJournalIsNotWaitedFor: whatever the journal does, stations are answered at
// once, memory is bounded, and frames are kept again when it is well.
func TestJournalIsNotWaitedFor(t *testing.T) {
	for _, mode := range []string{"blocks", "panics", "slow", "fails"} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, good := recorded(t)
				bad := &badJournal{Journal: good, mode: mode, release: make(chan struct{})}
				w.options.Journal = bad
				s := w.connect(cp)
				begun, sent := time.Now(), 0
				tell := func(n int) {
					for range n {
						sent++
						s.told(fmt.Sprintf(`[2,"%d","Heartbeat",{}]`, sent))
					}
				}
				tell(20000)
				if late := time.Since(begun); late > 0 {
					t.Errorf("stations waited %v", late)
				}
				time.Sleep(time.Minute) // simulated
				count := w.server.Counters()
				if count.Unjournaled.Load() == 0 || count.Journaled.Load() > 0 {
					t.Errorf("%d frames lost, %d kept", count.Unjournaled.Load(), count.Journaled.Load())
				}
				close(bad.release)
				time.Sleep(time.Minute) // simulated
				tell(1)
				s.close()
				w.end()
				if kept := count.Journaled.Load(); kept == 0 || kept+count.Unjournaled.Load() != uint64(2*sent) {
					t.Errorf("%d frames kept and %d lost of %d", kept, count.Unjournaled.Load(), 2*sent)
				}
				newest := lines(t, good, leyden.FrameQuery{At: leyden.Window{From: time.Now()}})
				if len(newest) != 2 || !strings.Contains(newest[0], fmt.Sprintf(`[2,"%d",`, sent)) {
					t.Errorf("the newest are %q", newest)
				}
			})
		})
	}
}

// TestJournalEnds: a journal that never comes back does not hold up the end.
func TestJournalEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, good := recorded(t)
		bad := &badJournal{Journal: good, mode: "blocks", release: make(chan struct{})}
		defer close(bad.release)
		w.options.Journal = bad
		s := w.connect(cp)
		s.told(`[2,"1","Heartbeat",{}]`)
		begun := time.Now()
		w.end()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the end took %v", took)
		}
	})
}

// journaled makes the world keep its frames, and returns what holds the journal
// against the counters at the end.
func (w *world) journaled() (check func()) {
	w.options.Journal = memory.NewJournal(leyden.JournalLimits{}, time.Now)
	return func() {
		if w.server == nil {
			return
		}
		c := w.server.Counters()
		wire, kept, lost := c.FramesIn.Load()+c.FramesOut.Load(), c.Journaled.Load(), c.Unjournaled.Load()
		if kept < wire || lost > 0 { // frames that did not leave any more are kept too
			w.t.Errorf("%d frames on the wire, %d in the journal, %d lost", wire, kept, lost)
		}
	}
}
