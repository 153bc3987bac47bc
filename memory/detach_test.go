package memory

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"leyden"
)

// odd has everything that a record may have.
type odd struct {
	Text   string
	Texts  []string
	Named  map[string][]string
	Number *int
	At     time.Time
	Times  [2]time.Time
	Inner  *odd
	Raw    []byte
	Empty  []string
	None   map[string]int
	hidden *string
}

// TestDetach detaches values of several types whose texts, lists and numbers are
// overwritten then.
func TestDetach(t *testing.T) {
	room := []byte("a text that is overwritten")
	text := unsafe.String(&room[0], len(room))
	n := 7
	east := time.FixedZone("", 3600)
	at := time.Date(2026, 2, 6, 12, 0, 0, 123456789, east)
	v := odd{
		Text: text, Texts: []string{text, "", text}, Named: map[string][]string{"k": {text}}, Number: &n, At: at,
		Times: [2]time.Time{at}, Inner: &odd{Text: text, hidden: &text}, Raw: room[:6], Empty: []string{}, None: map[string]int{},
	}
	got := detach(v)
	for i := range room {
		room[i] = '#'
	}
	n, v.Texts[1], v.Inner.At = 8, "another", at
	delete(v.Named, "k")

	kept, number := "a text that is overwritten", 7
	utc := time.Date(2026, 2, 6, 11, 0, 0, 123456000, time.UTC)
	want := odd{
		Text: kept, Texts: []string{kept, "", kept}, Named: map[string][]string{"k": {kept}}, Number: &number, At: utc,
		Times: [2]time.Time{utc}, Inner: &odd{Text: kept, hidden: &kept}, Raw: []byte("a text"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if list := detach([]leyden.Sample{}); list != nil {
		t.Errorf("an empty list became %v", list)
	}
}

// BenchmarkDetach measures the copy of a transaction that runs.
func BenchmarkDetach(b *testing.B) {
	wh, watts := leyden.WattHours(1), 11.0
	at := time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)
	r, g := &leyden.Reading{At: at, Wh: 5}, &leyden.Gauge{At: at, Value: 5}
	t := leyden.Transaction{
		ID: 1, PublicID: strings.Repeat("x", 30), Station: "S1", Token: leyden.IDToken{Value: "USER123"}, VehicleID: "USER123",
		StartedAt: at, StartReceivedAt: at, MeterStart: &wh, Energy: &wh, Power: &watts, UpdatedAt: at,
		Evidence: leyden.Evidence{StartKey: "S|1|user123|1770379200000000|0|0", First: r, Last: r, Peak: r, Power: g, FirstSoC: g, LastSoC: g},
	}
	b.ReportAllocs()
	for b.Loop() {
		detach(t)
	}
}
