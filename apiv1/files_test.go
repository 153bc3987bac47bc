package apiv1_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"leyden"
	"leyden/apiv1"
	"leyden/export"
	"leyden/internal/race"
	"leyden/memory"
	"leyden/rest/resttest"
)

// lists returns the operations whose replies have pages, or frames, by id.
func (w *world) lists() map[string]string {
	lists := w.operations()
	maps.DeleteFunc(lists, func(id, line string) bool {
		method, path, _ := strings.Cut(line, " ")
		if method != http.MethodGet {
			return true
		}
		ref, _ := resttest.At(w.contract.Document, "paths", "/api/v1"+path, "get", "responses", "200", "content", "application/json", "schema", "$ref").(string)
		name := ref[strings.LastIndex(ref, "/")+1:]
		properties, _ := resttest.At(w.contract.Document, "components", "schemas", name, "properties").(map[string]any)
		return properties["pagination"] == nil && properties["nextAfter"] == nil
	})
	return lists
}

// rowsOf returns how many rows a file has.
func rowsOf(t *testing.T, f export.Format, data []byte) int {
	t.Helper()
	switch f {
	case export.CSV:
		lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		if err != nil || len(lines) == 0 {
			t.Fatalf("CSV: %d lines: %v in %s", len(lines), err, data)
		}
		return len(lines) - 1
	case export.NDJSON:
		return bytes.Count(data, []byte("\n"))
	case export.Parquet:
		file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		return int(file.NumRows())
	}
	var document map[string]json.RawMessage
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	most := 0
	for _, field := range document {
		var rows []json.RawMessage
		if json.Unmarshal(field, &rows) == nil {
			most = max(most, len(rows))
		}
	}
	return most
}

// Every list can be had as a file in every format, and says how many rows it has.
func TestEveryListIsAFile(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		id := s.start(0)
		s.meter(id, `{"value":"500"},{"value":"1","measurand":"Voltage"}`)
		s.stop(id, 1500, "")
		w.want(http.StatusCreated, "POST /vehicles", `{"vehicleId":"VAN","idTags":["USER123"]}`)
		w.want(http.StatusOK, "POST /chargers/CHARGER-001/cache/clear", "")
		webhook := field(t, w.want(http.StatusCreated, "POST /webhooks", `{"url":"https://hooks.example.com/leyden","events":["transaction.started"]}`), "id")
		lists := w.lists()
		if len(lists) < 20 {
			t.Errorf("only %d lists were found", len(lists))
		}
		for _, id := range slices.Sorted(maps.Keys(lists)) {
			target := strings.NewReplacer("{chargeBoxId}", "CHARGER-001", "{transactionId}", "1", "{webhookId}", webhook).Replace(lists[id])
			for _, f := range export.Formats() {
				out := w.do(target+"?format="+string(f), "")
				if strings.HasSuffix(target, "/frames") && out.Code == http.StatusConflict {
					continue // no journal is kept here
				}
				if out.Code != http.StatusOK {
					t.Errorf("%s as %s: got %d %s", id, f, out.Code, out.Body)
					continue
				}
				got := rowsOf(t, f, out.Body.Bytes())
				if out.Result().Trailer.Get("X-Row-Count") != fmt.Sprint(got) {
					t.Errorf("%s as %s: got %d rows, and the trailer %v", id, f, got, out.Result().Trailer)
				}
				wantHeader(t, out, "Content-Type", f.ContentType())
				if !strings.HasSuffix(out.Header().Get("Content-Disposition"), "."+string(f)+`"`) {
					t.Errorf("%s as %s: Content-Disposition is %s", id, f, out.Header().Get("Content-Disposition"))
				}
				if want := rowsOf(t, export.JSON, w.do(target+"?limit=500", "").Body.Bytes()); got != want && !(id == "v1ListIDTags" && f == export.CSV) {
					t.Errorf("%s as %s: got %d rows, want %d", id, f, got, want)
				}
			}
		}
	})
}

// The filters of a file are those of the list; its page is everything.
func TestFilesAreFiltered(t *testing.T) {
	inWorld(t, func(w *world) {
		w.putMany()
		for range 600 {
			w.put(leyden.Transaction{Station: "S1", Connector: 1, Status: leyden.Failed, Remote: true})
		}
		for target, want := range map[string]int{
			"/transactions?status=completed&limit=1&offset=1": 2, "/transactions?chargeBoxId=S1": 602, "/transactions?status=void": 1,
		} {
			out := w.do("GET "+target+"&format=csv", "")
			if got := rowsOf(t, export.CSV, out.Body.Bytes()); got != want || out.Header().Get("X-Total-Count") != fmt.Sprint(want) {
				t.Errorf("%s: got %d rows of %s expected, want %d", target, got, out.Header().Get("X-Total-Count"), want)
			}
		}
	})
}

// A list that is read in parts has every row once.
func TestFilesOfManyParts(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 1203 {
			w.must(w.store.AddVehicle(t.Context(), leyden.Vehicle{ID: fmt.Sprintf("VAN-%04d", i), CreatedAt: noon}))
		}
		var got struct {
			Vehicles   []struct{ VehicleID string }
			Pagination struct{ Total, Limit, Offset int }
		}
		out := w.do("GET /vehicles?format=json&limit=7&offset=5&cursor=A", "")
		w.must(json.Unmarshal(out.Body.Bytes(), &got))
		if got.Pagination.Total != 1203 || got.Pagination.Limit != 1203 || out.Header().Get("X-Total-Count") != "1203" {
			t.Errorf("got %+v, and %s expected", got.Pagination, out.Header().Get("X-Total-Count"))
		}
		for i, v := range got.Vehicles {
			if v.VehicleID != fmt.Sprintf("VAN-%04d", i) {
				t.Fatalf("row %d is %s", i, v.VehicleID)
			}
		}
	})
}

func TestFilesByAccept(t *testing.T) {
	inWorld(t, func(w *world) {
		for accept, want := range map[string]string{
			"":                                    "application/json",
			"*/*":                                 "application/json",
			"text/html,*/*;q=0.8":                 "application/json",
			"text/csv":                            "text/csv; charset=utf-8; header=present",
			"text/*":                              "application/json",
			"text/csv, */*":                       "text/csv; charset=utf-8; header=present",
			"application/json, text/csv":          "application/json",
			"text/csv;q=0.5, application/json":    "application/json",
			"text/csv;q=0, */*":                   "application/json",
			"text/csv;q=x":                        "application/json",
			"application/x-ndjson;q=1.0":          "application/x-ndjson",
			"application/vnd.apache.parquet":      "application/vnd.apache.parquet",
			"image/png":                           "application/json",
			",,;":                                 "application/json",
			"application/json;q=0.1,text/csv;q=1": "text/csv; charset=utf-8; header=present",
		} {
			out := w.do("GET /chargers", "", "Accept: "+accept)
			if got := out.Header().Get("Content-Type"); got != want || out.Code != http.StatusOK {
				t.Errorf("Accept: %s: got %d %s, want %s", accept, out.Code, got, want)
			}
		}
		out := w.do("GET /chargers?format=ndjson", "", "Accept: text/csv")
		wantHeader(t, out, "Content-Type", "application/x-ndjson")
	})
}

// A longStore has that many transactions and then fails, if it shall.
type longStore struct {
	*memory.Store
	n    int
	err  error
	seen func(n int)
}

func (s longStore) Scan(context.Context, leyden.Query) iter.Seq2[leyden.Transaction, error] {
	return func(yield func(leyden.Transaction, error) bool) {
		for i := range s.n {
			if s.seen != nil {
				s.seen(i)
			}
			t := leyden.Transaction{
				ID: leyden.TransactionID(i + 1), PublicID: fmt.Sprintf("txn_%026d", i), Station: "CHARGER-001", Connector: 1 + i%2, Status: leyden.Completed,
				Token: leyden.IDToken{Value: fmt.Sprintf("TAG-%d", i%1000)}, StartedAt: later(i), StoppedAt: later(i + 30), Energy: new(leyden.WattHours(i)),
				Metadata: map[string]string{"order": fmt.Sprint(i)}, UpdatedAt: noon, InsertedAt: noon, Revision: 1, Version: 2,
			}
			if !yield(t, nil) {
				return
			}
		}
		if s.err != nil {
			yield(leyden.Transaction{}, s.err)
		}
	}
}

func (s longStore) in(c *apiv1.Config) {
	c.Ledger = leyden.NewLedger(s, s.Store, leyden.Options{})
}

// A file that fails on its way is cut: no client takes it for the whole.
func TestBrokenFile(t *testing.T) {
	for _, f := range export.Formats() {
		w := newWorld(t, longStore{Store: memory.New(time.Now), n: 1000, err: errors.New("disk on fire")}.in)
		server := httptest.NewServer(w.api)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/transactions?format="+string(f), nil)
		w.must(err)
		r.Header.Set("X-API-Key", w.key)
		res, err := server.Client().Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		// A short Parquet file fails before its first piece is out.
		if err == nil && res.StatusCode == http.StatusOK {
			t.Errorf("%s: the client took half a file for the whole", f)
		}
		if res != nil && res.Trailer.Get("X-Row-Count") != "" {
			t.Errorf("%s: half a file has the trailer %v", f, res.Trailer)
		}
		server.Close()
	}
}

// Whatever fails before the first piece is refused as ever.
func TestBrokenBeginOfFile(t *testing.T) {
	w := newWorld(t, longStore{Store: memory.New(time.Now), err: fmt.Errorf("disk: %w", leyden.ErrUnavailable)}.in)
	for _, f := range []export.Format{export.CSV, export.NDJSON} {
		w.wantError("GET /transactions?format="+string(f), "", http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "storage is unavailable; try again later")
	}
}

// Memory does not grow with a file.
func TestFileInConstantMemory(t *testing.T) {
	const most = 32 << 20
	rows := race.Fewer(300_000, 5_000)
	if testing.Short() {
		rows = 50_000
	}
	for _, f := range export.Formats() {
		t.Run(string(f), func(t *testing.T) {
			base, worst := heap(), uint64(0)
			w := newWorld(t, longStore{Store: memory.New(time.Now), n: rows, seen: func(n int) {
				if n%50_000 == 49_999 {
					worst = max(worst, heap())
				}
			}}.in)
			r := httptest.NewRequest(http.MethodGet, "/api/v1/transactions?format="+string(f), nil)
			r.Header.Set("X-API-Key", w.key)
			out := &counter{header: http.Header{}}
			w.api.ServeHTTP(out, r)
			if out.header.Get("X-Row-Count") != fmt.Sprint(rows) || out.bytes < rows {
				t.Errorf("got %s rows in %d bytes", out.header.Get("X-Row-Count"), out.bytes)
			}
			if worst > base+most {
				t.Errorf("%d MiB of memory were in use, %d MiB before", worst>>20, base>>20)
			}
			t.Logf("%d bytes; %d MiB in use before, at most %d MiB meanwhile", out.bytes, base>>20, worst>>20)
		})
	}
}

// heap returns what is in use once all garbage is gone.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A counter is a client that keeps nothing.
type counter struct {
	header http.Header
	bytes  int
}

func (c *counter) Header() http.Header { return c.header }

func (c *counter) WriteHeader(int) {}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}
