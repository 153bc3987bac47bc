package apiv2_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"leyden"
)

var update = flag.Bool("update", false, "write what the API answers into testdata")

// TestTranscripts plays every file of testdata. A line is one of
//
//	clock    TIME                                      sets the server's clock
//	station  ID                                        names the station of the lines below, which connects now
//	status   CONNECTOR STATUS TIME                     StatusNotification
//	start    CONNECTOR IDTAG METER TIME                StartTransaction; times are the station's
//	meter    NUMBER MEASURAND VALUE TIME               MeterValues
//	stop     NUMBER IDTAG METER REASON TIME            StopTransaction; "-" for no reason
//	reserve  CONNECTOR IDTAG                           a remote start that stays pending
//	GET      TARGET                                    a request; what follows up to an empty line is the answer
//
// and "#" begins a remark. An answer is the status, the headers that lists
// have, and the body, indented. Every answer is held against the OpenAPI
// document. Run with -update to accept what the API answers now.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(data))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(data) {
				t.Errorf("%s\nrun again with: go test ./apiv2 -run %s\naccept with -update", firstDifference(string(data), got), t.Name())
			}
		})
	}
}

// play runs a transcript and returns it with the answers that were given.
func play(t *testing.T, text string) string {
	w := newWorld(t)
	var out strings.Builder
	answering := false // line belongs to the answer of the GET before it
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		answering = answering && line != "" && !strings.HasPrefix(line, "GET ")
		if answering {
			continue
		}
		fmt.Fprintln(&out, line)
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
		case fields[0] == "GET":
			fmt.Fprintln(&out, answer(t, w.get(line)))
			answering = true
		default:
			w.act(fields)
		}
	}
	return out.String()
}

// answer writes a reply as transcripts show it.
func answer(t *testing.T, r *httptest.ResponseRecorder) string {
	lines := []string{strconv.Itoa(r.Code)}
	for _, name := range []string{"X-Total-Count", "Link"} {
		if value := r.Header().Get(name); value != "" {
			lines = append(lines, name+": "+value)
		}
	}
	var body bytes.Buffer
	if err := json.Indent(&body, r.Body.Bytes(), "", "  "); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return strings.Join(append(lines, body.String()), "\n")
}

// act makes something happen to the station.
func (w *world) act(fields []string) {
	w.t.Helper()
	arg := func(i int) string {
		if i >= len(fields) {
			w.t.Fatalf("%q has too few words", strings.Join(fields, " "))
		}
		return fields[i]
	}
	switch fields[0] {
	case "clock":
		w.now = instant(w.t, arg(1))
	case "station":
		w.station = leyden.StationID(arg(1))
		w.must(w.ledger.Connected(w.t.Context(), w.station, "ocpp1.6"))
	case "status":
		w.must(w.ledger.StatusReported(w.t.Context(), w.station, leyden.Connector{
			Number: w.number(arg(1)), Status: arg(2), ErrorCode: "NoError", At: instant(w.t, arg(3)),
		}))
	case "start":
		w.record(leyden.Event{
			Kind: leyden.Started, Connector: w.number(arg(1)), Token: leyden.IDToken{Value: arg(2)}, Register: w.energy(arg(3)), At: instant(w.t, arg(4)),
		})
	case "meter":
		at := instant(w.t, arg(4))
		w.record(leyden.Event{
			Kind: leyden.Updated, Number: new(int64(w.number(arg(1)))), Connector: 1, At: at, Digest: strings.Join(fields, " "),
			Samples: []leyden.Sample{{At: at, Measurand: arg(2), Value: arg(3)}},
		})
	case "stop":
		e := leyden.Event{
			Kind: leyden.Ended, Number: new(int64(w.number(arg(1)))), Token: leyden.IDToken{Value: arg(2)}, Register: w.energy(arg(3)), At: instant(w.t, arg(5)),
		}
		if arg(4) != "-" {
			e.Reason = arg(4)
		}
		w.record(e)
	case "reserve":
		_, err := w.ledger.Reserve(w.t.Context(), leyden.StartRequest{Station: w.station, Connector: w.number(arg(1)), Token: leyden.IDToken{Value: arg(2)}})
		w.must(err)
	default:
		w.t.Fatalf("%q is no line of a transcript", strings.Join(fields, " "))
	}
}

func (w *world) number(text string) int {
	n, err := strconv.Atoi(text)
	w.must(err)
	return n
}

func (w *world) energy(text string) *leyden.WattHours { return new(leyden.WattHours(w.number(text))) }

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d: got %q, want %q", i+1, b[i], a[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(b), len(a))
}
