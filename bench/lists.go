package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Lists measures how long the lists of both façades take on a ledger that [Filling]
// made: every filter and many pairs, in every order, both ways, the first page, a
// page by offset and a page by cursor, with other values each time. Requests go
// to the handler in this process; what the network takes is not in the figures.
type Lists struct {
	Handler    http.Handler
	Header     http.Header // with a credential
	Rounds     int         // how often each
	Stations   int         // as in Filling
	Tokens     int
	Begin, End time.Time
	// Only, if not nil, leaves out what it does not match of a filter and an order,
	// with a comma between them.
	Only *regexp.Regexp
	// OnProgress, if not nil, is called with how many of how many were measured.
	OnProgress func(done, all int)
}

// A ListFigure is how long one query takes, in milliseconds.
type ListFigure struct {
	Filter string  `json:"filter"`
	Order  string  `json:"order"`
	Page   string  `json:"page"` // first, offset or cursor
	Calls  int     `json:"calls"`
	P50    float64 `json:"p50Ms"`
	P95    float64 `json:"p95Ms"`
	P99    float64 `json:"p99Ms"`
	Slow   string  `json:"slowest"` // the request that took longest
}

// A listQuery is a list with some filters: what it asks for is drawn anew each time.
type listQuery struct {
	name, path string
	orders     []string
	filter     func(d *draw) url.Values
}

// A draw draws values of filters.
type draw struct {
	*rand.Rand
	l *Lists
}

func (d *draw) station() string { return fmt.Sprintf("CP-%04d", 1+pick(d.Rand, d.l.Stations, 1.3)) }
func (d *draw) token() string   { return fmt.Sprintf("TAG%07d", 1+pick(d.Rand, d.l.Tokens, 1.5)) }
func (d *draw) vehicle() string {
	return fmt.Sprintf("VAN-%05d", 1+pick(d.Rand, d.l.Tokens, 1.5)/3)
}

// window returns a time and another so many days later.
func (d *draw) window(days int) (from, to string) {
	span := time.Duration(days) * 24 * time.Hour
	at := d.l.Begin.Add(time.Duration(d.Int64N(int64(max(1, d.l.End.Sub(d.l.Begin)-span))))).Truncate(time.Second)
	return at.Format(time.RFC3339), at.Add(span).Format(time.RFC3339)
}

// within returns parameters for a window.
func (d *draw) within(days int, from, to string) url.Values {
	begin, end := d.window(days)
	return url.Values{from: {begin}, to: {end}}
}

func (d *draw) and(some ...url.Values) url.Values {
	all := url.Values{}
	for _, values := range some {
		for name, value := range values {
			all[name] = value
		}
	}
	return all
}

func is(name, value string) url.Values { return url.Values{name: {value}} }

// queries are what is measured.
func queries() []listQuery {
	var all []listQuery
	v1 := []string{"-transactionId", "transactionId", "-startTime", "startTime", "-stopTime", "stopTime", "-insertedAt", "insertedAt"}
	for name, filter := range v1Filters() {
		all = append(all, listQuery{"v1 " + name, "/api/v1/transactions", v1, filter})
	}
	v2 := []string{"TransactionID desc", "TransactionID asc", "StartAt desc", "StartAt asc", "EndAt desc", "EndAt asc", "InsertedAt desc", "InsertedAt asc"}
	for name, filter := range v2Filters() {
		all = append(all, listQuery{"v2 " + name, "/v2/transactions", v2, filter})
	}
	slices.SortFunc(all, func(a, b listQuery) int { return strings.Compare(a.name, b.name) })
	return all
}

func v1Filters() map[string]func(*draw) url.Values {
	started := func(days int) func(*draw) url.Values {
		return func(d *draw) url.Values { return d.within(days, "startedFrom", "startedTo") }
	}
	return map[string]func(*draw) url.Values{
		"everything":        func(*draw) url.Values { return nil },
		"charger":           func(d *draw) url.Values { return is("chargeBoxId", d.station()) },
		"connector":         func(d *draw) url.Values { return is("connectorId", fmt.Sprint(1+d.IntN(4))) },
		"idTag":             func(d *draw) url.Values { return is("idTag", d.token()) },
		"vehicle":           func(d *draw) url.Values { return is("vehicleId", d.vehicle()) },
		"completed":         func(*draw) url.Values { return is("status", "completed") },
		"failed":            func(*draw) url.Values { return is("status", "failed,cancelled") },
		"running":           func(*draw) url.Values { return is("status", "in_progress") },
		"remote":            func(d *draw) url.Values { return is("remoteStarted", fmt.Sprint(d.IntN(2) == 0)) },
		"started, a day":    started(1),
		"started, 30 days":  started(30),
		"started, a year":   started(365),
		"stopped, 30 days":  func(d *draw) url.Values { return d.within(30, "stoppedFrom", "stoppedTo") },
		"inserted, 30 days": func(d *draw) url.Values { return d.within(30, "insertedFrom", "insertedTo") },
		"charger, 90 days":  func(d *draw) url.Values { return d.and(is("chargeBoxId", d.station()), started(90)(d)) },
		"charger, failed": func(d *draw) url.Values {
			return d.and(is("chargeBoxId", d.station()), is("status", "failed"))
		},
		"charger, connector, remote": func(d *draw) url.Values {
			return d.and(is("chargeBoxId", d.station()), is("connectorId", "2"), is("remoteStarted", "true"))
		},
		"idTag, a year":      func(d *draw) url.Values { return d.and(is("idTag", d.token()), started(365)(d)) },
		"idTag, charger":     func(d *draw) url.Values { return d.and(is("idTag", d.token()), is("chargeBoxId", d.station())) },
		"completed, remote":  func(*draw) url.Values { return url.Values{"status": {"completed"}, "remoteStarted": {"true"}} },
		"failed, 30 days":    func(d *draw) url.Values { return d.and(is("status", "failed"), started(30)(d)) },
		"connector, 90 days": func(d *draw) url.Values { return d.and(is("connectorId", "3"), started(90)(d)) },
		"started and inserted": func(d *draw) url.Values {
			w := started(60)(d)
			w.Set("insertedFrom", w.Get("startedFrom"))
			w.Set("insertedTo", w.Get("startedTo"))
			return w
		},
		"completed, remote, connector, a year": func(d *draw) url.Values {
			return d.and(url.Values{"status": {"completed"}, "remoteStarted": {"true"}, "connectorId": {"2"}}, started(365)(d))
		},
	}
}

func v2Filters() map[string]func(*draw) url.Values {
	by := func(filterBy string, days int) func(*draw) url.Values {
		return func(d *draw) url.Values { return d.and(is("filterBy", filterBy), d.within(days, "from", "to")) }
	}
	return map[string]func(*draw) url.Values{
		"everything":          func(*draw) url.Values { return nil },
		"charger":             func(d *draw) url.Values { return is("chargerId", d.station()) },
		"connector":           func(d *draw) url.Values { return is("connectorId", fmt.Sprint(1+d.IntN(4))) },
		"vehicle":             func(d *draw) url.Values { return is("vehicleId", d.vehicle()) },
		"StartAt, a day":      by("StartAt", 1),
		"StartAt, 30 days":    by("StartAt", 30),
		"StartAt, a year":     by("StartAt", 365),
		"EndAt, 30 days":      by("EndAt", 30),
		"InsertedAt, a day":   by("InsertedAt", 1),
		"InsertedAt, 30 days": by("InsertedAt", 30),
		"Overlapping, an hour": func(d *draw) url.Values {
			w := by("Overlapping", 1)(d)
			from, err := time.Parse(time.RFC3339, w.Get("from"))
			if err == nil {
				w.Set("to", from.Add(time.Hour).Format(time.RFC3339))
			}
			return w
		},
		"Overlapping, 30 days": by("Overlapping", 30),
		"charger, StartAt, 90 days": func(d *draw) url.Values {
			return d.and(is("chargerId", d.station()), by("StartAt", 90)(d))
		},
		"charger, Overlapping, 90 days": func(d *draw) url.Values {
			return d.and(is("chargerId", d.station()), by("Overlapping", 90)(d))
		},
	}
}

// Measure returns a figure for each query, order and kind of page.
func (l *Lists) Measure(ctx context.Context) ([]ListFigure, error) {
	var figures []ListFigure
	all, d := queries(), &draw{rand.New(rand.NewPCG(1, 2)), l}
	for i := range all {
		for _, order := range all[i].orders {
			if l.Only != nil && !l.Only.MatchString(all[i].name+", "+order) {
				continue
			}
			some, err := l.measure(ctx, d, &all[i], order)
			if err != nil {
				return nil, err
			}
			figures = append(figures, some...)
		}
		if l.OnProgress != nil {
			l.OnProgress(i+1, len(all))
		}
	}
	return figures, nil
}

// measure measures one query in one order. A round that warms up comes first.
func (l *Lists) measure(ctx context.Context, d *draw, q *listQuery, order string) ([]ListFigure, error) {
	kinds := []string{"first", "offset", "cursor"}
	took, slow := make(map[string][]time.Duration), make(map[string]string)
	for round := range l.Rounds + 1 {
		next := ""
		for _, kind := range kinds {
			if kind == "cursor" && next == "" {
				continue
			}
			target := l.target(d, q, order, kind, next)
			reply, t, err := l.get(ctx, target)
			if err != nil {
				return nil, err
			}
			next = nextOf(reply)
			if round == 0 {
				continue
			}
			if t > slices.Max(append([]time.Duration{0}, took[kind]...)) {
				slow[kind] = target
			}
			took[kind] = append(took[kind], t)
		}
	}
	var figures []ListFigure
	for _, kind := range kinds {
		if len(took[kind]) > 0 {
			figures = append(figures, listFigure(q.name, order, kind, took[kind], slow[kind]))
		}
	}
	return figures, nil
}

func listFigure(filter, order, kind string, took []time.Duration, slow string) ListFigure {
	slices.Sort(took)
	at := func(p int) float64 { return float64(took[max(0, (len(took)*p+99)/100-1)].Microseconds()) / 1000 }
	return ListFigure{filter, order, kind, len(took), at(50), at(95), at(99), slow}
}

// target returns a request: of the first page, of one that begins up to 10,000
// later, or of the one behind that.
func (l *Lists) target(d *draw, q *listQuery, order, kind, next string) string {
	if kind == "cursor" {
		return next
	}
	values := d.and(q.filter(d))
	if by, way, v2 := strings.Cut(order, " "); v2 {
		values.Set("orderBy", by)
		values.Set("order", way)
		if kind == "offset" {
			values.Set("page", fmt.Sprint(1+d.IntN(100)))
		}
		return q.path + "?" + values.Encode()
	}
	values.Set("sort", order)
	if kind == "offset" {
		values.Set("offset", fmt.Sprint(d.IntN(10_001)))
	}
	return q.path + "?" + values.Encode()
}

// get asks for a page and returns its body, with the link to the next in v2.
func (l *Lists) get(ctx context.Context, target string) (*page, time.Duration, error) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	r.Header = l.Header.Clone()
	out := httptest.NewRecorder()
	began := time.Now()
	l.Handler.ServeHTTP(out, r)
	took := time.Since(began)
	if out.Code != http.StatusOK {
		return nil, 0, fmt.Errorf("GET %s: %d %s", target, out.Code, out.Body)
	}
	return &page{target, out}, took, nil
}

type page struct {
	target string
	reply  *httptest.ResponseRecorder
}

// nextOf returns the request for the page after one; "" when it is the last.
func nextOf(p *page) string {
	link, _, _ := strings.Cut(p.reply.Header().Get("Link"), ">; rel=\"next\"")
	if after, ok := strings.CutPrefix(link, "<"); ok && !strings.Contains(link, "rel=") {
		return after
	}
	var body struct{ Pagination struct{ NextCursor string } }
	if json.Unmarshal(p.reply.Body.Bytes(), &body) != nil || body.Pagination.NextCursor == "" {
		return ""
	}
	asked, err := url.Parse(p.target)
	if err != nil {
		return ""
	}
	values := asked.Query()
	values.Del("offset")
	values.Set("cursor", body.Pagination.NextCursor)
	return asked.Path + "?" + values.Encode()
}

// Worst returns the figure with the highest 95th percentile of each filter and
// kind of page.
func Worst(figures []ListFigure) []ListFigure {
	worst := make(map[[2]string]ListFigure)
	for _, f := range figures {
		key := [2]string{f.Filter, f.Page}
		if f.P95 >= worst[key].P95 {
			worst[key] = f
		}
	}
	var list []ListFigure
	for _, f := range worst {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b ListFigure) int {
		return cmp.Or(strings.Compare(a.Filter, b.Filter), -strings.Compare(a.Page, b.Page))
	})
	return list
}
