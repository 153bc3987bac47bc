package apiv2_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// fleet plays five charges on two chargers: number, charger, connector, tag,
// minute of start and of stop, -1 while it runs. 2 and 3 start at the same
// minute, and so do 4 and 5; 4 and 5 run.
func fleet(t *testing.T) *world {
	w := newWorld(t)
	for _, line := range []string{
		"clock 2023-05-03T10:00:00Z", "station A", "station B",
		"station A", "start 1 van 0 2023-05-03T10:00:00Z",
		"clock 2023-05-03T10:10:00Z", "start 2 bus 0 2023-05-03T10:10:00Z",
		"station B", "start 1 van 0 2023-05-03T10:10:00Z",
		"clock 2023-05-03T10:20:00Z", "stop 3 van 10 Local 2023-05-03T10:20:00Z",
		"station A", "clock 2023-05-03T10:30:00Z", "stop 1 van 10 Local 2023-05-03T10:25:00Z",
		"clock 2023-05-03T10:31:00Z", "stop 2 bus 10 Local 2023-05-03T10:31:00Z",
		"clock 2023-05-03T10:40:00Z", "start 1 van 10 2023-05-03T10:40:00Z",
		"station B", "start 2 car 0 2023-05-03T10:40:00Z",
	} {
		w.act(strings.Fields(line))
	}
	return w
}

func TestList(t *testing.T) {
	const day = "2023-05-03T"
	window := func(from, to string) string { return "from=" + day + from + "Z&to=" + day + to + "Z" }
	cases := []struct {
		query string
		ids   string
		total int
		link  string
	}{
		{"", "5 4 3 2 1", 5, ""},
		{"order=desc", "5 4 3 2 1", 5, ""},
		{"order=asc", "1 2 3 4 5", 5, ""},
		{"orderBy=StartAt", "5 4 3 2 1", 5, ""},
		{"orderBy=StartAt&order=asc", "1 2 3 4 5", 5, ""},
		{"orderBy=EndAt", "5 4 2 1 3", 5, ""},
		{"orderBy=EndAt&order=asc", "3 1 2 4 5", 5, ""},
		{"orderBy=InsertedAt&order=asc&filterBy=InsertedAt&" + window("00:00:00", "23:59:59"), "3 1 2", 3, ""},

		{"chargerId=A", "4 2 1", 3, ""},
		{"chargerId=a", "", 0, ""},
		{"chargerId=A&connectorId=1", "4 1", 2, ""},
		{"connectorId=2", "5 2", 2, ""},
		{"connectorId=7", "", 0, ""},
		{"vehicleId=van", "4 3 1", 3, ""},
		{"chargerId=B&connectorId=1&vehicleId=van", "3", 1, ""},

		{window("10:00:00", "10:10:00"), "1", 1, ""},
		{window("10:00:01", "10:10:01"), "3 2", 2, ""},
		{window("10:10:00", "10:10:00"), "", 0, ""},
		{"from=" + day + "10:40:00Z", "5 4", 2, ""},
		{"from=" + day + "12:40:00+02:00", "5 4", 2, ""},
		{"from=" + day + "12:40:00%2B02:00", "5 4", 2, ""},
		{"to=" + day + "10:10:00Z", "1", 1, ""},
		{"filterBy=EndAt&" + window("10:20:00", "10:31:00"), "3 1", 2, ""},
		{"filterBy=InsertedAt&" + window("10:20:00", "10:31:00"), "3 1", 2, ""},
		{"filterBy=InsertedAt&" + window("10:30:00", "10:31:01"), "2 1", 2, ""},
		{"filterBy=Overlapping&" + window("10:20:00", "10:26:00"), "2 1", 2, ""},
		{"filterBy=Overlapping&" + window("10:05:00", "10:10:00"), "1", 1, ""},
		{"filterBy=Overlapping&" + window("10:31:00", "11:00:00"), "5 4", 2, ""},
		{"filterBy=Overlapping&" + window("11:00:00", "12:00:00"), "5 4", 2, ""},

		{"limit=2", "5 4", 5, `</v2/transactions?cursor=C&limit=2>; rel="next"`},
		{"limit=2&page=2", "3 2", 5, `</v2/transactions?cursor=C&limit=2>; rel="next", </v2/transactions?cursor=C&limit=2>; rel="prev"`},
		{"limit=2&page=3", "1", 5, `</v2/transactions?cursor=C&limit=2>; rel="prev"`},
		{"limit=2&page=4", "", 5, `</v2/transactions?limit=2&page=3>; rel="prev"`},
		{"limit=2&page=9223372036854775807", "", 5, `</v2/transactions?limit=2&page=3>; rel="prev"`},
		{"limit=5", "5 4 3 2 1", 5, ""},
		{"limit=2000", "5 4 3 2 1", 5, ""},
		{"chargerId=none&page=2", "", 0, `</v2/transactions?chargerId=none&page=1>; rel="prev"`},
		{"vehicleId=van&limit=1&order=asc", "1", 3, `</v2/transactions?cursor=C&limit=1&order=asc&vehicleId=van>; rel="next"`},
	}
	aCursor := regexp.MustCompile(`cursor=[A-Za-z0-9_-]+`)
	w := fleet(t)
	for _, c := range cases {
		r := w.get("GET /v2/transactions?" + c.query)
		if r.Code != http.StatusOK {
			t.Errorf("%s: got %d %s", c.query, r.Code, r.Body)
			continue
		}
		if got := ids(t, r.Body.Bytes()); got != c.ids {
			t.Errorf("%s: got %q, want %q", c.query, got, c.ids)
		}
		if got := r.Header().Get("X-Total-Count"); got != fmt.Sprint(c.total) {
			t.Errorf("%s: total %s, want %d", c.query, got, c.total)
		}
		if got := aCursor.ReplaceAllString(r.Header().Get("Link"), "cursor=C"); got != c.link {
			t.Errorf("%s: link %s, want %s", c.query, got, c.link)
		}
	}
}

func ids(t *testing.T, body []byte) string {
	t.Helper()
	var list []struct{ TransactionID int }
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	var numbers []string
	for _, item := range list {
		numbers = append(numbers, fmt.Sprint(item.TransactionID))
	}
	return strings.Join(numbers, " ")
}

// Who filters by a time that running charges do not have gets none of them,
// also without a window.
func TestFilterWithoutWindow(t *testing.T) {
	w := fleet(t)
	for query, want := range map[string]string{
		"filterBy=EndAt":                           "3 2 1",
		"filterBy=EndAt&to=2023-05-03T10:31:00Z":   "3 1",
		"filterBy=EndAt&orderBy=EndAt&chargerId=A": "2 1",
		"filterBy=InsertedAt":                      "3 2 1",
		"filterBy=InsertedAt&page=2&limit=2":       "1",
		"filterBy=StartAt":                         "5 4 3 2 1",
		"filterBy=Overlapping":                     "5 4 3 2 1",
	} {
		if got := ids(t, w.get("GET /v2/transactions?"+query).Body.Bytes()); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

// The links lead through every page once, whatever else is asked for.
func TestLinksLeadThroughAllPages(t *testing.T) {
	w := fleet(t)
	target, seen := "/v2/transactions?limit=2&orderBy=EndAt&order=asc", []string{}
	for target != "" {
		r := w.get("GET " + target)
		seen = append(seen, ids(t, r.Body.Bytes()))
		next, _, ok := strings.Cut(r.Header().Get("Link"), `>; rel="next"`)
		if !ok {
			break
		}
		target = strings.TrimPrefix(next, "<")
	}
	if got := strings.Join(seen, "|"); got != "3 1|2 4|5" {
		t.Errorf("got %s", got)
	}
}

// Back from the last page the links lead through every page once, too.
func TestLinksLeadBack(t *testing.T) {
	w := fleet(t)
	target, seen := "/v2/transactions?limit=2&orderBy=EndAt&order=asc&page=3", []string{}
	for target != "" {
		r := w.get("GET " + target)
		seen = append(seen, ids(t, r.Body.Bytes()))
		prev := linkTo(r.Header().Get("Link"), "prev")
		if next := linkTo(r.Header().Get("Link"), "next"); len(seen) > 1 && next == "" {
			t.Errorf("page %q has one after it, and no link to it", seen[len(seen)-1])
		}
		target = prev
	}
	if got := strings.Join(seen, "|"); got != "5|2 4|3 1" {
		t.Errorf("got %s", got)
	}
}

// linkTo returns where a Link header leads.
func linkTo(header, rel string) string {
	for _, link := range strings.Split(header, ", ") {
		if target, ok := strings.CutSuffix(link, `>; rel="`+rel+`"`); ok {
			return strings.TrimPrefix(target, "<")
		}
	}
	return ""
}

func TestRefusesCursors(t *testing.T) {
	w := fleet(t)
	next := linkTo(w.get("GET /v2/transactions?limit=2").Header().Get("Link"), "next")
	_, cursor, _ := strings.Cut(next, "cursor=")
	cursor, _, _ = strings.Cut(cursor, "&")
	for query, want := range map[string]int{
		"limit=2&cursor=" + cursor:             http.StatusOK,
		"limit=3&cursor=" + cursor:             http.StatusOK,
		"limit=2&page=2&cursor=" + cursor:      http.StatusBadRequest,
		"limit=2&page=1&cursor=" + cursor:      http.StatusBadRequest,
		"order=asc&cursor=" + cursor:           http.StatusBadRequest,
		"orderBy=StartAt&cursor=" + cursor:     http.StatusBadRequest,
		"chargerId=A&cursor=" + cursor:         http.StatusBadRequest,
		"cursor=B" + cursor[1:]:                http.StatusBadRequest,
		"cursor=" + cursor[:len(cursor)-4]:     http.StatusBadRequest,
		"cursor=x":                             http.StatusBadRequest,
		"cursor=%00":                           http.StatusBadRequest,
		"cursor=" + strings.Repeat("A", 1_001): http.StatusBadRequest,
	} {
		r := w.get("GET /v2/transactions?" + query)
		if r.Code != want {
			t.Errorf("%.80s: got %d %s, want %d", query, r.Code, r.Body, want)
		}
		if want == http.StatusBadRequest && !strings.Contains(r.Body.String(), `"message":"cursor: `) {
			t.Errorf("%.80s: %s does not begin with cursor", query, r.Body)
		}
	}
}

func TestBytesOfAList(t *testing.T) {
	w := newWorld(t)
	if got := w.get("GET /v2/transactions").Body.String(); got != "[]" {
		t.Errorf("an empty list is %s", got)
	}
	for _, line := range []string{"clock 2022-10-27T08:52:34Z", "station xyz", "start 1 0123 0 2022-10-27T08:52:34Z",
		"clock 2022-10-27T08:53:07Z", "stop 1 0123 0 Local 2022-10-27T08:53:07Z"} {
		w.act(strings.Fields(line))
	}
	const want = `[{"TransactionID":1,"ChargerID":"xyz","ConnectorID":1,"StartAt":"2022-10-27T08:52:34.000Z","EndAt":"2022-10-27T08:53:07.000Z",` +
		`"InitialSoC":null,"VehicleID":"0123","Initiator":"0123","EndSoC":null,"EnergyDelivered":0,"EndResult":"Local",` +
		`"ExtraInfo":{"Initiator":"0123"},"SessionStartTime":null,"SessionEndTime":null,"InsertedAt":"2022-10-27T08:53:07.000Z"}]`
	if got := w.get("GET /v2/transactions").Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPublicID(t *testing.T) {
	w := fleet(t)
	stored, err := w.store.Transaction(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	byPublic, byNumber := w.get("GET /v2/transactions/"+stored.PublicID), w.get("GET /v2/transactions/003")
	if byPublic.Code != http.StatusOK || byPublic.Body.String() != byNumber.Body.String() {
		t.Errorf("got %d %s and %d %s", byPublic.Code, byPublic.Body, byNumber.Code, byNumber.Body)
	}
}

func TestWhoMayRead(t *testing.T) {
	w := newWorld(t)
	for bearer, want := range map[string]int{"reader": http.StatusOK, "other": http.StatusForbidden, "forged": http.StatusUnauthorized} {
		w.bearer = bearer
		r := w.get("GET /v2/transactions")
		if r.Code != want {
			t.Errorf("%s: got %d %s, want %d", bearer, r.Code, r.Body, want)
		}
		if challenged := r.Header().Get("WWW-Authenticate") != ""; challenged != (want != http.StatusOK) {
			t.Errorf("%s: WWW-Authenticate is %q", bearer, r.Header().Get("WWW-Authenticate"))
		}
	}
}
