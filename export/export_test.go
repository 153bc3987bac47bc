package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"leyden/export"
	"leyden/sheet"
)

var update = flag.Bool("update", false, "write testdata anew")

// kWh is as the REST APIs have it.
type kWh struct {
	thousandths int64
	known       bool
}

// Thousandths returns the number of Wh.
func (k kWh) Thousandths() (int64, bool) { return k.thousandths, k.known }

// MarshalJSON is only good enough for a test.
func (k kWh) MarshalJSON() ([]byte, error) {
	if !k.known {
		return []byte("null"), nil
	}
	return json.Marshal(float64(k.thousandths) / 1000)
}

// instant is a time as the REST APIs have it.
type instant struct{ time.Time }

type charger struct {
	Name   string  `json:"name" doc:"Its name."`
	Vendor *string `json:"vendor"`
}

// everything has a column of each kind.
type everything struct {
	charger
	ID       int32             `json:"id"`
	Number   *int64            `json:"number"`
	Energy   kWh               `json:"energy"`
	SoC      *float64          `json:"soc"`
	Online   bool              `json:"online"`
	At       instant           `json:"at"`
	Seen     time.Time         `json:"seen,omitzero"`
	Flags    []string          `json:"flags"`
	Metadata map[string]string `json:"metadata"`
	Raw      json.RawMessage   `json:"raw,omitempty"`
	Hidden   string            `json:"-"`
}

func rows() []everything {
	noon := time.Date(2026, 2, 6, 12, 0, 0, 123456000, time.UTC)
	return []everything{
		{
			charger: charger{Name: "North", Vendor: new("ACME")}, ID: 7, Number: new(int64(-5)), Energy: kWh{14250, true}, SoC: new(0.5),
			Online: true, At: instant{noon}, Seen: noon.In(time.FixedZone("", 7200)), Flags: []string{"A", "B"},
			Metadata: map[string]string{"k": "<&>"}, Raw: json.RawMessage(`[1,2]`),
		},
		{charger: charger{Vendor: new("")}},
		{
			charger: charger{Name: `=1+1,"x"` + "\nnext", Vendor: new("'@x")}, Energy: kWh{-1, true}, SoC: new(1e-9),
			Flags: []string{"a;b", ""}, Metadata: map[string]string{"\x00": "\xff"},
		},
		{charger: charger{Name: "\xff ä\r\n", Vendor: new(` \.`)}, Energy: kWh{0, true}, Flags: []string{"-x"}},
	}
}

func each[T any](rows []T) func(func(T, error) bool) {
	return func(yield func(T, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func write[T any](t testing.TB, f export.Format, rows []T) []byte {
	t.Helper()
	var out bytes.Buffer
	n, err := export.Copy(&out, f, each(rows), nil)
	if err != nil || n != int64(len(rows)) {
		t.Fatalf("%s: %d rows of %d were written: %v", f, n, len(rows), err)
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	for _, f := range []export.Format{export.CSV, export.NDJSON, export.JSON} {
		got, file := write(t, f, rows()), filepath.Join("testdata", "everything."+string(f))
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n(go test ./export -update writes it anew)", file, diff)
		}
	}
}

func TestNothing(t *testing.T) {
	for f, want := range map[export.Format]string{
		export.CSV: "name,vendor\r\n", export.NDJSON: "", export.JSON: "[]",
	} {
		if got := string(write[charger](t, f, nil)); got != want {
			t.Errorf("%s: got %q, want %q", f, got, want)
		}
	}
	if got := readParquet(t, write[charger](t, export.Parquet, nil)); len(got) != 0 {
		t.Errorf("parquet: got %d rows, want none", len(got))
	}
}

// A failing source or destination is told, with the rows that there were.
func TestBroken(t *testing.T) {
	broken := errors.New("broken")
	for _, f := range export.Formats() {
		n, err := export.Copy(io.Discard, f, func(yield func(charger, error) bool) {
			_ = yield(charger{}, nil) && yield(charger{}, broken)
		}, nil)
		if n != 1 || !errors.Is(err, broken) {
			t.Errorf("%s: a broken source: got %d, %v", f, n, err)
		}
		if _, err := export.Copy(failing{}, f, each(make([]everything, 10_000)), nil); !errors.Is(err, errFull) {
			t.Errorf("%s: a broken destination: got %v", f, err)
		}
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestParquet(t *testing.T) {
	data := write(t, export.Parquet, rows())
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `message row {
	required binary name (STRING);
	optional binary vendor (STRING);
	required int64 id (INT(64,true));
	optional int64 number (INT(64,true));
	optional int64 energy (DECIMAL(18,3));
	optional double soc;
	required boolean online;
	optional int64 at (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	optional int64 seen (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	required group flags (LIST) {
		repeated group list {
			required binary element (STRING);
		}
	}
	optional binary metadata (JSON);
	optional binary raw (JSON);
}`
	if diff := cmp.Diff(want, file.Schema().String()); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
	got := readParquet(t, data)
	for i, want := range []map[string]string{
		{
			"name": "North", "vendor": "ACME", "id": "7", "number": "-5", "energy": "14250", "soc": "0.5", "online": "true",
			"at": "1770379200123456", "seen": "1770379200123456", "flags": "A|B", "metadata": `{"k":"<&>"}`, "raw": "[1,2]",
		},
		{"name": "", "vendor": "", "id": "0", "online": "false"},
		{
			"name": "=1+1,\"x\"\nnext", "vendor": "'@x", "id": "0", "energy": "-1", "soc": "0.000000001", "online": "false",
			"flags": "a;b|", "metadata": `{"\u0000":"\ufffd"}`,
		},
		{"name": "\uFFFD ä\r\n", "vendor": ` \.`, "id": "0", "energy": "0", "online": "false", "flags": "-x"},
	} {
		if diff := cmp.Diff(want, got[i]); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
}

// readParquet returns what is not null of each row, by column.
func readParquet(t testing.TB, data []byte) []map[string]string {
	t.Helper()
	r := parquet.NewGenericReader[any](bytes.NewReader(data))
	columns := r.Schema().Columns()
	var all []map[string]string
	batch := make([]parquet.Row, 10)
	for {
		n, err := r.ReadRows(batch)
		for _, row := range batch[:n] {
			fields := map[string]string{}
			for _, v := range row {
				if v.IsNull() {
					continue
				}
				name, text := columns[v.Column()][0], v.String()
				if v.Kind() == parquet.Double {
					text = jsonNumber(v.Double())
				}
				if v.RepetitionLevel() > 0 {
					text = fields[name] + "|" + text
				}
				fields[name] = text
			}
			all = append(all, fields)
		}
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func jsonNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// A row group is bounded by its rows and by its texts.
func TestRowGroups(t *testing.T) {
	for _, test := range []struct {
		rows, text, least int
	}{
		{50_000, 1, 3}, {200, 1 << 20, 10},
	} {
		many := slices.Repeat([]charger{{Name: strings.Repeat("x", test.text)}}, test.rows)
		data := write(t, export.Parquet, many)
		file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(file.RowGroups()); n < test.least || file.NumRows() != int64(test.rows) {
			t.Errorf("%d rows of %d bytes: got %d rows in %d groups, want at least %d", test.rows, test.text, file.NumRows(), n, test.least)
		}
	}
}

// Whatever is in a text, all formats give it back, and no cell of CSV computes.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"", "=1", "'=1", "a,b", `"`, "\r\n", "\r", "\x00", " x", "\xff", "[", ";", "\\.", "\ufeff", "null", "\u2028"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		row := everything{charger: charger{Name: a, Vendor: new(b)}, Flags: []string{b, a}, Metadata: map[string]string{a: b}}
		name, vendor := string([]rune(a)), string([]rune(b))
		lines, err := csv.NewReader(bytes.NewReader(write(t, export.CSV, []everything{row}))).ReadAll()
		if err != nil || len(lines) != 2 {
			t.Fatalf("%d lines: %v", len(lines), err)
		}
		for i, want := range []string{name, vendor} {
			got := lines[1][i]
			if got != "" && strings.ContainsAny(got[:1], "=+-@\t\r\n") {
				t.Errorf("a spreadsheet would compute %q", got)
			}
			// Readers of CSV take CRLF for LF.
			if got = sheet.Plain(got); got != strings.ReplaceAll(want, "\r\n", "\n") {
				t.Errorf("CSV: got %q, want %q", got, want)
			}
		}
		if got := readParquet(t, write(t, export.Parquet, []everything{row}))[0]; got["name"] != name || got["vendor"] != vendor || got["flags"] != vendor+"|"+name {
			t.Errorf("parquet: got %q, want %q and %q", got, name, vendor)
		}
		var back everything
		if err := json.Unmarshal(write(t, export.NDJSON, []everything{row}), &back); err != nil || back.Name != name || *back.Vendor != vendor {
			t.Errorf("NDJSON: got %q and %q, want %q and %q: %v", back.Name, *back.Vendor, name, vendor, err)
		}
	})
}

func TestColumns(t *testing.T) {
	got := export.Columns[everything]()
	if want := (export.Column{Name: "name", Type: "STRING", Doc: "Its name."}); got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
	if want := (export.Column{Name: "energy", Type: "DECIMAL(18, 3)", Nullable: true}); got[4] != want {
		t.Errorf("got %+v, want %+v", got[4], want)
	}
	texts, err := export.Texts(&rows()[2])
	if err != nil || texts[0] != "=1+1,\"x\"\nnext" || len(texts) != len(got) {
		t.Errorf("got %q, %v", texts, err)
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range export.Formats() {
		if got, ok := export.ParseFormat(string(f)); !ok || got != f {
			t.Errorf("%s: got %s, %v", f, got, ok)
		}
	}
	if f, ok := export.ParseFormat("xml"); ok {
		t.Errorf("got %s of xml", f)
	}
}

// A file that cannot be written whole is not there, and the old one stays.
func TestWriteFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.csv")
	content := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, werr := io.WriteString(w, text)
			return errors.Join(werr, err)
		}
	}
	if err := export.WriteFile(path, content("one", nil)); err != nil {
		t.Fatal(err)
	}
	if err := export.WriteFile(path, content("two", errFull)); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v: what could not be written is left", entries, err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "one" {
		t.Errorf("got %q, %v", data, err)
	}
	if err := export.WriteFile(filepath.Join(folder, "no", "a.csv"), content("", nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: got %v", err)
	}
}

// What was left of the same file by who was killed goes; what is being written,
// and whatever else there is, stays.
func TestWriteFileAfterCrash(t *testing.T) {
	folder := t.TempDir()
	touch := func(names ...string) {
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	touch(".a.csv.123.part", ".a.csv.4.part")
	others := []string{
		"..part", ".a.csv..part", ".a.csv.12x.part", ".a.csv.123.part.gz", ".a.csv.part", ".b.csv.123.part", "a.csv.123.part", "a.csv.old",
	}
	touch(others...)
	if err := os.Mkdir(filepath.Join(folder, ".a.csv.7.part"), 0o700); err != nil {
		t.Fatal(err)
	}
	nothing := func(io.Writer) error { return nil }
	err := export.WriteFile(filepath.Join(folder, "a.csv"), func(io.Writer) error {
		return export.WriteFile(filepath.Join(folder, "a.csv"), nothing)
	})
	if err != nil {
		t.Fatalf("one that was written while another was: %v", err)
	}
	entries, err := os.ReadDir(folder)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := slices.Sorted(slices.Values(append(others, ".a.csv.7.part", "a.csv")))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if data, err := os.ReadFile(filepath.Join(folder, "a.csv")); err != nil || len(data) > 0 {
		t.Errorf("got %q, %v", data, err)
	}
}
