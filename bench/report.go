package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// A Report is what several runs of a scenario measured, as --json writes it.
type Report struct {
	Scenario string            `json:"scenario"`
	Settings map[string]string `json:"settings"` // what was asked for
	At       time.Time         `json:"at"`
	Machine  Machine           `json:"machine"`
	Rounds   int               `json:"rounds"`
	Series   []Series          `json:"series"`

	Lists []ListFigure `json:"lists,omitempty"` // of the scenario query: all of which Series has the slowest
	Depth *Depth       `json:"depth,omitempty"`

	Errors     int    `json:"errors"` // of all runs
	FirstError string `json:"firstError,omitempty"`
}

// A Machine is where it was measured.
type Machine struct {
	Processors int    `json:"processors"`
	Model      string `json:"model"` // empty: unknown
	System     string `json:"system"`
	Go         string `json:"go"`
}

// A Series is what was measured of one thing: of a store, a list, a size.
type Series struct {
	Name    string   `json:"name"`
	Figures []Figure `json:"figures"`
}

// A Figure is one thing that was measured, once a round.
type Figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Better Better    `json:"better"`
	Median float64   `json:"median"`
	Low    float64   `json:"low"`
	High   float64   `json:"high"`
	Values []float64 `json:"values"` // by round
}

// Better says which way a figure should go.
type Better string

// The ways.
const (
	More    Better = "more"
	Less    Better = "less"
	Neither Better = "neither" // it explains the others
)

// A Sample is what one run measured.
type Sample struct {
	Values     []Value
	Errors     int
	FirstError string
}

// A Value is one thing that one run measured.
type Value struct {
	Name, Unit string
	Better     Better
	Value      float64
}

// Get returns a value by its name; 0 of one that is not there.
func (s *Sample) Get(name string) float64 {
	i := slices.IndexFunc(s.Values, func(v Value) bool { return v.Name == name })
	if i < 0 {
		return 0
	}
	return s.Values[i].Value
}

func (s *Sample) add(name, unit string, better Better, value float64) {
	s.Values = append(s.Values, Value{name, unit, better, value})
}

// NewReport returns a report of nothing yet, of this machine.
func NewReport(scenario string, settings map[string]string) *Report {
	return &Report{
		Scenario: scenario, Settings: settings, At: time.Now().UTC().Truncate(time.Second),
		Machine: Machine{runtime.NumCPU(), processorModel(), runtime.GOOS + "/" + runtime.GOARCH, runtime.Version()},
	}
}

// Add adds what one run measured of one thing.
func (r *Report) Add(series string, s *Sample) {
	r.Errors += s.Errors
	if r.FirstError == "" {
		r.FirstError = s.FirstError
	}
	i := slices.IndexFunc(r.Series, func(x Series) bool { return x.Name == series })
	if i < 0 {
		i = len(r.Series)
		r.Series = append(r.Series, Series{Name: series})
	}
	for _, v := range s.Values {
		r.Series[i].add(v)
	}
	r.Rounds = max(r.Rounds, len(r.Series[i].Figures[0].Values))
}

func (s *Series) add(v Value) {
	f := s.Figure(v.Name)
	if f == nil {
		s.Figures = append(s.Figures, Figure{Name: v.Name, Unit: v.Unit, Better: v.Better})
		f = &s.Figures[len(s.Figures)-1]
	}
	f.Values = append(f.Values, v.Value)
	f.Median, f.Low, f.High = median(f.Values), slices.Min(f.Values), slices.Max(f.Values)
}

// Figure returns a figure by its name, or nil.
func (s *Series) Figure(name string) *Figure {
	i := slices.IndexFunc(s.Figures, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Figures[i]
}

// Share returns the median of what f is of g, round by round: a ratio comes from
// what was measured side by side. Without one for each round it is that of the
// medians.
func (f *Figure) Share(g *Figure) float64 {
	if len(f.Values) != len(g.Values) {
		return over(f.Median, g.Median)
	}
	var shares []float64
	for i, v := range f.Values {
		shares = append(shares, over(v, g.Values[i]))
	}
	return median(shares)
}

func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Rounds say how often, and on which stores, something is measured.
type Rounds struct {
	Count  int
	Stores []string
	// OnRun, if not nil, is called before each run, and OnSample after it.
	OnRun    func(round int, store string)
	OnSample func(round int, store string, s *Sample)
}

// Fill adds to r what once measures. The stores take turns within a round, and
// every other round in reverse, so that what else the machine does spoils none of
// them alone.
func (o Rounds) Fill(ctx context.Context, r *Report, once func(ctx context.Context, store string) (*Sample, error)) error {
	for round := range o.Count {
		stores := slices.Clone(o.Stores)
		if round%2 == 1 {
			slices.Reverse(stores)
		}
		for _, store := range stores {
			if o.OnRun != nil {
				o.OnRun(round, store)
			}
			s, err := once(ctx, store)
			if err != nil {
				return fmt.Errorf("%s: %w", store, err)
			}
			r.Add(store, s)
			if o.OnSample != nil {
				o.OnSample(round, store, s)
			}
		}
	}
	r.sort(o.Stores)
	return nil
}

// sort brings the series into an order.
func (r *Report) sort(names []string) {
	slices.SortStableFunc(r.Series, func(a, b Series) int {
		return slices.Index(names, a.Name) - slices.Index(names, b.Name)
	})
}
