package csms_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"leyden"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// FuzzStation sends arbitrary frames to a whole server. Nothing panics, the next
// Heartbeat is answered, what we send is what the schemas say, and all that was
// recorded holds the invariants of the ledger.
func FuzzStation(f *testing.F) {
	for _, frames := range conversations(f) {
		f.Add(frames)
	}
	f.Fuzz(func(t *testing.T, text string) {
		frames := strings.Split(text, "\n")
		if len(frames) > 15 || !utf8.ValidString(text) { // 20 broken frames, or none that is text, close a connection
			return
		}
		w := newWorld(t)
		s := w.connect(cp)
		for _, frame := range frames {
			s.send(frame)
		}
		s.send(`[2,"the end","Heartbeat",{}]`)
		for got := ""; !strings.HasPrefix(got, `[3,"the end",`); {
			if got = s.next(); got == "" {
				t.Fatalf("closed with %d after %q", s.ending(), text)
			}
			checkSent(t, s, got)
		}
		s.close()
		w.end()
		if n := w.server.Counters().Panics.Load(); n > 0 {
			t.Fatalf("%d panics after %q", n, text)
		}
		checkLedger(t, w)
	})
}

// conversations returns what stations send in the transcripts.
func conversations(f *testing.F) []string {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	var list []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var frames []string
		for line := range strings.Lines(string(text)) {
			if frame, ok := strings.CutPrefix(line, "> "); ok && len(frames) < 15 {
				frames = append(frames, strings.TrimSpace(frame))
			}
		}
		list = append(list, strings.Join(frames, "\n"))
	}
	return list
}

func checkSent(t *testing.T, s *station, frame string) {
	t.Helper()
	f, err := ocpp.ParseFrame([]byte(frame))
	if err != nil {
		t.Fatalf("sent %s: %v", frame, err)
	}
	if f.Type != ocpp.CallResult {
		return
	}
	var v ocpp.Violations
	m := v16.NewResponse(s.asked[f.ID])
	if m == nil { // ids that were used twice
		return
	}
	if err := m.Decode(f.Payload, &v); s.once(f.ID) && (err != nil || len(v.List) > 0 || v.Extra > 0) {
		t.Fatalf("sent %s: %v %v", frame, err, v)
	}
}

func checkLedger(t *testing.T, w *world) {
	t.Helper()
	page, err := w.store.Transactions(t.Context(), leyden.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Transactions {
		if err := page.Transactions[i].Check(); err != nil {
			t.Error(err)
		}
	}
}
