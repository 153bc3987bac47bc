package taglist_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/memory"
	"leyden/taglist"
)

var noon = time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)

func newRegistry(t *testing.T, list ...leyden.Token) *memory.Store {
	t.Helper()
	r := memory.New(func() time.Time { return noon })
	for _, id := range []string{"VAN-12", "=CAR"} {
		if err := r.AddVehicle(t.Context(), leyden.Vehicle{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.SaveTokens(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return r
}

func imported(t *testing.T, r leyden.Registry, text string) taglist.Result {
	t.Helper()
	got, err := taglist.Import(t.Context(), r, []byte(text), noon, false)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func exported(t *testing.T, r leyden.Registry) string {
	t.Helper()
	var b bytes.Buffer
	if err := taglist.Write(&b, r.ScanTokens(t.Context(), leyden.TokenQuery{Listed: new(true)})); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func get(t *testing.T, r leyden.Registry, value string) leyden.Token {
	t.Helper()
	tok, err := r.Token(t.Context(), value)
	if err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	tok.Version = 0 // the registry counts
	return tok
}

func counts(r taglist.Result) string {
	return fmt.Sprintf("%d added, %d changed, %d unchanged, %d wrong", r.Added, r.Changed, r.Unchanged, len(r.Problems))
}

const header = "idTag,status,expiryDate,parentIdTag,maxActiveTransactions,vehicleId,note\r\n"

func TestImport(t *testing.T) {
	old := leyden.Token{
		Value: "Old", Status: leyden.TokenBlocked, Expiry: noon, Parent: "P", MaxActive: 3, VehicleID: "VAN-12", Note: "n",
		Listed: true, CreatedAt: noon.Add(-time.Hour), SeenAt: noon.Add(-time.Minute),
	}
	seen := leyden.Token{Value: "Seen", Status: leyden.TokenAccepted, CreatedAt: noon.Add(-time.Hour), SeenAt: noon.Add(-time.Minute)}
	r := newRegistry(t, old, seen)
	list := header +
		"OLD,accepted,2030-01-01T01:00:00+01:00,Q,1,,\"a, \"\"b\"\"\nc\"\r\n" +
		"seen,,,,,,\r\n" +
		"New,Blocked,2030-01-31,FLEET,1000,VAN-12,'=1+1\r\n"
	dry, err := taglist.Import(t.Context(), r, []byte(list), noon, true)
	if err != nil || counts(dry) != "2 added, 1 changed, 0 unchanged, 0 wrong" {
		t.Errorf("dry run: %s, %v", counts(dry), err)
	}
	if _, n, err := r.Tokens(t.Context(), leyden.TokenQuery{}); n != 2 || err != nil || get(t, r, "old") != old {
		t.Errorf("a dry run changed something: %d idTags, %v, %+v", n, err, get(t, r, "old"))
	}
	if got := imported(t, r, list); counts(got) != counts(dry) {
		t.Errorf("got %s, want %s", counts(got), counts(dry))
	}
	want := old
	want.Status, want.Expiry, want.Parent = leyden.TokenAccepted, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), "Q"
	want.MaxActive, want.VehicleID, want.Note = 1, "", "a, \"b\"\nc"
	if got := get(t, r, "old"); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	seen.Listed = true
	if got := get(t, r, "Seen"); got != seen {
		t.Errorf("got  %+v\nwant %+v", got, seen)
	}
	added := leyden.Token{
		Value: "New", Status: leyden.TokenBlocked, Expiry: time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC), Parent: "FLEET",
		MaxActive: 1000, VehicleID: "VAN-12", Note: "=1+1", Listed: true, CreatedAt: noon,
	}
	if got := get(t, r, "new"); got != added {
		t.Errorf("got  %+v\nwant %+v", got, added)
	}
	if got := imported(t, r, list); counts(got) != "0 added, 0 changed, 3 unchanged, 0 wrong" {
		t.Errorf("the same again: %s", counts(got))
	}
}

// The lists of spreadsheets and of other systems are read as they are.
func TestImportOfOthers(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"one column":           {"idTag\nA\n", "A Accepted 0"},
		"spreadsheet":          {"\ufeffID-TAG;Status;Note\r\nA;BLOCKED;x\r\n;;\r\n", "A Blocked 0 x"},
		"other order and case": {"NOTE,max_active_transactions,IDTAG\nhello,2,A\n", "A Accepted 2 hello"},
		"SteVe":                {"ID Tag,Parent ID Tag,Expiry Date/Time,In Transaction?,Blocked?,Max. Active Transaction Count,Note\nA,P,2030-01-01 10:30,false,true,-1,x\n", "A Blocked 0 x"},
		"told separator":       {"sep=;\r\nidTag;note\r\nA;a,b\r\n", "A Accepted 0 a,b"},
		"spaces kept in idTag": {"idTag, note\n A ,x\n", " A  Accepted 0 x"},
	} {
		r := newRegistry(t)
		got := imported(t, r, c.text)
		value, _, _ := strings.Cut(strings.TrimSpace(c.want), " ")
		if name == "spaces kept in idTag" {
			value = " A "
		}
		if counts(got) != "1 added, 0 changed, 0 unchanged, 0 wrong" {
			t.Errorf("%s: %s %v", name, counts(got), got.Problems)
			continue
		}
		tok := get(t, r, value)
		if text := strings.TrimRight(fmt.Sprintf("%s %s %d %s", tok.Value, tok.Status, tok.MaxActive, tok.Note), " "); text != c.want {
			t.Errorf("%s: got %q, want %q", name, text, c.want)
		}
	}
}

// A column that is not there stays as it is.
func TestImportOfAFewColumns(t *testing.T) {
	old := leyden.Token{Value: "A", Status: leyden.TokenAccepted, Parent: "P", MaxActive: 3, VehicleID: "VAN-12", Note: "n", Listed: true}
	r := newRegistry(t, old)
	imported(t, r, "idTag,status\nA,Blocked\n")
	old.Status = leyden.TokenBlocked
	if got := get(t, r, "A"); got != old {
		t.Errorf("got  %+v\nwant %+v", got, old)
	}
	imported(t, r, "idTag,note\nA,\n")
	old.Note = ""
	if got := get(t, r, "A"); got != old {
		t.Errorf("got  %+v\nwant %+v", got, old)
	}
}

// Whatever is wrong is told with its line and column, and nothing is taken.
func TestProblems(t *testing.T) {
	long := strings.Repeat("x", 501)
	for name, c := range map[string]struct{ text, want string }{
		"empty":              {"", "0 : the list is empty: its first line names the columns"},
		"only lines":         {"\n\n", "0 : the list is empty: its first line names the columns"},
		"Latin-1":            {"idTag\n\xe4\n", `0 : the list is not UTF-8: save it as "CSV UTF-8"`},
		"no header":          {"A,Accepted\n", "1 A: is no column of idTags: expected idTag, status, expiryDate, parentIdTag, maxActiveTransactions, vehicleId, note; 1 Accepted: is no column of idTags: expected idTag, status, expiryDate, parentIdTag, maxActiveTransactions, vehicleId, note"},
		"no idTag":           {"status\nAccepted\n", "1 : has no column idTag: the first line names the columns"},
		"twice":              {"idTag,Id Tag\nA,B\n", "1 Id Tag: is given twice"},
		"status and blocked": {"idTag,status,blocked\nA,,\n", "1 blocked: says what the status says"},
		"quote":              {"idTag\nA\n\"B\n", `3 : is no CSV: extraneous or missing " in quoted-field`},
		"cells":              {"idTag,note\nA\nB,x,y\n", "2 : has 1 cells, and there are 2 columns; 3 : has 3 cells, and there are 2 columns"},
		"values": {
			header + "A,Fine,soon,P,0,BUS," + long + "\n,,,,,,x\n" + strings.Repeat("y", 21) + ",,,,,,\n\"a\tb\",,,,,,\nB,,,,,,\nb,,,,,,\nC,,,,,,\x1b[2J\nD,,,,,,\"a\tb\nc\"\n",
			"2 status: must be Accepted or Blocked; " +
				"2 expiryDate: must be a time like 2030-01-31T12:00:00Z or a day like 2030-01-31; " +
				"2 vehicleId: there is no vehicle BUS; " +
				"2 maxActiveTransactions: must be a number from 1 to 1000, or empty for no limit; 2 note: has more than 500 characters; 3 idTag: is required; " +
				"4 idTag: has more than 20 characters; 5 idTag: has a character that cannot be shown; 7 idTag: b stands in line 6 already; " +
				"8 note: has a character that cannot be shown",
		},
		"blocked": {"idTag,blocked\nA,maybe\n", "2 blocked: must be true or false"},
	} {
		r := newRegistry(t)
		var got []string
		for _, p := range imported(t, r, c.text).Problems {
			got = append(got, fmt.Sprintf("%d %s: %s", p.Line, p.Column, p.Reason))
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, text, c.want)
		}
		if _, n, err := r.Tokens(t.Context(), leyden.TokenQuery{}); n != 0 || err != nil {
			t.Errorf("%s: %d idTags, %v; want none", name, n, err)
		}
	}
}

func TestLimits(t *testing.T) {
	rows := func(n int, cell string) string {
		var b strings.Builder
		b.WriteString("idTag,maxActiveTransactions\n")
		for i := range n {
			fmt.Fprintf(&b, "T%d,%s\n", i, cell)
		}
		return b.String()
	}
	r := newRegistry(t)
	if got := imported(t, r, rows(50_001, "")); len(got.Problems) != 1 || got.Problems[0].Line != 50_002 {
		t.Errorf("one too many: %v", got.Problems)
	}
	if got := imported(t, r, rows(50_000, "")); counts(got) != "50000 added, 0 changed, 0 unchanged, 0 wrong" {
		t.Errorf("as many as there may be: %s", counts(got))
	}
	if got := imported(t, r, rows(5000, "x")); len(got.Problems) != 100 {
		t.Errorf("%d problems, want the first 100", len(got.Problems))
	}
}

// What is exported is imported without a change, whatever is in it.
func TestExportIsImportedUnchanged(t *testing.T) {
	alphabet := []string{"=", "'", "+", "-", "@", "\"", ",", ";", "\n", "\r\n", "\t", " ", "ä", "x", "1", "sep="}
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		text := func() string {
			var b strings.Builder
			for range rnd.IntN(5) {
				b.WriteString(alphabet[rnd.IntN(len(alphabet))])
			}
			return b.String()
		}
		var list []leyden.Token
		for i := range 1 + rnd.IntN(9) {
			tag := strings.ReplaceAll(text(), "\r", "") + fmt.Sprint(i)
			list = append(list, leyden.Token{
				Value: tag, Status: []string{leyden.TokenAccepted, leyden.TokenBlocked}[rnd.IntN(2)], Parent: strings.ReplaceAll(text(), "\r", ""),
				MaxActive: rnd.IntN(3), VehicleID: []string{"", "VAN-12", "=CAR"}[rnd.IntN(3)], Note: text(), Listed: true,
				Expiry: []time.Time{{}, noon, noon.Add(1234 * time.Microsecond)}[rnd.IntN(3)], CreatedAt: noon,
			})
		}
		r := newRegistry(t, list...)
		out := exported(t, r)
		got := imported(t, r, out)
		if want := fmt.Sprintf("0 added, 0 changed, %d unchanged, 0 wrong", len(list)); counts(got) != want {
			t.Fatalf("seed %d: %s %v, want %s, of\n%q", seed, counts(got), got.Problems, want, out)
		}
		other := newRegistry(t)
		if got := imported(t, other, out); got.Added != len(list) && len(got.Problems) == 0 {
			t.Errorf("seed %d: into another: %s %v", seed, counts(got), got.Problems)
		}
	}
}

func TestExport(t *testing.T) {
	r := newRegistry(t, leyden.Token{Value: "=A", Status: leyden.TokenAccepted, Expiry: noon, Parent: "P", MaxActive: 2, VehicleID: "=CAR", Note: "x,y", Listed: true},
		leyden.Token{Value: "B", Status: leyden.TokenBlocked, Listed: true})
	want := header + "'=A,Accepted,2026-02-06T12:00:00.000Z,P,2,'=CAR,\"x,y\"\r\nB,Blocked,,,,,\r\n"
	if got := exported(t, r); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	broken := errors.New("broken")
	err := taglist.Write(&bytes.Buffer{}, func(yield func(leyden.Token, error) bool) { yield(leyden.Token{}, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("an error on the way: %v", err)
	}
}

// A failing registry is an error, not a problem of the list.
func TestImportWhileStorageFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := taglist.Import(ctx, newRegistry(t), []byte("idTag\nA\n"), noon, false); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
